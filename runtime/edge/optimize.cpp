#include "runtime/edge/optimize.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>

#include "runtime/edge/flat_graph.h"
#include "runtime/edge/linear_layers.h"

namespace hearth::edge {
namespace {

using kernels::Activation;

constexpr std::size_t kLayerTurns = 100;
constexpr std::size_t kModelTurns = 200;
constexpr double kTurnUs = 200;      // Short, so that other work falls on few of them.
constexpr double kFasterMin = 0.02;  // Less could be chance.

using Kinds = std::vector<LayerKind>;

std::size_t index_of(LayerKind kind) { return static_cast<std::size_t>(kind); }

std::string_view name_of(Activation activation) {
  if (activation == Activation::kRelu) return "relu";
  return activation == Activation::kGelu ? "gelu" : "none";
}

std::string title(std::size_t i, const OptimizedLayer& layer) {
  return "layer " + std::to_string(i) + " (" + std::to_string(layer.inputs) + " to " + std::to_string(layer.outputs) +
         ")";
}

/// A file beside the result, gone at the end however it ends.
struct CandidateFile {
  explicit CandidateFile(const std::string& out) : name(out + ".candidate") {}
  ~CandidateFile() {
    std::error_code ignored;
    std::filesystem::remove(name, ignored);
  }
  CandidateFile(const CandidateFile&) = delete;
  CandidateFile& operator=(const CandidateFile&) = delete;
  const std::string name;
};

/// Frozen anew each time, since replacing layers changes a module for good.
Result<torch::jit::Module> frozen_from(std::string_view bytes, const std::string& file) {
  auto module = parse_module(bytes, file);
  if (!module.ok()) return module.error();
  fuse_linears(module.value());
  return freeze_module(module.value());
}

/// What each layer is given in one pass; undefined where the pass does not reach it. A layer is known by its weights.
std::vector<at::Tensor> record_inputs(EdgeModel& model, const std::vector<Tensor>& inputs,
                                      const std::vector<FoundLayer>& layers) {
  struct Recording {
    const std::vector<FoundLayer>& layers;
    std::vector<at::Tensor> given;
  };
  static thread_local Recording* now = nullptr;
  Recording recording{layers, std::vector<at::Tensor>(layers.size())};
  now = &recording;
  const auto note = [](const at::RecordFunction& called) -> std::unique_ptr<at::ObserverContext> {
    const std::string_view name = called.name();
    auto arguments = called.inputs();
    // LibTorch shows the interpreter's whole stack; a call's own arguments are its last.
    if (arguments.size() > called.num_inputs()) arguments = arguments.slice(arguments.size() - called.num_inputs());
    const bool linear = name == "aten::linear", product = name == "aten::matmul" || name == "aten::mm";
    if (now == nullptr || (!linear && !product && name != "aten::addmm")) return nullptr;
    const std::size_t x = linear || product ? 0 : 1;
    if (arguments.size() < x + 2 || !arguments[x].isTensor() || !arguments[x + 1].isTensor()) return nullptr;
    const at::Tensor weight = arguments[x + 1].toTensor();
    if (weight.dim() != 2) return nullptr;
    for (std::size_t i = 0; i < now->layers.size(); ++i) {
      if (now->given[i].defined() || !now->layers[i].weight.equal(linear ? weight : weight.t())) continue;
      now->given[i] = arguments[x].toTensor().clone();
      break;
    }
    return nullptr;
  };
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(note).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  (void)model.run(inputs);  // Loading has shown that it runs.
  at::removeCallback(handle);
  now = nullptr;
  return recording.given;
}

/// The layer alone in a model of its own, as the engine would load it.
Result<torch::jit::Module> alone(const FoundLayer& layer, LayerKind kind) {
  torch::jit::Module module("layer");
  module.register_parameter("weight", layer.weight.contiguous(), false);
  std::string bias = "None";
  if (!layer.bias.isNone()) {
    module.register_parameter("bias", layer.bias.toTensor(), false);
    bias = "self.bias";
  }
  const std::string linear = "torch.linear(x, self.weight, " + bias + ")";
  const std::string_view activation = name_of(layer.activation);
  module.define(
      "def forward(self, x):\n  return " +
      (layer.activation == Activation::kNone ? linear : "torch." + std::string(activation) + "(" + linear + ")") +
      "\n");
  module.eval();
  auto frozen = freeze_module(module);
  const auto found = find_linear_layers(frozen);
  if (found.size() != 1) return Error{ErrorCode::kInternal, "a layer that cannot be measured alone"};
  if (const auto done = replace_layer(frozen, found[0], kind, true); !done.ok()) return done.error();
  clean_up(frozen);
  if (at::globalContext().qEngine() == at::QEngine::QNNPACK) calm_qnnpack(frozen);
  return kind == LayerKind::kFloat ? frozen : freeze_module(frozen);
}

/// One pass, run as the engine would run it.
std::function<void()> call_of(const torch::jit::Module& frozen, const at::Tensor& x) {
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

void measure_layer(const FoundLayer& found, const at::Tensor& x, const OptimizeOptions& options,
                   OptimizedLayer& layer) {
  const c10::InferenceMode inference;
  std::vector<std::function<void()>> calls;
  std::vector<LayerKind> kinds;
  for (const LayerKind kind : kLayerKinds) {
    if (kind == LayerKind::kTorchInt8 && at::globalContext().qEngine() == at::QEngine::NoQEngine) continue;
    auto module = alone(found, kind);
    if (!module.ok()) continue;  // Wider than the kernels take, for one.
    calls.push_back(call_of(module.value(), x));
    kinds.push_back(kind);
  }
  const auto spreads = options.measure ? options.measure(calls) : measure_in_turns(calls, kLayerTurns, kTurnUs);
  for (std::size_t i = 0; i < kinds.size(); ++i) layer.times[index_of(kinds[i])] = spreads[i];
}

/// Kinds that are faster than float, the fastest first. int4 has to earn its lower accuracy.
Kinds faster_kinds(const OptimizedLayer& layer) {
  Kinds kinds;
  const auto cost = [&](LayerKind kind) {
    return layer.times[index_of(kind)]->p50_us * (kind == LayerKind::kInt4 ? 1 + kFasterMin : 1);
  };
  for (const LayerKind kind : kLayerKinds) {
    if (!layer.times[index_of(kind)] || kind == LayerKind::kFloat) continue;
    if (cost(kind) < cost(LayerKind::kFloat) * (1 - kFasterMin)) kinds.push_back(kind);
  }
  std::ranges::sort(kinds, {}, cost);
  return kinds;
}

double saved_us(const OptimizedLayer& layer, LayerKind kind) {
  const auto& of_float = layer.times[index_of(LayerKind::kFloat)];
  const auto& of_kind = layer.times[index_of(kind)];
  return of_float && of_kind ? of_float->p50_us - of_kind->p50_us : 0;
}

/// One run of optimize().
class Search {
 public:
  Search(TorchEngine& engine, const OptimizeOptions& options)
      : engine_(engine), options_(options), candidate_(options.out_file) {}

  Result<Optimized> run();

 private:
  using Model = std::shared_ptr<EdgeModel>;

  Status open();
  Status look_at(const std::vector<FoundLayer>& found);
  void measure_layers(const std::vector<FoundLayer>& found);
  /// The model with the layers as chosen, written and loaded as an app would load it.
  Result<Model> candidate();
  Result<bool> within_budget(EdgeModel& model);
  Status choose();
  Result<bool> faster(EdgeModel& model);
  Status give_back_until_faster();
  void say(const std::string& line) const {
    if (options_.progress) options_.progress(line);
  }

  TorchEngine& engine_;
  const OptimizeOptions& options_;
  const CandidateFile candidate_;
  std::string bytes_;
  Model float_model_;
  Optimized result_;
};

Status Search::open() {
  auto bytes = read_model_file(options_.binding.file);
  if (!bytes.ok()) return bytes.error();
  bytes_ = std::move(bytes).value();
  result_.bytes_before = bytes_.size();
  auto model = engine_.load(options_.binding);
  if (!model.ok()) return model.error();
  float_model_ = model.value();
  const std::string& file = options_.binding.file;
  auto frozen = [&] {
    const PackingEngine engine(bytes_.size());
    return frozen_from(bytes_, file);
  }();
  if (!frozen.ok()) return frozen.error();
  const auto found = find_linear_layers(frozen.value());
  if (found.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 file +
                     ": nothing to optimize: no linear layer with constant FP32 weights (quantized ones stay as they "
                     "are: give the float model)"};
  }
  if (auto good = look_at(found); !good.ok()) return good;
  measure_layers(found);
  return Done{};
}

Status Search::look_at(const std::vector<FoundLayer>& found) {
  for (const FoundLayer& layer : found) {
    OptimizedLayer& entry = result_.layers.emplace_back();
    entry.outputs = static_cast<std::size_t>(layer.weight.size(0));
    entry.inputs = static_cast<std::size_t>(layer.weight.size(1));
    entry.activation = name_of(layer.activation);
    const bool finite = layer.weight.isfinite().all().item<bool>() &&
                        (layer.bias.isNone() || layer.bias.toTensor().isfinite().all().item<bool>());
    if (!finite) {
      return Error{ErrorCode::kInvalidArgument, options_.binding.file + ": " + title(result_.layers.size() - 1, entry) +
                                                    ": a weight or bias is NaN or infinite, expected finite ones"};
    }
  }
  return Done{};
}

void Search::measure_layers(const std::vector<FoundLayer>& found) {
  const auto watched = engine_.load(options_.binding, Executor::kTorch);
  const auto given =
      watched.ok() ? record_inputs(**watched, options_.inputs, found) : std::vector<at::Tensor>(found.size());
  std::uint64_t weights = 0;
  for (const FoundLayer& layer : found) weights += static_cast<std::uint64_t>(layer.weight.numel());
  const PackingEngine engine(bytes_.size() - std::min<std::uint64_t>(bytes_.size(), 3 * weights));  // As if all int8.
  for (std::size_t i = 0; i < found.size(); ++i) {
    OptimizedLayer& layer = result_.layers[i];
    if (layer.inputs == 1 || layer.outputs == 1) {
      layer.why_float = "1 wide";
    } else if (found[i].shared) {
      layer.why_float = "shared weights";
    } else if (!given[i].defined()) {
      layer.why_float = "not reached by the pass that was measured";
    } else if (given[i].scalar_type() != at::kFloat || given[i].numel() == 0) {
      layer.why_float = "its input is not FP32, or empty";
    } else {
      say("measuring " + title(i, layer) + ", " + std::to_string(i + 1) + " of " + std::to_string(found.size()));
      layer.rows = static_cast<std::size_t>(given[i].numel()) / layer.inputs;
      measure_layer(found[i], given[i], options_, layer);
      if (faster_kinds(layer).empty()) layer.why_float = "float is fastest";
    }
  }
}

Result<Search::Model> Search::candidate() {
  {
    const PackingEngine engine(bytes_.size());
    auto frozen = frozen_from(bytes_, options_.binding.file);
    if (!frozen.ok()) return frozen.error();
    const auto found = find_linear_layers(frozen.value());
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (auto done = replace_layer(frozen.value(), found[i], result_.layers[i].chosen, true); !done.ok()) {
        return done.error();
      }
    }
    clean_up(frozen.value());
    if (auto saved = save_whole(frozen.value(), candidate_.name); !saved.ok()) return saved.error();
  }
  EdgeBinding binding = options_.binding;
  binding.file = candidate_.name;
  binding.sha256.clear();
  return engine_.load(binding);
}

Result<bool> Search::within_budget(EdgeModel& model) {
  const auto loss = options_.loss(model);
  if (!loss.ok()) return loss.error();
  result_.loss = *loss;
  return std::isfinite(*loss) && *loss <= options_.loss_max;
}

Status Search::choose() {
  std::vector<std::size_t> order;
  const auto most = [&](std::size_t i) {
    const auto kinds = faster_kinds(result_.layers[i]);
    return kinds.empty() ? 0.0 : -saved_us(result_.layers[i], kinds[0]);
  };
  for (std::size_t i = 0; i < result_.layers.size(); ++i) {
    if (result_.layers[i].why_float.empty()) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, most);
  for (const std::size_t i : order) {
    OptimizedLayer& layer = result_.layers[i];
    for (const LayerKind kind : faster_kinds(layer)) {
      layer.chosen = kind;
      const auto model = candidate();
      if (!model.ok()) return model.error();
      const auto good = within_budget(**model);
      if (!good.ok()) return good.error();
      say(title(i, layer) + " as " + std::string(edge::name_of(kind)) + ": loss " + std::to_string(result_.loss) +
          (*good ? ", taken" : ", too much"));
      if (*good) break;
      layer.chosen = LayerKind::kFloat;
    }
    if (layer.chosen == LayerKind::kFloat) layer.why_float = "every faster kind misses the accuracy budget";
  }
  return Done{};
}

Result<bool> Search::faster(EdgeModel& model) {
  bool ran = true;
  const auto pass = [&](EdgeModel& of) { return [&] { ran &= of.run(options_.inputs).ok(); }; };
  const std::vector<std::function<void()>> calls = {pass(*float_model_), pass(model)};
  const auto spreads = options_.measure ? options_.measure(calls) : measure_in_turns(calls, kModelTurns, kTurnUs);
  if (!ran) return Error{ErrorCode::kInternal, options_.binding.file + ": a pass failed while it was measured"};
  result_.before = spreads[0];
  result_.after = spreads[1];
  result_.bytes_after = std::filesystem::file_size(candidate_.name);
  return result_.after.p50_us < result_.before.p50_us * (1 - kFasterMin);
}

Status Search::give_back_until_faster() {
  while (true) {
    OptimizedLayer* least = nullptr;
    for (OptimizedLayer& layer : result_.layers) {
      if (layer.chosen == LayerKind::kFloat) continue;
      if (least == nullptr || saved_us(layer, layer.chosen) < saved_us(*least, least->chosen)) least = &layer;
    }
    if (least == nullptr) return Done{};
    say("measuring the whole model against the float one");
    const auto model = candidate();
    if (!model.ok()) return model.error();
    const auto good = within_budget(**model);
    if (!good.ok()) return good.error();
    const auto quick = faster(**model);
    if (!quick.ok()) return quick.error();
    if (*good && *quick) {
      result_.written = true;
      return Done{};
    }
    least->chosen = LayerKind::kFloat;
    least->why_float = *good ? "the whole model was not faster with it" : "the whole model missed the budget with it";
  }
}

Result<Optimized> Search::run() {
  if (auto opened = open(); !opened.ok()) return opened.error();
  if (auto chosen = choose(); !chosen.ok()) return chosen.error();
  if (auto done = give_back_until_faster(); !done.ok()) return done.error();
  if (!result_.written) {
    result_.why_not = "no layer can be made faster on this device within the accuracy budget";
    return std::move(result_);
  }
  std::error_code failure;
  std::filesystem::rename(candidate_.name, options_.out_file, failure);
  if (failure) {
    return Error{ErrorCode::kUnavailable, options_.out_file + ": cannot be written: " + failure.message()};
  }
  return std::move(result_);
}

}  // namespace

std::string_view name_of(LayerKind kind) {
  constexpr std::array<std::string_view, kLayerKinds.size()> kNames = {"float", "torch_int8", "hearth_int8",
                                                                       "hearth_int4"};
  return kNames[index_of(kind)];
}

Result<Optimized> optimize(TorchEngine& engine, const OptimizeOptions& options) {
  WarningSink sink({});
  const WarningRoute route(&sink);
  const torch::NoGradGuard no_gradients;
  try {
    return Search(engine, options).run();
  } catch (const std::exception& error) {
    return Error{ErrorCode::kInvalidArgument, options.binding.file + ": cannot be optimized: " + one_line(error)};
  }
}

}  // namespace hearth::edge
