/// \file Int8 convolutions as a LibTorch operator, like those of linear_ops.h.
///
///   hearth::conv2d_int8(Tensor x, __torch__.torch.classes.hearth.Conv layer, int activation) -> Tensor
///
/// x: FP32, [n, channels, height, width]; the result [n, outputs, ...], its memory channels last. activation: 0 none,
/// 1 ReLU, 2 GELU. Includes torch; internal to runtime/edge.
#pragma once

#include <torch/custom_class.h>

#include <optional>
#include <utility>

#include "runtime/edge/kernels/conv.h"

namespace hearth::edge {

/// A convolution as TorchScript holds it. Immutable; any threads.
class ConvLayer final : public torch::CustomClassHolder {
 public:
  explicit ConvLayer(kernels::PackedConv layer) : packed(std::move(layer)) {}
  const kernels::PackedConv packed;
};

/// Idempotent; part of register_linear_ops().
void register_conv_ops();

/// Quantizes FP32 `weight` [outputs, channels, height, width] and `bias` [outputs], which may be none. Errors: those of
/// quantize_int8() and PackedConv::pack().
Result<c10::intrusive_ptr<ConvLayer>> make_conv_layer(const kernels::ConvShape& shape, kernels::ActivationRange range,
                                                      const at::Tensor& weight, const std::optional<at::Tensor>& bias);

}  // namespace hearth::edge
