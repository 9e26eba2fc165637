// The hearth command: finds the command that was asked for and hands it the rest of the line.
#include <array>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "runtime/base/json_reader.h"
#include "tools/hearth/audit_command.h"
#include "tools/hearth/calibrate_command.h"
#include "tools/hearth/exit_codes.h"
#include "tools/hearth/export_command.h"
#include "tools/hearth/places.h"
#include "tools/hearth/policy_command.h"
#include "tools/hearth/scan_command.h"
#include "tools/simulate/calibrate_simulator_command.h"
#include "tools/simulate/simulate_command.h"

namespace {

using namespace hearth::tool;

/// Models need LibTorch, which takes a third of a second to load: they live in a program of their own.
int models_main(int, char** argv) {
  const std::string program = program_folder() + "/hearth-models";
  ::execv(program.c_str(), argv);
  std::cerr << "hearth: cannot start " << program << ": " << std::strerror(errno) << '\n';
  return kExitFailed;
}

int calibrate(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "simulator")
    return hearth::simulate::calibrate_simulator_main(argc - 1, argv + 1);
  return calibrate_main(argc, argv);
}

struct Command {
  std::string_view name;
  std::string_view what;
  int (*main)(int argc, char** argv);  ///< With argv[0] the command's own name, except models_main.
};

constexpr std::array kCommands = {
    Command{"policy", "Check, test, explain, compare and prove policy files", policy_main},
    Command{"audit", "Check the audit log, sign its head, prove what never left", audit_main},
    Command{"calibrate", "Measure the threshold of a cascade, and how true a simulation is", calibrate},
    Command{"prepare", "Train the model pair, quantize its edge half, save both", models_main},
    Command{"optimize", "Find the fastest mix of float, int8 and int4 layers on this device", models_main},
    Command{"profile", "Measure a model's latency on this device, for forecasts and simulations", models_main},
    Command{"run", "Stream photos through edge-only, cloud-only and hearth, and compare", models_main},
    Command{"observe", "Record a live run as a scenario that simulate replays", models_main},
    Command{"simulate", "Try a policy on simulated worlds before a user meets it", hearth::simulate::simulate_main},
    Command{"export", "Write the cloud half of a pair for Triton and KServe", export_main},
    Command{"scan", "Find personal data in JSON lines", scan_main},
    Command{"redact", "Replace personal data in JSON lines by placeholders", redact_main},
};

void print_help(std::ostream& out) {
  out << "hearth: a quantized local model answers, the cloud only by permission.\n"
         "Usage: hearth COMMAND [OPTIONS]\n\n";
  for (const Command& command : kCommands) {
    out << "  " << command.name << std::string(12 - command.name.size(), ' ') << command.what << '\n';
  }
  out << "\n`hearth COMMAND --help` shows a command's options and an example. `hearth --version` prints the version.\n"
         "Example: hearth run\n"
         "Exit codes: 0 ok, 1 the answer is no, 2 bad input, 3 failed while running.\n";
}

int unknown(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  std::cerr << "hearth: " << (name.empty() ? "no command" : "\"" + name + "\" is no command")
            << hearth::suggestion(name, names) << "; `hearth --help` lists the commands\n";
  return kExitBadInput;
}

int dispatch(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h") return print_help(std::cout), kExitOk;
  if (name == "--version") return std::cout << "hearth " HEARTH_VERSION "\n", kExitOk;
  for (const Command& command : kCommands) {
    if (command.name != name) continue;
    return command.main == models_main ? models_main(argc, argv) : command.main(argc - 1, argv + 1);
  }
  return unknown(name);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "hearth: " << error.what() << '\n';
    return kExitFailed;
  }
}
