#include "runtime/edge/flat_graph.h"

#include <torch/custom_class.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <utility>
#include <vector>

#include "runtime/edge/flat_model.h"
#include "runtime/edge/linear_ops.h"

namespace hearth::edge {
namespace {

using kernels::Activation;
using kernels::Binary;
using kernels::Unary;
using torch::jit::Node;
using torch::jit::Value;

std::vector<float> floats_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().contiguous();
  return {dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel()};
}

bool is_float_on_cpu(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined() && value.toTensor().scalar_type() == at::kFloat &&
         value.toTensor().device().is_cpu() && value.toTensor().layout() == at::kStrided;
}

class Builder {
 public:
  explicit Builder(const torch::jit::Module& module) : module_(module), graph_(module.get_method("forward").graph()) {}

  std::optional<FlatPlan> build(const EdgeBinding& binding) {
    for (const auto* specs : {&binding.inputs, &binding.outputs}) {
      for (const TensorSpec& spec : *specs) {
        if (spec.datatype != Datatype::kFp32 || spec.shape.size() > kRankMax) return std::nullopt;
      }
    }
    const auto given = graph_->inputs();
    if (given.size() != binding.inputs.size() + 1) return std::nullopt;
    for (std::size_t i = 1; i < given.size(); ++i) tensors_[given[i]] = plan_.add_input();
    for (Node* const node : graph_->nodes()) {
      if (!take(node)) return std::nullopt;
    }
    std::vector<FlatPlan::Value> outputs;
    if (graph_->outputs().size() != 1 || !gather_outputs(graph_->outputs()[0], outputs)) return std::nullopt;
    if (outputs.size() != binding.outputs.size()) return std::nullopt;
    plan_.finish(std::move(outputs));
    return std::move(plan_);
  }

 private:
  using Plain = bool (Builder::*)(Node*);

  bool take(Node* node);
  bool take_quantized(Node* node);
  bool take_linear(Node* node);
  bool take_addmm(Node* node);
  bool take_matmul(Node* node);
  bool take_unary(Node* node, Unary function, bool in_place);
  bool take_gelu(Node* node);
  bool take_softmax(Node* node, bool log);
  bool take_binary(Node* node, Binary function);
  bool take_reshape(Node* node);
  bool take_flatten(Node* node);
  bool take_same(Node* node);
  bool take_size(Node* node);

  bool add_float_linear(Node* node, Value* x, const at::Tensor& weight, const c10::IValue& bias);
  bool gather_outputs(Value* value, std::vector<FlatPlan::Value>& outputs);
  std::optional<c10::IValue> constant(Value* value) const;
  std::optional<FlatPlan::Value> tensor(Value* value);
  std::optional<FlatPlan::Size> size(Value* value);

