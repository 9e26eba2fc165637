#include "tools/hearth/student.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/csrc/jit/python/update_graph_executor_opt.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>
#include <thread>
#include <utility>

#include "tools/hearth/prune.h"

namespace hearth::tool {
namespace {

namespace nn = torch::nn;
using Kind = RecipeStep::Kind;
using at::Tensor;

constexpr std::int64_t kBatch = 256;
constexpr std::int64_t kBatchesMin = 8;  // Of few examples.
constexpr std::int64_t kTeacherBatch = 100;
constexpr double kWeightDecay = 1e-2;
constexpr double kLabelSmoothing = 0.05;
constexpr double kWarmUp = 0.1;  // Share of the steps.
constexpr double kPi = 3.14159265358979323846;
constexpr std::int64_t kSixteen = 16;
constexpr std::int64_t kSide = 28;

/// How photos are shown.
struct Variant {
  std::int64_t down, right;  // Pixels.
  bool mirrored;
};
constexpr std::array<Variant, 4> kVariants = {{{0, 0, false}, {0, 0, true}, {1, 1, true}, {-1, -1, false}}};

/// One thread for each operation: LibTorch's own meet at every operation, which on a busy machine costs more than it
/// gains. OpenBLAS keeps a count of its own.
void single_thread() {
  at::set_num_threads(1);
  if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(1);
}

std::string reason_of(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

Tensor values_of(const TrainingSet& set) {
  std::vector<std::int64_t> shape = {static_cast<std::int64_t>(set.count())};
  shape.insert(shape.end(), set.shape.begin(), set.shape.end());
  return torch::from_blob(const_cast<float*>(set.values.data()), shape, torch::kFloat);
}

Tensor shown_as(const Tensor& photos, const Variant& variant) {
  if (variant.down == 0 && variant.right == 0 && !variant.mirrored) return photos;
  Tensor images = photos.reshape({-1, kSide, kSide});
  if (variant.down != 0 || variant.right != 0) {
    const auto padded = torch::constant_pad_nd(images, {1, 1, 1, 1}, 0);
    images = padded.narrow(1, 1 - variant.down, kSide).narrow(2, 1 - variant.right, kSide);
  }
  if (variant.mirrored) images = images.flip({2});
  return images.reshape(photos.sizes());
}

torch::jit::Module load_student(const std::string& file) {
  auto module = torch::jit::load(file);
  module.train();
  for (const Tensor& parameter : module.parameters()) parameter.set_requires_grad(true);
  return module;
}

void save_student(torch::jit::Module& module, const std::string& file) {
  module.eval();
  for (const Tensor& parameter : module.parameters()) parameter.set_requires_grad(false);
  for (const Tensor& parameter : module.parameters()) parameter.mutable_grad() = Tensor();
  module.save(file + ".part");
  std::filesystem::rename(file + ".part", file);
}

/// Up over the first steps, then down along a cosine.
double rate_at(double done, double rate_max) {
  if (done < kWarmUp) return rate_max * (0.05 + 0.95 * done / kWarmUp);
  return rate_max * 0.5 * (1 + std::cos(kPi * (done - kWarmUp) / (1 - kWarmUp)));
}

/// One student, its examples and its teacher's answers to them.
class Lessons {
 public:
  Lessons(torch::jit::Module& module, const TrainingSet& set, const SoftTargets* soft, const StudentOptions& options)
      : module_(module),
        photos_(set.photos),
        options_(options),
        values_(values_of(set)),
        labels_(torch::from_blob(const_cast<std::int64_t*>(set.labels.data()), {values_.size(0)}, torch::kLong)) {
    if (soft != nullptr) {
      const auto variants = static_cast<std::int64_t>(soft->variants);
      soft_ = torch::from_blob(const_cast<float*>(soft->scores.data()),
                               {static_cast<std::int64_t>(soft->scores.size())}, torch::kFloat)
                  .view({variants, values_.size(0), -1});
    }
  }

  /// Fails before anything is learned when scores and labels do not fit.
  Status check() {
    const torch::NoGradGuard no_gradients;
    module_.eval();
    const auto scores = module_.forward({values_.narrow(0, 0, 1)}).toTensor();
    module_.train();
    if (scores.dim() != 2 || scores.scalar_type() != torch::kFloat) {
      return Error{ErrorCode::kInvalidArgument, "gives no FP32 scores [n, classes]"};
    }
    const auto highest = labels_.max().item<std::int64_t>();
    if (highest >= scores.size(1)) {
      return Error{ErrorCode::kInvalidArgument, "gives " + std::to_string(scores.size(1)) +
                                                    " scores, and the labels go up to " + std::to_string(highest)};
    }
    if (soft_.defined() && soft_.size(2) != scores.size(1)) {
      return Error{ErrorCode::kInvalidArgument,
                   "gives " + std::to_string(scores.size(1)) + " scores, its teacher " + std::to_string(soft_.size(2))};
    }
    return Done{};
  }

  /// AdamW. The last batch of a pass over the examples is dropped when short. `begin`, `end`: of options.progress.
  void learn(const RecipeStep& step, double epochs, double begin, double end) {
    const std::int64_t count = values_.size(0);
    const std::int64_t batch = std::clamp<std::int64_t>(count / kBatchesMin, 1, kBatch), per_epoch = count / batch;
    const auto steps = static_cast<std::int64_t>(epochs * static_cast<double>(per_epoch));
    std::vector<Tensor> parameters;
    for (const Tensor& parameter : module_.parameters()) parameters.push_back(parameter);
    torch::optim::AdamW optimizer(parameters, torch::optim::AdamWOptions(step.rate).weight_decay(kWeightDecay));
    auto reported = std::chrono::steady_clock::now();
    Tensor order;
    for (std::int64_t i = 0; i < steps; ++i) {
      if (i % per_epoch == 0) order = torch::randperm(count, torch::kLong);
      const double done = static_cast<double>(i) / static_cast<double>(steps);
      static_cast<torch::optim::AdamWOptions&>(optimizer.param_groups()[0].options()).lr(rate_at(done, step.rate));
      optimizer.zero_grad();
      loss_of(order.narrow(0, i % per_epoch * batch, batch), step).backward();
      optimizer.step();
      const auto now = std::chrono::steady_clock::now();
      if (options_.progress && now - reported > std::chrono::milliseconds(100)) {
        reported = now;
        options_.progress(begin + (end - begin) * done);
      }
    }
  }

 private:
  Tensor loss_of(const Tensor& which, const RecipeStep& step) {
    const std::int64_t variants = photos_ ? static_cast<std::int64_t>(kVariants.size()) : 1;
    const std::int64_t variant = torch::randint(variants, {1}, torch::kLong).item<std::int64_t>();
    Tensor shown = values_.index_select(0, which);
    if (photos_) shown = shown_as(shown, kVariants[static_cast<std::size_t>(variant)]);
    const Tensor scores = module_.forward({shown}).toTensor();
    const Tensor labels = labels_.index_select(0, which);
    if (!soft_.defined() || step.kind == Kind::kTrain) {
      return nn::functional::cross_entropy(scores, labels,
                                           nn::functional::CrossEntropyFuncOptions().label_smoothing(kLabelSmoothing));
    }
    const double t = step.temperature;
    const Tensor taught = torch::softmax(soft_[variant].index_select(0, which) / t, 1);
    const Tensor from_teacher = -(taught * torch::log_softmax(scores / t, 1)).sum(1).mean();
    return from_teacher * (step.soft_share * t * t) +
           nn::functional::cross_entropy(scores, labels) * (1 - step.soft_share);
  }

  torch::jit::Module& module_;
  const bool photos_;
  const StudentOptions& options_;
  const Tensor values_, labels_;
  Tensor soft_;
};

std::size_t kept_of(std::size_t units, double share) {
  const auto kept = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(units)));
  const std::int64_t whole =
      kept > kSixteen ? (kept + kSixteen - 1) / kSixteen * kSixteen : std::max<std::int64_t>(kept, 1);
  return std::min(units, static_cast<std::size_t>(whole));
}

Status prune_and_learn(torch::jit::Module& module, Lessons& lessons, const RecipeStep& step,
                       const StudentOptions& options) {
  const auto before = hidden_widths(module);
  if (before.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "nothing to prune: no layer with parameters of its own whose outputs reach one other layer only"};
  }
  const double epochs = step.epochs * options.epoch_scale / static_cast<double>(step.rounds);
  for (std::uint64_t round = 1; round <= step.rounds; ++round) {
    const double part = static_cast<double>(round) / static_cast<double>(step.rounds);
    std::vector<std::size_t> widths;
    std::string line = "kept of hidden layers:";
    for (const std::size_t units : before) {
      widths.push_back(kept_of(units, std::pow(step.keep, part)));
      line += " " + std::to_string(widths.back()) + " of " + std::to_string(units);
    }
    {
      const torch::NoGradGuard no_gradients;
      prune(module, widths);
    }
    if (options.said) options.said(line);
    lessons.learn(step, epochs, part - 1 / static_cast<double>(step.rounds), part);
  }
  return Done{};
}

