#include "tools/hearth/triton_repository.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth::tool {
namespace {

using Json = nlohmann::ordered_json;

Error refuse(const std::string& what) { return {ErrorCode::kInvalidArgument, what}; }

/// model_config.proto's DataType; none for what the PyTorch backend does not take.
const char* triton_type(Datatype type) {
  switch (type) {
    case Datatype::kBool:
      return "TYPE_BOOL";
    case Datatype::kUint8:
      return "TYPE_UINT8";
    case Datatype::kInt8:
      return "TYPE_INT8";
    case Datatype::kInt16:
      return "TYPE_INT16";
    case Datatype::kInt32:
      return "TYPE_INT32";
    case Datatype::kInt64:
      return "TYPE_INT64";
    case Datatype::kFp16:
      return "TYPE_FP16";
    case Datatype::kFp32:
      return "TYPE_FP32";
    case Datatype::kFp64:
      return "TYPE_FP64";
    default:
      return nullptr;
  }
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string list_of(const std::vector<std::int64_t>& dims) {
  std::string text;
  for (const std::int64_t size : dims) text += (text.empty() ? " " : ", ") + std::to_string(size);
  return "[" + text + " ]";
}

/// One `input` or `output` block with its tensors, renamed.
std::optional<Error> append_tensors(std::string& out, std::string_view block, std::string_view prefix,
                                    std::vector<TensorSpec>& specs, bool batched) {
  out.append(block).append(" [\n");
  for (std::size_t i = 0; i < specs.size(); ++i) {
    TensorSpec& spec = specs[i];
    const char* type = triton_type(spec.datatype);
    if (type == nullptr) {
      return refuse("tensor '" + spec.name + "': Triton's PyTorch backend does not take " +
                    std::string(name_of(spec.datatype)));
    }
    std::vector<std::int64_t> dims = spec.shape;
    if (batched) {
      if (dims.empty() || (dims[0] != -1 && dims[0] != 1)) {
        return refuse("tensor '" + spec.name + "': its first dimension is no batch: leave out --batch-max");
      }
      dims.erase(dims.begin());
      spec.shape[0] = -1;
    }
    spec.name = std::string(prefix) + "__" + std::to_string(i);
    const bool scalar = dims.empty();  // dims must not be empty: Triton says so with reshape
    if (scalar) dims = {1};
    out.append("  {\n    name: \"").append(spec.name).append("\"\n    data_type: ").append(type);
    out.append("\n    dims: ").append(list_of(dims)).append("\n");
    if (scalar) out.append("    reshape: { shape: [ ] }\n");
    out.append(i + 1 < specs.size() ? "  },\n" : "  }\n");
  }
  out.append("]\n");
  return {};
}

Json specs_json(const std::vector<TensorSpec>& specs) {
  Json list = Json::array();
  for (const TensorSpec& spec : specs) {
    list.push_back({{"name", spec.name}, {"datatype", name_of(spec.datatype)}, {"shape", spec.shape}});
  }
  return list;
}

std::string cloud_json(const CloudBinding& cloud, const std::string& version) {
  Json json{{"model", cloud.model}, {"version", version}};
  if (!cloud.sha256.empty()) json["sha256"] = cloud.sha256;
  json["accuracy"] = cloud.accuracy;
  json["inputs"] = specs_json(cloud.inputs);
  json["outputs"] = specs_json(cloud.outputs);
  return json.dump(2) + "\n";
}

/// RFC 1123's label, which Kubernetes asks for.
std::string label_of(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_' || c == '.') c = '-';
  }
  name.resize(std::min<std::size_t>(name.size(), 50));
  const auto first = name.find_first_not_of('-');
  return first == std::string::npos ? "model" : name.substr(first, name.find_last_not_of('-') + 1 - first);
}

std::string inference_yaml(const std::string& name, const std::string& storage_uri) {
  return "apiVersion: serving.kserve.io/v1beta1\n"
         "kind: InferenceService\n"
         "metadata:\n"
         "  name: \"" +
         label_of(name) +
         "\"\n"
         "spec:\n"
         "  predictor:\n"
         "    model:\n"
         "      modelFormat:\n"
         "        name: pytorch\n"
         "        version: \"1\"\n"
         "      runtime: kserve-tritonserver\n"
         "      protocolVersion: v2\n"
         "      storageUri: " +
         Json(storage_uri).dump() + "\n";  // a JSON string is a YAML string
}

}  // namespace

Result<TritonModel> triton_model(const ModelPair& pair, std::uint64_t batch_max, const std::string& storage_uri) {
  CloudBinding cloud = pair.cloud;
  if (cloud.model.empty()) return refuse("model '" + pair.name + "' has no cloud half to export");
  if (cloud.api != CloudApi::kInfer || cloud.inputs.empty()) {
    return refuse("model '" + pair.name + "': its cloud half takes text, not tensors: Triton's PyTorch backend cannot");
  }
  if (cloud.model.find_first_of("/:") != std::string::npos || cloud.model.starts_with('.')) {
    return refuse("cloud model \"" + cloud.model + "\": expected a name that can be a folder");
  }
  if (!cloud.version.empty() && (!all_digits(cloud.version) || cloud.version[0] == '0')) {
    return refuse("cloud version \"" + cloud.version + "\": Triton's versions are whole numbers from 1");
  }
  TritonModel model;
  model.name = cloud.model;
  if (!cloud.version.empty()) model.version = cloud.version;
  std::string& config = model.config_pbtxt;
  config = "name: \"" + cloud.model +
           "\"\nplatform: \"pytorch_libtorch\"\nmax_batch_size: " + std::to_string(batch_max) + "\n";
  if (auto wrong = append_tensors(config, "input", "INPUT", cloud.inputs, batch_max > 0)) return *wrong;
  if (auto wrong = append_tensors(config, "output", "OUTPUT", cloud.outputs, batch_max > 0)) return *wrong;
  // Without it the batcher does not look at a request's own timeout, and runs what nobody waits for any more.
  if (batch_max > 0) config += "dynamic_batching { default_queue_policy { allow_timeout_override: true } }\n";
  config += "version_policy: { specific: { versions: [ " + model.version + " ] } }\n";
  model.cloud_json = cloud_json(cloud, model.version);
  model.inference_yaml = inference_yaml(cloud.model, storage_uri);
  return model;
}

}  // namespace hearth::tool
