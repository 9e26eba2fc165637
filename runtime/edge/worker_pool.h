/// \file WorkerPool: a fixed number of threads and a first-in first-out queue for forward passes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <hearth/edge_model.h>

namespace hearth::edge {

/// Of each job exactly one of `run` and `cancel` is called, exactly once, never inside post().
/// The queue is not bounded here: the scheduler's `edge_slots` bounds what is posted. Threads: post() from any thread.
class WorkerPool {
 public:
  struct Job {
    std::function<void()> run;
    std::function<void()> cancel;
  };

  explicit WorkerPool(std::size_t threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// After stop() the job is cancelled, on a thread of its own.
  void post(Job job);

  /// Lets running jobs end, cancels waiting ones on the calling thread, joins. Idempotent. A job that stops its own
  /// pool is not waited for.
  void stop();

 private:
  // Shared with the threads, so that a job may outlive the pool it stops.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Job> jobs;
    bool stopped = false;
  };
  static void work(State& state);

  std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
};

/// What start() of a model does: its run() on a worker; kCancelled when the pool stops first.
void start_on(WorkerPool& workers, std::shared_ptr<EdgeModel> model, std::span<const Tensor> inputs,
              EdgeModel::Callback done);
/// The same for a batch of so many requests.
void start_batch_on(WorkerPool& workers, std::function<std::vector<EdgeModel::Outputs>()> run, std::size_t size,
                    BatchedModel::Callback done);

}  // namespace hearth::edge
