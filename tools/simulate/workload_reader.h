/// \file WorkloadReader: the scenario's "workload": what the app asks for, and when.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/base/json_reader.h"
#include "runtime/sim/workload.h"

namespace hearth::simulate {

/// Reads the streams of `scenario`, and the traces they name, relative to `folder`. `models`: the scenario's, by index.
/// Everything that is wrong becomes a problem of the scenario; `out` is then not to be used. Defaults are those of
/// sim::Stream and, for a token's bytes, of TokenBytes.
void read_workload(JsonReader& scenario, const std::string& folder, std::span<const std::string> models,
                   std::vector<sim::Stream>& out);

}  // namespace hearth::simulate
