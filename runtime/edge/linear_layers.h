/// \file The linear layers and convolutions of a frozen graph, and what can stand in their place. Internal to
/// runtime/edge: includes torch.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/edge/kernels/conv.h"
#include "runtime/edge/optimize.h"
#include "runtime/edge/torch_file.h"

namespace hearth::edge {

/// One linear layer or convolution with constant weights, and the activation that follows it and nothing else.
struct FoundLayer {
  torch::jit::Node* linear = nullptr;
  torch::jit::Node* activation_node = nullptr;  ///< Null where activation is kNone.
  kernels::Activation activation = kernels::Activation::kNone;
  LayerKind was = LayerKind::kFloat;       ///< kTorchInt8: PyTorch quantized it, dynamically.
  std::optional<kernels::ConvShape> conv;  ///< Nothing: a linear layer.
  kernels::ActivationRange range;          ///< Of a convolution's activations, once calibration gave it.
  at::Tensor weight;       ///< FP32, [outputs, inputs]; of a convolution [outputs, channels, height, width].
  at::Tensor int8_weight;  ///< As PyTorch quantized it; undefined where it did not.
  c10::IValue bias;        ///< A tensor, or none.
  bool shared = false;     ///< Something else in the graph reads the same weights.
};

/// Makes aten::linear of layers written as products, before freezing folds their transposed weights away.
void fuse_linears(const torch::jit::Module& module);

/// Whether `node` calls a layer that PyTorch quantized dynamically, and what it holds then: weight, bias or none.
bool is_dynamic_int8(std::string_view name);
std::pair<at::Tensor, c10::IValue> unpack_from_torch(const c10::IValue& packed);

/// The layers of a frozen module's forward, in the order of its graph: aten::linear, aten::addmm as files hold it that
/// were frozen before, quantized::linear_dynamic (with and without ReLU), and aten::conv2d of one group. The same file
/// gives the same layers each time.
std::vector<FoundLayer> find_linear_layers(const torch::jit::Module& frozen);

/// Puts `kind` in the layer's place (of a convolution: kInt8 only, with its range); what it was already stays. Int8
/// weights of PyTorch's keep every bit where they are symmetric. `fuse`: takes the activation in, where the kind can
/// (int8 of LibTorch: ReLU only). Errors: those of make_linear_layer(). Throws what LibTorch throws. What `found`
/// points at is gone afterwards.
Status replace_layer(torch::jit::Module& frozen, const FoundLayer& found, LayerKind kind, bool fuse);

/// Removes what replaced layers left behind.
void clean_up(torch::jit::Module& frozen);

/// Writes the module to a neighbour of `file` and gives it its name. kUnavailable.
Status save_whole(torch::jit::Module& module, const std::string& file);

}  // namespace hearth::edge
