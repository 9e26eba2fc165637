/// \file How answers of `hearth policy` read on a terminal.
#pragma once

#include <ostream>

#include <nlohmann/json.hpp>

namespace hearth::tool {

/// What policies::explain() tells, as a tree.
void print_explanation(std::ostream& out, const nlohmann::ordered_json& told);

/// One answer of `prove`.
void print_answer(std::ostream& out, const nlohmann::ordered_json& answer);

}  // namespace hearth::tool
