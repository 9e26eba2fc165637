/// \file Scenario: one simulated world as a file tells it: devices, models, policy, network, workload, clouds, faults.
#pragma once

#include <string>

#include <hearth/result.h>

#include "runtime/sim/fleet.h"
#include "tools/simulate/echo.h"

namespace hearth::simulate {

struct Scenario {
  std::string name;
  std::string story;  ///< For people.
  std::string file;
  Duration warm_up{};  ///< Requests that come before it are not counted.
  sim::FleetModel fleet;
  Echo echo;
};

/// Reads a scenario (configs/schema/scenario.schema.json) and everything that it names, relative to its own folder.
/// All problems come in one error, a line each: `file:line:column: path: what, expected what`.
Result<Scenario> load_scenario(const std::string& file);
/// The same from its text; `file` names it in messages and its folder.
Result<Scenario> parse_scenario(const std::string& text, const std::string& file);

/// Puts another policy in. Errors: as a policy has them, and names that the scenario does not have.
Status set_policy(Scenario& scenario, const std::string& policy_file);

}  // namespace hearth::simulate
