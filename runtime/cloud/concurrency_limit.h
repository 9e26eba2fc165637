/// \file ConcurrencyLimit: how many attempts one endpoint gets at a time, learned from how it copes.
#pragma once

#include <algorithm>
#include <cstddef>

#include <hearth/time.h>

namespace hearth::cloud {

/// Additive increase, multiplicative decrease (Chiu and Jain, "Analysis of the increase and decrease algorithms",
/// 1989), from `max` down: an answer while the limit is in use adds 1/limit, an overload (a 429, a 503, no answer in
/// time) takes a tenth, at most once in the time that one answer takes, so that one burst of failures counts as one.
/// After an outage it starts at one and grows by one with each answer until half of what it was: one success does not
/// let everyone in. Threads: a plain value.
class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(std::size_t max) : limit_(static_cast<double>(max)), max_(limit_) {}

  bool has_room() const { return static_cast<double>(in_flight_) + 1 <= limit_; }
  std::size_t in_flight() const { return in_flight_; }
  double limit() const { return limit_; }

  void begin() { ++in_flight_; }
  /// Each attempt that began ends with one of these three.
  void answered() {
    if (limit_ < slow_start_until_) {
      limit_ = std::min(max_, limit_ + 1);
    } else if (static_cast<double>(in_flight_) * 2 >= limit_) {
      limit_ = std::min(max_, limit_ + 1 / limit_);
    }
    --in_flight_;
  }
  void overloaded(TimePoint now, Duration answer_time) {
    --in_flight_;
    if (now < next_decrease_) return;
    limit_ = std::max(1.0, limit_ * 0.9);
    slow_start_until_ = std::min(slow_start_until_, limit_);
    next_decrease_ = now + answer_time;
  }
  void withdrawn() { --in_flight_; }
  void start_over() {
    slow_start_until_ = std::max(slow_start_until_, limit_ / 2);
    limit_ = 1;
  }

 private:
  double limit_;
  double max_;
  double slow_start_until_ = 0;
  std::size_t in_flight_ = 0;
  TimePoint next_decrease_{};
};

}  // namespace hearth::cloud
