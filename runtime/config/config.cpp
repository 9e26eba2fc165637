#include "runtime/config/config.h"

#include <cmath>
#include <filesystem>
#include <set>
#include <type_traits>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "runtime/config/checks.h"

namespace hearth {
namespace {

using config::Report;

/// A path in a file is relative to that file.
std::string beside(const std::string& file, const std::string& path) {
  return (std::filesystem::path(file).parent_path() / path).lexically_normal().string();
}

bool is_file(const std::string& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  return std::filesystem::exists(status) && !std::filesystem::is_directory(status);
}

/// Reports into a document: the problem stands on the line of the value it is about.
Report report_at(JsonReader& reader) {
  return [&reader](const std::string& below, const std::string& message) {
    reader.problems().add(reader.document(), reader.pointer() + below, message);
  };
}

void read_annotations(JsonReader& reader) {
  std::string ignored;
  reader.read("$schema", ignored);
  reader.read("description", ignored);
}

void read_ms(JsonReader& reader, std::string_view key, Duration& out, double min, double max) {
  double ms = to_ms(out);
  reader.read(key, ms, min, max);
  out = from_ms(ms);
}

void read_datatype(JsonReader& reader, Datatype& out) {
  std::string name;
  reader.read("datatype", name);
  if (!reader.has("datatype")) return;
  if (const auto type = datatype_from(name)) {
    out = *type;
    return;
  }
  std::vector<std::string> names;
  std::string list;
  for (int i = 0; i <= static_cast<int>(Datatype::kBytes); ++i) {
    names.emplace_back(name_of(static_cast<Datatype>(i)));
    list += (list.empty() ? "" : ", ") + names.back();
  }
  if (!name.empty()) {
    reader.problem("datatype", "expected one of " + list + "; got " + describe(name) + suggestion(name, names));
  }
}

void read_shape(JsonReader& reader, std::vector<std::int64_t>& out) {
  const auto* shape = reader.raw("shape");
  if (shape == nullptr) return;
  if (!shape->is_array()) return reader.problem("shape", "expected an array of whole numbers, got " + describe(*shape));
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const auto& size = (*shape)[i];
    const bool fits =
        size.is_number_integer() && (!size.is_number_unsigned() || size.get<std::uint64_t>() < (1ull << 62));
    if (fits) {
      out.push_back(size.get<std::int64_t>());
    } else {
      reader.problems().add(reader.document(), reader.pointer_to("shape") + "/" + std::to_string(i),
                            "expected a whole number from 1, or -1 for any; got " + describe(size));
    }
  }
}

void read_specs(JsonReader& reader, std::string_view key, std::vector<TensorSpec>& out) {
  reader.objects(key, [&](JsonReader& tensor, std::size_t) {
    TensorSpec spec;
    tensor.require({"name", "datatype", "shape"});
    tensor.read("name", spec.name);
    read_datatype(tensor, spec.datatype);
    read_shape(tensor, spec.shape);
    out.push_back(std::move(spec));
  });
}

void read_halves(JsonReader& reader, const std::string& file, ModelPair& pair) {
  reader.object("edge", [&](JsonReader& edge) {
    if (edge.has("endpoint")) {
      edge.require({"outputs"});
    } else {
      edge.require({"file", "inputs", "outputs"});
    }
    edge.read("file", pair.edge.file);
    edge.read("endpoint", pair.edge.endpoint);
    edge.read("model", pair.edge.model);
    edge.read("system_prompt", pair.edge.system_prompt);
    edge.read("tokens_max", pair.edge.tokens_max, 0, 1'000'000);
    edge.read("sha256", pair.edge.sha256);
    edge.read("profile", pair.edge.profile);
    if (!pair.edge.profile.empty()) pair.edge.profile = beside(file, pair.edge.profile);
    edge.read("share", pair.edge.share, config::kShareMin, config::kShareMax);
    edge.read("batch_max", pair.edge.batch_max, 1, config::kBatchMax);
    read_ms(edge, "batch_wait_ms", pair.edge.batch_wait, 0, config::kBatchWaitMsMax);
    read_specs(edge, "inputs", pair.edge.inputs);
    read_specs(edge, "outputs", pair.edge.outputs);
    if (pair.edge.file.empty()) return;
    pair.edge.file = beside(file, pair.edge.file);
    if (!is_file(pair.edge.file)) edge.problem("file", "no such file: " + pair.edge.file);
  });
  reader.object("cloud", [&](JsonReader& cloud) {
    cloud.require({"model"});
    cloud.read("model", pair.cloud.model);
    cloud.read("version", pair.cloud.version);
    cloud.read("sha256", pair.cloud.sha256);
    if (!pair.cloud.sha256.empty() && !is_sha256(pair.cloud.sha256)) {
      cloud.problem("sha256", "expected 64 lower-case hexadecimal digits");
    }
    cloud.read("accuracy", pair.cloud.accuracy, 0, 1);
    cloud.read("text_input", pair.cloud.text_input);
    std::size_t api = 0;
    cloud.read_choice("api", api, {"infer", "chat", "completions", "embeddings"});
    pair.cloud.api = static_cast<CloudApi>(api);
    cloud.read("system_prompt", pair.cloud.system_prompt);
    cloud.read("tokens_max", pair.cloud.tokens_max, 0, 1'000'000);
    read_specs(cloud, "inputs", pair.cloud.inputs);
    read_specs(cloud, "outputs", pair.cloud.outputs);
    if (!cloud.has("inputs")) pair.cloud.inputs = pair.edge.inputs;
    if (!cloud.has("outputs")) pair.cloud.outputs = pair.edge.outputs;
  });
}

/// Reads one pair file. `problems` is untouched when it is good.
ModelPair read_pair(const std::string& file, Problems& problems) {
  ModelPair pair;
  const auto document = JsonDocument::read_file(file);
  if (!document.ok()) {
    problems.add_line(document.error().message);
    return pair;
  }
  Problems found;
  JsonReader reader(*document.value(), document.value()->root(), "", found);
  if (document.value()->root().is_object()) {
    read_annotations(reader);
    reader.require({"name", "edge"});
    reader.read("name", pair.name);
    read_halves(reader, file, pair);
    std::size_t scores = 0;
    reader.read_choice("scores", scores, {"logits", "probabilities"});
    pair.scores = static_cast<Scores>(scores);
    reader.read("labels", pair.labels);
    reader.finish();
    if (found.empty()) config::check_pair(pair, report_at(reader));
  }
  problems.append(found);
  return pair;
}

void read_models(JsonReader& reader, const std::string& file, RuntimeConfig& out) {
  std::vector<std::string> files;
  reader.read("models", files);
  const auto* list = reader.raw("models");
  if (list != nullptr && list->is_array() && list->empty()) reader.problem("models", "expected at least one pair file");
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string pointer = reader.pointer_to("models") + "/" + std::to_string(i);
    const std::string path = beside(file, files[i]);
    if (!is_file(path)) {
      reader.problems().add(reader.document(), pointer, "no such file: " + path);
      continue;
    }
    ModelPair pair = read_pair(path, reader.problems());
    for (const ModelPair& other : out.models) {
      if (pair.name.empty() || other.name != pair.name) continue;
      reader.problems().add(reader.document(), pointer, "model \"" + pair.name + "\" is there twice");
    }
    out.models.push_back(std::move(pair));
  }
}

