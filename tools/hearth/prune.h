/// \file Structured pruning of a TorchScript module: hidden units and channels that count least go, with all that
/// belongs to them. Includes torch.
#pragma once

#include <torch/script.h>

#include <cstddef>
#include <vector>

namespace hearth::tool {

/// The widths of the layers that prune() can make narrower, in the order of the graph: of linear layers and
/// convolutions with parameters of their own whose outputs reach one other such layer and nothing else, through steps
/// that keep units apart (activations, pooling, batch normalization, flatten). `module` is not frozen.
std::vector<std::size_t> hidden_widths(const torch::jit::Module& module);

/// Keeps so many units of each of these layers, in their order; a layer that is no wider stays.
void prune(torch::jit::Module& module, const std::vector<std::size_t>& widths);

}  // namespace hearth::tool