  const torch::jit::Module& module_;
  const std::shared_ptr<torch::jit::Graph> graph_;
  FlatPlan plan_;
  std::map<Value*, FlatPlan::Value> tensors_;
  std::map<Value*, FlatPlan::Size> sizes_;
};

/// Constants of the graph, and what freezing leaves as attributes of the module.
std::optional<c10::IValue> Builder::constant(Value* value) const {
  if (auto found = torch::jit::toIValue(value)) return found;
  const Node* const node = value->node();
  if (node->kind() == c10::prim::GetAttr && node->input() == graph_->inputs()[0]) {
    return module_.attr(node->s(c10::attr::name));
  }
  return std::nullopt;
}

std::optional<FlatPlan::Value> Builder::tensor(Value* value) {
  if (const auto found = tensors_.find(value); found != tensors_.end()) return found->second;
  const auto known = constant(value);
  if (!known) return std::nullopt;
  std::vector<float> values;
  Shape shape;
  if (known->isDouble() || known->isInt()) {
    values = {static_cast<float>(known->toScalar().toDouble())};
  } else if (is_float_on_cpu(*known) && known->toTensor().numel() > 0) {
    const auto dims = shape_of(known->toTensor().sizes());
    if (!dims) return std::nullopt;
    shape = *dims;
    values = floats_of(known->toTensor());
  } else {
    return std::nullopt;
  }
  return tensors_[value] = plan_.add_constant(shape, std::move(values));
}

std::optional<FlatPlan::Size> Builder::size(Value* value) {
  if (const auto found = sizes_.find(value); found != sizes_.end()) return found->second;
  const auto known = constant(value);
  if (!known || !known->isInt()) return std::nullopt;
  return FlatPlan::Size{.number = known->toInt()};
}

bool Builder::gather_outputs(Value* value, std::vector<FlatPlan::Value>& outputs) {
  const auto kind = value->node()->kind();
  if (kind == c10::prim::TupleConstruct || kind == c10::prim::ListConstruct) {
    for (Value* const element : value->node()->inputs()) {
      const auto found = tensors_.find(element);
      if (found == tensors_.end()) return false;
      outputs.push_back(found->second);
    }
    return true;
  }
  const auto found = tensors_.find(value);
  if (found != tensors_.end()) outputs.push_back(found->second);
  return found != tensors_.end();
}

bool Builder::add_float_linear(Node* node, Value* x, const at::Tensor& weight, const c10::IValue& bias) {
  const auto from = tensor(x);
  if (!from || weight.dim() != 2 || weight.numel() == 0) return false;
  std::vector<float> biases;
  if (!bias.isNone()) {
    if (!is_float_on_cpu(bias) || bias.toTensor().dim() != 1 || bias.toTensor().size(0) != weight.size(0)) return false;
    biases = floats_of(bias.toTensor());
  }
  auto layer = kernels::FloatLinear::pack(static_cast<std::size_t>(weight.size(0)),
                                          static_cast<std::size_t>(weight.size(1)), floats_of(weight), biases);
  if (!layer.ok()) return false;
  tensors_[node->output()] =
      plan_.add_linear(*from, std::make_shared<const kernels::FloatLinear>(std::move(layer).value()));
  return true;
}

bool Builder::take_quantized(Node* node) {
  const auto from = tensor(node->input(0));
  const auto object = constant(node->input(1));
  const auto activation = constant(node->input(2));
  if (!from || !object || !object->isObject() || !activation || !activation->isInt()) return false;
  if (activation->toInt() < 0 || activation->toInt() > 2) return false;
  const auto layer = object->toCustomClass<LinearLayer>();
  const bool int8 = node->kind() == c10::Symbol::fromQualString("hearth::linear_int8");
  if (layer->packed.format() != (int8 ? kernels::Format::kInt8 : kernels::Format::kInt4)) return false;
  const std::shared_ptr<const kernels::PackedLinear> shared(&layer->packed, [layer](const auto*) {});
  tensors_[node->output()] = plan_.add_linear(*from, shared, static_cast<Activation>(activation->toInt()));
  return true;
}

bool Builder::take_linear(Node* node) {
  const auto weight = constant(node->input(1));
  const auto bias = constant(node->input(2));
  return weight && bias && is_float_on_cpu(*weight) &&
         add_float_linear(node, node->input(0), weight->toTensor(), *bias);
}

bool Builder::take_addmm(Node* node) {
  for (const std::size_t i : {3U, 4U}) {
    const auto factor = constant(node->input(i));
    if (!factor || !factor->isScalar() || factor->toScalar().toDouble() != 1) return false;
  }
  const auto weight = constant(node->input(2));
  const auto bias = constant(node->input(0));
  return weight && bias && is_float_on_cpu(*weight) && weight->toTensor().dim() == 2 &&
         add_float_linear(node, node->input(1), weight->toTensor().t(), *bias);
}

bool Builder::take_matmul(Node* node) {
  const auto weight = constant(node->input(1));
  return weight && is_float_on_cpu(*weight) && weight->toTensor().dim() == 2 &&
         add_float_linear(node, node->input(0), weight->toTensor().t(), c10::IValue());
}

bool Builder::take_unary(Node* node, Unary function, bool in_place) {
  const auto from = tensor(node->input(0));
  if (!from) return false;
  // In place is as good as anew where nobody else sees the tensor, nor one that lies in its memory.
  const auto maker = node->input(0)->node()->kind();
  const bool fresh = maker.is_aten() && maker != c10::aten::view && maker != c10::aten::reshape &&
                     maker != c10::aten::flatten && maker != c10::aten::contiguous && maker != c10::aten::detach &&
                     maker != c10::aten::dropout;
  const bool ours = maker.ns() == c10::Symbol::fromQualString("namespaces::hearth");
  if (in_place && (!(fresh || ours) || node->input(0)->uses().size() != 1)) return false;
  tensors_[node->output()] = plan_.add_unary(*from, function);
  return true;
}

bool Builder::take_gelu(Node* node) {
  const auto approximate = node->inputs().size() > 1 ? constant(node->input(1)) : c10::IValue("none");
  if (!approximate || !approximate->isString()) return false;
  const bool by_tanh = approximate->toStringRef() == "tanh";
  return (by_tanh || approximate->toStringRef() == "none") &&
         take_unary(node, by_tanh ? Unary::kGeluTanh : Unary::kGelu, false);
}

bool Builder::take_softmax(Node* node, bool log) {
  const auto from = tensor(node->input(0));
  const auto dimension = constant(node->input(1));
  const auto type = constant(node->input(2));
  if (!from || !dimension || !dimension->isInt() || !type || !type->isNone()) return false;
  tensors_[node->output()] = plan_.add_softmax(*from, dimension->toInt(), log);
  return true;
}

bool Builder::take_binary(Node* node, Binary function) {
  if (function == Binary::kAdd) {
    const auto factor = constant(node->input(2));
    if (!factor || !factor->isScalar() || factor->toScalar().toDouble() != 1) return false;
  }
  const auto a = tensor(node->input(0));
  const auto b = tensor(node->input(1));
  if (!a || !b) return false;
  tensors_[node->output()] = plan_.add_binary(*a, *b, function);
  return true;
}

bool Builder::take_reshape(Node* node) {
  const auto from = tensor(node->input(0));
  if (!from) return false;
  std::vector<FlatPlan::Size> sizes;
  if (const auto known = constant(node->input(1)); known && known->isIntList()) {
    for (const std::int64_t number : known->toIntVector()) sizes.push_back({.number = number});
  } else {
    Node* const list = node->input(1)->node();
    if (list->kind() != c10::prim::ListConstruct) return false;
    for (Value* const element : list->inputs()) {
      const auto known_size = size(element);
      if (!known_size) return false;
      sizes.push_back(*known_size);
    }
  }
  tensors_[node->output()] = plan_.add_reshape(*from, std::move(sizes));
  return true;
}

bool Builder::take_flatten(Node* node) {
  const auto from = tensor(node->input(0));
  const auto first = constant(node->input(1));
  const auto last = constant(node->input(2));
  if (!from || !first || !first->isInt() || !last || !last->isInt()) return false;
  tensors_[node->output()] = plan_.add_flatten(*from, first->toInt(), last->toInt());
  return true;
}

bool Builder::take_same(Node* node) {
  const auto from = tensor(node->input(0));
  if (from) tensors_[node->output()] = *from;
  return from.has_value();
}

bool Builder::take_size(Node* node) {
  const auto from = tensor(node->input(0));
  const auto dimension = node->inputs().size() == 2 ? constant(node->input(1)) : std::nullopt;
  if (!from || !dimension || !dimension->isInt() || dimension->toInt() < 0) return false;
  sizes_[node->output()] = {.of = *from, .dimension = static_cast<std::size_t>(dimension->toInt())};
  return true;
}

bool Builder::take(Node* node) {
  static const auto kInt8 = c10::Symbol::fromQualString("hearth::linear_int8");
  static const auto kInt4 = c10::Symbol::fromQualString("hearth::linear_int4");
  const auto kind = node->kind();
  if (kind == c10::prim::Constant) return true;
  if (kind == c10::prim::GetAttr) return constant(node->output()).has_value();
  // Whoever uses what these make looks at what went in.
  if (kind == c10::prim::ListConstruct || kind == c10::prim::TupleConstruct) return true;
  if (kind == kInt8 || kind == kInt4) return take_quantized(node);
  if (kind == c10::aten::linear) return take_linear(node);
  if (kind == c10::aten::addmm) return take_addmm(node);
  if (kind == c10::aten::matmul || kind == c10::aten::mm) return take_matmul(node);
  if (kind == c10::aten::relu) return take_unary(node, Unary::kRelu, false);
  if (kind == c10::aten::relu_) return take_unary(node, Unary::kRelu, true);
  if (kind == c10::aten::tanh) return take_unary(node, Unary::kTanh, false);
  if (kind == c10::aten::sigmoid) return take_unary(node, Unary::kSigmoid, false);
  if (kind == c10::aten::gelu) return take_gelu(node);
  if (kind == c10::aten::softmax) return take_softmax(node, false);
  if (kind == c10::aten::log_softmax) return take_softmax(node, true);
  if (kind == c10::aten::add) return take_binary(node, Binary::kAdd);
  if (kind == c10::aten::mul) return take_binary(node, Binary::kMultiply);
  if (kind == c10::aten::reshape || kind == c10::aten::view) return take_reshape(node);
  if (kind == c10::aten::flatten) return take_flatten(node);
  if (kind == c10::aten::contiguous || kind == c10::aten::detach) return take_same(node);
  if (kind == c10::aten::dropout) {
    const auto training = constant(node->input(2));
    return training && training->isBool() && !training->toBool() && take_same(node);
  }
  if (kind == c10::aten::size) return take_size(node);
  if (kind == c10::prim::NumToTensor || kind == c10::aten::Int) {  // As tracing writes sizes.
    const auto known = size(node->input(0));
    if (known) sizes_[node->output()] = *known;
    return known.has_value();
  }
  return false;
}

/// Numbers between -1 and 1, the same ones each time.
std::vector<Tensor> trial_inputs(const EdgeBinding& binding) {
  std::vector<Tensor> inputs;
  for (const TensorSpec& spec : binding.inputs) {
    std::vector<std::int64_t> shape = spec.shape;
    std::ranges::replace(shape, -1, 2);
    std::vector<float> values(element_count(shape).value_or(0));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7919 % 2003) / 1001 - 1;
    inputs.push_back(Tensor::of_floats(spec.name, std::move(shape), values));
  }
  return inputs;
}

