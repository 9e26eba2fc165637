/// \file Model: what the stub serves under a name.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <hearth/result.h>
#include <hearth/tensor.h>

namespace hearth::stub {

struct ModelInfo {
  std::string name;
  std::string version = "1";
  std::string platform;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> optional_inputs;  ///< May be sent; the model never sees them.
  std::vector<TensorSpec> outputs;
};

/// Threads: every method from any thread, also at the same time.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelInfo& info() const = 0;
  /// `inputs` were checked against `info().inputs` and stand in its order. Outputs stand in the order of
  /// `info().outputs`. Errors: kInvalidArgument when the values are at fault, anything else is the server's.
  virtual Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) = 0;
};

/// Takes FP32 "x" [-1] and answers FP32 "y" [10] zeros at once: what remains is the cost of the protocol.
std::shared_ptr<Model> null_model(std::string name);

/// The cloud half of a pair file, run by LibTorch, at most `threads` passes at a time. `model_file` empty: cloud.pt
/// next to the pair file. The pair's text input becomes an optional one.
/// Errors: a wrong pair file, a missing or corrupt model file, a SHA-256 that is not the pair's; kUnavailable in a
/// build without LibTorch.
Result<std::shared_ptr<Model>> load_pair_model(const std::string& pair_file, const std::string& model_file,
                                               std::size_t threads);

}  // namespace hearth::stub
