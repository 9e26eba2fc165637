#include "runtime/edge/quantize.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/fuse_linear.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <vector>

#include "runtime/edge/torch_file.h"

namespace hearth::edge {
namespace {

using torch::jit::Graph;
using torch::jit::Node;

/// Makes aten::linear of layers written as products, before freezing folds their transposed weights away.
void fuse_linears(const torch::jit::Module& module) {
  for (const torch::jit::Module& part : module.modules()) {
    for (const torch::jit::Method& method : part.get_methods()) {
      auto graph = method.graph();
      torch::jit::FuseLinear(graph);
    }
  }
}

void collect_linears(torch::jit::Block* block, std::vector<Node*>& found) {
  for (Node* node : block->nodes()) {
    if (node->kind() == c10::aten::linear) found.push_back(node);
    for (torch::jit::Block* inner : node->blocks()) collect_linears(inner, found);
  }
}

/// Symmetric int8, one scale per output channel.
at::Tensor quantize_weight(const at::Tensor& weight) {
  const auto largest = std::get<0>(weight.abs().max(1)).to(at::kDouble).clamp_min(1e-12);
  return at::quantize_per_channel(weight.contiguous(), largest / 127.0, at::zeros({weight.size(0)}, at::kLong), 0,
                                  at::kQInt8);
}

/// Weight and bias, packed as this machine's engine wants them. Saving a file unpacks them again.
c10::IValue pack(const at::Tensor& weight, const c10::IValue& bias) {
  const auto prepack = c10::Dispatcher::singleton().findSchemaOrThrow("quantized::linear_prepack", "");
  torch::jit::Stack stack = {quantize_weight(weight), bias};
  prepack.callBoxed(&stack);
  return stack.front();
}

bool replace_linear(torch::jit::Module& module, Graph& graph, Node* linear, std::size_t number) {
  const auto weight = torch::jit::toIValue(linear->input(1));
  const auto bias = torch::jit::toIValue(linear->input(2));
  if (!weight || !bias || !weight->isTensor()) return false;
  const at::Tensor& values = weight->toTensor();
  if (values.dim() != 2 || values.scalar_type() != at::kFloat || values.numel() == 0) return false;

  const c10::IValue packed = pack(values.detach(), *bias);
  const std::string name = "quantized_linear_" + std::to_string(number);
  module.register_attribute(name, packed.type(), packed);
  const torch::jit::WithInsertPoint here(linear);
  torch::jit::Value* const parameters = graph.insertGetAttr(graph.inputs().front(), name);
  parameters->setType(packed.type());
  // 7-bit activations: with 8, two products overflow the int16 sums of processors without VNNI.
  torch::jit::Value* const reduce_range = graph.insertConstant(true);
  torch::jit::Value* const result = graph.insert(c10::Symbol::fromQualString("quantized::linear_dynamic"),
                                                 {linear->input(0), parameters, reduce_range});
  linear->output()->replaceAllUsesWith(result);
  linear->destroy();
  return true;
}

Status save_whole(torch::jit::Module& module, const std::string& file) {
  const std::string part = file + ".part";
  std::error_code failure;
  try {
    module.save(part);
    std::filesystem::rename(part, file);
  } catch (const std::exception& error) {
    std::filesystem::remove(part, failure);
    return Error{ErrorCode::kUnavailable, file + ": cannot be written: " + one_line(error)};
  }
  return Done{};
}

}  // namespace

Result<Quantized> quantize_dynamic(const std::string& in_file, const std::string& out_file) {
  silence_torch();
  WarningSink sink({});
  const WarningRoute route(&sink);
  const auto bytes = read_model_file(in_file);
  if (!bytes.ok()) return bytes.error();
  if (std::string_view(quantized_engine_for(bytes.value().size())) == "none") {
    return Error{ErrorCode::kUnavailable, "this LibTorch has no engine for quantized layers"};
  }
  const PackingEngine engine(bytes.value().size());
  auto module = parse_module(bytes.value(), in_file);
  if (!module.ok()) return module.error();
  Quantized quantized;
  try {
    const torch::NoGradGuard no_gradients;
    fuse_linears(module.value());
    auto frozen = freeze_module(module.value());
    const auto graph = frozen.get_method("forward").graph();
    std::vector<Node*> linears;
    collect_linears(graph->block(), linears);
    for (Node* const linear : linears) {
      if (replace_linear(frozen, *graph, linear, quantized.layers)) ++quantized.layers;
    }
    if (quantized.layers == 0) {
      return Error{ErrorCode::kInvalidArgument,
                   in_file + ": nothing to quantize: no linear layer with constant FP32 weights"};
    }
    torch::jit::EliminateDeadCode(graph);
    const auto saved = save_whole(frozen, out_file);
    if (!saved.ok()) return saved.error();
  } catch (const std::exception& error) {
    return Error{ErrorCode::kInvalidArgument, in_file + ": cannot be quantized: " + one_line(error)};
  }
  return quantized;
}

}  // namespace hearth::edge
