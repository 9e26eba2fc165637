/// \file LinkEstimate: how much longer a larger payload takes, learned from real transfers.
#pragma once

#include <algorithm>
#include <cstdint>

#include <hearth/time.h>

namespace hearth::signals {

/// Least squares of latency over bytes sent, where each sample counts 63/64 of the next. Nothing is claimed before
/// eight samples, or while all payloads are of much the same size. Threads: a plain value.
class LinkEstimate {
 public:
  void observe(std::uint64_t bytes, Duration latency) {
    const double x = static_cast<double>(bytes), y = static_cast<double>(latency.count());
    constexpr double kKeep = 63.0 / 64;
    weight_ = weight_ * kKeep + 1;
    x_ = x_ * kKeep + x;
    y_ = y_ * kKeep + y;
    xx_ = xx_ * kKeep + x * x;
    xy_ = xy_ * kKeep + x * y;
  }

  /// What `more` bytes add to the latency (or, when negative, take from it).
  Duration cost_of(std::int64_t more) const {
    const double variance = xx_ - x_ * x_ / std::max(weight_, 1.0);
    if (weight_ < 7 || variance < weight_ * kSpreadBytes * kSpreadBytes) return {};
    const double ns_per_byte = std::max(0.0, (xy_ - x_ * y_ / weight_) / variance);
    return Duration(static_cast<Duration::rep>(ns_per_byte * static_cast<double>(more)));
  }

 private:
  static constexpr double kSpreadBytes = 1024;
  double weight_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

}  // namespace hearth::signals
