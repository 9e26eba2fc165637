/// \file Lint: what a policy that loads may still not mean.
#pragma once

#include <string>
#include <vector>

#include "policies/policy.h"

namespace hearth::policies {

/// One line each, `place: rule "id": what`. Exact, by the search that proofs use: rules that never decide anything
/// because others or a class decide before them (naming the one that does, when it is one), rules that raise to what
/// holds already, preferences for a cloud that their own conditions rule out, thresholds that do nothing, and what
/// leaves when something is not known: data without a label, an unknown label, text that was not understood.
std::vector<std::string> lint(const Policy& policy);

}  // namespace hearth::policies
