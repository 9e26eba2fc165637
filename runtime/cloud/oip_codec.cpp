#include "runtime/cloud/oip_codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/base/json_text.h"
#include "runtime/cloud/oip_elements.h"
#include "runtime/cloud/reply_json.h"

namespace hearth::cloud {
namespace {

using nlohmann::json;

constexpr std::string_view kHeaderLength = "Inference-Header-Content-Length";
constexpr std::string_view kHeaderLengthLower = "inference-header-content-length";

/// One path segment: everything but RFC 3986's unreserved characters is escaped.
void append_segment(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      (out += '%').append({kHex[byte >> 4], kHex[byte & 15]});
    }
  }
}

/// The cloud's shape for a tensor: its one open dimension is what the element count leaves for it.
std::vector<std::int64_t> wire_shape(const TensorSpec& spec, const Tensor& tensor) {
  std::vector<std::int64_t> shape = spec.shape;
  std::size_t fixed = 1;
  std::int64_t* open = nullptr;
  for (auto& dimension : shape) {
    if (dimension != -1) {
      fixed *= static_cast<std::size_t>(dimension);
    } else if (open != nullptr) {
      return tensor.shape;
    } else {
      open = &dimension;
    }
  }
  const auto count = element_count(tensor.shape);
  if (open != nullptr && count && fixed > 0) *open = static_cast<std::int64_t>(*count / fixed);
  return shape;
}

void append_input(std::string& header, std::string_view name, Datatype datatype, std::span<const std::int64_t> shape,
                  std::span<const std::byte> data, Encoding encoding) {
  header += R"({"name":)";
  append_json_string(header, name);
  header += R"(,"shape":[)";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) header += ',';
    append_json_number(header, shape[i]);
  }
  header.append(R"(],"datatype":")").append(name_of(datatype));
  if (encoding == Encoding::kBinary) {
    header += R"(","parameters":{"binary_data_size":)";
    append_json_number(header, data.size());
    header += "}}";
  } else {
    header += R"(","data":)";
    append_json_elements(header, datatype, data);
    header += '}';
  }
}

/// Triton's schedule policy: whole microseconds. A server that does not know it lets it be.
void append_time_left(std::string& header, std::optional<Duration> time_left) {
  if (!time_left) return;
  header += R"(,"parameters":{"timeout":)";
  append_json_number(
      header, std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::microseconds>(*time_left).count()));
  header += '}';
}

void append_outputs(std::string& header, const CloudBinding& binding, Encoding encoding) {
  header += R"(],"outputs":[)";
  for (std::size_t i = 0; i < binding.outputs.size(); ++i) {
    header += i == 0 ? R"({"name":)" : R"(,{"name":)";
    append_json_string(header, binding.outputs[i].name);
    header += encoding == Encoding::kBinary ? R"(,"parameters":{"binary_data":true}})" : "}";
  }
  header += "]}";
}

Error wrong_output(const TensorSpec& spec, const char* what) { return corrupt("output '" + spec.name + "': " + what); }

/// How many bytes of the body are JSON; nothing when the header that says so is wrong.
std::optional<std::size_t> json_length(const HttpReply& reply) {
  std::optional<std::size_t> length;
  for (const auto& [name, value] : reply.headers) {
    if (name != kHeaderLengthLower) continue;
    std::size_t number = 0;
    const char* end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, number);
    if (length || error != std::errc() || rest != end || number > reply.body.size()) return std::nullopt;
    length = number;
  }
  return length ? length : reply.body.size();
}

template <class T>
bool any_nan(std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (std::isnan(value)) return true;
  }
  return false;
}

/// An answer that no comparison can rank. JSON has no NaN; binary data has. `bytes` are whole elements.
bool holds_nan(Datatype datatype, std::span<const std::byte> bytes) {
  if (datatype == Datatype::kFp32) return any_nan<float>(bytes);
  if (datatype == Datatype::kFp64) return any_nan<double>(bytes);
  if (datatype != Datatype::kFp16) return false;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + at, sizeof half);
    if ((half & 0x7fff) > 0x7c00) return true;  // IEEE 754: exponent all ones, fraction not zero
  }
  return false;
}

bool same_datatype(std::string_view said, std::string_view expected) {
  return std::equal(said.begin(), said.end(), expected.begin(), expected.end(),
                    [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; });
}

/// Absent and null are the same: servers with pydantic models write null for what they leave out.
const json* value_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

