#include "runtime/edge/kernels/thread_team.h"

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <cassert>

namespace hearth::edge::kernels {
namespace {

constexpr int kLooks = 2000;  // 10 to 30 us, about what lies between two layers.
constexpr std::size_t kPartsMax = 0xFFFF;
constexpr std::size_t kTaskLines = 6;  // What a task refers to mostly stands behind it on its caller's stack.

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
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old);
}

std::uint64_t share_of(std::uint32_t call, std::size_t first, std::size_t end) {
  return std::uint64_t{call} << 32 | first << 16 | end;
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

ThreadTeam::ThreadTeam(std::size_t threads) : shares_(std::max<std::size_t>(threads, 1)), reports_(shares_.size()) {
  for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadTeam::~ThreadTeam() {
  stopped_ = true;
  ++post_.call;
  post_.call.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

Threads ThreadTeam::threads() {
  return {workers_.size() + 1, [this](std::size_t parts, const Task& task) { run(parts, task); }};
}

void ThreadTeam::run(std::size_t parts, const Task& task) {
  assert(parts <= kPartsMax);
  const std::lock_guard lock(one_call_);
  const std::uint32_t call = post_.call.load(std::memory_order_relaxed) + 1;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    const std::uint64_t left = share_of(call, parts * i / shares_.size(), parts * (i + 1) / shares_.size());
    shares_[i].left.store(left, std::memory_order_relaxed);
  }
  asked_ += static_cast<std::uint32_t>(parts);
  post_.task.store(&task, std::memory_order_relaxed);
  post_.processor.store(this_processor(), std::memory_order_relaxed);
  post_.call.store(call);
  post_.call.notify_all();
  take_all(0, call);
  for (int look = 0; !all_done(); ++look) look < kLooks ? pause() : std::this_thread::yield();
}

/// Who has taken a part is waited for; who comes late finds none.
bool ThreadTeam::all_done() const {
  std::uint32_t done = 0;
  for (const Report& report : reports_) done += report.done.load(std::memory_order_acquire);
  return done == asked_;
}

void ThreadTeam::take_all(std::size_t self, std::uint32_t call) {
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    std::uint32_t part;
    // Whoever has a part of this call knows that its task is still there.
    while (take(shares_[(self + i) % shares_.size()], call, i == 0, part)) {
      (*post_.task.load(std::memory_order_relaxed))(part);
      ++count;
    }
  }
  if (count > 0) reports_[self].done.fetch_add(count, std::memory_order_release);
}

bool ThreadTeam::take(Share& share, std::uint32_t call, bool front, std::uint32_t& part) {
  for (std::uint64_t left = share.left.load(std::memory_order_relaxed);;) {
    const auto first = static_cast<std::uint32_t>(left >> 16 & kPartsMax);
    const auto end = static_cast<std::uint32_t>(left & kPartsMax);
    if (left >> 32 != call || first == end) return false;
    part = front ? first : end - 1;
    const std::uint64_t rest = front ? share_of(call, first + 1, end) : share_of(call, first, end - 1);
    if (share.left.compare_exchange_weak(left, rest, std::memory_order_acq_rel, std::memory_order_relaxed)) return true;
  }
}

void ThreadTeam::work(std::size_t self) {
  const Places places;
  for (std::uint32_t seen = 0; !stopped_;) {
    await_change(post_.call, seen);
    seen = post_.call.load(std::memory_order_acquire);
    // All that the other processor has written is asked for at once: a line may take 0.4 us.
    __builtin_prefetch(&shares_[self], 1);
    const auto* const task = reinterpret_cast<const char*>(post_.task.load(std::memory_order_relaxed));
    for (std::size_t i = 0; i < kTaskLines; ++i) __builtin_prefetch(task + i * sizeof(Share));
    const int caller = post_.processor.load(std::memory_order_relaxed);
    if (caller >= 0 && this_processor() == caller) places.leave(caller);
    take_all(self, seen);
  }
}

}  // namespace hearth::edge::kernels
