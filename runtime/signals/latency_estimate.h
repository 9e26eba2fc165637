/// \file LatencyEstimate: how long an endpoint's next answer will take, learned from its last ones.
#pragma once

#include <hearth/time.h>

namespace hearth::signals {

/// Mean and mean deviation as exponential averages, with the gains of TCP's round-trip estimator (1/8 and 1/4:
/// Jacobson, "Congestion avoidance and control", SIGCOMM 1988). After kFresh without a sample the past counts for
/// nothing: the next sample starts the estimate anew. Pure; threads: none of its own.
class LatencyEstimate {
 public:
  static constexpr Duration kFresh = std::chrono::seconds(1);

  explicit LatencyEstimate(Duration expected) : mean_(expected), deviation_(expected / 4) {}

  void observe(Duration latency, TimePoint now);
  /// What the next answer will very likely stay under: mean + 2 deviations. Before the first sample: from the
  /// expectation.
  Duration upper() const { return mean_ + 2 * deviation_; }
  /// Whether the last sample is recent enough to be believed.
  bool fresh(TimePoint now) const { return observed_ && now - last_ <= kFresh; }

 private:
  Duration mean_;
  Duration deviation_;
  TimePoint last_{};
  bool observed_ = false;
};

}  // namespace hearth::signals