/// Reads one output at a time; binary ones take their bytes from the front of what follows the JSON.
class OutputReader {
 public:
  explicit OutputReader(std::string_view binary) : binary_(binary) {}

  Result<Tensor> read(const json& output, const TensorSpec& spec) {
    Tensor tensor{spec.name, spec.datatype, {}, {}};
    const std::string* datatype = string_at(output, "datatype");
    if (datatype == nullptr || !same_datatype(*datatype, name_of(spec.datatype))) {
      return wrong_output(spec, "another datatype");
    }
    if (!read_shape(output, spec, tensor.shape)) return wrong_output(spec, "another shape");
    std::optional<std::uint64_t> binary_size;
    if (const char* wrong = read_binary_size(output, binary_size)) return wrong_output(spec, wrong);
    const json* data = value_at(output, "data");
    if (binary_size.has_value() == (data != nullptr)) return wrong_output(spec, "expected either data or binary data");
    const char* wrong = binary_size ? take_binary(*binary_size, tensor)
                                    : read_json_elements(*data, tensor.datatype, tensor.shape, tensor.data);
    if (wrong != nullptr) return wrong_output(spec, wrong);
    if (tensor.shape.size() != spec.shape.size()) tensor.shape.pop_back();
    return tensor;
  }

  /// Steps over an output that was not asked for. Null when that went well.
  const char* skip(const json& output) {
    std::optional<std::uint64_t> size;
    if (const char* wrong = read_binary_size(output, size)) return wrong;
    if (size.value_or(0) > binary_.size()) return "more binary data announced than sent";
    binary_.remove_prefix(size.value_or(0));
    return nullptr;
  }

  bool finished() const { return binary_.empty(); }

 private:
  static const char* read_binary_size(const json& output, std::optional<std::uint64_t>& binary_size) {
    const json* parameters = value_at(output, "parameters");
    if (parameters == nullptr) return nullptr;
    if (!parameters->is_object()) return "parameters are not an object";
    const auto size = parameters->find("binary_data_size");
    if (size == parameters->end()) return nullptr;
    if (!size->is_number_unsigned()) return "binary_data_size is not a number of bytes";
    binary_size = size->get<std::uint64_t>();
    return nullptr;
  }

  /// MLServer writes [N, 1] for its [N].
  static bool read_shape(const json& output, const TensorSpec& spec, std::vector<std::int64_t>& shape) {
    const auto found = output.find("shape");
    if (found == output.end() || !found->is_array()) return false;
    const bool column = spec.shape.size() == 1 && found->size() == 2;
    if (found->size() != spec.shape.size() && !column) return false;
    for (const json& dimension : *found) {
      if (!dimension.is_number_unsigned() || !std::in_range<std::int64_t>(dimension.get<std::uint64_t>())) return false;
      const auto value = dimension.get<std::int64_t>();
      const auto expected = shape.size() < spec.shape.size() ? spec.shape[shape.size()] : 1;
      if (expected != -1 && value != expected) return false;
      shape.push_back(value);
    }
    return true;
  }

  const char* take_binary(std::uint64_t size, Tensor& tensor) {
    if (size > binary_.size()) return "more binary data announced than sent";
    const auto bytes = std::as_bytes(std::span(binary_.substr(0, size)));
    binary_.remove_prefix(size);
    const auto count = element_count(tensor.shape);
    const std::size_t element = size_of(tensor.datatype);
    const bool fits =
        count && (element == 0 ? holds_byte_elements(bytes, *count) : size % element == 0 && size / element == *count);
    if (!fits) return "another byte count than the shape";
    if (holds_nan(tensor.datatype, bytes)) return "a value that is not a number";
    tensor.data.assign(bytes.begin(), bytes.end());
    return nullptr;
  }

  std::string_view binary_;
};

/// What the reply says it answers. An id or a version may be left out, but not be another one. Null when all is well.
const char* check_heading(const json& root, const CloudBinding& binding, std::string_view wire_id) {
  const json* id = value_at(root, "id");
  if (id != nullptr && (!id->is_string() || id->get_ref<const std::string&>() != wire_id)) return "another id";
  const std::string* model = string_at(root, "model_name");
  if (model == nullptr || *model != binding.model) return "another model";
  const json* version = value_at(root, "model_version");
  const bool other =
      version != nullptr && (!version->is_string() || version->get_ref<const std::string&>() != binding.version);
  return !binding.version.empty() && other ? "another model version" : nullptr;
}

