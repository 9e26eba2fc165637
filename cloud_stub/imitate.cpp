#include "cloud_stub/imitate.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

namespace hearth::stub {
namespace {

using nlohmann::json;

constexpr int kUnprocessable = 422;

/// FastAPI's form of a request that does not validate, which KServe and MLServer are built on.
std::string validation_error() {
  return json{{"detail", json::array({{{"loc", json::array({"body", "inputs", 0, "data"})},
                                       {"msg", "Field required"},
                                       {"type", "missing"}}})}}
      .dump();
}

void as_kserve(json& root) {
  root["model_version"] = nullptr;
  root["parameters"] = nullptr;
  for (json& output : root["outputs"]) {
    if (output.contains("parameters")) {
      output["data"] = nullptr;
    } else {
      output["parameters"] = nullptr;
    }
  }
}

void as_mlserver(json& root) {
  root.erase("model_version");
  root["parameters"] = json::object();
  for (json& output : root["outputs"]) {
    if (output["shape"].size() == 1) output["shape"].push_back(1);
    output["parameters"] = {{"content_type", "np"}};
  }
}

}  // namespace

std::optional<Imitated> imitated_from(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Imitated>, 4> kNames{{{"triton", Imitated::kTriton},
                                                                         {"kserve", Imitated::kKserve},
                                                                         {"ovms", Imitated::kOvms},
                                                                         {"mlserver", Imitated::kMlserver}}};
  const auto found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& one) { return one.first == name; });
  return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

const Quirks& quirks_of(Imitated server) {
  static constexpr Quirks kPlain{};
  static constexpr Quirks kTriton{.health_bodies = false, .not_ready = 400};
  static constexpr Quirks kKserve{.versions = false, .picks_outputs = false};
  static constexpr Quirks kOvms{.health_bodies = false, .lower_headers = true, .not_ready = 400};
  static constexpr Quirks kMlserver{
      .binary = false, .picks_outputs = false, .health_bodies = false, .lower_headers = true, .not_ready = 400};
  switch (server) {
    case Imitated::kTriton:
      return kTriton;
    case Imitated::kKserve:
      return kKserve;
    case Imitated::kOvms:
      return kOvms;
    case Imitated::kMlserver:
      return kMlserver;
    default:
      return kPlain;
  }
}

std::optional<OipError> receive_as(Imitated server, InferRequest& request, bool with_binary, bool versioned) {
  const Quirks& quirks = quirks_of(server);
  if (versioned && !quirks.versions) return OipError{501, "Model versioning not supported yet."};
  if (with_binary && !quirks.binary) return OipError{kUnprocessable, "a tensor without data"};
  const bool any = std::any_of(request.outputs.begin(), request.outputs.end(), [](auto& ask) { return ask.binary; });
  if (!quirks.picks_outputs) {
    request.binary_outputs = request.binary_outputs || any;
    request.outputs.clear();
  }
  if (!quirks.binary) {
    request.binary_outputs = false;
    for (OutputAsk& ask : request.outputs) ask.binary = false;
  }
  return std::nullopt;
}

void answer_as(Imitated server, InferReply& reply) {
  if (server != Imitated::kKserve && server != Imitated::kMlserver) return;
  const std::size_t size = reply.header_length.value_or(reply.body.size());
  json root = json::parse(std::string_view(reply.body).substr(0, size));
  if (server == Imitated::kKserve) as_kserve(root);
  if (server == Imitated::kMlserver) as_mlserver(root);
  const std::string text = root.dump();
  reply.body.replace(0, size, text);
  if (reply.header_length) reply.header_length = text.size();
}

std::string error_as(Imitated server, const OipError& error) {
  const bool fastapi = server == Imitated::kKserve || server == Imitated::kMlserver;
  return fastapi && error.status == kUnprocessable ? validation_error() : error_json(error.message);
}

}  // namespace hearth::stub
