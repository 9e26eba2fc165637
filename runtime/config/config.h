/// \file Validation of a runtime configuration, wherever it came from.
#pragma once

#include <hearth/config.h>

#include "runtime/base/json_reader.h"

namespace hearth {

/// Checks a configuration, however it was made: bounds in range, names, endpoints that can be reached safely, halves of
/// pairs that fit. No I/O. All problems come in one error, a line each: `configuration: /path: what, expected what`.
Status validate(const RuntimeConfig& config);

/// Reads what a configuration says of deadlines, limits, cloud timing and energy: `default_deadline_ms`, `limits`,
/// `cloud`, `energy`.
void read_bounds(JsonReader& reader, RuntimeConfig& out);

}  // namespace hearth
