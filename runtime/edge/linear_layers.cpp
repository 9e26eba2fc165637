#include "runtime/edge/linear_layers.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/fuse_linear.h>

#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "runtime/edge/conv_ops.h"
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

/// What a value of a frozen graph holds: a constant, or an attribute that freezing leaves, such as packed weights.
std::optional<c10::IValue> constant_of(const torch::jit::Module& frozen, Value* value) {
  if (auto constant = torch::jit::toIValue(value)) return constant;
  if (value == frozen.get_method("forward").graph()->inputs().front()) return c10::IValue(frozen._ivalue());
  if (value->node()->kind() != c10::prim::GetAttr) return std::nullopt;
  const auto owner = constant_of(frozen, value->node()->input());
  if (!owner || !owner->isObject()) return std::nullopt;
  return owner->toObject()->getAttr(value->node()->s(c10::attr::name));
}

std::optional<FoundLayer> dynamic_int8_at(const torch::jit::Module& frozen, Node* node) {
  if (!is_dynamic_int8(node->kind().toQualString())) return std::nullopt;
  const auto packed = constant_of(frozen, node->input(1));
  if (!packed || !packed->isObject()) return std::nullopt;
  FoundLayer found;
  found.linear = node;
  found.was = LayerKind::kTorchInt8;
  std::tie(found.int8_weight, found.bias) = unpack_from_torch(*packed);
  if (found.int8_weight.dim() != 2 || found.int8_weight.numel() == 0) return std::nullopt;
  found.weight = found.int8_weight.dequantize();
  if (node->kind() == c10::Symbol::fromQualString("quantized::linear_relu_dynamic")) {
    found.activation = Activation::kRelu;
  }
  return found;
}

/// Two sizes, from a constant list.
bool read_pair(Value* value, std::size_t (&to)[2]) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isIntList()) return false;
  const auto sizes = constant->toIntVector();
  if (sizes.empty() || sizes.size() > 2 || sizes.front() < 0 || sizes.back() < 0) return false;
  to[0] = static_cast<std::size_t>(sizes.front());
  to[1] = static_cast<std::size_t>(sizes.back());
  return true;
}

std::optional<FoundLayer> conv_at(Node* node) {
  if (node->kind() != c10::aten::conv2d) return std::nullopt;
  const auto weight = torch::jit::toIValue(node->input(1)), bias = torch::jit::toIValue(node->input(2));
  const auto groups = torch::jit::toIValue(node->input(6));
  if (!weight || !weight->isTensor() || !bias || !groups || !groups->isInt() || groups->toInt() != 1) {
    return std::nullopt;
  }
  FoundLayer found;
  found.linear = node;
  found.weight = weight->toTensor().detach();
  found.bias = *bias;
  const auto sizes = found.weight.sizes();
  if (sizes.size() != 4 || found.weight.scalar_type() != at::kFloat || found.weight.numel() == 0) return std::nullopt;
  kernels::ConvShape& shape = found.conv.emplace();
  shape.outputs = static_cast<std::size_t>(sizes[0]);
  shape.channels = static_cast<std::size_t>(sizes[1]);
  shape.kernel[0] = static_cast<std::size_t>(sizes[2]);
  shape.kernel[1] = static_cast<std::size_t>(sizes[3]);
  const bool plain = read_pair(node->input(3), shape.stride) && read_pair(node->input(4), shape.padding) &&
                     read_pair(node->input(5), shape.dilation) && (bias->isNone() || bias->isTensor());
  return plain ? std::optional(found) : std::nullopt;
}

