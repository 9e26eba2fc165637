/// \file Linear layers with FP32 weights: x W^T + b, for models that were not quantized.
///
/// Each output is the sum of two sums, over the even and over the odd inputs, with fused multiply-add where the
/// processor has it; so a row gives the same bits in every batch, but not on every processor.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <hearth/result.h>

#include "runtime/edge/kernels/aligned_bytes.h"

namespace hearth::edge::kernels {

/// Laid out for reading from front to end: panels of 64 outputs, for each input the weights of all of them side by
/// side. Threads: any.
class FloatLinear {
 public:
  /// `weights` holds one row of inputs for each output, `bias` as many as outputs or nothing. kInvalidArgument when
  /// sizes disagree or a side is zero.
  static Result<FloatLinear> pack(std::size_t outputs, std::size_t inputs, std::span<const float> weights,
                                  std::span<const float> bias);

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  /// What one pass over the layer reads.
  std::size_t bytes() const { return weights_.size() + sizeof(float) * bias_.size(); }

  const float* weights() const { return reinterpret_cast<const float*>(weights_.data()); }
  const float* bias() const { return bias_.data(); }

 private:
  FloatLinear(std::size_t outputs, std::size_t inputs) : outputs_(outputs), inputs_(inputs) {}

  std::size_t outputs_;
  std::size_t inputs_;
  AlignedBytes weights_;
  std::vector<float> bias_;  // Of padded outputs.
};

/// output[r][n] = sum_k input[r][k] * weight[n][k] + bias[n], on the caller's thread. They must not overlap.
void run_linear(const FloatLinear& layer, std::span<const float> input, std::size_t rows, std::span<float> output);

}  // namespace hearth::edge::kernels
