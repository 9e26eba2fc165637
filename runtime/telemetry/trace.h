/// \file Traces: an outcome as one line of JSON. Holds no payload: no inputs, outputs, text or session.
#pragma once

#include <string>

#include <hearth/outcome.h>

namespace hearth::telemetry {

/// One line without its newline. Keys carry units; equal outcomes give equal bytes.
std::string to_json_line(const Outcome& outcome);

}  // namespace hearth::telemetry
