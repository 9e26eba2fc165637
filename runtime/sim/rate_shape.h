/// \file RateShape: how the rate of requests goes up and down with the hour, and for a while.
#pragma once

#include <vector>

#include <hearth/time.h>

namespace hearth::sim {

/// Multiplies a rate. The day's curve is 1 + amplitude x cos(2 pi (t - peak) / day), as a line through 96 points of it
/// (off by at most 0.06 % of the amplitude), so that it is the same on every processor. Spikes that overlap multiply.
struct RateShape {
  struct Spike {
    Duration at{};
    Duration length{};
    double factor = 1;
  };
  double diurnal_amplitude = 0;  ///< 0 to 1. 0: no day.
  Duration day = std::chrono::hours(24);
  Duration peak{};  ///< Time since the start at which the rate is highest.
  std::vector<Spike> spikes;

  bool flat() const { return diurnal_amplitude == 0 && spikes.empty(); }
  /// By which the rate is multiplied at a moment.
  double at(TimePoint moment) const;
};

/// Inversion of the rate's integral, which keeps a process's burstiness where thinning would turn it into Poisson
/// (Gerhardt, Nelson: "Transforming renewal processes for simulation of nonstationary arrival processes", INFORMS
/// Journal on Computing 21(4), 2009).
struct Passed {
  TimePoint at;
  double left_ns = 0;  ///< What had not passed by `until`.
};
/// The moment by which so much time at the unshaped rate has passed since `from`; `until` when it comes no earlier.
Passed pass_time(const RateShape& shape, TimePoint from, double work_ns, TimePoint until);

}  // namespace hearth::sim