Status take(const RecipeStep& step, const std::string& in_file, const std::string& out_file, const TrainingSet& set,
            const SoftTargets* soft, const StudentOptions& options) {
  single_thread();
  torch::manual_seed(options.seed);
  // The interpreter as it is: what the optimizing one would compile changes with each pruning.
  const torch::jit::GraphOptimizerEnabledGuard no_optimizing(false);
  auto module = load_student(in_file);
  if (module.parameters().size() == 0) {
    return Error{ErrorCode::kInvalidArgument, "nothing to train: no parameters (a frozen file has none)"};
  }
  Lessons lessons(module, set, soft, options);
  if (auto good = lessons.check(); !good.ok()) return good;
  if (step.kind == Kind::kPrune) {
    if (auto done = prune_and_learn(module, lessons, step, options); !done.ok()) return done;
  } else {
    lessons.learn(step, step.epochs * options.epoch_scale, 0, 1);
  }
  save_student(module, out_file);
  return Done{};
}

/// Scores of examples [begin, end) of one variant, to where they stand in `to`.
void ask(torch::jit::Module& teacher, const std::vector<std::int64_t>& shape, const Tensor& shown, float* to) {
  const c10::InferenceMode inference;
  for (std::int64_t at = 0; at < shown.size(0); at += kTeacherBatch) {
    const std::int64_t size = std::min(kTeacherBatch, shown.size(0) - at);
    auto batch = shape;
    batch[0] = size;
    const Tensor scores = teacher.forward({shown.narrow(0, at, size).reshape(batch)}).toTensor().contiguous();
    TORCH_CHECK(scores.dim() == 2 && scores.size(0) == size && scores.scalar_type() == torch::kFloat,
                "a teacher gives FP32 scores [n, classes]");
    to = std::copy_n(scores.data_ptr<float>(), scores.numel(), to);
  }
}

