/// \file ThreadedModel: an edge model that is a function, with threads of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <hearth/edge_model.h>

namespace hearth::test {

/// Answers on the caller's thread, or on one of two of its own; batches too.
class ThreadedModel final : public EdgeModel, public BatchedModel {
 public:
  using Answer = std::function<Outputs(std::span<const Tensor>)>;

  explicit ThreadedModel(Answer answer) : answer_(std::move(answer)) {
    for (auto& worker : workers_) worker = std::thread([this] { work(); });
  }
  ~ThreadedModel() override {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (auto& worker : workers_) worker.join();
    for (auto& [batch, done] : jobs_)
      done(std::vector<Outputs>(batch.size(), Outputs(Error{ErrorCode::kCancelled, "ended"})));
  }
  const std::string& sha256() const override { return sha256_; }
  Outputs run(std::span<const Tensor> inputs) override { return answer_(inputs); }
  void start(std::span<const Tensor> inputs, EdgeModel::Callback done) override {
    post({inputs}, [done = std::move(done)](std::vector<Outputs> answers) { done(std::move(answers[0])); });
  }
  BatchedModel* batched() override { return this; }
  void start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) override {
    post({batch.begin(), batch.end()}, std::move(done));
  }

 private:
  void post(std::vector<Inputs> batch, BatchedModel::Callback done) {
    {
      std::lock_guard lock(mutex_);
      jobs_.emplace_back(std::move(batch), std::move(done));
    }
    changed_.notify_one();
  }
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
      if (ending_) return;
      auto [batch, done] = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      std::vector<Outputs> answers;
      for (const Inputs& inputs : batch) answers.push_back(run(inputs));
      done(std::move(answers));
      lock.lock();
    }
  }

  Answer answer_;
  std::string sha256_ = "function";
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::vector<Inputs>, BatchedModel::Callback>> jobs_;
  bool ending_ = false;
  std::thread workers_[2];
};

}  // namespace hearth::test
