/// \file TimerQueue: the one order of timers that both the real and the virtual loop keep.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include <hearth/time.h>

namespace hearth {

/// Timers by due time, equal times in the order they were added. Threads: none of its own; one owner.
class TimerQueue {
 public:
  using Callback = std::function<void()>;
  using Id = std::uint64_t;

  Id add(TimePoint due, Callback callback) {
    const Id id = ++last_;
    timers_.emplace(Key{due, id}, std::move(callback));
    due_.emplace(id, due);
    return id;
  }

  /// True when the timer was there.
  bool cancel(Id id) {
    const auto found = due_.find(id);
    if (found == due_.end()) return false;
    timers_.erase(Key{found->second, id});
    due_.erase(found);
    return true;
  }

  std::optional<TimePoint> next_due() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first.first);
  }

  /// Takes out the first timer that is due at `now`; empty when there is none.
  Callback pop_due(TimePoint now) {
    if (timers_.empty() || timers_.begin()->first.first > now) return {};
    auto first = timers_.extract(timers_.begin());
    due_.erase(first.key().second);
    return std::move(first.mapped());
  }

  std::size_t size() const { return timers_.size(); }

 private:
  using Key = std::pair<TimePoint, Id>;
  std::map<Key, Callback> timers_;
  std::unordered_map<Id, TimePoint> due_;
  Id last_ = 0;
};

}  // namespace hearth
