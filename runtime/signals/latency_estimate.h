/// \file LatencyEstimate: how long an endpoint's next answer will take, learned from its last ones.
#pragma once

#include <hearth/time.h>

namespace hearth::signals {

/// Mean and mean deviation as exponential averages, with the gains of TCP's round-trip estimator (1/8 and 1/4:
/// Jacobson, "Congestion avoidance and control", SIGCOMM 1988).
///
/// What was learned ages: every `kHalfLife` without a sample halves its distance from the configured expectation, so
/// that one bad spell cannot keep an endpoint unused for ever. Pure; threads: none of its own.
class LatencyEstimate {
 public:
  static constexpr Duration kHalfLife = std::chrono::seconds(2);

  explicit LatencyEstimate(Duration expected) : expected_(expected), mean_(expected), deviation_(expected / 4) {}

  void observe(Duration latency, TimePoint now);
  /// What the next answer will very likely stay under: mean + 2 deviations.
  Duration upper(TimePoint now) const;
  Duration mean() const { return mean_; }

 private:
  Duration expected_;
  Duration mean_;
  Duration deviation_;
  TimePoint last_{};
  bool observed_ = false;
};

}  // namespace hearth::signals
