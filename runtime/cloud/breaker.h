/// \file Breaker: stops asking an endpoint that keeps failing, and tries it again after a pause.
#pragma once

#include <algorithm>

#include <hearth/random.h>
#include <hearth/time.h>

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
  /// An attempt begins. Each begin is followed by one of succeeded, failed or withdrawn.
  void begin(TimePoint now) { trial_ = open_ && now >= retry_at_; }

  void succeeded() {
    open_ = trial_ = false;
    failures_ = 0;
    backoff_ = options_.backoff;
  }

  void failed(TimePoint now) {
    if (open_ && !trial_) return;  // began before it opened: says nothing new
    if (open_) backoff_ = std::min(2 * backoff_, options_.backoff_max);
    if (!open_ && ++failures_ < options_.failures_max) return;
    open_ = true;
    trial_ = false;
    retry_at_ =
        now +
        Duration(static_cast<Duration::rep>(static_cast<double>(backoff_.count()) * (0.8 + 0.4 * random_.uniform())));
  }

  /// The attempt ended without a verdict on the endpoint (cancelled, denied).
  void withdrawn() { trial_ = false; }

  bool open() const { return open_; }

 private:
  Options options_;
  RandomStream random_;
  Duration backoff_;
  unsigned failures_ = 0;
  bool open_ = false;
  bool trial_ = false;
  TimePoint retry_at_{};
};

}  // namespace hearth::cloud
