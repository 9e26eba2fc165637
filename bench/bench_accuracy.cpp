/// \file bench_accuracy: what int8 and int4 cost in accuracy, on photos and on text.
///
/// Two models are trained here, with labels alone: a perceptron for Fashion-MNIST, and one for CLINC150 (150 intents;
/// words and pairs of words hashed to 2048 inputs). Each is quantized to LibTorch's int8 and to hearth's int8 and int4
/// and answers the same test set, which no step has seen. Data that is absent is skipped and said so.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/edge/quantize.h"
#include "runtime/edge/torch_engine.h"
#include "tools/hearth/examples.h"
#include "tools/hearth/fashion_mnist.h"
#include "tools/hearth/student.h"

namespace {

using namespace hearth;
using namespace hearth::tool;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kWordInputs = 2048;

struct Options {
  std::string json;
  std::string clinc = "../shared/data/clinc150/data_full.json";
  std::string photos{kFashionMnistFolder};
  bool quick = false;
};

struct Task {
  std::string name;
  TrainingSet train, test;
  std::vector<std::int64_t> widths;
  double epochs;
};

/// FNV-1a.
std::size_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return static_cast<std::size_t>(hash % kWordInputs);
}

/// How often each hashed word and pair of neighbours stands in the text; a text has length 1.
std::vector<float> features_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  std::vector<float> features(kWordInputs, 0.0F);
  for (std::size_t i = 0; i < words.size(); ++i) {
    features[hash_of(words[i])] += 1;
    if (i > 0) features[hash_of(words[i - 1] + " " + words[i])] += 0.7F;
  }
  float squares = 0;
  for (const float x : features) squares += x * x;
  for (float& x : features) x /= std::max(std::sqrt(squares), 1e-6F);
  return features;
}

TrainingSet text_set(const json& rows, std::map<std::string, std::int64_t>& labels, std::size_t step) {
  TrainingSet set;
  set.shape = {static_cast<std::int64_t>(kWordInputs)};
  for (std::size_t i = 0; i < rows.size(); i += step) {
    const auto features = features_of(rows[i].at(0).get<std::string>());
    set.values.insert(set.values.end(), features.begin(), features.end());
    set.labels.push_back(
        labels.try_emplace(rows[i].at(1).get<std::string>(), static_cast<std::int64_t>(labels.size())).first->second);
  }
  return set;
}

std::vector<Task> tasks(const Options& options) {
  std::vector<Task> all;
  if (std::filesystem::exists(options.photos)) {
    auto data = load_fashion_mnist(options.photos);
    if (!data.ok()) throw std::runtime_error(data.error().message);
    if (options.quick) {
      data->train.labels.resize(4000);
      data->train.pixels.resize(4000 * kImagePixels);
    }
    all.push_back({"Fashion-MNIST",
                   training_set(data->train, {1, 784}),
                   training_set(data->test, {1, 784}),
                   {784, 128, 64, 10},
                   options.quick ? 2.0 : 10.0});
  } else {
    std::printf("Fashion-MNIST: not in %s (apt-get install dataset-fashion-mnist): skipped\n", options.photos.c_str());
  }
  std::ifstream clinc(options.clinc);
  if (clinc) {
    const json data = json::parse(clinc);
    std::map<std::string, std::int64_t> labels;
    auto train = text_set(data.at("train"), labels, options.quick ? 10 : 1);
    auto test = text_set(data.at("test"), labels, 1);
    all.push_back({"CLINC150",
                   std::move(train),
                   std::move(test),
                   {static_cast<std::int64_t>(kWordInputs), 256, static_cast<std::int64_t>(labels.size())},
                   options.quick ? 2.0 : 15.0});
  } else {
    std::printf("CLINC150: not in %s (--clinc): skipped\n", options.clinc.c_str());
  }
  return all;
}

