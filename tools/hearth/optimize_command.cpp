#include "tools/hearth/optimize_command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "runtime/edge/kernels/linear.h"
#include "runtime/edge/optimize.h"
#include "runtime/edge/quantize.h"
#include "tools/hearth/examples.h"
#include "tools/hearth/exit_codes.h"
#include "tools/hearth/json_lines.h"
#include "tools/hearth/model_argument.h"
#include "tools/hearth/optimize_judge.h"
#include "tools/hearth/optimize_report.h"
#include "tools/hearth/places.h"
#include "tools/hearth/recipe_page.h"
#include "tools/hearth/recipe_run.h"

namespace hearth::tool {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr double kAccuracyLossMax = 0.003;
constexpr std::size_t kTurns = 200;
constexpr double kTurnUs = 200;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{2} << 30;

int complain(const Error& error) {
  std::cerr << "hearth optimize: " << error.message << '\n';
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitBadInput;
}

Error refuse(const std::string& what) { return {ErrorCode::kInvalidArgument, what}; }

std::string report_file(const OptimizeFlags& flags) {
  return flags.report.empty() ? flags.out + ".json" : flags.report;
}

std::string page_file(const OptimizeFlags& flags) {
  return fs::path(report_file(flags)).replace_extension(".html").string();
}

/// The pair with the file to be optimized as its edge half.
Result<ModelPair> read_model(const OptimizeFlags& flags) {
  auto argument = read_model_argument(flags.model, flags.pair);
  if (!argument.ok()) return argument.error();
  std::error_code ignored;
  const std::string written[] = {flags.out, report_file(flags), page_file(flags)};
  for (const std::string& file : written) {
    const bool read = argument->is_read(file) || fs::equivalent(file, flags.teacher, ignored) ||
                      fs::equivalent(file, flags.calibration_data, ignored);
    if (read) return refuse(file + ": would overwrite what is read");
    if (std::ranges::count_if(written, [&](const std::string& other) {
          return fs::weakly_canonical(file, ignored) == fs::weakly_canonical(other, ignored);
        }) > 1) {
      return refuse(file + ": is the model and the report, expected two files");
    }
  }
  return std::move(argument->pair);
}

/// What candidates are judged by, and what students learn from.
struct Data {
  std::unique_ptr<Judge> judge;
  bool labelled = false;
  std::string digest;                             ///< Tells whether finished steps learned from the same.
  std::function<Result<TrainingSet>()> training;  ///< Empty where there is nothing to learn from.
};

Result<Data> photo_data(const ModelPair& pair, const std::string& folder) {
  auto photos = load_fashion_mnist(folder);
  if (!photos.ok()) return photos.error();
  Data data;
  data.labelled = true;
  data.digest = "photos " + sha256_hex(std::string_view(reinterpret_cast<const char*>(photos->train.pixels.data()),
                                                        photos->train.pixels.size()));
  data.judge = judge_by_photos(pair, std::move(photos->validation), std::move(photos->test));
  const auto train = std::make_shared<LabelledImages>(std::move(photos->train));
  const auto shape = closed(pair.edge.inputs[0].shape);
  data.training = [train, shape, file = pair.edge.file]() -> Result<TrainingSet> {
    if (shape.empty() || shape[0] != 1) return refuse(file + ": cannot be trained: expected a batch of 1 first");
    return training_set(*train, shape);
  };
  return data;
}

Result<Data> example_data(const ModelPair& pair, const std::string& file) {
  auto examples = read_examples(file, pair.edge);
  if (!examples.ok()) return examples.error();
  const auto text = read_whole_file(file, 2 * kFileBytesMax);
  if (!text.ok()) return text.error();
  Data data;
  data.digest = sha256_hex(*text);
  data.labelled = examples->labelled;
  auto train = training_set(examples->train, pair.edge);
  data.training = [train]() -> Result<TrainingSet> { return train; };
  auto judge = judge_by_examples(pair.edge, std::move(examples).value(), file);
  if (!judge.ok()) return judge.error();
  data.judge = std::move(judge).value();
  return data;
}

Result<Data> data_for(const OptimizeFlags& flags, const ModelPair& pair) {
  std::string why_not;
  std::error_code ignored;
  const bool photos = takes_photos(pair, why_not);
  if (!flags.calibration_data.empty() && fs::is_regular_file(flags.calibration_data, ignored)) {
    return example_data(pair, flags.calibration_data);
  }
  if (!flags.calibration_data.empty() && !photos) {
    return refuse("--calibration-data holds Fashion-MNIST, which does not fit the model: " + why_not +
                  "; a file of JSON lines fits any");
  }
  const std::string folder = flags.calibration_data.empty() ? std::string(kFashionMnistFolder) : flags.calibration_data;
  if (photos && (!flags.calibration_data.empty() || fs::exists(folder, ignored))) return photo_data(pair, folder);
  auto judge = judge_by_random_inputs(pair.edge);
  if (!judge.ok()) return judge.error();
  Data data;
  data.judge = std::move(judge).value();
  return data;
}

/// One run of the command, once its input is good.
class Optimizing {
 public:
  Optimizing(const OptimizeFlags& flags, ModelPair pair, Recipe recipe, Data data)
      : flags_(flags), pair_(std::move(pair)), recipe_(std::move(recipe)), data_(std::move(data)) {}

