/// \file Marks: what a scenario does to its world, and when, for traces and pictures.
#pragma once

#include <vector>

#include "tools/simulate/scenario.h"
#include "tools/simulate/trace_writer.h"

namespace hearth::simulate {

/// Faults at the clouds, each time they come back; outages of the link; stretches offline; other prices. Within the
/// scenario's length, and the first kMarksMax of each of them.
std::vector<Mark> marks_of(const Scenario& scenario);
inline constexpr std::size_t kMarksMax = 500;

}  // namespace hearth::simulate
