#include "tools/hearth/prepare.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <iostream>
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
#include "tools/hearth/run.h"
#include "tools/hearth/train.h"
#include "tools/hearth/training_line.h"

namespace hearth::tool {
namespace {

using nlohmann::ordered_json;

constexpr int kRecipe = 2;  // Goes up when training changes, so that old files are not taken for new ones.
constexpr std::size_t kTimedPasses = 2'000;
constexpr double kAccuracyLossMax = 0.001;  // The promise is 0.01; the rest is room for other images than these.
constexpr double kCloudShareMax = 0.27;
constexpr std::uint64_t kFileBytesMax = 256u << 20;
constexpr std::array<const char*, 3> kModelFiles = {"edge_float.pt", "edge.pt", "cloud.pt"};
// LibTorch's own int8, which ours is held against; not kept.
constexpr const char* kReferenceFile = "edge_torch_int8.pt";
constexpr std::array<const char*, 4> kMeasuredFiles = {"edge_float.pt", "edge.pt", "cloud.pt", kReferenceFile};
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
Result<ordered_json> settings_of(const PrepareOptions& options) {
  ordered_json settings = {{"recipe", kRecipe},
                           {"epochs", options.epochs},
                           {"train_images", options.train_images},
                           {"seed", options.seed},
                           {"threads", options.threads}};
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

Status train_all(const PrepareOptions& options, const FashionMnist& data, const ModelFolder& folder) {
  TrainOptions training;
  training.epochs = static_cast<unsigned>(options.epochs);
  training.seed = options.seed;
  training.threads = static_cast<unsigned>(options.threads);
  {
    TrainingLine line("training the edge model");
    training.progress = [&](double done) { line.show(done); };
    if (auto trained = train_edge(data.train, training, folder.part("edge_float.pt")); !trained.ok()) return trained;
  }
  {
    TrainingLine line("training the cloud model");
    training.progress = [&](double done) { line.show(done); };
    if (auto trained = train_cloud(data.train, training, folder.part("cloud.pt")); !trained.ok()) return trained;
  }
  // By our kernels whatever a clock says, so that the same settings always make the same file.
  for (const auto& [name, kind] :
       {std::pair("edge.pt", edge::LayerKind::kInt8), std::pair(kReferenceFile, edge::LayerKind::kTorchInt8)}) {
    const auto quantized = edge::quantize_dynamic(folder.part("edge_float.pt"), folder.part(name), kind);
    if (!quantized.ok()) return quantized.error();
  }
  return Done{};
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
Result<ordered_json> measure(const ModelFolder& folder, const FashionMnist& data) {
  edge::TorchEngine engine(1);
  TrainingLine line("measuring");
  ordered_json models;
  std::vector<std::shared_ptr<EdgeModel>> loaded;
  std::vector<Timed> timed;
  std::vector<Answers> on_validation;
  for (std::size_t i = 0; i < kMeasuredFiles.size(); ++i) {
    const std::string name = kMeasuredFiles[i];
    const auto& shape = name == "cloud.pt" ? kCloudShape : kEdgeShape;
    auto model = load(engine, folder.part(name), shape);
    if (!model.ok()) return model.error();
    loaded.push_back(model.value());
    timed.push_back({model.value().get(), shape});
    const auto progress = [&](double done) { line.show((static_cast<double>(i) + done) / kMeasuredFiles.size()); };
    const auto on_test = answer(*model.value(), shape, data.test, progress);
    if (!on_test.ok()) return on_test.error();
    auto answers = answer(*model.value(), shape, data.validation);
    if (!answers.ok()) return answers.error();
    models[name] = {{"bytes", std::filesystem::file_size(folder.part(name))},
                    {"test_accuracy", on_test.value().accuracy},
                    {"validation_accuracy", answers.value().accuracy}};
    on_validation.push_back(std::move(answers).value());
  }
  const auto latencies = time_in_turns(timed, data.validation, kTimedPasses);
  if (!latencies.ok()) return latencies.error();
  for (std::size_t i = 0; i < kMeasuredFiles.size(); ++i) {
    const auto& [p10, p50, p90] = latencies.value()[i];
    models[kMeasuredFiles[i]]["latency_us"] = {{"p10", p10}, {"p50", p50}, {"p90", p90}};
  }
  models[kReferenceFile]["quantized_engine"] =
      edge::TorchEngine::quantized_engine(std::filesystem::file_size(folder.part(kReferenceFile)));
  if (auto kept = folder.write_part("validation.jsonl",
                                    cascade_records(on_validation[1], on_validation[2], data.validation.labels));
      !kept.ok())
    return kept.error();
  return ordered_json{{"models", models},
                      {"cascade", cascade_json(on_validation[1], on_validation[2], data.validation)}};
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
  if (written.ok()) written = folder.write_part("prepare.json", all.dump(2) + "\n");
  for (const char* name : {"edge_float.pt", "edge.pt", "cloud.pt", "validation.jsonl", "pair.json", "prepare.json"}) {
    if (written.ok()) written = folder.publish(name);
  }
  if (!written.ok()) return written.error();
  return all;
}

void print_row(const char* title, const ordered_json& model) {
  const auto& latency = model["latency_us"];
  std::printf("  %-20s %7.0f KiB   %6.2f %%   %7.1f us  (%.1f to %.1f)\n", title, model["bytes"].get<double>() / 1024,
              100 * model["test_accuracy"].get<double>(), latency["p50"].get<double>(), latency["p10"].get<double>(),
              latency["p90"].get<double>());
}

/// How our int8 stands to another edge model, told as it is.
void print_comparison(const char* title, const ordered_json& other, const ordered_json& ours) {
  const auto ratio = [](double a, double b, const char* more, const char* less) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f times %s", std::max(a / b, b / a), a >= b ? more : less);
    return std::string(text);
  };
  const auto us = [](const ordered_json& model) { return model["latency_us"]["p50"].get<double>(); };
  const std::string size = ratio(other["bytes"].get<double>(), ours["bytes"].get<double>(), "smaller", "larger");
  std::printf("  int8 against %s: %s, %s.\n", title, size.c_str(),
              ratio(us(other), us(ours), "faster", "slower").c_str());
}

void print_table(const std::string& out, const ordered_json& all) {
  const auto& models = all["models"];
  std::printf(
      "Models in %s, for Fashion-MNIST (accuracy on its 10,000 test images; latency of one photo on one thread,\n"
      "all models in turns, median and p10 to p90):\n\n",
      out.c_str());
  std::printf("  %-20s %11s   %8s   %10s\n", "model", "size", "accuracy", "latency");
  print_row("edge, float", models["edge_float.pt"]);
  print_row("edge, LibTorch int8", models[kReferenceFile]);
  print_row("edge, int8", models["edge.pt"]);
  print_row("cloud", models["cloud.pt"]);
  std::printf("\n");
  print_comparison("float", models["edge_float.pt"], models["edge.pt"]);
  print_comparison("LibTorch's int8", models[kReferenceFile], models["edge.pt"]);
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
  const auto settings = settings_of(options);
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
  if (const auto trained = train_all(options, data.value(), folder.value()); !trained.ok()) {
    return report(trained.error());
  }
  const auto figures = measure(folder.value(), data.value());
  if (!figures.ok()) return report(figures.error());
  const auto all = publish(folder.value(), settings.value(), figures.value());
  if (!all.ok()) return report(all.error());
  print(options, all.value());
  return kExitOk;
}

}  // namespace hearth::tool
