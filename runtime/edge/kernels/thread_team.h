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

/// `threads` counts the caller of run(). Between calls the others look for work for some microseconds (the next layer
/// comes soon), then sleep. Owned by who wants the parallelism; no call may be in run() when it is destroyed.
class ThreadTeam {
 public:
  explicit ThreadTeam(std::size_t threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  /// Part p runs on thread p % threads; part 0 on the caller. One call at a time, others wait. Not from within a task.
  void run(std::size_t parts, const Task& task);

  /// For run_linear(); valid as long as the team.
  Threads threads();

 private:
  void work(std::size_t thread);

  std::mutex one_call_;
  const Task* task_ = nullptr;
  std::size_t parts_ = 0;
  std::atomic<std::uint32_t> call_ = 0;  ///< Counts the calls; what the workers wait on.
  std::atomic<std::uint32_t> busy_ = 0;  ///< Workers that have not finished the call.
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace hearth::edge::kernels
