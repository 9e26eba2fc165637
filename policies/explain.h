/// \file Explain: one decision, rule by rule, and the smallest change that would have turned it.
#pragma once

#include <string>
#include <string_view>

#include <hearth/result.h>

#include "policies/policy.h"

namespace hearth::policies {

/// Decides the request in `request_json` (as tests state it, see read_case()) and tells how, as JSON:
/// `class`, `classify_rule`, `mask`, `rule`, `plan`, `prefer_rule`; `stages`: every rule of every stage with each of
/// its conditions (`yes`, `no`, `unknown`) and what it did; `nearest_change`: the fewest attributes to change, three at
/// most, for the cloud to be permitted where it is not, or the other way round, or null. Looking for it is bounded.
Result<std::string> explain(const Policy& policy, std::string_view request_json, const std::string& origin);

}  // namespace hearth::policies
