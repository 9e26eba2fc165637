#include "runtime/edge/flat_model.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace hearth::edge {

FlatModel::FlatModel(FlatPlan plan, const EdgeBinding& binding, std::string sha256, std::shared_ptr<WorkerPool> workers,
                     bool makes_batches)
    : plan_(std::move(plan)),
      file_(binding.file),
      inputs_(binding.inputs),
      outputs_(binding.outputs),
      sha256_(std::move(sha256)),
      workers_(std::move(workers)),
      makes_batches_(makes_batches) {}

Status FlatModel::run_plan(std::span<const Tensor> inputs,
                           const std::function<void(const FlatPlan::Workspace&)>& take) {
  std::unique_ptr<FlatPlan::Workspace> workspace;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      workspace = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!workspace) workspace = std::make_unique<FlatPlan::Workspace>();
  const Status done = plan_.run(inputs, *workspace);
  if (done.ok()) take(*workspace);
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(workspace));
  return done;
}

EdgeModel::Outputs FlatModel::run(std::span<const Tensor> inputs) {
  Outputs outputs = std::vector<Tensor>();
  const auto take = [&](const FlatPlan::Workspace& workspace) { outputs = copy_out(workspace); };
  const Status done = run_plan(inputs, std::cref(take));
  if (!done.ok()) return Error{ErrorCode::kInternal, file_ + ": forward pass failed: " + done.error().message};
  return outputs;
}

/// A pass that fails as a whole is taken apart: what is wrong with one request is that one's.
std::vector<EdgeModel::Outputs> FlatModel::run_batch(std::span<const Inputs> batch) {
  if (batch.size() > 1) {
    if (auto answers = run_rows(batch); answers.ok()) return std::move(answers).value();
  }
  std::vector<Outputs> answers;
  for (const Inputs& inputs : batch) answers.push_back(run(inputs));
  return answers;
}

/// One pass: the requests' inputs one below the other, and of what comes each its row.
Result<std::vector<EdgeModel::Outputs>> FlatModel::run_rows(std::span<const Inputs> batch) {
  const Error failed{ErrorCode::kInternal, file_ + ": the pass over a batch failed"};
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Tensor& stacked = all.emplace_back();
    stacked.shape = inputs_[i].shape;
    const std::size_t bytes = element_count(stacked.shape).value_or(0) * sizeof(float);
    stacked.shape[0] = static_cast<std::int64_t>(batch.size());
    stacked.data.reserve(bytes * batch.size());
    for (const Inputs& inputs : batch) {
      if (inputs.size() != inputs_.size() || inputs[i].data.size() != bytes) return failed;
      stacked.data.insert(stacked.data.end(), inputs[i].data.begin(), inputs[i].data.end());
    }
  }
  std::vector<std::vector<Tensor>> answers(batch.size());
  bool fits = true;
  const auto take = [&](const FlatPlan::Workspace& workspace) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const auto [shape, values] = plan_.output(workspace, i);
      const std::size_t each = values.size() / batch.size();
      fits = fits && !shape.empty() && shape[0] == static_cast<std::int64_t>(batch.size()) &&
             std::ranges::equal(shape.subspan(1), std::span(outputs_[i].shape).subspan(1));
      for (std::size_t row = 0; fits && row < batch.size(); ++row) {
        answers[row].push_back(Tensor::of_floats("", outputs_[i].shape, values.subspan(row * each, each)));
      }
    }
  };
  if (!run_plan(all, std::cref(take)).ok() || !fits) return failed;
  return std::vector<Outputs>(std::make_move_iterator(answers.begin()), std::make_move_iterator(answers.end()));
}

EdgeModel::Outputs FlatModel::copy_out(const FlatPlan::Workspace& workspace) const {
  std::vector<Tensor> outputs(outputs_.size());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto [shape, values] = plan_.output(workspace, i);
    const bool fits = std::ranges::equal(
        shape, outputs_[i].shape, [](std::int64_t size, std::int64_t asked) { return asked == -1 || asked == size; });
    if (!fits)
      return Error{ErrorCode::kInternal, file_ + ": output \"" + outputs_[i].name + "\" has another shape than bound"};
    outputs[i].datatype = Datatype::kFp32;
    outputs[i].shape.assign(shape.begin(), shape.end());
    const auto bytes = std::as_bytes(values);
    outputs[i].data.assign(bytes.begin(), bytes.end());
  }
  return outputs;
}

void FlatModel::start(std::span<const Tensor> inputs, EdgeModel::Callback done) {
  start_on(*workers_, shared_from_this(), inputs, std::move(done));
}

void FlatModel::start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) {
  start_batch_on(
      *workers_, [self = shared_from_this(), batch] { return self->run_batch(batch); }, batch.size(), std::move(done));
}

}  // namespace hearth::edge
