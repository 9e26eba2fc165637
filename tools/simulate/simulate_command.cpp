#include "tools/simulate/simulate_command.h"

#include <array>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/json_reader.h"
#include "tools/hearth/exit_codes.h"

#include "tools/simulate/compare_command.h"
#include "tools/simulate/run_command.h"
#include "tools/simulate/swarm/swarm_command.h"
#include "tools/simulate/sweep_command.h"

namespace hearth::simulate {
namespace {

struct Subcommand {
  std::string_view name;
  int (*main)(int argc, char** argv);
};

constexpr std::array kSubcommands = {
    Subcommand{"compare", compare_main},
    Subcommand{"sweep", sweep_main},
    Subcommand{"swarm", swarm_main},
};

/// A word that is no file and nearly a subcommand. Empty: it is neither.
std::string mistyped(const std::string& word) {
  std::error_code ignored;
  if (word.empty() || word[0] == '-' || std::filesystem::exists(word, ignored)) return {};
  std::vector<std::string> names;
  for (const Subcommand& one : kSubcommands) names.emplace_back(one.name);
  return suggestion(word, names);
}

}  // namespace

int simulate_main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  for (const Subcommand& one : kSubcommands)
    if (one.name == name) return one.main(argc - 1, argv + 1);
  if (const std::string hint = mistyped(name); !hint.empty()) {
    std::cerr << "hearth simulate: \"" << name << "\" is neither a file nor a subcommand" << hint << '\n';
    return tool::kExitBadInput;
  }
  return run_main(argc, argv);
}

}  // namespace hearth::simulate
