#include "runtime/sim/oip_server.h"

#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

namespace hearth::sim {
namespace {

HttpReply error_reply(int status) {
  return {status, {{"content-type", "application/json"}}, R"({"error":"simulated"})"};
}

std::size_t json_length(const HttpMessage& message) {
  for (const auto& [name, value] : message.headers) {
    std::size_t length = 0;
    if (name == "Inference-Header-Content-Length" &&
        std::from_chars(value.data(), value.data() + value.size(), length).ec == std::errc())
      return length;
  }
  return message.body.size();
}

}  // namespace

Responder oip_server(const CloudBinding& binding,
                     std::function<std::vector<Tensor>(const std::vector<std::string>&)> answer) {
  return [binding, answer = std::move(answer)](const HttpMessage& message) -> HttpReply {
    const auto header = nlohmann::json::parse(message.body.substr(0, json_length(message)), nullptr, false);
    if (header.is_discarded() || !header.contains("inputs")) return error_reply(400);
    std::vector<std::string> inputs;
    std::size_t at = json_length(message);
    for (const auto& input : header["inputs"]) {
      const std::size_t size = input["parameters"].value("binary_data_size", std::size_t{0});
      if (input["datatype"] == "FP32") inputs.push_back(message.body.substr(at, size));
      at += size;
    }
    nlohmann::json outputs = nlohmann::json::array();
    std::string raw;
    const auto tensors = answer(inputs);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto& tensor = tensors[i];
      outputs.push_back({{"name", binding.outputs[i].name},
                         {"datatype", name_of(tensor.datatype)},
                         {"shape", binding.outputs[i].shape},
                         {"parameters", {{"binary_data_size", tensor.data.size()}}}});
      raw.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    }
    const std::string head =
        nlohmann::json{{"model_name", binding.model}, {"id", header.value("id", "")}, {"outputs", outputs}}.dump();
    return {200, {{"inference-header-content-length", std::to_string(head.size())}}, head + raw};
  };
}

}  // namespace hearth::sim
