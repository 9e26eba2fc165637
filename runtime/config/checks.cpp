#include "runtime/config/checks.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "runtime/base/digest.h"
#include "runtime/base/url.h"

namespace hearth::config {
namespace {

constexpr std::size_t kRankMax = 16;
constexpr std::size_t kTensorsMax = 64;
constexpr std::size_t kLabelsMax = 100'000;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}
/// As servers name models: "meta-llama/Llama-3.1-8B", "llama3:8b".
bool is_model_name(std::string name) {
  if (name.size() > 128) return false;
  std::replace(name.begin(), name.end(), ':', '-');
  for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = name.find('/', begin);
    if (!is_name(std::string_view(name).substr(begin, end - begin))) return false;  // empty, "." and ".." too
  }
  return true;
}
constexpr const char* kNameRule = "expected 1 to 128 letters, digits, '-', '_' or '.'";

/// Elements in the fixed dimensions, and how many dimensions take any size.
struct Extent {
  std::size_t fixed = 1;
  std::size_t open = 0;
  bool operator==(const Extent&) const = default;
};

std::optional<Extent> extent_of(const std::vector<std::int64_t>& shape) {
  Extent extent;
  std::vector<std::int64_t> fixed;
  for (const std::int64_t size : shape) {
    if (size == -1) {
      ++extent.open;
    } else if (size < 1) {
      return {};
    } else {
      fixed.push_back(size);
    }
  }
  const auto count = element_count(fixed);
  if (!count) return {};
  extent.fixed = *count;
  return extent;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

void check_specs(const std::vector<TensorSpec>& specs, const std::string& pointer, const Report& report) {
  if (specs.empty()) report(pointer, "expected at least one tensor");
  if (specs.size() > kTensorsMax) return report(pointer, "expected at most 64 tensors");
  std::set<std::string> names;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const TensorSpec& spec = specs[i];
    const std::string place = pointer + "/" + std::to_string(i);
    if (spec.name.empty() || spec.name.size() > 128) report(place + "/name", "expected 1 to 128 characters");
    if (!names.insert(spec.name).second) report(place + "/name", "tensor \"" + spec.name + "\" is there twice");
    if (spec.shape.size() > kRankMax) {
      report(place + "/shape", "expected at most 16 dimensions");
    } else if (!extent_of(spec.shape)) {
      report(place + "/shape", "expected dimensions of at least 1, or -1 for any, whose product fits in memory; got " +
                                   text_of(spec.shape));
    }
  }
}

void check_no_bytes(const std::vector<TensorSpec>& specs, const std::string& pointer, const Report& report) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].datatype != Datatype::kBytes) continue;
    report(pointer + "/" + std::to_string(i) + "/datatype", "BYTES is not a type that a TorchScript model takes");
  }
}

/// Both halves of a pair must be fed from the same bytes, and their answers compared.
void check_fit(const std::vector<TensorSpec>& edge, const std::vector<TensorSpec>& cloud, const std::string& pointer,
               const Report& report) {
  if (edge.size() != cloud.size()) {
    return report(pointer, "expected " + std::to_string(edge.size()) + " as on the edge side, got " +
                               std::to_string(cloud.size()));
  }
  for (std::size_t i = 0; i < edge.size(); ++i) {
    const std::string place = pointer + "/" + std::to_string(i);
    if (edge[i].datatype != cloud[i].datatype) {
      report(place + "/datatype", "expected " + std::string(name_of(edge[i].datatype)) + " as on the edge side, got " +
                                      std::string(name_of(cloud[i].datatype)));
    }
    const auto here = extent_of(edge[i].shape);
    const auto there = extent_of(cloud[i].shape);
    if (here && there && *here != *there) {
      report(place + "/shape",
             "expected as many elements as the edge's " + text_of(edge[i].shape) + ", got " + text_of(cloud[i].shape));
    }
  }
}

/// A pair that takes nothing but the request's text has no tensors to check, and may answer in text.
bool is_text_only(const ModelPair& pair) {
  return pair.edge.inputs.empty() && (!pair.cloud.text_input.empty() || !pair.edge.endpoint.empty());
}

bool is_one_text(const std::vector<TensorSpec>& outputs) {
  return outputs.size() == 1 && outputs[0].datatype == Datatype::kBytes && extent_of(outputs[0].shape) == Extent{1, 0};
}

