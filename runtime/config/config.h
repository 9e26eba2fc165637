/// \file Validation of a runtime configuration, wherever it came from.
#pragma once

#include <hearth/config.h>

namespace hearth {

/// Checks a configuration, however it was made: bounds in range, names, endpoints that can be reached safely, halves of
/// pairs that fit. No I/O. All problems come in one error, a line each: `configuration: /path: what, expected what`.
Status validate(const RuntimeConfig& config);

}  // namespace hearth
