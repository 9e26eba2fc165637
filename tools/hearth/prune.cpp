#include "tools/hearth/prune.h"

#include <torch/csrc/jit/passes/fuse_linear.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::tool {
namespace {

using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;

/// A parameter or buffer by its owner, so that a narrower one can take its place.
struct Slot {
  Module owner;
  std::string name;

  at::Tensor value() const { return owner.attr(name).toTensor(); }
  void keep(std::int64_t axis, const at::Tensor& which) {
    const at::Tensor all = value();
    owner.setattr(name, all.detach().index_select(axis, which).contiguous().set_requires_grad(all.requires_grad()));
  }
  auto key() const { return std::pair(static_cast<const void*>(owner._ivalue().get()), name); }
};

/// What belongs to the units of one hidden layer.
struct Hidden {
  Slot weight;                 // Units on axis 0.
  std::optional<Slot> bias;    // One number a unit.
  std::vector<Slot> per_unit;  // Of normalizations on the way: the same.
  Slot next;                   // Units on axis 1, `columns` of each.
  std::int64_t columns = 1;
};

struct Graph {
  explicit Graph(const Module& whole) : module(whole), graph(whole.get_method("forward").graph()->copy()) {
    torch::jit::Inline(*graph);
    torch::jit::FuseLinear(graph);
    for (Node* const node : graph->nodes()) {
      for (Value* const input : node->inputs()) {
        if (const auto slot = slot_of(input)) ++readers[slot->key()];
      }
    }
  }

  std::optional<Module> module_of(Value* value) const {
    if (value == graph->inputs()[0]) return module;
    if (value->node()->kind() != c10::prim::GetAttr) return std::nullopt;
    const auto owner = module_of(value->node()->input());
    if (!owner) return std::nullopt;
    const auto found = owner->attr(value->node()->s(c10::attr::name));
    return found.isModule() ? std::optional(found.toModule()) : std::nullopt;
  }

  /// Where a tensor of the module's is read.
  std::optional<Slot> slot_of(Value* value) const {
    if (value->node()->kind() != c10::prim::GetAttr) return std::nullopt;
    const auto owner = module_of(value->node()->input());
    const std::string name = value->node()->s(c10::attr::name);
    if (!owner || !owner->attr(name).isTensor()) return std::nullopt;
    return Slot{*owner, name};
  }

  /// The same, when nothing else reads it.
  std::optional<Slot> own_slot_of(Value* value) const {
    auto slot = slot_of(value);
    return slot && readers.at(slot->key()) == 1 ? slot : std::nullopt;
  }

