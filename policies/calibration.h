/// \file Calibration: a cascade's threshold as `hearth calibrate cascade` measured it, in a file that a policy names.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <hearth/confidence.h>
#include <hearth/result.h>

namespace hearth::policies {

struct Calibration {
  ConfidenceRule confidence;
  float confidence_below = 0;
  std::string sha256;  ///< Of the file.
};

inline constexpr std::array<std::string_view, 3> kConfidenceKinds = {"max_probability", "margin", "entropy"};

/// Reads `confidence` and `confidence_below`; the rest of the file is for people. Errors: all problems, a line each.
Result<Calibration> read_calibration(const std::string& file);

}  // namespace hearth::policies
