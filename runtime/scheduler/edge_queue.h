/// \file EdgeQueue: requests that wait for a slot: the more urgent first, then the one whose deadline is nearest.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <hearth/outcome.h>
#include <hearth/request.h>
#include <hearth/time.h>

namespace hearth::scheduler {

/// Earliest deadline first within a priority (Liu and Layland, 1973); of equal ones the first come. Bounded: a full
/// queue is told so by add(). Kept sorted in one block of memory, the next one last. Threads: none of its own.
class EdgeQueue {
 public:
  explicit EdgeQueue(std::size_t most) : most_(most) { waiting_.reserve(std::min<std::size_t>(most, 1024)); }

  struct Waiting {
    Priority priority;
    TimePoint deadline;
    RequestId id;
  };

  bool full() const { return waiting_.size() >= most_; }
  bool empty() const { return waiting_.empty(); }
  std::size_t size() const { return waiting_.size(); }
  /// How many would be served before `one`.
  std::size_t ahead_of(const Waiting& one) const {
    return static_cast<std::size_t>(waiting_.end() - std::upper_bound(waiting_.begin(), waiting_.end(), one, later));
  }
  /// The last to be served.
  const Waiting& last() const { return waiting_.front(); }

  void add(const Waiting& one) { waiting_.insert(std::upper_bound(waiting_.begin(), waiting_.end(), one, later), one); }
  RequestId take_next() {
    const RequestId id = waiting_.back().id;
    waiting_.pop_back();
    return id;
  }
  void remove(RequestId id) {
    std::erase_if(waiting_, [id](const Waiting& one) { return one.id == id; });
  }

 private:
  static bool later(const Waiting& one, const Waiting& other) {
    if (one.priority != other.priority) return one.priority < other.priority;
    if (one.deadline != other.deadline) return one.deadline > other.deadline;
    return one.id > other.id;
  }

  std::size_t most_;
  std::vector<Waiting> waiting_;
};

}  // namespace hearth::scheduler
