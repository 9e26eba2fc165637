/// \file A report made of synthetic records.
#pragma once

#include <memory>

#include "tests/tools/simulate/synthetic_records.h"
#include "tools/simulate/report.h"

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

}  // namespace hearth::simulate::test
