#include "cloud_stub/oip.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <exception>
#include <utility>

#include <nlohmann/json.hpp>

#include "cloud_stub/oip_elements.h"

namespace hearth::stub {
namespace {

using nlohmann::json;

/// Errors after the first are dropped: one clear line is what a caller can act on.
void refuse(InferRequest& request, std::string message, int status = 400) {
  if (!request.error) request.error = OipError{status, std::move(message)};
}

/// Only numbers, strings and booleans are allowed as parameters. Null when there are none.
const json* parameters_of(InferRequest& request, const json& object, const std::string& where) {
  const auto found = object.find("parameters");
  if (found == object.end()) return nullptr;
  if (!found->is_object()) {
    refuse(request, where + "parameters is not an object");
    return nullptr;
  }
  for (const auto& value : *found) {
    if (!value.is_number() && !value.is_string() && !value.is_boolean()) {
      refuse(request, where + "parameters holds something other than strings, numbers and booleans");
    }
  }
  return &*found;
}

std::optional<bool> flag_of(InferRequest& request, const json* parameters, const char* key, const std::string& where) {
  if (parameters == nullptr) return std::nullopt;
  const auto found = parameters->find(key);
  if (found == parameters->end()) return std::nullopt;
  if (!found->is_boolean()) {
    refuse(request, where + "parameters." + key + " is not a boolean");
    return std::nullopt;
  }
  return found->get<bool>();
}

bool read_shape(const json& input, std::vector<std::int64_t>& shape) {
  const auto found = input.find("shape");
  if (found == input.end() || !found->is_array()) return false;
  for (const auto& dimension : *found) {
    if (!dimension.is_number_integer()) return false;
    if (dimension.is_number_unsigned() && dimension.get<std::uint64_t>() > INT64_MAX) return false;
    const auto size = dimension.get<std::int64_t>();
    if (size < 0) return false;
    shape.push_back(size);
  }
  return true;
}

/// Takes this input's bytes off the front of `binary`. Sizes come from the peer: compared, never added.
void read_binary(InferRequest& request, const json& size, Tensor& tensor, std::string_view& binary,
                 const std::string& where) {
  if (!size.is_number_unsigned()) {
    refuse(request, where + "parameters.binary_data_size is not a non-negative integer");
    return;
  }
  const auto bytes = size.get<std::uint64_t>();
  if (bytes > binary.size()) {
    refuse(request, where + "binary_data_size is more than the body holds");
    return;
  }
  const auto* first = reinterpret_cast<const std::byte*>(binary.data());
  tensor.data.assign(first, first + bytes);
  binary.remove_prefix(static_cast<std::size_t>(bytes));
}

void read_data(InferRequest& request, const json& input, const json* parameters, Tensor& tensor,
               std::string_view& binary, const std::string& where) {
  const auto data = input.find("data");
  const bool has_data = data != input.end();
  const json* size = nullptr;
  if (parameters != nullptr) {
    const auto found = parameters->find("binary_data_size");
    if (found != parameters->end()) size = &*found;
  }
  if (has_data == (size != nullptr)) {
    refuse(request,
           where + (has_data ? "has both data and binary_data_size" : "has neither data nor binary_data_size"));
  }
  if (size != nullptr) {
    read_binary(request, *size, tensor, binary, where);
  } else if (has_data) {
    if (auto problem = elements_from_json(*data, tensor)) refuse(request, where + *problem);
  }
}

void read_input(InferRequest& request, const json& input, std::size_t index, std::string_view& binary) {
  const std::string where = "inputs[" + std::to_string(index) + "]: ";
  if (!input.is_object()) return refuse(request, where + "is not an object");
  Tensor tensor;
  const auto name = input.find("name");
  if (name == input.end() || !name->is_string()) {
    refuse(request, where + "name is not a string");
  } else {
    tensor.name = name->get<std::string>();
  }
  const auto datatype = input.find("datatype");
  std::optional<Datatype> type;
  if (datatype != input.end() && datatype->is_string()) type = datatype_from(datatype->get_ref<const std::string&>());
  if (!type) refuse(request, where + "datatype is not one of the protocol's");
  tensor.datatype = type.value_or(Datatype::kFp32);
  std::optional<std::size_t> count;
  if (!read_shape(input, tensor.shape)) {
    refuse(request, where + "shape is not an array of non-negative integers");
  } else {
    count = element_count(tensor.shape);
    if (!count) refuse(request, where + "shape has too many elements");
  }
  const json* parameters = parameters_of(request, input, where);
  read_data(request, input, parameters, tensor, binary, where);
  if (count) {
    if (auto problem = check_bytes(tensor, *count)) refuse(request, where + *problem);
  }
  request.inputs.push_back(std::move(tensor));
}

void read_outputs(InferRequest& request, const json& header) {
  const auto outputs = header.find("outputs");
  if (outputs == header.end()) return;
  if (!outputs->is_array()) return refuse(request, "outputs is not an array");
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    const json& output = (*outputs)[i];
    const std::string where = "outputs[" + std::to_string(i) + "]: ";
    if (!output.is_object()) return refuse(request, where + "is not an object");
    const auto name = output.find("name");
    if (name == output.end() || !name->is_string()) return refuse(request, where + "name is not a string");
    const json* parameters = parameters_of(request, output, where);
    const auto binary = flag_of(request, parameters, "binary_data", where);
    request.outputs.push_back({name->get<std::string>(), binary.value_or(request.binary_outputs)});
  }
}

void read_header(InferRequest& request, const json& header, std::string_view binary) {
  if (!header.is_object()) return refuse(request, "the request is not a JSON object");
  if (const auto id = header.find("id"); id != header.end()) {
    if (id->is_string()) {
      request.id = id->get<std::string>();
    } else {
      refuse(request, "id is not a string");
    }
  }
  const json* parameters = parameters_of(request, header, "");
  request.binary_outputs = flag_of(request, parameters, "binary_data_output", "").value_or(false);
  if (parameters != nullptr && parameters->contains("timeout")) {
    const json& timeout = *parameters->find("timeout");
    if (!timeout.is_number_unsigned()) return refuse(request, "parameters.timeout is not a number of microseconds");
    request.timeout_us = timeout.get<std::uint64_t>();
  }
  const auto inputs = header.find("inputs");
  if (inputs == header.end() || !inputs->is_array()) {
    refuse(request, "inputs is not an array");
  } else {
    for (std::size_t i = 0; i < inputs->size(); ++i) read_input(request, (*inputs)[i], i, binary);
  }
  if (!binary.empty()) refuse(request, "the body holds more bytes than the binary_data_size parameters name");
  read_outputs(request, header);
}

/// A linear look ahead of the parser, which is iterative but would build what it reads.
bool deeper_than(std::string_view text, std::size_t depth_max) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > depth_max) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

