/// \file The kernels as LibTorch operators: a TorchScript file with them is a TorchScript file like any other.
///
///   hearth::linear_int8(Tensor x, __torch__.torch.classes.hearth.Linear layer, int activation) -> Tensor
///   hearth::linear_int4(...)                                                                   the same, for int4
///
/// x: FP32, [..., inputs]; the result [..., outputs]. activation: 0 none, 1 ReLU, 2 GELU. A file holds a layer as plain
/// tensors (values, scales, bias); it is packed once, when it is loaded. Includes torch; internal to runtime/edge.
#pragma once

#include <torch/custom_class.h>

#include <optional>
#include <utility>
#include <vector>

#include "runtime/edge/kernels/linear.h"

namespace hearth::edge {

/// A layer as TorchScript holds it. Immutable; any threads.
class LinearLayer final : public torch::CustomClassHolder {
 public:
  explicit LinearLayer(kernels::PackedLinear layer) : packed(std::move(layer)) {}
  const kernels::PackedLinear packed;
};

/// Idempotent. Must have been called before a file with these operators is loaded.
void register_linear_ops();

/// Quantizes FP32 `weight` [outputs, inputs] and `bias` [outputs], which may be none. Errors: those of quantize_int8()
/// and PackedLinear::pack().
Result<c10::intrusive_ptr<LinearLayer>> make_linear_layer(kernels::Format format, const at::Tensor& weight,
                                                          const std::optional<at::Tensor>& bias);

/// The same of int8 weights [outputs, inputs] with a scale for each output. Errors: those of PackedLinear::pack().
Result<c10::intrusive_ptr<LinearLayer>> make_linear_layer(const at::Tensor& int8_weight,
                                                          const std::vector<float>& scales,
                                                          const std::optional<at::Tensor>& bias);

}  // namespace hearth::edge
