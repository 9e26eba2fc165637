/// \file ThreadTeam: a few threads that share the parts of one call and then wait for the next.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/edge/kernels/linear.h"

namespace hearth::edge::kernels {

/// `threads` counts the caller of run(). Nobody is waited for who has not begun: where the processors are busy with
/// other work, the caller computes alone. A worker that finds itself on the caller's processor, where it could only be
/// in its way, moves off it. Between calls the workers look for work for some microseconds (the next layer comes soon),
/// then sleep. Owned by who wants the parallelism; no call may be in run() when it is destroyed.
class ThreadTeam {
 public:
  explicit ThreadTeam(std::size_t threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  /// The caller takes parts from the front, the others from the back, so that in like calls each thread meets the same
  /// memory again. One call at a time, others wait. Not from within a task.
  void run(std::size_t parts, const Task& task);

  /// For run_linear(); valid as long as the team.
  Threads threads();

 private:
  void work();
  bool take(bool front, std::uint32_t& part);

  std::mutex one_call_;
  const Task* task_ = nullptr;
  std::atomic<std::uint64_t> left_ = 0;   ///< The parts that nobody has taken: the first, and above it the end.
  std::atomic<std::uint32_t> door_ = 0;   ///< How many workers look at the call; the highest bit while they may.
  std::atomic<std::uint32_t> calls_ = 0;  ///< What the workers wait on.
  std::atomic<int> caller_processor_ = -1;
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace hearth::edge::kernels
