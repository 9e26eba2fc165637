#include "tools/simulate/simulate_command.h"

#include <array>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/json_reader.h"
#include "tools/hearth/exit_codes.h"
#include "tools/simulate/swarm/swarm_command.h"

namespace hearth::simulate {
namespace {

struct Subcommand {
  std::string_view name;
  std::string_view what;
  int (*main)(int argc, char** argv);
};

constexpr std::array kSubcommands = {
    Subcommand{"swarm", "Check every guarantee in worlds drawn from seeds, with faults", swarm_main},
};

void print_help(std::ostream& out) {
  out << "Tries the runtime on simulated worlds, on virtual time.\nUsage: hearth simulate SUBCOMMAND [OPTIONS]\n\n";
  for (const auto& [name, what, run] : kSubcommands)
    out << "  " << name << std::string(12 - name.size(), ' ') << what << '\n';
  out << "\n`hearth simulate SUBCOMMAND --help` shows its options.\nExample: hearth simulate swarm --seeds 100\n";
}

}  // namespace

int simulate_main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h") return print_help(std::cout), tool::kExitOk;
  std::vector<std::string> names;
  for (const auto& one : kSubcommands) {
    if (one.name == name) return one.main(argc - 1, argv + 1);
    names.emplace_back(one.name);
  }
  std::cerr << "hearth simulate: " << (name.empty() ? "no subcommand" : "\"" + name + "\" is no subcommand")
            << suggestion(name, names) << "; `hearth simulate --help` lists them\n";
  return tool::kExitBadInput;
}

}  // namespace hearth::simulate
