/// \file The sections of a scenario that are neither network nor workload.
#pragma once

#include <string>

#include "runtime/base/json_reader.h"
#include "runtime/sim/fleet.h"

namespace hearth::simulate {

/// "models": pairs in time and truth. Recorded answers are JSON lines, each with `confidence`, `edge_correct` and
/// `cloud_correct`.
void read_models(JsonReader& scenario, const std::string& folder, sim::FleetModel& out);
/// "devices": how many, how fast, how hot, how full, on what network.
void read_devices(JsonReader& scenario, sim::FleetModel& out);
/// "clouds": endpoints, their servers, prices and faults.
void read_clouds(JsonReader& scenario, const std::string& folder, sim::FleetModel& out);

/// `path` as seen from `folder`.
std::string beside_folder(const std::string& folder, const std::string& path);

}  // namespace hearth::simulate