/// The local half is a file, or a server on this device.
void check_edge_source(const ModelPair& pair, const Report& report) {
  const EdgeBinding& edge = pair.edge;
  if (edge.endpoint.empty()) {
    if (edge.file.empty()) report("/edge/file", "expected the path of a TorchScript file");
    const bool more = !edge.model.empty() || !edge.system_prompt.empty() || edge.tokens_max > 0;
    if (more) report("/edge", "model, system_prompt and tokens_max belong to an endpoint");
    return;
  }
  if (!edge.profile.empty()) report("/edge/profile", "belongs to a file: it is measured of one");
  const auto url = parse_url(edge.endpoint);
  if (!url.ok()) {
    report("/edge/endpoint", url.error().message);
  } else if (url.value().secure() || !is_loopback(url.value().host)) {
    report("/edge/endpoint",
           "expected http:// to this machine (localhost, 127.0.0.0/8, [::1]): it counts as the device");
  }
  if (!edge.file.empty()) report("/edge/endpoint", "expected a file or an endpoint, not both");
  if (!is_model_name(edge.model)) report("/edge/model", "expected the model's name on that server");
  if (!edge.inputs.empty() || !is_one_text(edge.outputs)) {
    report("/edge/endpoint", "expected a pair for text alone: no inputs, and one BYTES [1] output");
  }
}

/// How a pair's requests share this device. Those of a batch are laid one below the other, so they must look alike.
void check_sharing(const EdgeBinding& edge, const Report& report) {
  if (!(edge.share >= kShareMin && edge.share <= kShareMax)) report("/edge/share", "expected 0.01 to 100");
  if (edge.batch_max < 1 || edge.batch_max > kBatchMax) report("/edge/batch_max", "expected 1 to 64");
  if (!(edge.batch_wait >= Duration{} && to_ms(edge.batch_wait) <= kBatchWaitMsMax)) {
    report("/edge/batch_wait_ms", "expected 0 to 60000");
  }
  if (edge.batch_max == 1) {
    if (edge.batch_wait > Duration{}) report("/edge/batch_wait_ms", "belongs to a batch_max above 1");
    return;
  }
  if (!edge.endpoint.empty()) return report("/edge/batch_max", "a server on this device makes its own batches");
  for (const auto& [key, specs] : {std::pair("inputs", &edge.inputs), std::pair("outputs", &edge.outputs)}) {
    for (std::size_t i = 0; i < specs->size(); ++i) {
      const auto& shape = (*specs)[i].shape;
      if (!shape.empty() && shape[0] == 1 && std::count(shape.begin(), shape.end(), -1) == 0) continue;
      report("/edge/" + std::string(key) + "/" + std::to_string(i) + "/shape",
             "expected, for a batch_max above 1, a first dimension of 1 and no -1; got " + text_of(shape));
    }
  }
}

/// The OpenAI API knows text, and one answer to it.
void check_api(const ModelPair& pair, const Report& report) {
  const CloudBinding& cloud = pair.cloud;
  const bool chat = cloud.api == CloudApi::kChat;
  if (!chat && !cloud.system_prompt.empty()) report("/cloud/system_prompt", "belongs to the api \"chat\"");
  if (!chat && cloud.api != CloudApi::kCompletions && cloud.tokens_max > 0) {
    report("/cloud/tokens_max", "belongs to the apis \"chat\" and \"completions\"");
  }
  if (cloud.api == CloudApi::kInfer) return;
  if (!is_text_only(pair) || !cloud.inputs.empty()) {
    report("/cloud/api", "expected a pair for text alone: a text_input, and no inputs on either side");
  }
  if (!cloud.version.empty())
    report("/cloud/version", "the OpenAI API knows no versions: it belongs into the model's name");
  const bool embeds = cloud.api == CloudApi::kEmbeddings;
  const bool one_vector = cloud.outputs.size() == 1 && cloud.outputs[0].datatype == Datatype::kFp32;
  const bool fits = embeds ? one_vector : is_one_text(cloud.outputs);
  if (!fits) {
    report("/cloud/outputs", embeds ? "expected one FP32 tensor, the embedding" : "expected one BYTES [1], the answer");
  }
}

void check_cloud(const ModelPair& pair, const Report& report) {
  const CloudBinding& cloud = pair.cloud;
  if (cloud.model.empty()) {
    if (!cloud.inputs.empty() || !cloud.outputs.empty() || !cloud.version.empty() || !cloud.text_input.empty()) {
      report("/cloud/model", "expected the name of the model: the rest of its cloud half is there");
    }
    return;
  }
  if (!is_model_name(cloud.model)) {
    report("/cloud/model", "expected 1 to 128 letters, digits, '-', '_', '.', ':' or '/' between them");
  }
  check_api(pair, report);
  if (!cloud.version.empty() && !is_name(cloud.version)) report("/cloud/version", kNameRule);
  if (!is_text_only(pair)) check_specs(cloud.inputs, "/cloud/inputs", report);
  check_specs(cloud.outputs, "/cloud/outputs", report);
  check_fit(pair.edge.inputs, cloud.inputs, "/cloud/inputs", report);
  check_fit(pair.edge.outputs, cloud.outputs, "/cloud/outputs", report);
  for (const TensorSpec& spec : cloud.inputs) {
    if (spec.name == cloud.text_input) report("/cloud/text_input", "is already the name of a tensor in inputs");
  }
}

}  // namespace

