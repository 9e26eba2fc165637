/// \file VirtualLoop: time that jumps to the next timer. A plain object: any number may exist side by side.
#pragma once

#include <cstdint>
#include <deque>

#include <hearth/event_loop.h>

#include "runtime/base/timer_queue.h"

namespace hearth::sim {

/// Threads: one. The thread that runs it is the loop thread, also between runs, so Runtime::infer() cannot be used on
/// it.
class VirtualLoop final : public EventLoop {
 public:
  /// `wall_start` is the calendar time at TimePoint{}.
  explicit VirtualLoop(WallTime wall_start = WallTime{}) : wall_start_(wall_start) {}

  TimePoint now() const override { return now_; }
  WallTime wall_now() const override {
    return wall_start_ + std::chrono::floor<std::chrono::seconds>(now_.time_since_epoch());
  }
  TimerId schedule_at(TimePoint due, Callback callback) override { return timers_.add(due, std::move(callback)); }
  bool cancel(TimerId timer) override { return timers_.cancel(timer); }
  void post(Callback callback) override { posted_.push_back(std::move(callback)); }
  bool on_loop_thread() const override { return true; }

  /// Callbacks that have run.
  std::uint64_t ran() const { return ran_; }

  /// As when somebody sets the device's clock; now() does not move.
  void set_clock_forward(std::chrono::seconds by) { wall_start_ += by; }

  /// Runs everything due up to and including `until`, which becomes now().
  void run_until(TimePoint until);
  /// Runs until nothing is left to do.
  void run_until_idle();

 private:
  /// Runs one callback that is due no later than `until`, moving time to it. False when there is none.
  bool run_one(TimePoint until);

  WallTime wall_start_;
  TimePoint now_{};
  TimerQueue timers_;
  std::uint64_t ran_ = 0;
  std::deque<Callback> posted_;
};

}  // namespace hearth::sim
