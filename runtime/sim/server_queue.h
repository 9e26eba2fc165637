/// \file ServerQueue: some servers and one line before them, so that latency rises with load.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include <hearth/time.h>

namespace hearth::sim {

/// Service begins in the order of arrival, at the first server that is free. Told the time, which never goes back.
class ServerQueue {
 public:
  /// How long a request that comes at `at` takes, waiting included; nothing when more than `waiting_max` would wait.
  /// `service(waiting)` is its own time, told how many wait, itself included.
  template <class Service>
  std::optional<Duration> serve(Duration at, std::size_t servers, std::size_t waiting_max, const Service& service) {
    constexpr std::greater<> kEarliest;
    constexpr Duration kLongest = std::chrono::hours(24 * 365);  // keeps sums of absurd times in range
    std::erase_if(starts_, [&](Duration start) { return start <= at; });
    const bool idle_server = free_at_.size() < servers;
    const Duration start = idle_server ? at : std::max(at, free_at_.front());
    if (start > at && starts_.size() >= waiting_max) return {};
    if (start > at) starts_.push_back(start);
    const Duration takes = service(starts_.size());
    if (!idle_server) {
      std::pop_heap(free_at_.begin(), free_at_.end(), kEarliest);
      free_at_.pop_back();
    }
    free_at_.push_back(std::min(start + takes, at + kLongest));
    std::push_heap(free_at_.begin(), free_at_.end(), kEarliest);
    return start + takes - at;
  }

 private:
  std::vector<Duration> free_at_;  ///< A heap of when each server is free, the earliest first.
  std::vector<Duration> starts_;   ///< When those that still wait will be served.
};

}  // namespace hearth::sim