  Result<int> run();

 private:
  struct Shown {
    std::string title, file;
    std::shared_ptr<EdgeModel> model;
    ordered_json figures;
    edge::Spread spread;
  };

  Status set_budget();
  ordered_json settings() const;
  Status train(StepMemory& memory);
  Status quantize(StepMemory& memory);
  Status measure_fastest(StepMemory& memory, const std::string& from, const std::string& to);
  /// Loads a file and asks the judge about it.
  Status show(const std::string& title, const std::string& file);
  Status time_all();
  /// Why the last model is not good enough; nothing when it is.
  Result<std::string> why_not();
  ordered_json report(bool written) const;
  EdgeBinding binding_of(const std::string& file) const;

  const OptimizeFlags& flags_;
  const ModelPair pair_;
  const Recipe recipe_;
  const Data data_;
  edge::TorchEngine engine_{1};
  std::string budget_key_;
  double loss_max_ = 0;
  std::vector<Shown> shown_;  ///< As given, then each step's.
  std::vector<edge::OptimizedLayer> layers_;
  std::string why_not_;
};

EdgeBinding Optimizing::binding_of(const std::string& file) const {
  EdgeBinding binding = pair_.edge;
  binding.file = file;
  if (file != pair_.edge.file) binding.sha256.clear();
  return binding;
}

Status Optimizing::show(const std::string& title, const std::string& file) {
  auto model = engine_.load(binding_of(file));
  if (!model.ok()) return model.error();
  if (shown_.empty()) {
    if (auto seen = data_.judge->look_at_float(**model); !seen.ok()) return seen;
  }
  auto figures = data_.judge->figures(**model);
  if (!figures.ok()) return figures.error();
  shown_.push_back({title, file, std::move(model).value(), std::move(figures).value(), {}});
  return Done{};
}

Status Optimizing::set_budget() {
  if (!data_.labelled) {
    if (flags_.target_accuracy || flags_.target_accuracy_loss) {
      return refuse(
          "--target-accuracy needs labelled examples (--calibration-data); without them there is --output-error");
    }
    budget_key_ = "output_error_max";
    loss_max_ = flags_.output_error;
    return Done{};
  }
  budget_key_ = "accuracy_loss_max";
  const double accuracy = shown_.front().figures["validation_accuracy"].get<double>();
  loss_max_ = flags_.target_accuracy_loss.value_or(flags_.target_accuracy ? 1 : kAccuracyLossMax);
  if (flags_.target_accuracy) loss_max_ = std::min(loss_max_, accuracy - *flags_.target_accuracy);
  return Done{};
}

/// All that decides what the steps make; the targets decide only whether it is good enough.
ordered_json Optimizing::settings() const {
  const auto teacher = flags_.teacher.empty() ? std::string() : read_whole_file(flags_.teacher, kFileBytesMax);
  return {{"model_sha256", shown_.front().model->sha256()},
          {"recipe_sha256", recipe_.sha256},
          {"teacher_sha256", teacher.ok() ? sha256_hex(*teacher) : ""},
          {"examples", data_.digest},
          {"seed", flags_.seed},
          {"machine", machine_line()},
          {"vector_code", edge::kernels::vector_codes().front()}};
}

Status Optimizing::train(StepMemory& memory) {
  if (!recipe_.trains()) return Done{};
  RecipeRun run;
  run.recipe = recipe_;
  run.student = pair_.edge.file;
  run.examples = data_.training;
  run.options.seed = flags_.seed;
  run.place = [&](const std::string& name) { return memory.file(name); };
  run.memory = &memory;
  if (!flags_.teacher.empty()) {
    run.teacher = pair_.edge;
    run.teacher->file = flags_.teacher;
    if (!pair_.cloud.inputs.empty()) run.teacher->inputs = pair_.cloud.inputs;
  }
  const auto files = train_by_recipe(run);
  if (!files.ok()) return files.error();
  for (const StepFile& step : *files) {
    if (auto good = show(step.title, step.file); !good.ok()) return good;
  }
  return Done{};
}

Status Optimizing::measure_fastest(StepMemory& memory, const std::string& from, const std::string& to) {
  edge::OptimizeOptions options;
  options.binding = binding_of(from);
  options.out_file = to;
  options.inputs = data_.judge->inputs();
  options.calibration = data_.judge->calibration();
  options.loss = [&](EdgeModel& candidate) { return data_.judge->loss(candidate); };
  options.loss_max = loss_max_;
  options.bytes_max = flags_.max_size;
  options.progress = [](std::string_view line) { std::cerr << "  " << line << '\n'; };
  ordered_json times = memory.note("layers");
  if (!times.is_object()) times = ordered_json::object();
  for (const auto& [layer, of_layer] : times.items()) {
    options.known.emplace(std::strtoull(layer.c_str(), nullptr, 10), layer_times_from(of_layer));
  }
  options.measured = [&](std::size_t layer, const edge::LayerTimes& measured) {
    times[std::to_string(layer)] = json_of(measured);
    (void)memory.keep_note("layers", times);  // Else it is measured again.
  };
  auto done = edge::optimize(engine_, options);
  if (!done.ok()) return done.error();
  layers_ = std::move(done->layers);
  why_not_ = done->why_not;
  return Done{};
}

Status Optimizing::quantize(StepMemory& memory) {
  const RecipeStep& step = recipe_.steps.back();
  if (step.kind != RecipeStep::Kind::kQuantize) return Done{};
  const std::string from = shown_.back().file, to = memory.file("quantized.pt");
  if (step.kind_of_layers) {
    const auto done = edge::quantize_dynamic(from, to, *step.kind_of_layers);
    if (!done.ok()) return done.error();
  } else if (auto done = measure_fastest(memory, from, to); !done.ok()) {
    return done;
  }
  return why_not_.empty() ? show(title_of(step), to) : Status(Done{});
}

Status Optimizing::time_all() {
  bool ran = true;
  const auto inputs = data_.judge->inputs();
  std::vector<std::function<void()>> calls;
  for (const Shown& one : shown_) calls.push_back([&] { ran &= one.model->run(inputs).ok(); });
  const auto spreads = edge::measure_in_turns(calls, kTurns, kTurnUs);
  if (!ran) return Error{ErrorCode::kInternal, pair_.edge.file + ": a pass failed while it was measured"};
  for (std::size_t i = 0; i < spreads.size(); ++i) shown_[i].spread = spreads[i];
  return Done{};
}

Result<std::string> Optimizing::why_not() {
  if (!why_not_.empty()) return why_not_;
  const Shown &before = shown_.front(), &after = shown_.back();
  const auto loss = data_.judge->loss(*after.model);
  if (!loss.ok()) return loss.error();
  if (!(*loss <= loss_max_)) {
    return "what the recipe makes misses the accuracy budget: " + std::to_string(*loss) + " is lost, at most " +
           std::to_string(loss_max_) + " may be";
  }
  const auto bytes = fs::file_size(after.file);
  if (flags_.max_size > 0 && bytes > flags_.max_size) {
    return "what the recipe makes has " + std::to_string(bytes) + " bytes, at most " + std::to_string(flags_.max_size) +
           " may be";
  }
  if (after.spread.p50_us >= before.spread.p50_us)
    return std::string("what the recipe makes is not faster on this device");
  return std::string();
}

ordered_json Optimizing::report(bool written) const {
  ordered_json all = {{"title", "hearth optimize: " + fs::path(pair_.edge.file).filename().string()},
                      {"lead", "Recipe " + recipe_.name + (written ? ", written to " + flags_.out + "." : ".")},
                      {"model", pair_.edge.file},
                      {"model_sha256", shown_.front().model->sha256()},
                      {"recipe", recipe_.name},
                      {"machine", machine_line()},
                      {"vector_code", edge::kernels::vector_codes().front()},
                      {"judged_on", data_.judge->judged_on()},
                      {budget_key_, loss_max_}};
  if (flags_.target_accuracy) all["target_accuracy"] = *flags_.target_accuracy;
  if (flags_.max_size > 0) all["max_size_bytes"] = flags_.max_size;
  all["layers"] = json_of(layers_);
  all["written"] = written;
  if (!why_not_.empty()) all["why_not"] = why_not_;
  ordered_json steps = ordered_json::array();
  for (const Shown& one : shown_) {
    ordered_json entry = {{"title", one.title}, {"role", "step"}, {"bytes", fs::file_size(one.file)}};
    entry["latency_us"] = json_of(one.spread);
    entry.update(one.figures);
    steps.push_back(std::move(entry));
  }
  all["steps"] = steps;
  all["before"] = steps.front();
  all["files"] = {{flags_.model, shown_.front().model->sha256()}};
  if (!written) return all;
  all["out"] = flags_.out;
  all["out_sha256"] = shown_.back().model->sha256();
  all["after"] = steps.back();
  all["files"][flags_.out] = shown_.back().model->sha256();
  return all;
}

Status write_text(const std::string& file, const std::string& text) {
  auto writer = LineWriter::open(file);
  if (!writer.ok()) return writer.error();
  writer->write(text);
  return writer->publish();
}

Result<int> Optimizing::run() {
  if (auto good = show("as given", pair_.edge.file); !good.ok()) return good.error();
  if (auto good = set_budget(); !good.ok()) return good.error();
  auto memory = StepMemory::open(flags_.out + ".state", settings());
  if (!memory.ok()) return memory.error();
  auto done = train(*memory);
  if (done.ok()) done = quantize(*memory);
  if (done.ok()) done = time_all();
  const bool kept = recipe_.trains() && shown_.size() > 1;
  if (!done.ok()) {
    if (!kept) memory->forget();
    return done.error();
  }
  auto reason = why_not();
  if (!reason.ok()) return reason.error();
  why_not_ = *reason;
  const bool written = why_not_.empty();
  const ordered_json all = report(written);
  if (written) {
    std::error_code failure;
    fs::rename(shown_.back().file, flags_.out, failure);
    if (failure) return Error{ErrorCode::kUnavailable, flags_.out + ": cannot be written: " + failure.message()};
  }
  if (written || !kept) memory->forget();
  for (const auto& [file, text] :
       {std::pair(report_file(flags_), all.dump(2)), std::pair(page_file(flags_), make_recipe_page(all))}) {
    if (auto told = write_text(file, text); !told.ok()) return told.error();
  }
  if (flags_.json) {
    std::cout << all.dump(2) << '\n';
  } else {
    print_optimized(layers_, all);
  }
  if (written) return kExitOk;
  std::cerr << "hearth optimize: " << why_not_ << "; only the report was written: " << report_file(flags_) << '\n';
  if (kept) std::cerr << "hearth optimize: the trained steps are kept in " << flags_.out << ".state\n";
  return kExitNo;
}

/// What needs no model to be seen.
Status check(const OptimizeFlags& flags, const Recipe& recipe, const Data& data) {
  std::error_code ignored;
  if (recipe.asks_teacher() && flags.teacher.empty()) {
    return refuse("recipe " + recipe.name + " distils: --teacher FILE has to be given");
  }
  if (!flags.teacher.empty() && !fs::exists(flags.teacher, ignored)) {
    return Error{ErrorCode::kNotFound, flags.teacher + ": there is no such file"};
  }
  if (recipe.trains() && (!data.training || !data.labelled)) {
    return refuse("recipe " + recipe.name + " trains: --calibration-data with labels has to be given");
  }
  return Done{};
}

}  // namespace

int optimize(const OptimizeFlags& flags) {
  auto pair = read_model(flags);
  if (!pair.ok()) return complain(pair.error());
  auto recipe = load_recipe(flags.recipe);
  if (!recipe.ok()) return complain(recipe.error());
  auto data = data_for(flags, *pair);
  if (!data.ok()) return complain(data.error());
  if (const auto good = check(flags, *recipe, *data); !good.ok()) return complain(good.error());
  const auto code =
      Optimizing(flags, std::move(pair).value(), std::move(recipe).value(), std::move(data).value()).run();
  return code.ok() ? *code : complain(code.error());
}

}  // namespace hearth::tool