  Module module;
  std::shared_ptr<torch::jit::Graph> graph;
  std::map<std::pair<const void*, std::string>, std::size_t> readers;
};

bool is_layer(const Node* node) { return node->kind() == c10::aten::linear || node->kind() == c10::aten::conv2d; }

bool one_group(const Node* node) {
  if (node->kind() == c10::aten::linear) return true;
  const auto groups = torch::jit::toIValue(node->input(6));
  return groups && groups->isInt() && groups->toInt() == 1;
}

bool keeps_units_apart(const Node* node) {
  static constexpr std::array<std::string_view, 14> kSteps = {
      "aten::relu",      "aten::relu_",      "aten::gelu",       "aten::tanh",
      "aten::sigmoid",   "aten::silu",       "aten::hardtanh",   "aten::leaky_relu",
      "aten::dropout",   "aten::max_pool2d", "aten::avg_pool2d", "aten::adaptive_avg_pool2d",
      "aten::hardswish", "aten::elu"};
  return std::ranges::find(kSteps, std::string_view(node->kind().toQualString())) != kSteps.end();
}

/// Follows a layer's output to the one layer that reads it.
std::optional<Hidden> hidden_at(const Graph& graph, Node* layer) {
  auto weight = graph.own_slot_of(layer->input(1));
  if (!weight || !one_group(layer)) return std::nullopt;
  Hidden hidden{*weight, graph.own_slot_of(layer->input(2)), {}, *weight, 1};
  const bool has_bias = layer->input(2)->type()->kind() != c10::TypeKind::NoneType;
  if (has_bias && !hidden.bias) return std::nullopt;
  bool flat = layer->kind() == c10::aten::linear;
  for (Value* at = layer->output();;) {
    if (at->uses().size() != 1 || std::ranges::count(graph.graph->outputs(), at) != 0) return std::nullopt;
    Node* const user = at->uses()[0].user;
    if (user->owningBlock() != graph.graph->block() || user->input(0) != at) return std::nullopt;
    if (is_layer(user)) {
      const auto next = graph.own_slot_of(user->input(1));
      if (!next || !one_group(user) || flat != (user->kind() == c10::aten::linear)) return std::nullopt;
      hidden.next = *next;
      const std::int64_t units = hidden.weight.value().size(0), inputs = hidden.next.value().size(1);
      if (inputs % units != 0) return std::nullopt;
      hidden.columns = inputs / units;
      return hidden;
    }
    if (user->kind() == c10::aten::batch_norm && !flat) {
      for (std::size_t i = 1; i <= 4; ++i) {
        const auto slot = graph.own_slot_of(user->input(i));
        if (!slot) return std::nullopt;
        hidden.per_unit.push_back(*slot);
      }
    } else if (user->kind() == c10::aten::flatten && !flat) {
      const auto first = torch::jit::toIValue(user->input(1));
      if (!first || !first->isInt() || first->toInt() != 1) return std::nullopt;
      flat = true;
    } else if (!keeps_units_apart(user)) {
      return std::nullopt;
    }
    if (user->outputs().size() != 1) return std::nullopt;
    at = user->output();
  }
}

std::vector<Hidden> find_hidden(const Module& module) {
  const Graph graph(module);
  std::vector<Hidden> found;
  for (Node* const node : graph.graph->nodes()) {
    if (!is_layer(node)) continue;
    if (auto hidden = hidden_at(graph, node)) found.push_back(std::move(*hidden));
  }
  return found;
}

/// How much each unit counts: the norm of what goes in times the norm of what goes out.
at::Tensor saliency(const Hidden& hidden) {
  const at::Tensor in = hidden.weight.value().detach(), out = hidden.next.value().detach();
  const std::int64_t units = in.size(0);
  at::Tensor into = in.reshape({units, -1}).pow(2).sum(1);
  if (hidden.bias) into = into + hidden.bias->value().detach().pow(2);
  const at::Tensor from = out.reshape({out.size(0), units, -1}).pow(2).sum(at::IntArrayRef({0, 2}));
  return into * from;
}

}  // namespace

std::vector<std::size_t> hidden_widths(const Module& module) {
  std::vector<std::size_t> widths;
  for (const Hidden& hidden : find_hidden(module)) {
    widths.push_back(static_cast<std::size_t>(hidden.weight.value().size(0)));
  }
  return widths;
}

void prune(Module& module, const std::vector<std::size_t>& widths) {
  auto found = find_hidden(module);
  for (std::size_t i = 0; i < found.size() && i < widths.size(); ++i) {
    Hidden& hidden = found[i];
    const std::int64_t units = hidden.weight.value().size(0);
    const std::int64_t kept = std::min(units, static_cast<std::int64_t>(widths[i]));
    if (kept == units) continue;
    const at::Tensor which = std::get<0>(std::get<1>(saliency(hidden).topk(kept)).sort());
    hidden.weight.keep(0, which);
    if (hidden.bias) hidden.bias->keep(0, which);
    for (Slot& slot : hidden.per_unit) slot.keep(0, which);
    const at::Tensor columns =
        (which.unsqueeze(1) * hidden.columns + at::arange(hidden.columns, at::kLong).unsqueeze(0)).flatten();
    hidden.next.keep(1, columns);
  }
}

}  // namespace hearth::tool
