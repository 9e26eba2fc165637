/// \file The linear layers of a frozen graph, and what can stand in their place. Internal to runtime/edge: includes
/// torch.
#pragma once

#include <string>
#include <vector>

#include "runtime/edge/kernels/linear.h"
#include "runtime/edge/optimize.h"
#include "runtime/edge/torch_file.h"

namespace hearth::edge {

/// One linear layer with constant FP32 weights, and the activation that follows it and nothing else.
struct FoundLayer {
  torch::jit::Node* linear = nullptr;
  torch::jit::Node* activation_node = nullptr;  ///< Null where activation is kNone.
  kernels::Activation activation = kernels::Activation::kNone;
  at::Tensor weight;    ///< [outputs, inputs]
  c10::IValue bias;     ///< A tensor, or none.
  bool shared = false;  ///< Something else in the graph reads the same weights.
};

/// Makes aten::linear of layers written as products, before freezing folds their transposed weights away.
void fuse_linears(const torch::jit::Module& module);

/// The layers of a frozen module's forward, in the order of its graph: aten::linear, and aten::addmm as files hold it
/// that were frozen before. The same file gives the same layers each time.
std::vector<FoundLayer> find_linear_layers(const torch::jit::Module& frozen);

/// Puts `kind` in the layer's place. `fuse`: takes the activation in, where the kind can (int8 of LibTorch: ReLU only).
/// kFloat changes nothing. Errors: those of make_linear_layer(). Throws what LibTorch throws. What `found` points at is
/// gone afterwards.
Status replace_layer(torch::jit::Module& frozen, const FoundLayer& found, LayerKind kind, bool fuse);

/// Removes what replaced layers left behind.
void clean_up(torch::jit::Module& frozen);

/// Writes the module to a neighbour of `file` and gives it its name. kUnavailable.
Status save_whole(torch::jit::Module& module, const std::string& file);

}  // namespace hearth::edge
