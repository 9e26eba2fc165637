/// \file TimerQueue: the one order of timers that both the real and the virtual loop keep.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <hearth/time.h>

namespace hearth {

/// Timers by due time, equal times in the order they were added. A heap of four children a node (LaMarca and Ladner,
/// "The influence of caches on the performance of heaps", 1996), whose entries name the slot of their callback.
/// A cancelled timer gives up its callback at once and its entry when it comes to the top, or when most are such.
/// Steady work allocates nothing. Threads: none of its own; one owner.
class TimerQueue {
 public:
  using Callback = std::function<void()>;
  using Id = std::uint64_t;  ///< Never 0.

  Id add(TimePoint due, Callback callback) {
    std::uint32_t slot = static_cast<std::uint32_t>(slots_.size());
    if (spare_.empty()) {
      slots_.emplace_back();
    } else {
      slot = spare_.back();
      spare_.pop_back();
    }
    slots_[slot].callback = std::move(callback);
    slots_[slot].armed = true;
    heap_.emplace_back();
    rise(heap_.size() - 1, {due, ++added_, slot});
    return id_of(slot);
  }

  /// True when the timer was there.
  bool cancel(Id id) {
    const auto slot = static_cast<std::uint32_t>(id);
    if (slot >= slots_.size() || !slots_[slot].armed || id != id_of(slot)) return false;
    slots_[slot].callback = nullptr;
    slots_[slot].armed = false;
    ++cancelled_;
    if (cancelled_ > kCancelledMin && cancelled_ > heap_.size() / 2) sweep();
    drop_cancelled();
    return true;
  }

  std::optional<TimePoint> next_due() const { return heap_.empty() ? std::nullopt : std::optional(heap_[0].due); }

  /// Takes out the first timer that is due at `now`; empty when there is none.
  Callback pop_due(TimePoint now) {
    if (heap_.empty() || heap_[0].due > now) return {};
    const std::uint32_t slot = heap_[0].slot;
    Callback callback = std::move(slots_[slot].callback);
    slots_[slot].armed = false;
    pop();
    drop_cancelled();
    return callback;
  }

  std::size_t size() const { return heap_.size() - cancelled_; }

 private:
  static constexpr std::size_t kChildren = 4;
  static constexpr std::size_t kCancelledMin = 64;

  struct Entry {
    TimePoint due{};
    std::uint64_t added = 0;
    std::uint32_t slot = 0;

    /// Without a branch: which way it goes is a coin's toss.
    bool operator<(const Entry& other) const {
      return static_cast<bool>((due < other.due) | ((due == other.due) & (added < other.added)));
    }
  };
  struct Slot {
    Callback callback;
    std::uint32_t uses = 1;
    bool armed = false;
  };

  Id id_of(std::uint32_t slot) const { return Id{slots_[slot].uses} << 32 | slot; }

  void rise(std::size_t at, const Entry& entry) {
    for (; at > 0 && entry < heap_[(at - 1) / kChildren]; at = (at - 1) / kChildren)
      heap_[at] = heap_[(at - 1) / kChildren];
    heap_[at] = entry;
  }

  /// Down to a leaf along the least children, then up again: the last entry of a heap belongs near its leaves
  /// (Wegener, "Bottom-up heapsort", 1993).
  void sink(std::size_t at, const Entry& entry) {
    const std::size_t size = heap_.size();
    const std::size_t top = at;
    for (std::size_t first; (first = at * kChildren + 1) + kChildren <= size;) {
      const std::size_t left = first + (heap_[first + 1] < heap_[first]);
      const std::size_t right = first + 2 + (heap_[first + 3] < heap_[first + 2]);
      const std::size_t least = heap_[right] < heap_[left] ? right : left;
      heap_[at] = heap_[least];
      at = least;
    }
    if (std::size_t least = at * kChildren + 1; least < size) {
      for (std::size_t child = least + 1; child < size; ++child)
        if (heap_[child] < heap_[least]) least = child;
      heap_[at] = heap_[least];
      at = least;
    }
    for (std::size_t above; at > top && entry < heap_[above = (at - 1) / kChildren]; at = above)
      heap_[at] = heap_[above];
    heap_[at] = entry;
  }

  void give_back(std::uint32_t slot) {
    if (++slots_[slot].uses == 0) slots_[slot].uses = 1;
    spare_.push_back(slot);
  }

  /// Takes out the top entry; its slot is free again.
  void pop() {
    give_back(heap_[0].slot);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink(0, last);
  }

  void drop_cancelled() {
    for (; !heap_.empty() && !slots_[heap_[0].slot].armed; --cancelled_) pop();
  }

  /// Takes out every cancelled entry.
  void sweep() {
    std::erase_if(heap_, [this](const Entry& entry) {
      if (slots_[entry.slot].armed) return false;
      give_back(entry.slot);
      return true;
    });
    cancelled_ = 0;
    for (std::size_t at = heap_.size() / kChildren + 1; at-- > 0;)
      if (at < heap_.size()) sink(at, Entry(heap_[at]));
  }

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> spare_;
  std::size_t cancelled_ = 0;  ///< Entries whose timer is gone.
  std::uint64_t added_ = 0;
};

}  // namespace hearth
