/// \file Turns: times several things one after the other, again and again, so that what else the machine does falls on
/// all alike.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace hearth::edge {

/// Microseconds of one call: over the turns, of each turn's mean.
struct Spread {
  double p10_us = 0, p50_us = 0, p90_us = 0;
};

/// Each runs in `turns` turns (at least 1) of about `turn_us`, at least one call, after a turn that does not count.
/// `progress` gets the share that is done. Threads: all on the caller's.
std::vector<Spread> measure_in_turns(std::span<const std::function<void()>> calls, std::size_t turns, double turn_us,
                                     const std::function<void(double)>& progress = {});

}  // namespace hearth::edge
