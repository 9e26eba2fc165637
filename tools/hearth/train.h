/// \file Training of the cloud model of Fashion-MNIST, with LibTorch. Needs no torch header to call.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <hearth/result.h>

#include "tools/hearth/fashion_mnist.h"

namespace hearth::tool {

struct TrainOptions {
  unsigned epochs = 1;
  std::uint64_t seed = 1;
  unsigned threads = 2;  ///< Each takes a share of each batch; LibTorch's and OpenBLAS's own are set to one.
  /// Called about every tenth of a second on the calling thread with the share of the work done, 0 to 1.
  std::function<void(double)> progress;
};

/// A convolutional network: "image" FP32 [n, 1, 28, 28] scaled 0 to 1 -> logits [n, 10].
/// Written as TorchScript. Same seed, threads and machine: same file. Errors: kInternal, kInvalidArgument (no images).
Status train_cloud(const LabelledImages& train, const TrainOptions& options, const std::string& out_file);

}  // namespace hearth::tool