/// A reference to a credential: one of four keys, and for an API key the header that takes it.
void read_auth(JsonReader& reader, const std::string& file, Auth& out) {
  using Kind = Auth::Kind;
  using Source = Auth::Source;
  struct Way {
    const char* key;
    Kind kind;
    Source source;
  };
  constexpr Way kWays[] = {{"bearer_env", Kind::kBearer, Source::kEnvironment},
                           {"bearer_file", Kind::kBearer, Source::kFile},
                           {"api_key_env", Kind::kApiKey, Source::kEnvironment},
                           {"api_key_file", Kind::kApiKey, Source::kFile}};
  unsigned found = 0;
  for (const Way& way : kWays) {
    if (!reader.has(way.key)) continue;
    ++found;
    out.kind = way.kind;
    out.source = way.source;
    reader.read(way.key, out.reference);
  }
  if (found != 1) reader.problem("", "expected one of bearer_env, bearer_file, api_key_env and api_key_file");
  reader.read("header", out.header);
  if (reader.has("header") && out.kind == Kind::kBearer)
    reader.problem("header", "belongs to an API key: a bearer token goes into Authorization");
  if (out.source == Source::kFile && !out.reference.empty()) out.reference = beside(file, out.reference);
}

void read_endpoints(JsonReader& reader, const std::string& file, RuntimeConfig& out) {
  reader.objects("endpoints", [&](JsonReader& endpoint, std::size_t index) {
    Endpoint read;
    endpoint.require({"name", "url"});
    endpoint.read("name", read.name);
    endpoint.read("url", read.url);
    endpoint.read("region", read.region);
    endpoint.read("usd_per_request", read.usd_per_request, 0, 1000);
    endpoint.read("usd_per_mib", read.usd_per_mib, 0, 1000);
    endpoint.read("weight", read.weight, config::kWeightMin, config::kWeightMax);
    std::size_t protocol = 0, encoding = static_cast<std::size_t>(read.encoding);
    endpoint.read_choice("protocol", protocol, {"oip", "openai"});
    endpoint.read_choice("encoding", encoding, {"json", "binary"});
    read.protocol = static_cast<Protocol>(protocol);
    read.encoding = static_cast<Encoding>(encoding);
    if (read.protocol != Protocol::kOip && endpoint.has("encoding"))
      endpoint.problem("encoding", "belongs to the protocol \"oip\"");
    endpoint.object("auth", [&](JsonReader& auth) { read_auth(auth, file, read.auth); });
    if (!read.name.empty() && !read.url.empty()) config::check_endpoint(read, report_at(endpoint));
    for (const Endpoint& other : out.endpoints) {
      if (other.name == read.name) endpoint.problem("name", "endpoint \"" + read.name + "\" is there twice");
    }
    if (index == config::kEndpointsMax) reader.problem("endpoints", "expected at most 31 endpoints");
    out.endpoints.push_back(std::move(read));
  });
}