/// Our rounding and LibTorch's differ by less; what was understood wrongly differs by more.
bool nearly_same(const EdgeModel::Outputs& ours, const EdgeModel::Outputs& theirs) {
  if (!ours.ok() || !theirs.ok() || ours->size() != theirs->size()) return false;
  constexpr float kShareOfLargest = 0.01F;
  for (std::size_t i = 0; i < ours->size(); ++i) {
    if ((*ours)[i].shape != (*theirs)[i].shape) return false;
    const auto a = (*ours)[i].floats();
    const auto b = (*theirs)[i].floats();
    float largest = 0;
    for (const float x : b) largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
    for (std::size_t k = 0; k < a.size(); ++k) {
      const bool alike = a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k]));
      if (!alike && !(std::abs(a[k] - b[k]) <= kShareOfLargest * largest + 1e-6F)) return false;
    }
  }
  return true;
}

}  // namespace

std::optional<FlatPlan> flat_plan_of(const torch::jit::Module& frozen, const EdgeBinding& binding) {
  return Builder(frozen).build(binding);
}

std::shared_ptr<EdgeModel> flat_model_of(const torch::jit::Module& frozen, EdgeModel& model, const EdgeBinding& binding,
                                         const std::shared_ptr<WorkerPool>& workers) {
  try {
    auto plan = flat_plan_of(frozen, binding);
    if (!plan) return nullptr;
    auto flat =
        std::make_shared<FlatModel>(std::move(*plan), binding, model.sha256(), workers, model.batched() != nullptr);
    const auto inputs = trial_inputs(binding);
    if (nearly_same(flat->run(inputs), model.run(inputs))) return flat;
  } catch (const std::exception&) {
    // LibTorch runs it.
  }
  return nullptr;
}

std::function<void()> pass_of(const torch::jit::Module& frozen, const at::Tensor& x) {
  const auto by_torch = [module = std::make_shared<torch::jit::Module>(frozen), x] { module->forward({x}); };
  EdgeBinding binding;
  binding.inputs = {{"x", Datatype::kFp32, x.sizes().vec()}};
  binding.outputs = {{"y", Datatype::kFp32, {}}};
  auto plan = flat_plan_of(frozen, binding);
  if (!plan) return by_torch;
  struct Pass {
    FlatPlan plan;
    std::vector<Tensor> inputs;
    FlatPlan::Workspace workspace;
  };
  const at::Tensor dense = x.contiguous();
  const std::span<const float> values(dense.data_ptr<float>(), static_cast<std::size_t>(dense.numel()));
  const auto pass =
      std::make_shared<Pass>(Pass{std::move(*plan), {Tensor::of_floats("x", dense.sizes().vec(), values)}, {}});
  if (!pass->plan.run(pass->inputs, pass->workspace).ok()) return by_torch;
  return [pass] { (void)pass->plan.run(pass->inputs, pass->workspace); };
}

}  // namespace hearth::edge
