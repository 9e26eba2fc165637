#include "tools/simulate/simulate_command.h"

#include <array>
#include <string_view>

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

}  // namespace

int simulate_main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  for (const Subcommand& one : kSubcommands)
    if (one.name == name) return one.main(argc - 1, argv + 1);
  return run_main(argc, argv);
}

}  // namespace hearth::simulate
