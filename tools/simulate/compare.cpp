#include "tools/simulate/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "tools/simulate/charts.h"

namespace hearth::simulate {
namespace {

using nlohmann::ordered_json;

/// "13.21 to 13.73 ms": what B has more than A.
std::string range_words(const Metric& metric, const Difference& difference) {
  if (!difference.b_minus_a) return "one seed: no interval";
  return shown_range(metric, difference.b_minus_a->low(), difference.b_minus_a->high());
}

}  // namespace

std::vector<Difference> differences(const Comparison& comparison, std::size_t other) {
  std::vector<Difference> all;
  for (const Metric& metric : metrics()) {
    std::vector<double> a = comparison.sides[0].results.per_run(metric);
    std::vector<double> b = comparison.sides[other].results.per_run(metric);
    for (std::size_t i = std::min(a.size(), b.size()); i-- > 0;) {  // a pair counts when both have the figure
      if (!std::isnan(a[i]) && !std::isnan(b[i])) continue;
      a.erase(a.begin() + static_cast<std::ptrdiff_t>(i));
      b.erase(b.begin() + static_cast<std::ptrdiff_t>(i));
    }
    all.push_back(compare_paired(a, b, metric.better, metric.is_share, comparison.within));
  }
  return all;
}

std::string letter(std::size_t side) { return std::string(1, static_cast<char>('A' + side)); }

std::string verdict_words(Verdict verdict, std::size_t other) {
  std::string words = name_of(verdict);
  if (words[0] == 'B') words.replace(0, 1, letter(other));
  return words;
}

ordered_json comparison_json(const Comparison& comparison) {
  const RunFacts& first = comparison.sides[0].results.facts()[0];
  ordered_json out;
  out["scenario"] = first.scenario;
  out["seeds"] = ordered_json::array();
  for (const RunFacts& facts : comparison.sides[0].results.facts()) out["seeds"].push_back(facts.seed);
  out["equivalent_within"] = comparison.within;
  out["policies"] = ordered_json::object();
  for (std::size_t i = 0; i < comparison.sides.size(); ++i) {
    const Side& side = comparison.sides[i];
    ordered_json one = {{"name", side.name}, {"policy_sha256", side.results.facts()[0].policy_sha256}};
    for (const RunFacts& facts : side.results.facts()) one["trace_hash"].push_back(facts.trace_hash);
    one["all"] = tally_json(side.results.summary().all());
    out["policies"][letter(i)] = one;
  }
  out["against_a"] = ordered_json::object();
  for (std::size_t other = 1; other < comparison.sides.size(); ++other) {
    const auto found = differences(comparison, other);
    ordered_json all;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Difference& one = found[i];
      all[std::string(metrics()[i].key)] = {{"a", figure(one.a)},
                                            {"b", figure(one.b)},
                                            {"b_minus_a", one.b_minus_a ? figure(one.b_minus_a->mean) : ordered_json()},
                                            {"low", one.b_minus_a ? figure(one.b_minus_a->low()) : ordered_json()},
                                            {"high", one.b_minus_a ? figure(one.b_minus_a->high()) : ordered_json()},
                                            {"margin", figure(one.margin)},
                                            {"verdict", verdict_words(one.verdict, other)}};
    }
    out["against_a"][letter(other)] = all;
  }
  return out;
}

std::string comparison_table(const Comparison& comparison) {
  const Results& a = comparison.sides[0].results;
  std::string out = "\n  " + a.facts()[0].scenario + ", " + std::to_string(a.facts().size()) +
                    (a.facts().size() == 1 ? " seed\n" : " seeds, paired\n");
  for (std::size_t i = 0; i < comparison.sides.size(); ++i)
    out += "  " + letter(i) + "  " + comparison.sides[i].name + "\n";
  for (std::size_t other = 1; other < comparison.sides.size(); ++other) {
    std::array<char, 300> line{};
    const std::string minus = letter(other) + " - A, 95 %";
    std::snprintf(line.data(), line.size(), "\n  %-30s %14s %14s   %-30s %s\n", "", "A", letter(other).c_str(),
                  minus.c_str(), "verdict");
    out += line.data();
    const auto found = differences(comparison, other);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Metric& metric = metrics()[i];
      std::snprintf(line.data(), line.size(), "  %-30s %14s %14s   %-30s %s\n", std::string(metric.words).c_str(),
                    shown(metric, found[i].a).c_str(), shown(metric, found[i].b).c_str(),
                    range_words(metric, found[i]).c_str(), verdict_words(found[i].verdict, other).c_str());
      out += line.data();
    }
  }
  return out;
}

}  // namespace hearth::simulate