double accuracy_of(edge::TorchEngine& engine, const std::string& file, const Task& task) {
  EdgeBinding binding;
  binding.file = file;
  const auto width = static_cast<std::size_t>(task.widths.front());
  binding.inputs = {{"x", Datatype::kFp32, {1, task.widths.front()}}};
  binding.outputs = {{"y", Datatype::kFp32, {1, task.widths.back()}}};
  const auto model = engine.load(binding);
  if (!model.ok()) throw std::runtime_error(model.error().message);
  std::size_t right = 0;
  for (std::size_t i = 0; i < task.test.count(); ++i) {
    const Tensor input =
        Tensor::of_floats("x", binding.inputs[0].shape, std::span(task.test.values).subspan(i * width, width));
    const auto outputs = (*model)->run({&input, 1});
    if (!outputs.ok()) throw std::runtime_error(outputs.error().message);
    const auto scores = outputs->front().floats();
    right += std::ranges::max_element(scores) - scores.begin() == task.test.labels[i] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(task.test.count());
}

void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error().message);
}

void judge(const Task& task, const std::string& folder, ordered_json& rows) {
  const std::string fresh = folder + "/fresh.pt", plain = folder + "/float.pt", small = folder + "/small.pt";
  must(write_perceptron(task.widths, 1, 1, 0, fresh));
  RecipeStep step;
  step.epochs = task.epochs;
  must(take_step(step, fresh, plain, task.train, nullptr, {}));
  edge::TorchEngine engine(1);
  const double exact = accuracy_of(engine, plain, task);
  std::printf("\n%s, %zu training and %zu test examples:\n", task.name.c_str(), task.train.count(), task.test.count());
  const auto row = [&](const std::string& kind, const std::string& file, double points_max) {
    const double accuracy = accuracy_of(engine, file, task), lost = 100 * (exact - accuracy);
    const auto bytes = std::filesystem::file_size(file);
    std::printf("  %-12s %8.1f KiB  %6.2f %%  lost %5.2f points%s\n", kind.c_str(), static_cast<double>(bytes) / 1024,
                100 * accuracy, lost,
                points_max <= 0      ? ""
                : lost <= points_max ? "  (within the goal)"
                                     : "  (GOAL MISSED)");
    rows.push_back({{"data", task.name},
                    {"kind", kind},
                    {"bytes", bytes},
                    {"test_accuracy", accuracy},
                    {"points_lost", lost},
                    {"points_max", points_max}});
  };
  row("float", plain, 0);
  for (const auto& [kind, points_max] :
       {std::pair(edge::LayerKind::kTorchInt8, 0.0), std::pair(edge::LayerKind::kInt8, 0.3),
        std::pair(edge::LayerKind::kInt4, 1.0)}) {
    const auto made = edge::quantize_dynamic(plain, small, kind);
    if (!made.ok()) {
      std::printf("  %s: %s\n", std::string(edge::name_of(kind)).c_str(), made.error().message.c_str());
      continue;
    }
    row(std::string(edge::name_of(kind)), small, points_max);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "What int8 and int4 cost in accuracy, on photos and on text.\nexample: bench_accuracy --json out/accuracy.json");
  Options options;
  app.add_option("--json", options.json, "write the rows to this file");
  app.add_option("--clinc", options.clinc, "CLINC150's data_full.json")->capture_default_str();
  app.add_option("--photos", options.photos, "folder with Fashion-MNIST")->capture_default_str();
  app.add_flag("--quick", options.quick, "few examples, two passes over them");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; }
  std::string folder = (std::filesystem::temp_directory_path() / "bench_accuracy.XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return std::fprintf(stderr, "bench_accuracy: no temporary folder\n"), 3;
  ordered_json rows = ordered_json::array();
  int code = 0;
  try {
    for (const Task& task : tasks(options)) judge(task, folder, rows);
    if (!options.json.empty() && !(std::ofstream(options.json) << rows.dump(1) << "\n")) {
      std::fprintf(stderr, "bench_accuracy: --json %s: cannot be written\n", options.json.c_str());
      code = 2;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_accuracy: %s\n", error.what());
    code = 3;
  }
  std::filesystem::remove_all(folder);
  return code;
}