void read_numbers(JsonReader& reader, std::string_view wanted, RuntimeConfig& out) {
  config::visit_numbers(out.cloud, out.energy,
                        [&](std::string_view section, const char* key, double& value, double min, double max) {
                          if (section == wanted) reader.read(key, value, min, max);
                        });
}

/// Problems of a configuration made in code.
class CodeProblems {
 public:
  Report at(const std::string& path) {
    return [this, path](const std::string& below, const std::string& message) {
      problems_.add_line("configuration: " + path + below + ": " + message);
    };
  }
  Status status() const { return problems_.empty() ? Status(Done{}) : Status(problems_.as_error()); }

 private:
  Problems problems_;
};

void check_bounds(const RuntimeConfig& config, CodeProblems& problems) {
  const auto in_range = [](const Report& report, const std::string& key, double value, double min, double max) {
    if (value >= min && value <= max) return;
    const auto text = [](double number) {
      if (number == std::floor(number) && std::abs(number) < 1e15)
        return std::to_string(static_cast<long long>(number));
      return nlohmann::json(number).dump();
    };
    report("/" + key, "expected " + text(min) + " to " + text(max) + ", got " + text(value));
  };
  in_range(problems.at(""), "default_deadline_ms", to_ms(config.default_deadline), config::kDeadlineMsMin,
           config::kDeadlineMsMax);
  in_range(problems.at(""), "threads", static_cast<double>(config.threads), 1, config::kThreadsMax);
  config::visit_limits(config.limits, [&](const char* key, const auto& value, double min, double max) {
    in_range(problems.at("/limits"), key, static_cast<double>(value), min, max);
  });
  config::visit_timing(config.cloud, [&](const char* key, const Duration& value, double min, double max) {
    in_range(problems.at("/cloud"), key, to_ms(value), min, max);
  });
  in_range(problems.at("/cloud"), "breaker_failures", config.cloud.breaker_failures, 1, config::kBreakerFailuresMax);
  in_range(problems.at("/cloud"), "attempts_max", config.cloud.attempts_max, 1, config::kAttemptsMax);
  config::visit_numbers(config.cloud, config.energy,
                        [&](const std::string& section, const char* key, double value, double min, double max) {
                          in_range(problems.at("/" + section), key, value, min, max);
                        });
  config::check_timing(config.cloud, problems.at("/cloud"));
}

}  // namespace

