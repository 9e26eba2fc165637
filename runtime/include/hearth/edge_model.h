/// \file EdgeModel: the local half of a model pair, behind a seam.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <hearth/result.h>
#include <hearth/tensor.h>

namespace hearth {

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
};

}  // namespace hearth
