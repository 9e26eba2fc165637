#include "runtime/edge/kernels/thread_team.h"

#include <algorithm>

namespace hearth::edge::kernels {
namespace {

constexpr int kLooks = 4000;  // 10 to 50 us, about what lies between two layers.

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
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadTeam::ThreadTeam(std::size_t threads) {
  for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadTeam::~ThreadTeam() {
  stopped_ = true;
  call_.fetch_add(1);
  call_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

Threads ThreadTeam::threads() {
  return {workers_.size() + 1, [this](std::size_t parts, const Task& task) { run(parts, task); }};
}

void ThreadTeam::run(std::size_t parts, const Task& task) {
  const std::lock_guard lock(one_call_);
  task_ = &task;
  parts_ = parts;
  busy_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
  call_.fetch_add(1, std::memory_order_release);
  call_.notify_all();
  for (std::size_t part = 0; part < parts; part += workers_.size() + 1) task(part);
  for (std::uint32_t busy; (busy = busy_.load(std::memory_order_acquire)) != 0;) await_change(busy_, busy);
}

void ThreadTeam::work(std::size_t thread) {
  for (std::uint32_t seen = 0;;) {
    await_change(call_, seen);
    ++seen;  // One at a time: run() waits for every worker.
    if (stopped_) return;
    for (std::size_t part = thread; part < parts_; part += workers_.size() + 1) (*task_)(part);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_all();
  }
}

}  // namespace hearth::edge::kernels
