/// \file EdgeModel: the local half of a model pair, behind a seam.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <hearth/result.h>
#include <hearth/tensor.h>

namespace hearth {

class BatchedModel;

/// A model that runs on this device.
///
/// Threads: every method from any thread, also at the same time. The scheduler bounds how many calls are in flight.
class EdgeModel {
 public:
  using Outputs = Result<std::vector<Tensor>>;
  using Callback = std::function<void(Outputs)>;

  virtual ~EdgeModel() = default;

  /// SHA-256 of the model file in lower-case hex, as shown in each outcome.
  virtual const std::string& sha256() const = 0;

  /// One forward pass on the calling thread. `inputs` were checked against the pair's specs. Outputs are in the order
  /// of the pair's output specs, unnamed. A pass cannot be interrupted.
  virtual Outputs run(std::span<const Tensor> inputs) = 0;

  /// The same on a thread of the engine's. `inputs` stay valid until `done`, which runs exactly once, on any thread,
  /// never inside this call.
  virtual void start(std::span<const Tensor> inputs, Callback done) = 0;

  /// What computes several requests in one forward pass, as long as this model lives. Null: they run one by one.
  virtual BatchedModel* batched() { return nullptr; }
};

/// The other way to run a model: requests that wait together, in one forward pass. Only for pairs whose
/// `edge.batch_max` is above 1. Threads: as EdgeModel's.
class BatchedModel {
 public:
  using Inputs = std::span<const Tensor>;
  /// One answer for each request, in their order.
  using Callback = std::function<void(std::vector<EdgeModel::Outputs>)>;

  virtual ~BatchedModel() = default;

  /// `batch` has 1 to `edge.batch_max` requests. It and what it points to stay valid until `done`, which runs exactly
  /// once, on any thread, never inside this call. Each answer is what EdgeModel::run() would give for that request
  /// alone, but for rounding: it does not depend on the company. A pass that fails as a whole is taken apart, so that a
  /// request that cannot be computed fails alone.
  virtual void start_batch(std::span<const Inputs> batch, Callback done) = 0;
};

}  // namespace hearth
