/// \file Export: a simulated run as a scenario that replays it to the byte, in the folder shape of a live run.
#pragma once

#include <string>

#include <hearth/result.h>

#include "tools/simulate/scenario.h"

namespace hearth::simulate {

/// Writes scenario.json with its workload as a trace, and copies of all that the scenario names, into `folder`.
/// `policy_file`: where the policy came from, when it is not the scenario's own. Refused (kInvalidArgument): more than
/// one device, whose arrivals differ, and closed loops, whose arrivals depend on the answers.
Status export_scenario(const std::string& folder, const Scenario& scenario, const std::string& policy_file = {});

}  // namespace hearth::simulate