Result<std::vector<Tensor>> decode_body(const CloudBinding& binding, const HttpReply& reply, std::string_view wire_id) {
  const auto length = json_length(reply);
  if (!length) return corrupt(std::string(kHeaderLength) + " is not a length within the body");
  const std::string_view text = std::string_view(reply.body).substr(0, *length);
  const auto parsed = parse_object(text);
  if (!parsed.ok()) return parsed.error();
  const json& root = *parsed;
  if (const char* wrong = check_heading(root, binding, wire_id)) return corrupt(wrong);
  const auto outputs = root.find("outputs");
  if (outputs == root.end() || !outputs->is_array()) return corrupt("outputs are not an array");

  OutputReader reader(std::string_view(reply.body).substr(*length));
  std::vector<std::optional<Tensor>> found(binding.outputs.size());
  for (const json& output : *outputs) {
    const std::string* name = output.is_object() ? string_at(output, "name") : nullptr;
    if (name == nullptr) return corrupt("an output without a name");
    std::size_t at = 0;
    while (at < found.size() && binding.outputs[at].name != *name) ++at;
    if (at == found.size()) {  // KServe and MLServer leave the choice of outputs to the model
      if (const char* wrong = reader.skip(output))
        return corrupt(std::string("an output that was not asked for: ") + wrong);
      continue;
    }
    if (found[at]) return wrong_output(binding.outputs[at], "there twice");
    auto tensor = reader.read(output, binding.outputs[at]);
    if (!tensor.ok()) return tensor.error();
    found[at] = std::move(tensor).value();
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) return wrong_output(binding.outputs[i], "is missing");
  }
  if (!reader.finished()) return corrupt("more binary data than the outputs announce");

  std::vector<Tensor> tensors;
  tensors.reserve(found.size());
  for (auto& tensor : found) tensors.push_back(std::move(*tensor));
  return tensors;
}

}  // namespace

HttpMessage encode_infer(const CloudBinding& binding, std::span<const Tensor> inputs, std::string_view text,
                         std::string_view wire_id, Encoding encoding, std::optional<Duration> time_left) {
  std::vector<Tensor> text_tensor;
  if (!binding.text_input.empty() && !text.empty()) text_tensor.push_back(Tensor::of_text(binding.text_input, text));

  inputs = inputs.first(std::min(inputs.size(), binding.inputs.size()));
  HttpMessage message;
  std::size_t binary_bytes = 0;
  std::string& header = message.body;
  if (encoding == Encoding::kBinary) {
    for (const Tensor& input : inputs) binary_bytes += input.data.size();
    for (const Tensor& input : text_tensor) binary_bytes += input.data.size();
    header.reserve(binary_bytes + 128 + 128 * (inputs.size() + binding.outputs.size() + 1));
  }

  header += R"({"id":)";
  append_json_string(header, wire_id);
  append_time_left(header, time_left);
  header += R"(,"inputs":[)";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = binding.inputs[i];
    if (i > 0) header += ',';
    append_input(header, spec.name, spec.datatype, wire_shape(spec, inputs[i]), inputs[i].data, encoding);
  }
  for (const Tensor& input : text_tensor) {
    if (!inputs.empty()) header += ',';
    append_input(header, input.name, input.datatype, input.shape, input.data, encoding);
  }
  append_outputs(header, binding, encoding);

  message.target = "/v2/models/";
  append_segment(message.target, binding.model);
  if (!binding.version.empty()) append_segment(message.target += "/versions/", binding.version);
  message.target += "/infer";

  if (encoding == Encoding::kJson) {
    message.headers.emplace_back("Content-Type", "application/json");
    message.headers.emplace_back("Accept-Encoding", "gzip");  // binary tensors would hardly shrink
    return message;
  }
  message.headers.emplace_back("Content-Type", "application/octet-stream");
  message.headers.emplace_back(kHeaderLength, std::to_string(header.size()));
  const auto append = [&](const Tensor& input) {
    message.body.append(reinterpret_cast<const char*>(input.data.data()), input.data.size());
  };
  for (const Tensor& input : inputs) append(input);
  for (const Tensor& input : text_tensor) append(input);
  return message;
}

Result<std::vector<Tensor>> decode_infer(const CloudBinding& binding, const HttpReply& reply,
                                         std::string_view wire_id) {
  if (reply.status != 200) return status_error(reply.status);
  try {
    return decode_body(binding, reply, wire_id);
  } catch (const std::exception&) { return Error{ErrorCode::kCorrupt, "reply: cannot be read"}; }
}

}  // namespace hearth::cloud
