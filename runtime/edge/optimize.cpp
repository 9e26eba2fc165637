#include "runtime/edge/optimize.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
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

/// What a layer is given.
struct Given {
  at::Tensor first;                // In the first pass; undefined where that does not reach it.
  kernels::ActivationRange range;  // Over all passes.
};

/// A layer is known by its weights.
std::vector<Given> record_inputs(EdgeModel& model, const std::vector<std::vector<Tensor>>& passes,
                                 const std::vector<FoundLayer>& layers) {
  struct Recording {
    const std::vector<FoundLayer>& layers;
    std::vector<Given> given;
    bool first = true;
  };
  static thread_local Recording* now = nullptr;
  Recording recording{layers, std::vector<Given>(layers.size())};
  now = &recording;
  const auto note = [](const at::RecordFunction& called) -> std::unique_ptr<at::ObserverContext> {
    const std::string_view name = called.name();
    auto arguments = called.inputs();
    // LibTorch shows the interpreter's whole stack; a call's own arguments are its last.
    if (arguments.size() > called.num_inputs()) arguments = arguments.slice(arguments.size() - called.num_inputs());
    const bool linear = name == "aten::linear", product = name == "aten::matmul" || name == "aten::mm";
    const bool int8 = is_dynamic_int8(name), conv = name == "aten::conv2d";
    if (now == nullptr || (!linear && !product && !int8 && !conv && name != "aten::addmm")) return nullptr;
    const std::size_t x = name == "aten::addmm" ? 1 : 0;
    if (arguments.size() < x + 2 || !arguments[x].isTensor()) return nullptr;
    if (int8 ? !arguments[x + 1].isObject() : !arguments[x + 1].isTensor()) return nullptr;
    const at::Tensor weight =
        int8 ? unpack_from_torch(arguments[x + 1]).first.dequantize() : arguments[x + 1].toTensor();
    if (weight.dim() != (conv ? 4 : 2)) return nullptr;
    const at::Tensor given = arguments[x].toTensor();
    for (std::size_t i = 0; i < now->layers.size(); ++i) {
      Given& known = now->given[i];
      if ((now->first ? known.first.defined() : !conv) || now->layers[i].conv.has_value() != conv) continue;
      if ((now->layers[i].was == LayerKind::kTorchInt8) != int8) continue;
      if (!now->layers[i].weight.equal(linear || int8 || conv ? weight : weight.t())) continue;
      if (now->first) known.first = given.clone();
      if (conv && given.numel() > 0 && given.scalar_type() == at::kFloat) {
        known.range.low = std::min(known.range.low, given.min().item<float>());
        known.range.high = std::max(known.range.high, given.max().item<float>());
      }
      break;
    }
    return nullptr;
  };
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(note).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  for (const auto& inputs : passes) {
    (void)model.run(inputs);  // Loading has shown that it runs.
    recording.first = false;
  }
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
  const auto pair = [](const std::size_t(&sizes)[2]) {
    return ", [" + std::to_string(sizes[0]) + ", " + std::to_string(sizes[1]) + "]";
  };
  const std::string linear = layer.conv ? "torch.conv2d(x, self.weight, " + bias + pair(layer.conv->stride) +
                                              pair(layer.conv->padding) + pair(layer.conv->dilation) + ", 1)"
                                        : "torch.linear(x, self.weight, " + bias + ")";
  const std::string_view activation = name_of(layer.activation);
  module.define(
      "def forward(self, x):\n  return " +
      (layer.activation == Activation::kNone ? linear : "torch." + std::string(activation) + "(" + linear + ")") +
      "\n");
  module.eval();
  auto frozen = freeze_module(module);
  auto found = find_linear_layers(frozen);
  if (found.size() != 1) return Error{ErrorCode::kInternal, "a layer that cannot be measured alone"};
  found[0].range = layer.range;
  if (const auto done = replace_layer(frozen, found[0], kind, true); !done.ok()) return done.error();
  clean_up(frozen);
  if (at::globalContext().qEngine() == at::QEngine::QNNPACK) calm_qnnpack(frozen);
  return kind == LayerKind::kFloat ? frozen : freeze_module(frozen);
}

/// Of what a layer multiplies: rows of a batch, or output pixels.
std::size_t rows_of(const FoundLayer& found, const at::Tensor& x) {
  if (!found.conv) return static_cast<std::size_t>(x.numel() / found.weight.size(1));
  return static_cast<std::size_t>(x.size(0)) * found.conv->out(0, static_cast<std::size_t>(x.size(2))) *
         found.conv->out(1, static_cast<std::size_t>(x.size(3)));
}

