/// \file `hearth observe`: a live run, the real runtime and the real stub over loopback, kept as a scenario.
#pragma once

#include "tools/hearth/run.h"

namespace hearth::tool {

/// Of RunOptions: models, workload, policy, stub_config, out, requests, rate_per_s, deadline_ms, seed, json. The folder
/// holds no payload and no caption: each request goes by the class that it was found to have. Problems are printed to
/// standard error, a line each.
int observe(const RunOptions& options);

}  // namespace hearth::tool