void find_activation(FoundLayer& found) {
  if (found.activation != Activation::kNone) return;  // Built in.
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

/// Symmetric int8 weights as they are, with one scale or one for each output.
std::optional<std::vector<float>> symmetric_scales(const at::Tensor& weight) {
  if (!weight.defined() || weight.scalar_type() != at::kQInt8) return std::nullopt;
  const auto outputs = static_cast<std::size_t>(weight.size(0));
  if (weight.qscheme() == at::kPerTensorAffine) {
    if (weight.q_zero_point() != 0) return std::nullopt;
    return std::vector<float>(outputs, static_cast<float>(weight.q_scale()));
  }
  if (weight.qscheme() != at::kPerChannelAffine || weight.q_per_channel_axis() != 0) return std::nullopt;
  if (weight.q_per_channel_zero_points().ne(0).any().item<bool>()) return std::nullopt;
  const at::Tensor scales = weight.q_per_channel_scales().to(at::kFloat).contiguous();
  return std::vector<float>(scales.data_ptr<float>(), scales.data_ptr<float>() + outputs);
}

Result<c10::IValue> pack(const FoundLayer& found, LayerKind kind) {
  if (found.conv) {
    if (kind != LayerKind::kInt8) return Error{ErrorCode::kInvalidArgument, "a convolution can only be hearth_int8"};
    const auto given = found.bias.isNone() ? std::optional<at::Tensor>() : found.bias.toTensor();
    auto layer = make_conv_layer(*found.conv, found.range, found.weight, given);
    if (!layer.ok()) return layer.error();
    return c10::IValue(std::move(layer.value()));
  }
  if (kind == LayerKind::kTorchInt8) return pack_for_torch(found.weight, found.bias);
  if (const auto scales = symmetric_scales(found.int8_weight); scales && kind == LayerKind::kInt8) {
    const auto given = found.bias.isNone() ? std::optional<at::Tensor>() : found.bias.toTensor();
    auto layer = make_linear_layer(found.int8_weight.int_repr(), *scales, given);
    if (!layer.ok()) return layer.error();
    return c10::IValue(std::move(layer.value()));
  }
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

bool is_dynamic_int8(std::string_view name) {
  return name == "quantized::linear_dynamic" || name == "quantized::linear_relu_dynamic";
}

std::pair<at::Tensor, c10::IValue> unpack_from_torch(const c10::IValue& packed) {
  const auto unpack = c10::Dispatcher::singleton().findSchemaOrThrow("quantized::linear_unpack", "");
  torch::jit::Stack stack = {packed};
  unpack.callBoxed(&stack);
  const bool has_bias = stack.at(1).isTensor() && stack.at(1).toTensor().defined();
  return {stack.at(0).toTensor(), has_bias ? stack.at(1) : c10::IValue()};
}

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
    if (auto found = dynamic_int8_at(frozen, node)) layers.push_back(std::move(*found));
    if (auto found = conv_at(node)) layers.push_back(std::move(*found));
  }
  for (FoundLayer& layer : layers) {
    find_activation(layer);
    // Packed weights that two layers read are taken for their own twice: they are small.
    layer.shared = layer.was == LayerKind::kFloat && readers[layer.weight.data_ptr()] > 1;
  }
  return layers;
}

Status replace_layer(torch::jit::Module& frozen, const FoundLayer& found, LayerKind kind, bool fuse) {
  if (kind == found.was || kind == LayerKind::kFloat) return Done{};
  const auto packed = pack(found, kind);
  if (!packed.ok()) return packed.error();
  Graph& graph = *frozen.get_method("forward").graph();
  const std::string name = free_name(frozen);
  const c10::TypePtr type = (*packed).type();
  frozen.register_attribute(name, type, *packed);
  const torch::jit::WithInsertPoint here(found.linear);
  Value* const parameters = graph.insertGetAttr(graph.inputs().front(), name);
  parameters->setType(type);
  Value* const x = found.linear->input(found.linear->kind() == c10::aten::addmm ? 1 : 0);
  const bool takes_activation = fuse && found.activation_node != nullptr &&
                                (kind != LayerKind::kTorchInt8 || found.activation == Activation::kRelu);
  Value* result = nullptr;
  if (kind == LayerKind::kTorchInt8) {
    // 7-bit activations: with 8, two products overflow the int16 sums of processors without VNNI.
    Value* const reduce_range = graph.insertConstant(true);
    const char* const op = takes_activation ? "quantized::linear_relu_dynamic" : "quantized::linear_dynamic";
    result = graph.insert(c10::Symbol::fromQualString(op), {x, parameters, reduce_range});
  } else {
    const char* const op = found.conv                 ? "hearth::conv2d_int8"
                           : kind == LayerKind::kInt8 ? "hearth::linear_int8"
                                                      : "hearth::linear_int4";
    const bool built_in = found.activation_node == nullptr;
    const auto activation =
        static_cast<std::int64_t>(takes_activation || built_in ? found.activation : Activation::kNone);
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
