/// \file EventLoop: time, timers and the one place where the runtime's work is done in order.
#pragma once

#include <cstdint>
#include <functional>

#include <hearth/time.h>

namespace hearth {

using TimerId = std::uint64_t;

/// Runs callbacks one at a time. Two loops exist: a real one (net/) and a virtual one (sim/), and the code above them
/// cannot tell which it runs on.
///
/// Threads: now(), wall_now(), post() and on_loop_thread() from any thread; schedule_at() and cancel() on the loop
/// thread only. Order: timers by due time, equal times in the order they were scheduled; a callback never runs inside
/// the call that asked for it.
class EventLoop {
 public:
  using Callback = std::function<void()>;

  virtual ~EventLoop() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall_now() const = 0;
  /// Runs `callback` at `due`, or as soon as possible when that has passed.
  virtual TimerId schedule_at(TimePoint due, Callback callback) = 0;
  /// True when the timer had not run and now never will.
  virtual bool cancel(TimerId timer) = 0;
  virtual void post(Callback callback) = 0;
  virtual bool on_loop_thread() const = 0;
};

}  // namespace hearth
