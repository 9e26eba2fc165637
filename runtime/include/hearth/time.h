/// \file Time as hearth sees it: points come from an EventLoop, never from the operating system.
#pragma once

#include <chrono>

namespace hearth {

using Duration = std::chrono::nanoseconds;

/// The clock of an EventLoop. It has no `now()`, so code cannot ask the machine by accident: it must ask its loop.
struct LoopClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<LoopClock>;
  static constexpr bool is_steady = true;
};

/// Nanoseconds since the loop began. Monotonic.
using TimePoint = LoopClock::time_point;

/// Calendar time, for budgets per day and what must outlive a restart. May jump. Comes from EventLoop::wall_now().
using WallTime = std::chrono::sys_seconds;

inline double to_ms(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }
inline Duration from_ms(double ms) { return Duration(static_cast<Duration::rep>(ms * 1e6)); }

}  // namespace hearth
