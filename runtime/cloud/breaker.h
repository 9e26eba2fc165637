/// \file Breaker: stops asking an endpoint that keeps failing, and tries it again after a pause.
#pragma once

#include <algorithm>
#include <optional>

#include <hearth/random.h>
#include <hearth/time.h>
#include <hearth/transport.h>

namespace hearth::cloud {

/// A circuit breaker driven by the outcomes of real attempts only: health pages may lie (see docs/architecture.md).
/// Closed: everything passes. It opens after `failures_max` failures in a row, when about the last ten failed more
/// often than not, or at once when the endpoint could not be reached at all. Open for a pause with 20 % jitter, so that
/// many devices do not come back together; then half-open: one attempt at a time passes as a trial. A success closes
/// it, a failure opens it for twice the pause, up to `backoff_max`. A trial can be preceded by a probe, which shows
/// only that somebody is there: it closes nothing. Pure state: told the time, owns no timer. Threads: none of its own.
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
  /// Half-open, and nobody has looked whether it can be reached at all.
  bool needs_probe(TimePoint now) const { return open_ && allows(now) && !reachable_; }
  /// An attempt or a probe begins. It ends with one of succeeded(), failed(), unreachable() or withdrawn().
  void begin(AttemptId attempt, TimePoint now) {
    if (open_ && now >= retry_at_) trial_ = attempt;
  }

  /// A probe got a reply: the next attempt is the trial.
  void reached(AttemptId probe) {
    reachable_ = true;
    withdrawn(probe);
  }

  /// True when this closed it.
  bool succeeded() {
    const bool closed = open_;
    open_ = false;
    trial_.reset();
    reachable_ = false;
    failures_ = 0;
    share_ = closed ? 0 : share_ * (1 - kNewest);
    backoff_ = options_.backoff;
    return closed;
  }

  /// True when this opened it, or kept it open.
  bool failed(AttemptId attempt, TimePoint now) {
    share_ = share_ * (1 - kNewest) + kNewest;
    return opens(attempt, now, ++failures_ >= options_.failures_max || share_ > 0.5);
  }
  bool unreachable(AttemptId attempt, TimePoint now) { return opens(attempt, now, true); }

  /// The attempt ended without a verdict on the endpoint (cancelled, denied).
  void withdrawn(AttemptId attempt) {
    if (trial_ == attempt) trial_.reset();
  }

  bool open() const { return open_; }

 private:
  static constexpr double kNewest = 0.1;  ///< Weight of the newest outcome in share_.

  bool opens(AttemptId attempt, TimePoint now, bool enough) {
    if (open_ && trial_ != attempt) return false;  // began before it opened: says nothing new
    if (!open_ && !enough) return false;
    if (open_) backoff_ = std::min(2 * backoff_, options_.backoff_max);
    open_ = true;
    reachable_ = false;
    trial_.reset();
    retry_at_ =
        now +
        Duration(static_cast<Duration::rep>(static_cast<double>(backoff_.count()) * (0.8 + 0.4 * random_.uniform())));
    return true;
  }

  Options options_;
  RandomStream random_;
  Duration backoff_;
  unsigned failures_ = 0;
  double share_ = 0;  ///< Of failures among about the last ten outcomes.
  bool open_ = false;
  bool reachable_ = false;  ///< A probe got through since it opened.
  std::optional<AttemptId> trial_;
  TimePoint retry_at_{};
};

}  // namespace hearth::cloud