void check_pair(const ModelPair& pair, const Report& report) {
  if (!is_name(pair.name)) report("/name", kNameRule);
  check_edge_source(pair, report);
  check_sharing(pair.edge, report);
  if (!pair.edge.sha256.empty() && !is_sha256(pair.edge.sha256)) {
    report("/edge/sha256", "expected 64 lower-case hexadecimal digits");
  }
  if (!is_text_only(pair)) check_specs(pair.edge.inputs, "/edge/inputs", report);
  check_specs(pair.edge.outputs, "/edge/outputs", report);
  check_no_bytes(pair.edge.inputs, "/edge/inputs", report);
  if (!is_text_only(pair)) check_no_bytes(pair.edge.outputs, "/edge/outputs", report);
  check_cloud(pair, report);
  if (!(pair.cloud.accuracy >= 0 && pair.cloud.accuracy <= 1)) report("/cloud/accuracy", "expected 0 to 1");
  if (pair.labels.size() > kLabelsMax) report("/labels", "expected at most 100000 labels");
  if (pair.labels.empty() || pair.edge.outputs.empty() || pair.edge.outputs[0].shape.empty()) return;
  const std::int64_t scores = pair.edge.outputs[0].shape.back();
  if (scores >= 1 && pair.labels.size() != static_cast<std::size_t>(scores)) {
    report("/labels", "expected " + std::to_string(scores) + " labels, one for each score in outputs[0], got " +
                          std::to_string(pair.labels.size()));
  }
}

namespace {

bool is_variable(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= 128 && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), fits);
}

/// Messages do not quote: whoever puts the secret itself where its name belongs must not find it in a log too.
void check_auth(const Auth& auth, const Report& report) {
  const bool bearer = auth.kind == Auth::Kind::kBearer;
  const bool from_file = auth.source == Auth::Source::kFile;
  if (auth.kind == Auth::Kind::kNone) return;
  const std::string key = std::string("/auth/") + (bearer ? "bearer_" : "api_key_") + (from_file ? "file" : "env");
  if (from_file && auth.reference.empty()) report(key, "expected the path of the file that holds the credential");
  if (!from_file && !is_variable(auth.reference)) {
    report(key, "expected the name of an environment variable (letters, digits and '_'), never the credential itself");
  }
  if (!bearer && !may_hold_api_key(auth.header)) {
    report("/auth/header", "expected the name of a header that is free for an API key, such as x-api-key");
  }
}

}  // namespace

bool may_hold_api_key(std::string_view header) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::string name(header.substr(0, 128));
  std::transform(name.begin(), name.end(), name.begin(), lower);
  constexpr std::string_view kTaken[] = {"host",
                                         "connection",
                                         "content-length",
                                         "content-type",
                                         "content-encoding",
                                         "transfer-encoding",
                                         "accept-encoding",
                                         "user-agent",
                                         "expect",
                                         "upgrade",
                                         "inference-header-content-length"};
  return name.size() == header.size() && is_name(name) &&
         std::find(std::begin(kTaken), std::end(kTaken), name) == std::end(kTaken);
}

void check_endpoint(const Endpoint& endpoint, const Report& report) {
  if (!is_name(endpoint.name)) {
    report("/name", kNameRule);
  } else if (endpoint.name == "edge") {
    report("/name", "\"edge\" is this device: choose another name");
  }
  if (!endpoint.region.empty() && !is_name(endpoint.region)) report("/region", kNameRule);
  const auto url = parse_url(endpoint.url);
  if (!url.ok()) {
    report("/url", url.error().message);
  } else if (!url.value().secure() && !is_loopback(url.value().host)) {
    report("/url", "http:// is for this machine only (localhost, 127.0.0.0/8, [::1]); expected https://");
  }
  if (!(endpoint.weight >= kWeightMin && endpoint.weight <= kWeightMax)) report("/weight", "expected 0.001 to 1000");
  check_auth(endpoint.auth, report);
}

void check_spoken(const RuntimeConfig& config, const Report& report) {
  if (config.endpoints.empty()) return;
  for (const ModelPair& pair : config.models) {
    const Protocol wanted = protocol_of(pair.cloud.api);
    const bool spoken = std::any_of(config.endpoints.begin(), config.endpoints.end(),
                                    [&](const Endpoint& endpoint) { return endpoint.protocol == wanted; });
    if (pair.cloud.model.empty() || spoken) continue;
    const char* name = wanted == Protocol::kOip ? "oip" : "openai";
    report("/endpoints", std::string("none speaks the protocol \"") + name + "\", which the cloud half of model \"" +
                             pair.name + "\" needs");
  }
}

void check_timing(const CloudTiming& timing, const Report& report) {
  if (timing.breaker_backoff > timing.breaker_backoff_max) {
    report("/breaker_backoff_max_ms", "expected at least breaker_backoff_ms, which is " +
                                          std::to_string(static_cast<long long>(to_ms(timing.breaker_backoff))));
  }
}

}  // namespace hearth::config