void measure_layer(const FoundLayer& found, const at::Tensor& x, const OptimizeOptions& options,
                   OptimizedLayer& layer) {
  const c10::InferenceMode inference;
  std::vector<std::function<void()>> calls;
  std::vector<LayerKind> kinds;
  for (const LayerKind kind : kLayerKinds) {
    if (kind == LayerKind::kTorchInt8 && at::globalContext().qEngine() == at::QEngine::NoQEngine) continue;
    if (kind == LayerKind::kFloat && found.was != LayerKind::kFloat) continue;  // It would be larger.
    auto module = alone(found, kind);
    if (!module.ok()) continue;  // Wider than the kernels take, for one.
    calls.push_back(pass_of(module.value(), x));
    kinds.push_back(kind);
  }
  const auto spreads = options.measure ? options.measure(calls) : measure_in_turns(calls, kLayerTurns, kTurnUs);
  for (std::size_t i = 0; i < kinds.size(); ++i) layer.times[index_of(kinds[i])] = spreads[i];
}

/// Kinds that are faster than what is there, the fastest first. int4 has to earn its lower accuracy.
Kinds faster_kinds(const OptimizedLayer& layer) {
  Kinds kinds;
  const auto cost = [&](LayerKind kind) {
    return layer.times[index_of(kind)]->p50_us * (kind == LayerKind::kInt4 ? 1 + kFasterMin : 1);
  };
  if (!layer.times[index_of(layer.was)]) return kinds;
  for (const LayerKind kind : kLayerKinds) {
    if (!layer.times[index_of(kind)] || kind == layer.was) continue;
    if (cost(kind) < cost(layer.was) * (1 - kFasterMin)) kinds.push_back(kind);
  }
  std::ranges::sort(kinds, {}, cost);
  return kinds;
}

double saved_us(const OptimizedLayer& layer, LayerKind kind) {
  const auto& of_before = layer.times[index_of(layer.was)];
  const auto& of_kind = layer.times[index_of(kind)];
  return of_before && of_kind ? of_before->p50_us - of_kind->p50_us : 0;
}

double bits_of(LayerKind kind) { return kind == LayerKind::kFloat ? 32 : kind == LayerKind::kInt4 ? 4.5 : 8; }

/// How many bits a file loses when the layer becomes `kind`.
double saved_bits(const OptimizedLayer& layer, LayerKind kind) {
  return static_cast<double>(layer.inputs * layer.outputs) * (bits_of(layer.chosen) - bits_of(kind));
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
  void measure_layers(std::vector<FoundLayer>& found);
  /// The model with the layers as chosen, written and loaded as an app would load it.
  Result<Model> candidate();
  Result<bool> within_budget(EdgeModel& model);
  Status choose();
  /// Gives layers smaller kinds until the file is small enough, or none is left to try.
  Status shrink();
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
  std::vector<kernels::ActivationRange> ranges_;  // By layer.
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
  auto found = find_linear_layers(frozen.value());
  if (found.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 file +
                     ": nothing to optimize: no linear layer with constant FP32 weights, none that PyTorch "
                     "quantized dynamically, and no convolution of one group"};
  }
  if (auto good = look_at(found); !good.ok()) return good;
  measure_layers(found);
  return Done{};
}

Status Search::look_at(const std::vector<FoundLayer>& found) {
  for (const FoundLayer& layer : found) {
    OptimizedLayer& entry = result_.layers.emplace_back();
    entry.op = layer.conv ? "conv2d" : "linear";
    entry.outputs = static_cast<std::size_t>(layer.weight.size(0));
    entry.inputs = static_cast<std::size_t>(layer.weight.numel()) / entry.outputs;
    entry.activation = name_of(layer.activation);
    entry.was = entry.chosen = layer.was;
    const bool finite = layer.weight.isfinite().all().item<bool>() &&
                        (layer.bias.isNone() || layer.bias.toTensor().isfinite().all().item<bool>());
    if (!finite) {
      return Error{ErrorCode::kInvalidArgument, options_.binding.file + ": " + title(result_.layers.size() - 1, entry) +
                                                    ": a weight or bias is NaN or infinite, expected finite ones"};
    }
  }
  return Done{};
}

