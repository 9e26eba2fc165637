/// \file Forecast: how long the next answer of one site will take, learned from its last ones, and how sure that is.
#pragma once

#include <hearth/time.h>

#include "runtime/signals/quantile_sketch.h"

namespace hearth::signals {

/// Two sketches: a short one (about the last 64) that follows a site that changes and answers
/// "will it be in time"; a long one (about the last 2048) that knows the tail and answers "when is it late". Before the
/// first samples an expectation stands in for two of them: it says that answers take up to 1.5 times as long.
///
/// After kFresh without a sample the short past counts for nothing. Threads: none of its own.
class Forecast {
 public:
  static constexpr Duration kFresh = std::chrono::seconds(1);
  static constexpr float kPriorSamples = 2;
  static constexpr float kProfileSamples = 32;

  explicit Forecast(Duration expected) : expected_(expected) {}

  /// `first`: of a request's first attempt. Only these teach the tail: of a hedge and what it hedges just the faster
  /// one is ever seen to the end.
  void observe(Duration latency, TimePoint now, bool first = true);
  /// A first attempt that was withdrawn after `waited` since another one had answered: put down as twice as long, so
  /// that the tail keeps what lies beyond.
  void overtaken(Duration waited) { lasting_.observe(2 * waited); }
  /// Whether the last sample is recent enough to be believed.
  bool fresh(TimePoint now) const { return observed_ && now - last_ <= kFresh; }
  float samples() const { return lasting_.weight(); }

  /// The probability that the next answer takes no longer than `room`, and the standard deviation of that figure
  /// itself: of a beta distribution with Jeffreys' prior (Brown, Cai, DasGupta: "Interval estimation for a binomial
  /// proportion", Statistical Science 2001).
  struct InTime {
    double probability;
    double deviation;
  };
  InTime in_time(Duration room) const;

  /// Of the short past; the expectation before the first sample.
  Duration median() const { return recent_.weight() > 0 ? recent_.quantile(0.5) : expected_; }
  /// Of the long past, where it has enough samples to know this quantile (one beyond it, 20 in all), else nothing is
  /// claimed: zero.
  Duration tail(double q) const;
  Duration tail_or_median(double q) const {
    const Duration known = tail(q);
    return known > Duration{} ? known : median();
  }
  /// Before the first sample: what an earlier run or `hearth profile` saw. It stands for the short past until the first
  /// sample, and counts as no more than kProfileSamples of the long one.
  void start_from(const QuantileSketch& profile);
  const QuantileSketch& lasting() const { return lasting_; }

 private:
  Duration expected_;
  QuantileSketch recent_{64};
  QuantileSketch lasting_{2048};
  TimePoint last_{};
  bool observed_ = false;
};

}  // namespace hearth::signals
