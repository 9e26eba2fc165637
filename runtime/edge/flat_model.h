/// \file FlatModel: an EdgeModel that is a FlatPlan. Needs no LibTorch once it stands.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/edge_model.h>

#include "runtime/edge/flat_plan.h"
#include "runtime/edge/worker_pool.h"

namespace hearth::edge {

/// run() allocates the answer and nothing else; each call in flight has a workspace of its own, which is kept. Threads:
/// any.
class FlatModel final : public EdgeModel, public BatchedModel, public std::enable_shared_from_this<FlatModel> {
 public:
  /// `makes_batches`: rows of one pass come out as they do alone.
  FlatModel(FlatPlan plan, const EdgeBinding& binding, std::string sha256, std::shared_ptr<WorkerPool> workers,
            bool makes_batches = false);

  const std::string& sha256() const override { return sha256_; }
  /// kInternal when shapes do not fit the layers, or the outputs not the binding.
  Outputs run(std::span<const Tensor> inputs) override;
  void start(std::span<const Tensor> inputs, EdgeModel::Callback done) override;
  BatchedModel* batched() override { return makes_batches_ ? this : nullptr; }
  void start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) override;

 private:
  std::vector<Outputs> run_batch(std::span<const Inputs> batch);
  Result<std::vector<Outputs>> run_rows(std::span<const Inputs> batch);
  /// With a workspace of its own.
  Status run_plan(std::span<const Tensor> inputs, const std::function<void(const FlatPlan::Workspace&)>& take);
  Outputs copy_out(const FlatPlan::Workspace& workspace) const;

  const FlatPlan plan_;
  const std::string file_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
  const std::string sha256_;
  const std::shared_ptr<WorkerPool> workers_;
  const bool makes_batches_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<FlatPlan::Workspace>> idle_;
};

}  // namespace hearth::edge
