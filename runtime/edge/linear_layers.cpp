#include "runtime/edge/linear_layers.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/fuse_linear.h>

#include <filesystem>
#include <map>
#include <utility>

#include "runtime/edge/linear_ops.h"

namespace hearth::edge {
namespace {

using kernels::Activation;
using kernels::Format;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

void collect(Block* block, std::vector<Node*>& nodes) {
  for (Node* node : block->nodes()) {
    nodes.push_back(node);
    for (Block* inner : node->blocks()) collect(inner, nodes);
  }
}

bool is_one(Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isScalar() && constant->toScalar().toDouble() == 1;
}

/// Weight and bias where both are constants and the weight is an FP32 matrix.
std::optional<FoundLayer> layer_at(Node* node) {
  const bool linear = node->kind() == c10::aten::linear;
  if (!linear && node->kind() != c10::aten::addmm) return std::nullopt;
  if (!linear && !(is_one(node->input(3)) && is_one(node->input(4)))) return std::nullopt;
  const auto weight = torch::jit::toIValue(node->input(linear ? 1 : 2));
  const auto bias = torch::jit::toIValue(node->input(linear ? 2 : 0));
  if (!weight || !bias || !weight->isTensor()) return std::nullopt;
  const at::Tensor& values = weight->toTensor();
  if (values.dim() != 2 || values.scalar_type() != at::kFloat || values.numel() == 0) return std::nullopt;
  FoundLayer found;
  found.linear = node;
  found.weight = (linear ? values : values.t()).detach();
  found.bias = *bias;
  // addmm also adds what is no bias of a layer.
  const bool plain =
      bias->isNone() || (bias->isTensor() && bias->toTensor().scalar_type() == at::kFloat &&
                         bias->toTensor().dim() == 1 && bias->toTensor().size(0) == found.weight.size(0));
  return plain ? std::optional(found) : std::nullopt;
}

void find_activation(FoundLayer& found) {
  const auto& uses = found.linear->output()->uses();
  if (uses.size() != 1) return;
  Node* const next = uses[0].user;
  if (next->kind() == c10::aten::relu || next->kind() == c10::aten::relu_) found.activation = Activation::kRelu;
  if (next->kind() == c10::aten::gelu) {
    const auto approximate = torch::jit::toIValue(next->input(1));
    if (approximate && approximate->isString() && approximate->toStringRef() == "none") {
      found.activation = Activation::kGelu;
    }
  }
  if (found.activation != Activation::kNone) found.activation_node = next;
}

/// Symmetric int8, one scale per output channel.
at::Tensor quantize_weight(const at::Tensor& weight) {
  const auto largest = std::get<0>(weight.abs().max(1)).to(at::kDouble).clamp_min(1e-12);
  return at::quantize_per_channel(weight.contiguous(), largest / 127.0, at::zeros({weight.size(0)}, at::kLong), 0,
                                  at::kQInt8);
}

/// Weight and bias, packed as this machine's engine wants them. Saving a file unpacks them again.
c10::IValue pack_for_torch(const at::Tensor& weight, const c10::IValue& bias) {
  const auto prepack = c10::Dispatcher::singleton().findSchemaOrThrow("quantized::linear_prepack", "");
  torch::jit::Stack stack = {quantize_weight(weight), bias};
  prepack.callBoxed(&stack);
  return stack.front();
}

Result<c10::IValue> pack(const FoundLayer& found, LayerKind kind) {
  if (kind == LayerKind::kTorchInt8) return pack_for_torch(found.weight, found.bias);
  const auto bias = found.bias.isNone() ? std::optional<at::Tensor>() : found.bias.toTensor();
  auto layer = make_linear_layer(kind == LayerKind::kInt8 ? Format::kInt8 : Format::kInt4, found.weight, bias);
  if (!layer.ok()) return layer.error();
  return c10::IValue(std::move(layer.value()));
}

std::string free_name(const torch::jit::Module& module) {
  std::size_t number = 0;
  while (module.hasattr("quantized_linear_" + std::to_string(number))) ++number;
  return "quantized_linear_" + std::to_string(number);
}

}  // namespace

void fuse_linears(const torch::jit::Module& module) {
  for (const torch::jit::Module& part : module.modules()) {
    for (const torch::jit::Method& method : part.get_methods()) {
      auto graph = method.graph();
      torch::jit::FuseLinear(graph);
    }
  }
}

std::vector<FoundLayer> find_linear_layers(const torch::jit::Module& frozen) {
  std::vector<Node*> nodes;
  collect(frozen.get_method("forward").graph()->block(), nodes);
  std::map<const void*, std::size_t> readers;  // Of each constant's memory.
  std::vector<FoundLayer> layers;
  for (Node* const node : nodes) {
    for (Value* const input : node->inputs()) {
      const auto constant = torch::jit::toIValue(input);
      if (constant && constant->isTensor() && constant->toTensor().has_storage()) {
        ++readers[constant->toTensor().data_ptr()];
      }
    }
    if (auto found = layer_at(node)) layers.push_back(std::move(*found));
  }
  for (FoundLayer& layer : layers) {
    find_activation(layer);
    layer.shared = readers[layer.weight.data_ptr()] > 1;
  }
  return layers;
}

Status replace_layer(torch::jit::Module& frozen, const FoundLayer& found, LayerKind kind, bool fuse) {
  if (kind == LayerKind::kFloat) return Done{};
  const auto packed = pack(found, kind);
  if (!packed.ok()) return packed.error();
  Graph& graph = *frozen.get_method("forward").graph();
  const std::string name = free_name(frozen);
  const c10::TypePtr type =
      kind == LayerKind::kTorchInt8 ? (*packed).type() : c10::getCustomClassType<c10::intrusive_ptr<LinearLayer>>();
  frozen.register_attribute(name, type, *packed);
  const torch::jit::WithInsertPoint here(found.linear);
  Value* const parameters = graph.insertGetAttr(graph.inputs().front(), name);
  parameters->setType(type);
  Value* const x = found.linear->input(found.linear->kind() == c10::aten::linear ? 0 : 1);
  const bool takes_activation = fuse && found.activation_node != nullptr &&
                                (kind != LayerKind::kTorchInt8 || found.activation == Activation::kRelu);
  Value* result = nullptr;
  if (kind == LayerKind::kTorchInt8) {
    // 7-bit activations: with 8, two products overflow the int16 sums of processors without VNNI.
    Value* const reduce_range = graph.insertConstant(true);
    const char* const op = takes_activation ? "quantized::linear_relu_dynamic" : "quantized::linear_dynamic";
    result = graph.insert(c10::Symbol::fromQualString(op), {x, parameters, reduce_range});
  } else {
    const char* const op = kind == LayerKind::kInt8 ? "hearth::linear_int8" : "hearth::linear_int4";
    const auto activation = static_cast<std::int64_t>(takes_activation ? found.activation : Activation::kNone);
    result = graph.insert(c10::Symbol::fromQualString(op), {x, parameters, activation});
  }
  Node* const last = takes_activation ? found.activation_node : found.linear;
  last->output()->replaceAllUsesWith(result);
  if (takes_activation) found.activation_node->destroy();
  found.linear->destroy();
  return Done{};
}

void clean_up(torch::jit::Module& frozen) { torch::jit::EliminateDeadCode(frozen.get_method("forward").graph()); }

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

}  // namespace hearth::edge