/// Splits the body into its JSON and its binary part. False: refused.
bool split(InferRequest& request, std::string_view body, std::optional<std::string_view> header_length,
           std::string_view& text, std::string_view& binary) {
  text = body;
  if (!header_length) return true;
  std::uint64_t length = 0;
  const char* end = header_length->data() + header_length->size();
  const auto [stopped, failed] = std::from_chars(header_length->data(), end, length);
  if (failed == std::errc::result_out_of_range || (failed == std::errc{} && stopped == end && length > body.size())) {
    refuse(request, "Inference-Header-Content-Length is more than the body holds");
    return false;
  }
  if (failed != std::errc{} || stopped != end) {
    refuse(request, "Inference-Header-Content-Length is not a non-negative integer");
    return false;
  }
  if (length == 0) {
    refuse(request, "Inference-Header-Content-Length 0 (raw binary request) is not supported");
    return false;
  }
  text = body.substr(0, static_cast<std::size_t>(length));
  binary = body.substr(static_cast<std::size_t>(length));
  return true;
}

}  // namespace

InferRequest parse_infer(std::string_view body, std::optional<std::string_view> header_length) {
  InferRequest request;
  std::string_view text;
  std::string_view binary;
  if (!split(request, body, header_length, text, binary)) return request;
  if (deeper_than(text, kJsonDepthMax)) {
    refuse(request, "the JSON is nested deeper than " + std::to_string(kJsonDepthMax) + " levels");
    return request;
  }
  try {
    const json header = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (header.is_discarded()) {
      refuse(request, "the request is not valid JSON");
    } else {
      read_header(request, header, binary);
    }
  } catch (const std::exception&) {  // Out of memory, or a defect: never the library's text, which may quote payload.
    refuse(request, "the request could not be read", 500);
  }
  return request;
}

namespace {

bool fits(const Tensor& tensor, const TensorSpec& spec) {
  if (tensor.datatype != spec.datatype || tensor.shape.size() != spec.shape.size()) return false;
  for (std::size_t i = 0; i < spec.shape.size(); ++i) {
    if (spec.shape[i] != -1 && spec.shape[i] != tensor.shape[i]) return false;
  }
  return true;
}

std::string describe(const TensorSpec& spec) {
  std::string text(name_of(spec.datatype));
  text += " [";
  for (std::size_t i = 0; i < spec.shape.size(); ++i) text += (i ? "," : "") + std::to_string(spec.shape[i]);
  return text + "]";
}

const TensorSpec* find_spec(const std::vector<TensorSpec>& specs, const std::string& name, std::size_t& index) {
  for (index = 0; index < specs.size(); ++index) {
    if (specs[index].name == name) return &specs[index];
  }
  return nullptr;
}

}  // namespace

