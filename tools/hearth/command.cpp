#include "tools/hearth/command.h"

#include <iostream>

namespace hearth::tool {

CLI::Validator whole_number() {
  return CLI::Validator(
      [](const std::string& text) {
        const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
        return digits && text.size() <= 19 ? std::string() : "expected a whole number, got \"" + text + "\"";
      },
      "");
}

std::optional<int> parse_flags(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return {};
  } catch (const CLI::CallForHelp& help) { return app.exit(help); } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) { return app.exit(version); } catch (const CLI::ParseError& error) {
    std::cerr << "hearth: " << error.what() << " (hearth --help lists what there is)\n";
    return kExitBadInput;
  }
}

}  // namespace hearth::tool
