/// \file A pair's cloud half as Triton and KServe want it: the texts of the files that `hearth export triton` writes.
/// Pure.
///
/// Sources: Triton's model configuration (docs/user_guide/model_configuration.md: fields, batching, the PyTorch
/// backend's NAME__INDEX) and model_config.proto; KServe's serving.kserve.io/v1beta1 and its runtime
/// kserve-tritonserver.
#pragma once

#include <cstdint>
#include <string>

#include <hearth/config.h>
#include <hearth/result.h>

namespace hearth::tool {

struct TritonModel {
  std::string name;            ///< Its folder in the repository.
  std::string version = "1";   ///< The folder below it.
  std::string config_pbtxt;    ///< For Triton.
  std::string cloud_json;      ///< The pair's new cloud half: TorchScript keeps no names, so Triton's stand there.
  std::string inference_yaml;  ///< For KServe.
};

/// `batch_max` above 0 lets Triton batch requests; then the first dimension of every tensor must be open (-1) or 1.
/// `storage_uri`: where the repository will lie for KServe. Errors, all kInvalidArgument: no cloud half of tensors, a
/// name or version that cannot be a folder of Triton's, a datatype that its PyTorch backend does not take, a shape that
/// cannot be batched.
Result<TritonModel> triton_model(const ModelPair& pair, std::uint64_t batch_max, const std::string& storage_uri);

}  // namespace hearth::tool
