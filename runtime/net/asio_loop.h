/// \file AsioLoop: the real EventLoop, one io_context on one thread.
#pragma once

#include <memory>
#include <thread>

#include <boost/asio/io_context.hpp>

#include <hearth/event_loop.h>

namespace hearth::net {

/// Runs from construction to destruction. Callbacks that have not run by then are destroyed without being called.
/// Destroying it inside one of its own callbacks is allowed: that callback is then the last one.
class AsioLoop final : public EventLoop {
 public:
  AsioLoop();
  ~AsioLoop() override;
  AsioLoop(const AsioLoop&) = delete;
  AsioLoop& operator=(const AsioLoop&) = delete;

  TimePoint now() const override;
  WallTime wall_now() const override;
  TimerId schedule_at(TimePoint due, Callback callback) override;
  bool cancel(TimerId timer) override;
  void post(Callback callback) override;
  bool on_loop_thread() const override;

  boost::asio::io_context& context();

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< Shared with the thread, which may outlive this object by one callback.
  std::thread thread_;
};

}  // namespace hearth::net
