#include "tools/hearth/prepare.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "runtime/edge/quantize.h"
#include "runtime/edge/torch_engine.h"
#include "tools/hearth/evaluate.h"
#include "tools/hearth/exit_codes.h"
#include "tools/hearth/model_folder.h"
#include "tools/hearth/places.h"
#include "tools/hearth/recipe_page.h"
#include "tools/hearth/recipe_run.h"
#include "tools/hearth/run.h"
#include "tools/hearth/train.h"
#include "tools/hearth/training_line.h"

namespace hearth::tool {
namespace {

using nlohmann::ordered_json;

constexpr int kRecipe = 3;  // Goes up when training changes, so that old files are not taken for new ones.
constexpr std::size_t kTimedPasses = 2'000;
constexpr double kAccuracyLossMax = 0.001;  // The promise is 0.01; the rest is room for other images than these.
constexpr double kCloudShareMax = 0.27;
constexpr std::uint64_t kFileBytesMax = 256u << 20;
constexpr std::array<const char*, 3> kModelFiles = {"edge_float.pt", "edge.pt", "cloud.pt"};
// What edge.pt is held against, not kept: LibTorch's own int8, and the float net that the demo began with.
constexpr const char* kTorchInt8File = "edge_torch_int8.pt";
constexpr const char* kReplacedFile = "edge_replaced.pt";
constexpr const char* kStudentFile = "student.pt";
constexpr const char* kRecipeName = "photo-tagger";
constexpr std::uint64_t kEpochsOfRecipe = 8;            // With --epochs of so many a recipe's epochs are as it says.
constexpr float kMean = 0.2860F, kDeviation = 0.3530F;  // Fashion-MNIST's, as published.
const std::vector<std::int64_t> kStudentWidths = {784, 256, 128, 10};
const std::vector<std::int64_t> kReplacedWidths = {784, 32, 10};
const std::vector<std::int64_t> kEdgeShape = {1, 784};
const std::vector<std::int64_t> kCloudShape = {1, 1, 28, 28};

int report(const Error& error) {
  std::cerr << "hearth prepare: " << error.message << '\n';
  const bool bad_input = error.code != ErrorCode::kInternal;
  return bad_input ? kExitBadInput : kExitFailed;
}

Status check(const PrepareOptions& options) {
  const auto refuse = [](const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; };
  const auto between = [](std::uint64_t value, std::uint64_t low, std::uint64_t high) {
    return value >= low && value <= high;
  };
  if (!between(options.epochs, 1, 100)) return refuse("epochs: expected 1 to 100");
  if (!between(options.threads, 1, 64)) return refuse("threads: expected 1 to 64");
  if (options.train_images > 55'000) return refuse("train images: expected 1 to 55000, or 0 for all");
  if (options.out.empty()) return refuse("out: expected a folder");
  return Done{};
}

Result<std::string> file_sha256(const std::string& file) {
  const auto bytes = read_whole_file(file, kFileBytesMax);
  if (!bytes.ok()) return bytes.error();
  return sha256_hex(bytes.value());
}

/// All that decides what comes out, the data included.
Result<ordered_json> settings_of(const PrepareOptions& options, const Recipe& recipe) {
  ordered_json settings = {{"recipe", kRecipe},        {"recipe_sha256", recipe.sha256},
                           {"epochs", options.epochs}, {"train_images", options.train_images},
                           {"seed", options.seed},     {"threads", options.threads}};
  for (const char* part : {"train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"}) {
    const std::string name = std::string(part) + "-ubyte.gz";
    auto sha256 = file_sha256(options.data + "/" + name);
    if (!sha256.ok()) {
      if (sha256.error().code != ErrorCode::kNotFound) return sha256.error();
      return Error{ErrorCode::kNotFound, sha256.error().message + " (apt-get install dataset-fashion-mnist)"};
    }
    settings["data_sha256"][name] = sha256.value();
  }
  return settings;
}

/// What an earlier run stored, when its settings and its files are still the same; else null.
ordered_json stored(const std::string& out, const ordered_json& settings) {
  const auto text = read_whole_file(out + "/prepare.json", kFileBytesMax);
  if (!text.ok()) return nullptr;
  auto found = ordered_json::parse(text.value(), nullptr, false);
  if (!found.is_object() || !found.contains("settings") || found["settings"] != settings) return nullptr;
  if (!found.contains("files") || !found["files"].is_object() || found["files"].size() != kModelFiles.size() + 1) {
    return nullptr;
  }
  for (const auto& [name, sha256] : found["files"].items()) {
    const auto now = file_sha256(out + "/" + name);
    if (!now.ok() || sha256 != now.value()) return nullptr;
  }
  return found;
}

ordered_json spec(const char* name, const std::vector<std::int64_t>& shape) {
  return ordered_json::array({{{"name", name}, {"datatype", "FP32"}, {"shape", shape}}});
}

ordered_json pair_json(const std::string& edge_sha256, const std::string& cloud_sha256) {
  return {{"name", "photo-tagger"},
          {"edge",
           {{"file", "edge.pt"},
            {"sha256", edge_sha256},
            {"inputs", spec("image", kEdgeShape)},
            {"outputs", spec("scores", {1, 10})}}},
          {"cloud",
           {{"model", "photo-tagger-large"},
            {"version", "1"},
            {"sha256", cloud_sha256},
            {"inputs", spec("image", kCloudShape)},
            {"outputs", spec("scores", {1, 10})},
            {"text_input", "caption"}}},
          {"scores", "logits"},
          {"labels", kFashionLabels}};
}

Result<std::shared_ptr<EdgeModel>> load(edge::TorchEngine& engine, const std::string& file,
                                        const std::vector<std::int64_t>& shape) {
  EdgeBinding binding;
  binding.file = file;
  binding.inputs = {{"image", Datatype::kFp32, shape}};
  binding.outputs = {{"scores", Datatype::kFp32, {1, 10}}};
  return engine.load(binding);
}

/// A model that is measured, in the order of the report.
struct Step {
  std::string title, file, role;
};

/// The cloud model, then the edge model from it by the recipe.
Result<std::vector<Step>> train_all(const PrepareOptions& options, const Recipe& recipe, const FashionMnist& data,
                                    const ModelFolder& folder) {
  TrainOptions training;
  training.epochs = static_cast<unsigned>(options.epochs);
  training.seed = options.seed;
  training.threads = static_cast<unsigned>(options.threads);
  {
    TrainingLine line("training the cloud model");
    training.progress = [&](double done) { line.show(done); };
    if (auto trained = train_cloud(data.train, training, folder.part("cloud.pt")); !trained.ok())
      return trained.error();
  }
  RecipeRun run;
  run.recipe = recipe;
  run.student = folder.part(kStudentFile);
  run.teacher.emplace();
  run.teacher->file = folder.part("cloud.pt");
  run.teacher->inputs = {{"image", Datatype::kFp32, kCloudShape}};
  run.examples = [&]() -> Result<TrainingSet> { return training_set(data.train, kEdgeShape); };
  run.options.epoch_scale = static_cast<double>(options.epochs) / kEpochsOfRecipe;
  run.options.seed = options.seed;
  run.options.threads = training.threads;
  run.place = [&](const std::string& name) { return folder.part(name); };
  for (const auto& [name, widths] :
       {std::pair(kStudentFile, kStudentWidths), std::pair(kReplacedFile, kReplacedWidths)}) {
    // (x - mean) / deviation is linear too, so the first layer does it.
    const auto made = write_perceptron(widths, options.seed, 1 / kDeviation, -kMean / kDeviation, folder.part(name));
    if (!made.ok()) return made.error();
  }
  const auto trained = train_by_recipe(run);
  if (!trained.ok()) return trained.error();
  std::error_code failure;
  std::filesystem::copy_file(trained->back().file, folder.part("edge_float.pt"), failure);
  if (failure) return Error{ErrorCode::kUnavailable, folder.part("edge_float.pt") + ": " + failure.message()};
  // By our kernels whatever a clock says, so that the same settings always make the same file.
  for (const auto& [name, kind] :
       {std::pair("edge.pt", edge::LayerKind::kInt8), std::pair(kTorchInt8File, edge::LayerKind::kTorchInt8)}) {
    const auto quantized = edge::quantize_dynamic(folder.part("edge_float.pt"), folder.part(name), kind);
    if (!quantized.ok()) return quantized.error();
  }
  std::vector<Step> steps = {{"teacher: the cloud model", "cloud.pt", "teacher"}};
  for (const StepFile& step : *trained) {
    steps.push_back({step.title, std::filesystem::path(step.file).filename().string(), "step"});
  }
  steps.push_back({"quantized: hearth_int8", "edge.pt", "step"});
  steps.push_back({"in place of that: LibTorch's int8", kTorchInt8File, "reference"});
  steps.push_back({"784-32-10 in float, which it replaces", kReplacedFile, "reference"});
  return steps;
}

ordered_json cascade_json(const Answers& edge, const Answers& cloud, const LabelledImages& validation) {
  const auto curve = cascade_curve(edge, cloud, validation.labels);
  const auto picked = pick_point(curve, cloud.accuracy, kAccuracyLossMax, kCloudShareMax);
  ordered_json points = ordered_json::array();
  for (const auto& [threshold, cloud_share, accuracy] : curve) {
    points.push_back({{"threshold", threshold}, {"cloud_share", cloud_share}, {"accuracy", accuracy}});
  }
  return {{"picked_on", "validation"},        {"images", validation.count()},
          {"threshold", picked.threshold},    {"cloud_share", picked.cloud_share},
          {"accuracy", picked.accuracy},      {"edge_accuracy", edge.accuracy},
          {"cloud_accuracy", cloud.accuracy}, {"curve", points}};
}

/// Accuracy on the test images, latency in turns, and the cascade on the validation images, of the files in `folder`.
Result<ordered_json> measure(const ModelFolder& folder, const std::vector<Step>& steps, const FashionMnist& data) {
  edge::TorchEngine engine(1);
  TrainingLine line("measuring");
  ordered_json list = ordered_json::array();
  std::vector<std::shared_ptr<EdgeModel>> loaded;
  std::vector<Timed> timed;
  std::map<std::string, Answers> on_validation;
  for (const auto& [title, file, role] : steps) {
    const auto& shape = file == "cloud.pt" ? kCloudShape : kEdgeShape;
    auto model = load(engine, folder.part(file), shape);
    if (!model.ok()) return model.error();
    loaded.push_back(model.value());
    timed.push_back({model.value().get(), shape});
    ordered_json entry = {
        {"title", title}, {"file", file}, {"role", role}, {"bytes", std::filesystem::file_size(folder.part(file))}};
    const auto progress = [&](double done) {
      line.show((static_cast<double>(list.size()) + done) / static_cast<double>(steps.size()));
    };
    if (file != kReplacedFile) {  // Only its time is asked for; it knows nothing.
      const auto on_test = answer(*model.value(), shape, data.test, progress);
      if (!on_test.ok()) return on_test.error();
      auto answers = answer(*model.value(), shape, data.validation);
      if (!answers.ok()) return answers.error();
      entry["validation_accuracy"] = answers->accuracy;
      entry["test_accuracy"] = on_test->accuracy;
      on_validation.emplace(file, std::move(answers).value());
    }
    list.push_back(std::move(entry));
  }
  const auto latencies = time_in_turns(timed, data.validation, kTimedPasses);
  if (!latencies.ok()) return latencies.error();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& [p10, p50, p90] = latencies.value()[i];
    list[i]["latency_us"] = {{"p10", p10}, {"p50", p50}, {"p90", p90}};
  }
  const Answers &edge = on_validation.at("edge.pt"), &cloud = on_validation.at("cloud.pt");
  const auto kept = folder.write_part("validation.jsonl", cascade_records(edge, cloud, data.validation.labels));
  if (!kept.ok()) return kept.error();
  return ordered_json{{"steps", list}, {"cascade", cascade_json(edge, cloud, data.validation)}};
}

ordered_json page_of(const ordered_json& all) {
  return {{"title", "How the demo's local model is made"},
          {"lead",
           "It learns from labels, then from the cloud model's answers, loses the units that count least, and is "
           "quantized to int8. What each step does is chosen on validation photos; test photos only tell how it went."},
          {"machine", machine_line()},
          {"judged_on", "5,000 validation and 10,000 test photos of Fashion-MNIST"},
          {"steps", all["steps"]},
          {"files", all["files"]}};
}

/// Hashes, pair.json and prepare.json, then everything to its place; prepare.json last, since it vouches for the rest.
Result<ordered_json> publish(const ModelFolder& folder, const ordered_json& settings, ordered_json figures) {
  ordered_json files;
  for (const char* name : kModelFiles) {
    const auto sha256 = file_sha256(folder.part(name));
    if (!sha256.ok()) return sha256.error();
    files[name] = sha256.value();
  }
  const std::string pair = pair_json(files["edge.pt"], files["cloud.pt"]).dump(2) + "\n";
  files["pair.json"] = sha256_hex(pair);
  ordered_json all = {{"settings", settings}, {"files", files}};
  all.update(figures);
  auto written = folder.write_part("pair.json", pair);
  if (written.ok()) written = folder.write_part("recipe.html", make_recipe_page(page_of(all)));
  if (written.ok()) written = folder.write_part("prepare.json", all.dump(2) + "\n");
  for (const char* name :
       {"edge_float.pt", "edge.pt", "cloud.pt", "validation.jsonl", "recipe.html", "pair.json", "prepare.json"}) {
    if (written.ok()) written = folder.publish(name);
  }
  if (!written.ok()) return written.error();
  return all;
}

void print_row(const ordered_json& step) {
  const auto& latency = step["latency_us"];
  char accuracy[64] = "         -          -";
  if (step.contains("test_accuracy")) {
    std::snprintf(accuracy, sizeof accuracy, "%8.2f %% %8.2f %%", 100 * step["validation_accuracy"].get<double>(),
                  100 * step["test_accuracy"].get<double>());
  }
  std::printf("  %-38s %6.0f KiB   %s   %7.1f us  (%.1f to %.1f)\n", step["title"].get<std::string>().c_str(),
              step["bytes"].get<double>() / 1024, accuracy, latency["p50"].get<double>(), latency["p10"].get<double>(),
              latency["p90"].get<double>());
}

void print_table(const std::string& out, const ordered_json& all) {
  std::printf(
      "Models in %s, for Fashion-MNIST (5,000 validation and 10,000 test photos; latency of one photo on one\n"
      "thread, all models in turns, median and p10 to p90). The same as a page: %s/recipe.html\n\n",
      out.c_str(), out.c_str());
  std::printf("  %-38s %10s   %10s %10s   %10s\n", "model", "size", "validation", "test", "latency");
  for (const auto& step : all["steps"]) print_row(step);
  std::printf("\n");
  const auto& cascade = all["cascade"];
  std::printf(
      "  Cascade, picked on %llu validation images: below confidence %.2f ask the cloud; %.1f %% of them go,\n"
      "  accuracy %.2f %% (edge alone %.2f %%, cloud alone %.2f %%).\n",
      static_cast<unsigned long long>(cascade["images"].get<std::uint64_t>()), cascade["threshold"].get<double>(),
      100 * cascade["cloud_share"].get<double>(), 100 * cascade["accuracy"].get<double>(),
      100 * cascade["edge_accuracy"].get<double>(), 100 * cascade["cloud_accuracy"].get<double>());
}

void print(const PrepareOptions& options, const ordered_json& all) {
  if (options.quiet) return;
  if (options.json) {
    std::cout << all.dump(2) << '\n';
  } else {
    print_table(options.out, all);
  }
}

}  // namespace

int prepare(const PrepareOptions& options) {
  if (const auto good = check(options); !good.ok()) return report(good.error());
  const auto recipe = load_recipe(kRecipeName);
  if (!recipe.ok()) return report(recipe.error());
  const auto settings = settings_of(options, *recipe);
  if (!settings.ok()) return report(settings.error());
  if (!options.force) {
    if (const auto all = stored(options.out, settings.value()); !all.is_null()) {
      std::cerr << "hearth prepare: " << options.out << " holds what these settings make; nothing to train\n";
      print(options, all);
      return kExitOk;
    }
  }
  auto data = load_fashion_mnist(options.data);
  if (!data.ok()) return report(data.error());
  if (options.train_images > 0) {
    data->train.labels.resize(options.train_images);
    data->train.pixels.resize(options.train_images * kImagePixels);
  }
  const auto folder = ModelFolder::open(options.out);
  if (!folder.ok()) return report(folder.error());
  const auto steps = train_all(options, *recipe, data.value(), folder.value());
  if (!steps.ok()) return report(steps.error());
  const auto figures = measure(folder.value(), *steps, data.value());
  if (!figures.ok()) return report(figures.error());
  const auto all = publish(folder.value(), settings.value(), figures.value());
  if (!all.ok()) return report(all.error());
  print(options, all.value());
  return kExitOk;
}

}  // namespace hearth::tool
