/// \file The policies of the three modes.
#pragma once

#include <string>
#include <string_view>

#include <hearth/result.h>

namespace hearth::tool {

/// Nothing may leave, everything is answered here.
std::string edge_only_policy();
/// Everything may leave and does. Knowingly ignores privacy: it is what hearth is compared with.
std::string cloud_only_policy();

/// A policy as it will be in force.
struct ModePolicy {
  std::string json;
  std::string name;
  double threshold = 0;  ///< Of its first cascade rule; 0 without one.
};

/// The text of `file`, checked by compiling it. `threshold` >= 0 replaces the `confidence_below` of every cascade rule;
/// the rest of the file keeps its meaning but not its spacing. Errors name file, line and path.
Result<ModePolicy> load_mode_policy(const std::string& file, double threshold);

}  // namespace hearth::tool