void Search::measure_layers(std::vector<FoundLayer>& found) {
  std::vector<std::vector<Tensor>> passes = {options_.inputs};
  passes.insert(passes.end(), options_.calibration.begin(), options_.calibration.end());
  const auto watched = engine_.load(options_.binding, Executor::kTorch);
  const auto given = watched.ok() ? record_inputs(**watched, passes, found) : std::vector<Given>(found.size());
  std::uint64_t weights = 0;
  for (const FoundLayer& layer : found) weights += static_cast<std::uint64_t>(layer.weight.numel());
  const PackingEngine engine(bytes_.size() - std::min<std::uint64_t>(bytes_.size(), 3 * weights));  // As if all int8.
  for (std::size_t i = 0; i < found.size(); ++i) {
    OptimizedLayer& layer = result_.layers[i];
    ranges_.push_back(given[i].range);
    found[i].range = given[i].range;
    if (layer.inputs == 1 || layer.outputs == 1) {
      layer.why_float = "1 wide";
    } else if (found[i].shared) {
      layer.why_float = "shared weights";
    } else if (!given[i].first.defined()) {
      layer.why_float = "not reached by the pass that was measured";
    } else if (found[i].conv && given[i].first.dim() != 4) {
      layer.why_float = "its input has no batch";
    } else if (given[i].first.scalar_type() != at::kFloat || given[i].first.numel() == 0) {
      layer.why_float = "its input is not FP32, or empty";
    } else {
      const std::string which = title(i, layer) + ", " + std::to_string(i + 1) + " of " + std::to_string(found.size());
      layer.rows = rows_of(found[i], given[i].first);
      if (const auto known = options_.known.find(i); known != options_.known.end()) {
        say("measured before: " + which);
        layer.times = known->second;
      } else {
        say("measuring " + which);
        measure_layer(found[i], given[i].first, options_, layer);
        if (options_.measured) options_.measured(i, layer.times);
      }
      if (faster_kinds(layer).empty()) {
        layer.why_float = layer.was == LayerKind::kFloat ? "float is fastest" : "LibTorch's int8 is fastest";
      }
    }
  }
}

Result<Search::Model> Search::candidate() {
  {
    const PackingEngine engine(bytes_.size());
    auto frozen = frozen_from(bytes_, options_.binding.file);
    if (!frozen.ok()) return frozen.error();
    auto found = find_linear_layers(frozen.value());
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i].range = ranges_[i];
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
      layer.chosen = layer.was;
    }
    if (layer.chosen == layer.was) layer.why_float = "every faster kind misses the accuracy budget";
  }
  return Done{};
}

Status Search::shrink() {
  std::set<std::pair<std::size_t, LayerKind>> tried;
  while (options_.bytes_max > 0) {
    auto model = candidate();
    if (!model.ok()) return model.error();
    if (std::filesystem::file_size(candidate_.name) <= options_.bytes_max) return Done{};
    std::optional<std::pair<std::size_t, LayerKind>> next;
    for (std::size_t i = 0; i < result_.layers.size(); ++i) {
      const OptimizedLayer& layer = result_.layers[i];
      for (const LayerKind kind : kLayerKinds) {
        if (!layer.times[index_of(kind)] || saved_bits(layer, kind) <= 0 || tried.contains({i, kind})) continue;
        if (!next || saved_bits(layer, kind) > saved_bits(result_.layers[next->first], next->second)) next = {i, kind};
      }
    }
    if (!next) return Done{};
    tried.insert(*next);
    OptimizedLayer& layer = result_.layers[next->first];
    const LayerKind before = std::exchange(layer.chosen, next->second);
    model = candidate();
    if (!model.ok()) return model.error();
    const auto good = within_budget(**model);
    if (!good.ok()) return good.error();
    say(title(next->first, layer) + " as " + std::string(edge::name_of(next->second)) + " to be smaller: loss " +
        std::to_string(result_.loss) + (*good ? ", taken" : ", too much"));
    if (*good) {
      layer.why_float.clear();
    } else {
      layer.chosen = before;
    }
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
      if (layer.chosen == layer.was) continue;
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
    if (options_.bytes_max > 0 && result_.bytes_after > options_.bytes_max) {
      result_.why_not = "the file would have " + std::to_string(result_.bytes_after) + " bytes, more than the " +
                        std::to_string(options_.bytes_max) + " that it may, and no smaller kind keeps the accuracy";
      return Done{};
    }
    if (*good && *quick) {
      result_.written = true;
      return Done{};
    }
    least->chosen = least->was;
    least->why_float = *good ? "the whole model was not faster with it" : "the whole model missed the budget with it";
  }
}

Result<Optimized> Search::run() {
  if (auto opened = open(); !opened.ok()) return opened.error();
  if (auto chosen = choose(); !chosen.ok()) return chosen.error();
  if (auto done = shrink(); !done.ok()) return done.error();
  if (auto done = give_back_until_faster(); !done.ok()) return done.error();
  if (!result_.written) {
    if (result_.why_not.empty())
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