std::optional<OipError> fit_to_model(InferRequest& request, const ModelInfo& info) {
  std::vector<Tensor> ordered(info.inputs.size());
  std::vector<bool> seen(info.inputs.size() + info.optional_inputs.size(), false);
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    Tensor& tensor = request.inputs[i];
    const std::string where = "inputs[" + std::to_string(i) + "]: ";
    std::size_t index = 0;
    const TensorSpec* spec = find_spec(info.inputs, tensor.name, index);
    const bool required = spec != nullptr;
    if (!required) spec = find_spec(info.optional_inputs, tensor.name, index);
    if (spec == nullptr) return OipError{400, where + "is not an input of this model"};
    const std::size_t slot = required ? index : info.inputs.size() + index;
    if (seen[slot]) return OipError{400, where + "repeats input '" + spec->name + "'"};
    seen[slot] = true;
    if (!fits(tensor, *spec)) {
      return OipError{400, where + "datatype or shape is not what the model takes: " + describe(*spec)};
    }
    if (required) ordered[index] = std::move(tensor);
  }
  for (std::size_t i = 0; i < info.inputs.size(); ++i) {
    if (!seen[i]) return OipError{400, "input '" + info.inputs[i].name + "' is missing"};
  }
  request.inputs = std::move(ordered);

  std::vector<bool> asked(info.outputs.size(), false);
  for (std::size_t i = 0; i < request.outputs.size(); ++i) {
    const std::string where = "outputs[" + std::to_string(i) + "]: ";
    std::size_t index = 0;
    if (find_spec(info.outputs, request.outputs[i].name, index) == nullptr) {
      return OipError{400, where + "is not an output of this model"};
    }
    if (asked[index]) return OipError{400, where + "repeats output '" + info.outputs[index].name + "'"};
    asked[index] = true;
  }
  return std::nullopt;
}

std::optional<OipError> build_reply(const InferRequest& request, const ModelInfo& info,
                                    const std::vector<Tensor>& outputs, InferReply& reply) {
  std::vector<OutputAsk> asks = request.outputs;
  if (asks.empty()) {
    for (const auto& spec : info.outputs) asks.push_back({spec.name, request.binary_outputs});
  }
  try {
    json described = json::array();
    std::string binary;
    bool any_binary = false;
    for (const auto& ask : asks) {
      std::size_t index = 0;
      if (find_spec(info.outputs, ask.name, index) == nullptr || index >= outputs.size()) {
        return OipError{500, "the model gave no output '" + ask.name + "'"};
      }
      const Tensor& tensor = outputs[index];
      json output = {{"name", ask.name}, {"datatype", name_of(tensor.datatype)}, {"shape", tensor.shape}};
      if (ask.binary) {
        any_binary = true;
        output["parameters"] = {{"binary_data_size", tensor.data.size()}};
        binary.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
      } else {
        json data;
        if (auto problem = elements_to_json(tensor, data)) {
          return OipError{500, "output '" + ask.name + "' " + *problem};
        }
        output["data"] = std::move(data);
      }
      described.push_back(std::move(output));
    }
    json header = {{"model_name", info.name}, {"model_version", info.version}, {"outputs", std::move(described)}};
    if (request.id) header["id"] = *request.id;
    reply.body = header.dump();
    reply.header_length.reset();
    if (any_binary) {
      reply.header_length = reply.body.size();
      reply.body += binary;
    }
    return std::nullopt;
  } catch (const std::exception&) { return OipError{500, "the reply could not be written"}; }
}

std::string metadata_json(const ModelInfo& info) {
  const auto list = [](const std::vector<TensorSpec>& specs, const std::vector<TensorSpec>& optional) {
    json all = json::array();
    for (const auto& spec : specs) {
      all.push_back({{"name", spec.name}, {"datatype", name_of(spec.datatype)}, {"shape", spec.shape}});
    }
    for (const auto& spec : optional) {
      all.push_back({{"name", spec.name},
                     {"datatype", name_of(spec.datatype)},
                     {"shape", spec.shape},
                     {"parameters", {{"optional", true}}}});
    }
    return all;
  };
  const json metadata = {{"name", info.name},
                         {"versions", json::array({info.version})},
                         {"platform", info.platform},
                         {"inputs", list(info.inputs, info.optional_inputs)},
                         {"outputs", list(info.outputs, {})}};
  return metadata.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string error_json(std::string_view message) {
  return json{{"error", message}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace hearth::stub
