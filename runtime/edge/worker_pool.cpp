#include "runtime/edge/worker_pool.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace hearth::edge {

WorkerPool::WorkerPool(std::size_t threads) : state_(std::make_shared<State>()) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
    threads_.emplace_back([state = state_] { work(*state); });
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::work(State& state) {
  std::unique_lock lock(state.mutex);
  for (;;) {
    state.changed.wait(lock, [&] { return state.stopped || !state.jobs.empty(); });
    if (state.stopped) return;
    Job job = std::move(state.jobs.front());
    state.jobs.pop_front();
    lock.unlock();
    job.run();
    job = {};  // What the job owns goes before the lock is taken again.
    lock.lock();
  }
}

void WorkerPool::post(Job job) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->stopped) {
      state_->jobs.push_back(std::move(job));
      state_->changed.notify_one();
      return;
    }
  }
  std::thread([cancel = std::move(job.cancel)] { cancel(); }).detach();
}

void WorkerPool::stop() {
  std::deque<Job> waiting;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
    waiting.swap(state_->jobs);
  }
  state_->changed.notify_all();
  for (const Job& job : waiting) job.cancel();
  for (std::thread& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  threads_.clear();
}

void start_on(WorkerPool& workers, std::shared_ptr<EdgeModel> model, std::span<const Tensor> inputs,
              EdgeModel::Callback done) {
  auto shared_done = std::make_shared<EdgeModel::Callback>(std::move(done));
  workers.post({[model = std::move(model), inputs, shared_done] { (*shared_done)(model->run(inputs)); },
                [shared_done] {
                  (*shared_done)(Error{ErrorCode::kCancelled, "the edge engine was stopped before the pass began"});
                }});
}

void start_batch_on(WorkerPool& workers, std::function<std::vector<EdgeModel::Outputs>()> run, std::size_t size,
                    BatchedModel::Callback done) {
  auto shared_done = std::make_shared<BatchedModel::Callback>(std::move(done));
  workers.post({[run = std::move(run), shared_done] { (*shared_done)(run()); },
                [size, shared_done] {
                  const Error stopped{ErrorCode::kCancelled, "the edge engine was stopped before the pass began"};
                  (*shared_done)(std::vector<EdgeModel::Outputs>(size, EdgeModel::Outputs(stopped)));
                }});
}

}  // namespace hearth::edge
