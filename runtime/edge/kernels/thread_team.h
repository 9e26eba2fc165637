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

  /// Each thread has a share of its own, so that in like calls it meets the same memory again and asks nobody for the
  /// next part; who is through with it helps the others from the end of theirs. One call at a time, others wait. Not
  /// from within a task.
  void run(std::size_t parts, const Task& task);

  /// For run_linear(); valid as long as the team.
  Threads threads();

 private:
  /// What the caller posts: one cache line, so that a worker that looks at it has all of it.
  struct alignas(64) Post {
    std::atomic<std::uint32_t> call = 0;  ///< Which call this is; what the workers wait on.
    std::atomic<int> processor = -1;      ///< The caller's.
    std::atomic<const Task*> task = nullptr;
  };
  struct alignas(64) Share {
    std::atomic<std::uint64_t> left =
        0;  ///< The call, and of its parts here the first and the end that nobody has taken.
  };
  struct alignas(64) Report {
    std::atomic<std::uint32_t> done = 0;  ///< Parts that this thread has run since it was made, whoever's they were.
  };

  void work(std::size_t self);
  bool all_done() const;
  /// Runs parts of this call until none is left.
  void take_all(std::size_t self, std::uint32_t call);
  static bool take(Share& share, std::uint32_t call, bool front, std::uint32_t& part);

  std::mutex one_call_;
  Post post_;
  std::vector<Share> shares_;    ///< The caller's first.
  std::vector<Report> reports_;  ///< The same.
  std::uint32_t asked_ = 0;      ///< Parts of all calls so far.
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace hearth::edge::kernels
