#include "runtime/edge/kernels/thread_team.h"

#ifdef __linux__
#include <sched.h>
#endif

#include <cassert>

namespace hearth::edge::kernels {
namespace {

constexpr int kLooks = 2000;  // 10 to 30 us, about what lies between two layers.
constexpr std::uint32_t kOpen = 0x80000000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns when `value` is no longer `old`.
void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int look = 0; look < kLooks; ++look) {
    if (value.load() != old) return;
    pause();
  }
  value.wait(old);
}

#ifdef __linux__

int this_processor() { return sched_getcpu(); }

/// Where a thread may run, as found when it was made.
class Places {
 public:
  Places() { known_ = sched_getaffinity(0, sizeof all_, &all_) == 0; }

  /// Moves the calling thread off a processor, if it has another.
  void leave(int processor) const {
    cpu_set_t others = all_;
    CPU_CLR(static_cast<std::size_t>(processor), &others);
    if (known_ && CPU_COUNT(&others) > 0) sched_setaffinity(0, sizeof others, &others);
  }

 private:
  cpu_set_t all_{};
  bool known_;
};

#else

int this_processor() { return -1; }
struct Places {
  void leave(int) const {}
};

#endif

}  // namespace

ThreadTeam::ThreadTeam(std::size_t threads) {
  for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadTeam::~ThreadTeam() {
  stopped_ = true;
  ++calls_;
  calls_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

Threads ThreadTeam::threads() {
  return {workers_.size() + 1, [this](std::size_t parts, const Task& task) { run(parts, task); }};
}

void ThreadTeam::run(std::size_t parts, const Task& task) {
  assert(parts < kOpen);
  const std::lock_guard lock(one_call_);
  task_ = &task;
  left_ = std::uint64_t{parts} << 32;
  caller_processor_ = this_processor();
  door_ |= kOpen;
  ++calls_;
  calls_.notify_all();
  for (std::uint32_t part; take(true, part);) task(part);
  door_ &= ~kOpen;
  // A worker that comes too late sees the door closed and goes.
  for (std::uint32_t inside; (inside = door_.load()) != 0;) await_change(door_, inside);
}

bool ThreadTeam::take(bool front, std::uint32_t& part) {
  for (std::uint64_t left = left_.load();;) {
    const auto first = static_cast<std::uint32_t>(left);
    const auto end = static_cast<std::uint32_t>(left >> 32);
    if (first == end) return false;
    part = front ? first : end - 1;
    const std::uint64_t rest = front ? left + 1 : left - (std::uint64_t{1} << 32);
    if (left_.compare_exchange_weak(left, rest)) return true;
  }
}

void ThreadTeam::work() {
  const Places places;
  for (std::uint32_t seen = 0; !stopped_;) {
    await_change(calls_, seen);
    seen = calls_;
    if (const int caller = caller_processor_; caller >= 0 && this_processor() == caller) places.leave(caller);
    if ((door_.fetch_add(1) & kOpen) != 0) {
      for (std::uint32_t part; take(false, part);) (*task_)(part);
    }
    --door_;
    door_.notify_all();
  }
}

}  // namespace hearth::edge::kernels
