/// \file NetworkReader: the scenario's "network": what lies between a device and its clouds.
#pragma once

#include <string>

#include "runtime/base/json_reader.h"
#include "runtime/sim/link.h"

namespace hearth::simulate {

/// Reads the network of `scenario`, and the traces it names, relative to `folder`. Everything that is wrong becomes a
/// problem of the scenario; `out` is then not to be used. What is left out stays as it is in `out`.
void read_network(JsonReader& scenario, const std::string& folder, sim::LinkModel& out);

}  // namespace hearth::simulate
