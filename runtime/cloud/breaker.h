/// \file Breaker: stops asking an endpoint that keeps failing, and tries it again after a pause.
#pragma once

#include <algorithm>
#include <optional>

#include <hearth/random.h>
#include <hearth/time.h>
#include <hearth/transport.h>

namespace hearth::cloud {

/// A circuit breaker driven by the outcomes of real attempts only: health pages may lie (see docs/architecture.md).
/// Closed: everything passes. After `failures_max` failures in a row it is open for a pause with 20 % jitter; then
/// half-open: one attempt at a time passes as a trial. A success closes it, a failure opens it for twice the pause, up
/// to `backoff_max`. Pure state: told the time, owns no timer. Threads: none of its own.
class Breaker {
 public:
  struct Options {
    unsigned failures_max = 5;
    Duration backoff = std::chrono::seconds(1);
    Duration backoff_max = std::chrono::seconds(30);
  };

  Breaker(Options options, RandomStream random) : options_(options), random_(random), backoff_(options.backoff) {}

  /// Whether an attempt may begin now.
  bool allows(TimePoint now) const { return !open_ || (now >= retry_at_ && !trial_); }
  /// An attempt begins. It ends with one of succeeded(), failed() or withdrawn().
  void begin(AttemptId attempt, TimePoint now) {
    if (open_ && now >= retry_at_) trial_ = attempt;
  }

  void succeeded() {
    open_ = false;
    trial_.reset();
    failures_ = 0;
    backoff_ = options_.backoff;
  }

  void failed(AttemptId attempt, TimePoint now) {
    if (open_ && trial_ != attempt) return;  // began before it opened: says nothing new
    if (open_) backoff_ = std::min(2 * backoff_, options_.backoff_max);
    if (!open_ && ++failures_ < options_.failures_max) return;
    open_ = true;
    trial_.reset();
    retry_at_ =
        now +
        Duration(static_cast<Duration::rep>(static_cast<double>(backoff_.count()) * (0.8 + 0.4 * random_.uniform())));
  }

  /// The attempt ended without a verdict on the endpoint (cancelled, denied).
  void withdrawn(AttemptId attempt) {
    if (trial_ == attempt) trial_.reset();
  }

  bool open() const { return open_; }

 private:
  Options options_;
  RandomStream random_;
  Duration backoff_;
  unsigned failures_ = 0;
  bool open_ = false;
  std::optional<AttemptId> trial_;
  TimePoint retry_at_{};
};

}  // namespace hearth::cloud
