/// \file ServerQueue: some servers and one line before them, so that latency rises with load.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
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
    constexpr Duration kLongest = std::chrono::hours(24 * 365);  // keeps sums of absurd times in range
    while (!starts_.empty() && starts_.front() <= at) starts_.pop_front();
    for (std::size_t now = free_at_.size(); now > servers && free_at_.front() <= at; --now) pop();  // fewer than before
    const bool idle_server = free_at_.size() < servers;
    const Duration start = idle_server ? at : std::max(at, free_at_.front());
    if (start > at && starts_.size() >= waiting_max) return {};
    if (start > at) starts_.insert(std::upper_bound(starts_.begin(), starts_.end(), start), start);
    const Duration takes = service(starts_.size());
    if (!idle_server) pop();
    free_at_.push_back(std::min(start + takes, at + kLongest));
    std::push_heap(free_at_.begin(), free_at_.end(), std::greater<>{});
    return start + takes - at;
  }

  /// How long a request that comes at `at` would wait.
  Duration wait(Duration at, std::size_t servers) const {
    return free_at_.size() < servers ? Duration{} : std::max(Duration{}, free_at_.front() - at);
  }

 private:
  void pop() {
    std::pop_heap(free_at_.begin(), free_at_.end(), std::greater<>{});
    free_at_.pop_back();
  }

  std::vector<Duration> free_at_;  ///< A heap of when each server is free, the earliest first.
  std::deque<Duration> starts_;    ///< When those that still wait will be served, in that order.
};

}  // namespace hearth::sim
