/// \file The report of one simulated scenario: a page that needs nothing but itself.
#pragma once

#include <string>
#include <vector>

#include "tools/simulate/summary.h"
#include "tools/simulate/timeline.h"
#include "tools/simulate/trace_writer.h"

namespace hearth::simulate {

/// What the page is made of.
struct ReportInput {
  const Results& results;    ///< Of one run or several, under one policy.
  const Timeline* timeline;  ///< Of the first run; null leaves the pictures over time out.
  std::vector<Mark> marks;   ///< What was done to the world.
  std::string story;         ///< The scenario's own words.
};

/// Holds no clock and nothing of the machine: the same runs give the same bytes.
std::string make_report(const ReportInput& input);

}  // namespace hearth::simulate
