/// \file PassTimes: how long a model's forward passes take on this device, by how many requests share one.
#pragma once

#include <cstddef>
#include <vector>

#include <hearth/time.h>

#include "runtime/signals/forecast.h"

namespace hearth::scheduler {

/// Of each size the mean and the mean deviation, by the gains of TCP's retransmission timer (Jacobson, "Congestion
/// avoidance and control", SIGCOMM 1988; RFC 6298). A size measured within a second stands for itself. Any other is
/// held against its neighbours: a pass takes no longer for each request than a smaller one did, and no longer than a
/// larger one did. So a size is tried again after a bad second, and the first passes of a model are taken for no better
/// than one request after the other.
///
/// Threads: none of its own. Allocates nothing after the first pass.
class PassTimes {
 public:
  static constexpr Duration kLately = std::chrono::seconds(1);

  explicit PassTimes(std::size_t size_max) : sizes_(size_max) {}

  void observe(std::size_t size, Duration took, TimePoint now);
  /// What an earlier run, or `hearth profile`, saw of passes of one request. Before the first pass.
  void start_from(const signals::QuantileSketch& profile);
  bool known() const { return largest_ > 0; }
  /// The largest size ever measured.
  std::size_t largest() const { return largest_; }
  /// As a rule; zero while nothing is known. Sizes are 1 to `size_max`.
  Duration usual(std::size_t size) const;
  /// Hardly ever longer: the mean and four deviations.
  Duration at_most(std::size_t size) const;
  /// Of all passes, whatever their size: what one request sees of them.
  const signals::Forecast& forecast() const { return forecast_; }

 private:
  struct Size {
    double mean = 0, deviation = 0;  // Nanoseconds, here and below.
    TimePoint last{};
    bool seen = false;
    double usual = 0, at_most = 0;
  };
  void estimate(TimePoint now);

  signals::Forecast forecast_{Duration{}};
  std::vector<Size> sizes_;
  std::size_t largest_ = 0;
};

}  // namespace hearth::scheduler