void read_bounds(JsonReader& reader, RuntimeConfig& out) {
  read_ms(reader, "default_deadline_ms", out.default_deadline, config::kDeadlineMsMin, config::kDeadlineMsMax);
  reader.section("limits", [&](JsonReader& limits) {
    config::visit_limits(out.limits, [&](const char* key, auto& value, std::uint64_t min, std::uint64_t max) {
      std::uint64_t number = value;
      limits.read(key, number, min, max);
      value = static_cast<std::remove_reference_t<decltype(value)>>(number);
    });
  });
  reader.section("cloud", [&](JsonReader& cloud) {
    config::visit_timing(out.cloud, [&](const char* key, Duration& value, double min, double max) {
      read_ms(cloud, key, value, min, max);
    });
    std::uint64_t failures = out.cloud.breaker_failures, attempts = out.cloud.attempts_max;
    cloud.read("breaker_failures", failures, 1, config::kBreakerFailuresMax);
    cloud.read("attempts_max", attempts, 1, config::kAttemptsMax);
    out.cloud.breaker_failures = static_cast<unsigned>(failures);
    out.cloud.attempts_max = static_cast<unsigned>(attempts);
    read_numbers(cloud, "cloud", out);
    config::check_timing(out.cloud, report_at(cloud));
  });
  reader.section("energy", [&](JsonReader& energy) { read_numbers(energy, "energy", out); });
}

Status validate(const RuntimeConfig& config) {
  CodeProblems problems;
  if (config.models.empty()) problems.at("")("/models", "expected at least one model pair");
  std::set<std::string> names;
  for (std::size_t i = 0; i < config.models.size(); ++i) {
    const std::string path = "/models/" + std::to_string(i);
    config::check_pair(config.models[i], problems.at(path));
    if (!names.insert(config.models[i].name).second) {
      problems.at(path)("/name", "model \"" + config.models[i].name + "\" is there twice");
    }
  }
  if (config.policy_file.empty() && config.policy_json.empty()) problems.at("")("/policy", "expected a policy");
  if (!config.audit_key_file.empty() && config.journal_file.empty())
    problems.at("")("/audit_key", "expected a journal too: the key seals what is in it");
  if (config.endpoints.size() > config::kEndpointsMax) problems.at("")("/endpoints", "expected at most 31 endpoints");
  names.clear();
  for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
    const std::string path = "/endpoints/" + std::to_string(i);
    config::check_endpoint(config.endpoints[i], problems.at(path));
    if (!names.insert(config.endpoints[i].name).second) {
      problems.at(path)("/name", "endpoint \"" + config.endpoints[i].name + "\" is there twice");
    }
  }
  config::check_spoken(config, problems.at(""));
  check_bounds(config, problems);
  return problems.status();
}

Result<RuntimeConfig> load_config(const std::string& file) {
  const auto document = JsonDocument::read_file(file);
  if (!document.ok()) return document.error();
  RuntimeConfig out;
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  if (!document.value()->root().is_object()) return problems.as_error();
  read_annotations(reader);
  reader.require({"models", "policy"});
  read_models(reader, file, out);
  reader.read("policy", out.policy_file);
  if (reader.has("policy") && out.policy_file.empty()) reader.problem("policy", "expected the path of a policy file");
  if (!out.policy_file.empty()) {
    out.policy_file = beside(file, out.policy_file);
    if (!is_file(out.policy_file)) reader.problem("policy", "no such file: " + out.policy_file);
  }
  reader.read("profile", out.profile_file);
  if (!out.profile_file.empty()) out.profile_file = beside(file, out.profile_file);
  reader.read("journal", out.journal_file);
  if (!out.journal_file.empty()) out.journal_file = beside(file, out.journal_file);
  reader.read("audit_key", out.audit_key_file);
  if (!out.audit_key_file.empty()) out.audit_key_file = beside(file, out.audit_key_file);
  if (!out.audit_key_file.empty() && out.journal_file.empty())
    reader.problem("audit_key", "expected \"journal\" too: the key seals what is in it");
  reader.read("audit_decisions", out.audit_decisions);
  read_endpoints(reader, file, out);
  config::check_spoken(out, report_at(reader));
  std::uint64_t threads = out.threads;
  reader.read("threads", threads, 1, config::kThreadsMax);
  out.threads = static_cast<std::size_t>(threads);
  reader.read("seed", out.seed, 0, ~std::uint64_t{0});
  read_bounds(reader, out);
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  return out;
}

Result<ModelPair> load_pair(const std::string& file) {
  Problems problems;
  ModelPair pair = read_pair(file, problems);
  if (!problems.empty()) return problems.as_error();
  return pair;
}

}  // namespace hearth
