// The real loop's contract. Nothing here measures time: only order, threads and what never runs.
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/net/net.h"

using namespace hearth;

namespace {

/// Runs `work` on the loop and waits for what it returns.
template <class Work>
auto on_loop(EventLoop& loop, Work work) {
  auto task = std::make_shared<std::packaged_task<decltype(work())()>>(std::move(work));
  auto result = task->get_future();
  loop.post([task] { (*task)(); });
  return result.get();
}

}  // namespace

TEST_CASE("callbacks run on the loop's thread, in the order they were posted, never inside post") {
  const auto loop = net::make_asio_loop();
  CHECK_FALSE(loop->on_loop_thread());
  std::vector<int> order;
  on_loop(*loop, [&] {
    loop->post([&] { order.push_back(2); });
    loop->post([&] { order.push_back(loop->on_loop_thread() ? 3 : -3); });
    order.push_back(1);
    return true;
  });
  on_loop(*loop, [] { return true; });
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("timers run by due time, equal times in the order they were scheduled") {
  const auto loop = net::make_asio_loop();
  std::promise<std::vector<int>> all;
  std::vector<int> order;
  loop->post([&] {
    const TimePoint now = loop->now();
    loop->schedule_at(now + std::chrono::milliseconds(3), [&] {
      order.push_back(5);
      all.set_value(order);
    });
    loop->schedule_at(now + std::chrono::milliseconds(1), [&] { order.push_back(3); });
    loop->schedule_at(now + std::chrono::milliseconds(1), [&] { order.push_back(4); });
    loop->schedule_at(now - std::chrono::hours(1), [&] { order.push_back(2); });
    loop->schedule_at(now - std::chrono::hours(2), [&] { order.push_back(1); });
    order.push_back(0);
  });
  CHECK(all.get_future().get() == std::vector<int>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("a timer never runs before it is due, and time never goes back") {
  const auto loop = net::make_asio_loop();
  std::promise<bool> late_enough;
  loop->post([&] {
    const TimePoint due = loop->now() + std::chrono::milliseconds(2);
    loop->schedule_at(due, [&, due] { late_enough.set_value(loop->now() >= due); });
  });
  CHECK(late_enough.get_future().get());
  const TimePoint before = loop->now();
  CHECK(loop->now() >= before);
  CHECK(before >= TimePoint{});
}

TEST_CASE("a cancelled timer never runs, and only a waiting one can be cancelled") {
  const auto loop = net::make_asio_loop();
  bool ran = false;
  std::promise<bool> second_cancel;
  loop->post([&] {
    const TimerId doomed = loop->schedule_at(loop->now(), [&] { ran = true; });
    const bool first = loop->cancel(doomed);
    const TimerId last = loop->schedule_at(loop->now(), [] {});
    loop->schedule_at(loop->now(), [&, first, doomed, last] {
      second_cancel.set_value(first && !loop->cancel(doomed) && !loop->cancel(last) && !loop->cancel(4711));
    });
  });
  CHECK(second_cancel.get_future().get());
  CHECK_FALSE(ran);
}

TEST_CASE("a timer that schedules itself for the past leaves room for posts") {
  std::promise<void> reached;
  EventLoop* running = nullptr;  // the callback outlives the loop, not the other way round
  int rounds = 0;
  const std::function<void()> again = [&] {
    if (++rounds == 2) running->post([&] { reached.set_value(); });  // by now inside a timer
    running->schedule_at(TimePoint{}, again);
  };
  const auto loop = net::make_asio_loop();
  running = loop.get();
  loop->post(again);
  reached.get_future().get();
  SUCCEED();
}

TEST_CASE("posts from many threads all run, one at a time") {
  const auto loop = net::make_asio_loop();
  int count = 0;  // not atomic: the loop is the only one that touches it
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) loop->post([&] { ++count; });
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(on_loop(*loop, [&] { return count; }) == 4000);
}

TEST_CASE("what has not run when the loop is destroyed is destroyed unrun") {
  const auto held = std::make_shared<int>(0);
  {
    const auto loop = net::make_asio_loop();
    on_loop(*loop, [&] {
      loop->schedule_at(loop->now() + std::chrono::hours(1), [held] { ++*held; });
      return true;
    });
    CHECK(held.use_count() == 2);
  }
  CHECK(*held == 0);
  CHECK(held.use_count() == 1);
}

TEST_CASE("a loop can be let go by one of its own callbacks") {
  auto loop = net::make_asio_loop();
  const std::weak_ptr<EventLoop> gone = loop;
  std::promise<bool> destroyed;
  loop->post([&] {
    loop.reset();
    destroyed.set_value(gone.expired());
  });
  CHECK(destroyed.get_future().get());
}
