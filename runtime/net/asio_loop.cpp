#include "runtime/net/asio_loop.h"

#include <cassert>
#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "runtime/base/timer_queue.h"
#include "runtime/net/net.h"

namespace hearth::net {

struct AsioLoop::State {
  boost::asio::io_context context;  // no hint of one thread: it would let posts from outside overtake those from inside
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work = make_work_guard(context);
  const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  TimerQueue timers;
  boost::asio::steady_timer alarm{context};
  std::optional<TimePoint> armed;  ///< When the alarm rings; an alarm that comes too early costs one look.

  TimePoint now() const {
    return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began));
  }

  void arm() {
    const auto due = timers.next_due();
    if (!due || (armed && *armed <= *due)) return;
    armed = due;
    alarm.expires_at(began + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due->time_since_epoch()));
    alarm.async_wait([this](boost::system::error_code error) {
      if (!error) ring();
    });
  }

  /// Runs what is due, but no more than there was: a timer that schedules itself for the past leaves room for posts.
  void ring() {
    armed.reset();
    const TimePoint until = now();
    for (std::size_t left = timers.size(); left > 0 && !context.stopped(); --left) {
      const EventLoop::Callback callback = timers.pop_due(until);
      if (!callback) break;
      callback();
    }
    if (!context.stopped()) arm();
  }
};

AsioLoop::AsioLoop() : state_(std::make_shared<State>()) {
  thread_ = std::thread([state = state_] { state->context.run(); });
}

AsioLoop::~AsioLoop() {
  state_->context.stop();
  if (on_loop_thread()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

TimePoint AsioLoop::now() const { return state_->now(); }

WallTime AsioLoop::wall_now() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

TimerId AsioLoop::schedule_at(TimePoint due, Callback callback) {
  assert(on_loop_thread());
  const TimerId timer = state_->timers.add(due, std::move(callback));
  state_->arm();
  return timer;
}

bool AsioLoop::cancel(TimerId timer) {
  assert(on_loop_thread());
  return state_->timers.cancel(timer);
}

void AsioLoop::post(Callback callback) { boost::asio::post(state_->context, std::move(callback)); }

bool AsioLoop::on_loop_thread() const { return state_->context.get_executor().running_in_this_thread(); }

boost::asio::io_context& AsioLoop::context() { return state_->context; }

std::shared_ptr<EventLoop> make_asio_loop() { return std::make_shared<AsioLoop>(); }

}  // namespace hearth::net
