/// \file Reports and comparisons made of synthetic records.
#pragma once

#include <memory>

#include "tests/tools/simulate/synthetic_records.h"
#include "tools/simulate/compare.h"
#include "tools/simulate/report.h"
#include "tools/simulate/sweep.h"

namespace hearth::simulate::test {

inline Summary summary_of(const MadeRun& run) {
  Summary summary(run.names, run.facts.warm_up, run.facts.length);
  for (const Record& record : run.records) summary.take(record);
  return summary;
}

/// `runs` differ in their seeds alone.
inline std::string report_of(const std::vector<MadeRun>& runs) {
  Results results;
  for (const MadeRun& run : runs) results.add(run.facts, summary_of(run));
  Timeline timeline(runs[0].facts.length);
  for (const Record& record : runs[0].records) timeline.take(record);
  using std::chrono::seconds;
  return make_report({results,
                      &timeline,
                      {{seconds(60), seconds(6), "blackhole"}, {seconds(100), seconds(10), "latency"}},
                      "A commuter's phone on LTE: photos are tagged as they are taken, & notes are read <aloud>."});
}

/// Policies that ask the cloud below these confidences, on the same requests.
inline Comparison comparison_of(const std::vector<double>& thresholds, std::uint64_t seeds) {
  Comparison comparison;
  for (const double threshold : thresholds) {
    Side side;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const MadeRun run = make_run({.seed = seed, .requests = 4'000, .ask_below = threshold});
      side.name = run.facts.policy_name;
      side.results.add(run.facts, summary_of(run));
    }
    comparison.sides.push_back(std::move(side));
  }
  return comparison;
}

/// A sweep over confidences and round trips; what the round trip does is made up: it only moves the seeds.
inline Sweep sweep_of(const std::vector<double>& thresholds, std::uint64_t seeds) {
  Sweep sweep{"synthetic <commuter>", {{"threshold", {}}, {"round_trip.median_ms", {20, 60}}}, {}};
  for (const double threshold : thresholds) {
    sweep.settings[0].values.emplace_back(threshold);
    for (const std::uint64_t shift : {20, 60}) {
      SweepPoint point;
      point.values = {threshold, shift};
      for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        MadeRun run = make_run({.seed = seed + shift * 100, .requests = 2'000, .ask_below = threshold});
        run.facts.seed = seed;
        point.results.add(run.facts, summary_of(run));
      }
      sweep.points.push_back(std::move(point));
    }
  }
  return sweep;
}

}  // namespace hearth::simulate::test