std::int64_t classes_of(torch::jit::Module& teacher, std::vector<std::int64_t> shape, const Tensor& values) {
  const c10::InferenceMode inference;
  shape[0] = 1;
  const Tensor scores = teacher.forward({values.narrow(0, 0, 1).reshape(shape)}).toTensor();
  TORCH_CHECK(scores.dim() == 2 && scores.size(0) == 1, "a teacher gives FP32 scores [n, classes]");
  return scores.size(1);
}

void ask_all(torch::jit::Module& teacher, const std::vector<std::int64_t>& shape, const Tensor& values,
             const StudentOptions& options, SoftTargets& soft) {
  const std::int64_t count = values.size(0), classes = classes_of(teacher, shape, values);
  soft.scores.resize(soft.variants * static_cast<std::size_t>(count * classes));
  constexpr std::int64_t kPortion = 20 * kTeacherBatch;
  for (std::size_t v = 0; v < soft.variants; ++v) {
    float* const to = soft.scores.data() + v * static_cast<std::size_t>(count * classes);
    for (std::int64_t at = 0; at < count; at += kPortion * options.threads) {
      std::vector<std::thread> threads;
      std::vector<std::exception_ptr> failures(options.threads);
      for (unsigned i = 0; i < options.threads; ++i) {
        const std::int64_t begin = at + i * kPortion;
        if (begin >= count) break;
        threads.emplace_back([&, begin, i] {
          try {
            at::init_num_threads();
            const c10::InferenceMode inference;
            const Tensor some = values.narrow(0, begin, std::min(kPortion, count - begin));
            ask(teacher, shape, shown_as(some, kVariants[v]), to + begin * classes);
          } catch (...) { failures[i] = std::current_exception(); }
        });
      }
      for (auto& thread : threads) thread.join();
      for (const auto& failure : failures) {
        if (failure) std::rethrow_exception(failure);
      }
      const double done =
          (static_cast<double>(v) + static_cast<double>(std::min(count, at + kPortion)) / static_cast<double>(count)) /
          static_cast<double>(soft.variants);
      if (options.progress) options.progress(done);
    }
  }
}

}  // namespace

