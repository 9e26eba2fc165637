#include "runtime/sim/virtual_loop.h"

#include <algorithm>

namespace hearth::sim {

bool VirtualLoop::run_one(TimePoint until) {
  Callback callback;
  if (!posted_.empty()) {  // posts are due at once, so they come before any timer
    callback = std::move(posted_.front());
    posted_.pop_front();
  } else {
    const auto due = timers_.next_due();
    if (!due || *due > until) return false;
    now_ = std::max(now_, *due);
    callback = timers_.pop_due(now_);
  }
  ++ran_;
  callback();
  return true;
}

void VirtualLoop::run_until(TimePoint until) {
  while (run_one(until)) {}
  now_ = std::max(now_, until);
}

void VirtualLoop::run_until_idle() {
  while (run_one(TimePoint::max())) {}
}

}  // namespace hearth::sim
