/// \file Comparison: two policies or more on the same worlds: which is better in what, by how much, and how sure that
/// is.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/simulate/summary.h"

namespace hearth::simulate {

/// One policy's runs. Run i of each side had the same seed, so the same requests met the same draws.
struct Side {
  std::string name;
  Results results;
};

struct Comparison {
  std::vector<Side> sides;  ///< The first is what the others are compared with.
  double within = 0.05;     ///< Of what counts as equivalent: see compare_paired().
};

/// Side `other` against the first, in the order of metrics().
std::vector<Difference> differences(const Comparison& comparison, std::size_t other);

/// "A", "B", ...
std::string letter(std::size_t side);
/// "B better", "equivalent", ...: the verdict with the letter of the side that is compared with A.
std::string verdict_words(Verdict verdict, std::size_t other);

/// Deterministic, like summary_json().
nlohmann::ordered_json comparison_json(const Comparison& comparison);
std::string comparison_table(const Comparison& comparison);
std::string make_comparison_report(const Comparison& comparison, const std::string& story);

}  // namespace hearth::simulate