Result<SoftTargets> ask_teacher(const EdgeBinding& teacher, const TrainingSet& set, const StudentOptions& options) {
  const auto refuse = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, teacher.file + ": " + what};
  };
  if (teacher.inputs.size() != 1 || teacher.inputs[0].datatype != Datatype::kFp32) {
    return refuse("a teacher takes one FP32 input");
  }
  const auto shape = closed(teacher.inputs[0].shape);
  const auto elements = element_count(shape);
  if (shape.empty() || shape[0] != 1 || !elements || *elements * set.count() != set.values.size()) {
    return refuse("its input does not hold as many elements as the student's");
  }
  try {
    single_thread();
    auto module = torch::jit::load(teacher.file);
    module.eval();
    SoftTargets soft;
    soft.variants = set.photos ? kVariants.size() : 1;
    ask_all(module, shape, values_of(set), options, soft);
    return soft;
  } catch (const std::exception& error) { return refuse("cannot teach: " + reason_of(error)); }
}

Status write_perceptron(const std::vector<std::int64_t>& widths, std::uint64_t seed, float scale, float shift,
                        const std::string& file) {
  try {
    torch::manual_seed(seed);
    const torch::NoGradGuard no_gradients;
    torch::jit::Module module("perceptron");
    module.register_attribute("training", c10::BoolType::get(), false);
    std::string source = "def forward(self, image: Tensor) -> Tensor:\n  x = image\n";
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      const nn::Linear layer(widths[i], widths[i + 1]);
      const std::string name = "layer" + std::to_string(i);
      Tensor weight = layer->weight.detach().clone(), bias = layer->bias.detach().clone();
      if (i == 0) {
        bias += weight.sum(1) * shift;
        weight *= scale;
      }
      module.register_parameter(name + "_weight", weight, false);
      module.register_parameter(name + "_bias", bias, false);
      const std::string linear = "torch.linear(x, self." + name + "_weight, self." + name + "_bias)";
      source += "  x = " + (i + 2 < widths.size() ? "torch.relu(" + linear + ")" : linear) + "\n";
    }
    module.define(source + "  return x\n");
    module.save(file);
  } catch (const std::exception& error) { return Error{ErrorCode::kInternal, file + ": " + reason_of(error)}; }
  return Done{};
}

Status take_step(const RecipeStep& step, const std::string& in_file, const std::string& out_file,
                 const TrainingSet& set, const SoftTargets* soft, const StudentOptions& options) {
  std::error_code ignored;
  try {
    if (!std::filesystem::exists(in_file, ignored)) return Error{ErrorCode::kNotFound, in_file + ": no such file"};
    const auto done = take(step, in_file, out_file, set, soft, options);
    return done.ok() ? done : Error{done.error().code, in_file + ": " + done.error().message};
  } catch (const std::exception& error) {
    std::filesystem::remove(out_file + ".part", ignored);
    return Error{ErrorCode::kInvalidArgument, in_file + ": " + title_of(step) + ": " + reason_of(error)};
  }
}

}  // namespace hearth::tool
