/// \file Validation of a runtime configuration, wherever it came from.
#pragma once

#include <hearth/config.h>

namespace hearth {

/// Checks ranges, names, endpoint URLs and that the halves of each pair fit. All problems in one error, a line each.
Status validate(const RuntimeConfig& config);

}  // namespace hearth
