#include "tools/hearth/inputs.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/fashion_mnist.h"
#include "tools/hearth/json_lines.h"
#include "tools/hearth/places.h"
#include "tools/hearth/svg.h"

namespace hearth::tool {
namespace {

std::string workload_file(const RunOptions& options) {
  return options.workload.empty() ? shipped_file("configs/workloads/demo.json") : options.workload;
}

std::string policy_file(const RunOptions& options) {
  return options.policy.empty() ? shipped_file("configs/policies/demo.json") : options.policy;
}

Result<WorkloadSpec> read_spec(const RunOptions& options) {
  auto spec = load_workload(workload_file(options));
  if (!spec) return spec;
  if (options.requests) spec.value().images = *options.requests;
  if (options.rate_per_s) spec.value().rate_per_s = *options.rate_per_s;
  if (options.deadline_ms) spec.value().deadline_ms = *options.deadline_ms;
  if (options.seed) spec.value().seed = *options.seed;
  if (const auto status = check_workload(spec.value()); !status) return status.error();
  return spec;
}

struct Prepared {
  double threshold = -1;  ///< Below 0: none.
  std::vector<CascadePoint> curve;
};

/// What `hearth prepare` found on the validation split. Its other figures are for people.
Result<Prepared> read_prepared(const std::string& file) {
  Prepared prepared;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return prepared;
  const auto document = JsonDocument::read_file(file);
  if (!document) return document.error();
  const auto& root = document.value()->root();
  const auto bad = [&] {
    return Error{ErrorCode::kCorrupt, file + ": cascade: expected what `hearth prepare` writes; run it again"};
  };
  if (!root.is_object() || !root.contains("cascade") || !root["cascade"].is_object()) return bad();
  const auto& cascade = root["cascade"];
  if (!cascade.contains("threshold") || !cascade["threshold"].is_number()) return bad();
  prepared.threshold = cascade["threshold"].get<double>();
  if (!(prepared.threshold >= 0 && prepared.threshold <= 1)) return bad();
  if (!cascade.contains("curve") || !cascade["curve"].is_array()) return prepared;
  for (const auto& point : cascade["curve"]) {
    for (const char* key : {"threshold", "cloud_share", "accuracy"}) {
      if (!point.is_object() || !point.contains(key) || !point[key].is_number()) return bad();
    }
    prepared.curve.push_back(
        {point["threshold"].get<double>(), point["cloud_share"].get<double>(), point["accuracy"].get<double>()});
  }
  return prepared;
}

/// The photos in the shape of the pair's edge input, each with its hash and its right answer.
Status read_photos(const WorkloadSpec& spec, Inputs& inputs) {
  const auto refuse = [](std::string message) { return Status(ErrorCode::kInvalidArgument, std::move(message)); };
  const auto images = load_fashion_mnist_test(std::string(kFashionMnistFolder));
  if (!images) return images.error();
  if (images.value().count() < spec.images) return refuse("there are fewer test photos than requests");
  if (inputs.pair.edge.inputs.size() != 1) return refuse("pair.json: edge.inputs: expected one input, the photo");
  TensorSpec input = inputs.pair.edge.inputs[0];
  for (auto& dimension : input.shape) dimension = dimension < 0 ? 1 : dimension;
  if (input.datatype != Datatype::kFp32 || element_count(input.shape) != kImagePixels) {
    return refuse("pair.json: edge.inputs[0]: expected FP32 with 784 elements, a photo of 28 x 28");
  }
  std::vector<std::uint8_t> label_of;
  for (const auto name : kFashionLabels) {
    const auto found = std::find(inputs.pair.labels.begin(), inputs.pair.labels.end(), name);
    if (found == inputs.pair.labels.end()) {
      return refuse("pair.json: labels: \"" + std::string(name) + "\" is missing; the photos are of its kind");
    }
    label_of.push_back(static_cast<std::uint8_t>(found - inputs.pair.labels.begin()));
  }
  for (std::size_t i = 0; i < spec.images; ++i) {
    inputs.photos.push_back(Tensor::of_floats(input.name, input.shape, images.value().scaled(i)));
    const auto& bytes = inputs.photos.back().data;
    inputs.photo_sha256.push_back(sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    inputs.truth.push_back(label_of[images.value().labels[i]]);
  }
  return Done{};
}

/// The stub checks its file; here it is only put into words.
std::string in_words(const std::string& stub_config) {
  const auto document = JsonDocument::read_file(stub_config);
  if (!document || !document.value()->root().is_object()) return "shaped by " + stub_config;
  const auto& root = document.value()->root();
  const auto number = [](const nlohmann::json& object, const char* key) {
    return object.is_object() && object.contains(key) && object[key].is_number() ? object[key].get<double>() : 0.0;
  };
  const auto latency = root.value("latency", nlohmann::json::object());
  const double ms = number(latency, "ms") + number(latency, "median_ms") +
                    (number(latency, "min_ms") + number(latency, "max_ms")) / 2;
  const auto mbit = [&](const char* key) {
    const double rate = number(root, key);
    return rate > 0 ? short_number(rate) + " Mbit/s" : std::string("no limit");
  };
  const std::string up = mbit("uplink_mbit_per_s"), down = mbit("downlink_mbit_per_s");
  return short_number(ms) + " ms round trip, " + (up == down ? up + " each way" : up + " up and " + down + " down") +
         ", " + short_number(number(root, "error_rate") * 100) + " % errors";
}

}  // namespace

Status check_early(const RunOptions& options) {
  if (options.kill_cloud_at && !(*options.kill_cloud_at >= 0 && *options.kill_cloud_at <= 1)) {
    return {ErrorCode::kInvalidArgument, "--kill-cloud-at: expected a share of the hearth phase, 0 to 1"};
  }
  if (!options.profile.empty()) {
    if (const auto writer = LineWriter::open(options.profile); !writer) return writer.error();  // not after the run
  }
  if (options.out.empty()) return {ErrorCode::kInvalidArgument, "--out: expected a folder"};
  if (const auto spec = read_spec(options); !spec) return spec.error();
  if (const auto policy = load_mode_policy(policy_file(options), -1); !policy) return policy.error();
  std::error_code error;
  if (std::filesystem::exists(options.out, error) && !std::filesystem::is_directory(options.out, error)) {
    return {ErrorCode::kInvalidArgument, "--out: " + options.out + " is there and is no folder"};
  }
  return Done{};
}

Result<Inputs> read_inputs(const RunOptions& options) {
  Inputs inputs;
  auto spec = read_spec(options);
  if (!spec) return spec.error();
  inputs.spec = std::move(spec).value();
  auto pair = load_pair(options.models + "/pair.json");
  if (!pair) return pair.error();
  inputs.pair = std::move(pair).value();
  auto prepared = read_prepared(options.models + "/prepare.json");
  if (!prepared) return prepared.error();
  inputs.curve = std::move(prepared.value().curve);
  auto policy = load_mode_policy(policy_file(options), options.policy.empty() ? prepared.value().threshold : -1);
  if (!policy) return policy.error();
  inputs.policy = std::move(policy).value();
  inputs.stub_config = options.stub_config.empty() ? shipped_file("configs/stub/default.json") : options.stub_config;
  inputs.link = in_words(inputs.stub_config);
  if (const auto photos = read_photos(inputs.spec, inputs); !photos) return photos.error();
  return inputs;
}

}  // namespace hearth::tool
