// What a request is answered with, after the tripwire and the judge have seen it.
#include <algorithm>
#include <charconv>
#include <exception>
#include <system_error>

#include <nlohmann/json.hpp>

#include "cloud_stub/fault_reply.h"
#include "cloud_stub/openai.h"
#include "cloud_stub/server_core.h"

namespace hearth::stub {
namespace {

using nlohmann::json;

constexpr const char* kTimeoutHeader = "x-envoy-expected-rq-timeout-ms";  // As Envoy passes a deadline on.
constexpr std::uint64_t kTimeMax = 1'000'000'000'000;  // Keeps what a client claims within a Duration.

/// What a header of digits says; nothing when it is not there or says something else.
std::optional<std::uint64_t> number_in(const httplib::Request& request, std::string_view name) {
  const std::string value = request.get_header_value(std::string(name).c_str());
  std::uint64_t number = 0;
  const auto [stopped, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || failed != std::errc{} || stopped != value.data() + value.size()) return std::nullopt;
  return std::min<std::uint64_t>(number, kTimeMax);
}

}  // namespace

/// Before anything can refuse the request: what arrived has left the device.
void StubServer::Core::look(const Route& found, const InferRequest& infer, std::string_view body,
                            const std::string& head) {
  if (is_inference(found.call) && judging()) judge_.arrived(found.model, infer);
  if (!tripwire_.armed()) return;
  const auto hits = tripwire_.check(infer.inputs, body, head);
  sensitive_inputs_.fetch_add(hits.inputs, std::memory_order_relaxed);
  canaries_.fetch_add(hits.canaries, std::memory_order_relaxed);
  if (hits.any()) sensitive_requests_.fetch_add(1, std::memory_order_relaxed);
}

/// What the front took and the server never saw counts as received all the same.
void StubServer::Core::swallowed(const HttpHead& head, std::string_view body) {
  const std::string text = head.start.empty() ? std::string() : head.text();
  bytes_in_.fetch_add(text.size() + body.size(), std::memory_order_relaxed);
  const Route found = head.start.empty() ? Route{} : route(head.method(), head.path());
  InferRequest infer;
  if (!head.start.empty()) {
    requests_.fetch_add(1, std::memory_order_relaxed);
    if (is_inference(found.call)) {
      infer_requests_.fetch_add(1, std::memory_order_relaxed);
      const std::string* length = head.get(kHeaderLength);
      infer = parse_infer(body, length == nullptr ? std::nullopt : std::optional<std::string_view>(*length));
    }
  }
  look(found, infer, body, text);
}

/// What is wrong with a request before it is read.
std::optional<Reply> StubServer::Core::refused(const Received& received) const {
  const httplib::Request& request = received.request;
  if (received.broken) return refusal(400, "the body is cut short or cannot be read");
  if (received.too_large) {
    return refusal(413, "the body is larger than " + std::to_string(config_.body_bytes_max) + " bytes");
  }
  if (is_admin(request.path)) return refusal(403, "/admin is for this machine only");
  if (!config_.bearer.empty() && request.get_header_value("Authorization") != "Bearer " + config_.bearer) {
    return refusal(401, "the bearer token is missing or wrong");
  }
  if (request.has_header(std::string(kFaultHeader).c_str())) {
    return refusal(400, std::string(kFaultHeader) + " is obeyed only after a start with --allow-faults");
  }
  return std::nullopt;
}

Reply StubServer::Core::answer(const Received& received, Duration& way_back, bool& shaped) {
  const httplib::Request& request = received.request;
  requests_.fetch_add(1, std::memory_order_relaxed);
  const Route found = route(request.method, request.path);
  const bool is_infer = is_inference(found.call);
  if (is_infer) infer_requests_.fetch_add(1, std::memory_order_relaxed);
  if (request.path == kRedirectPath) judge_.redirect_followed();

  InferRequest infer;
  if (is_infer && found.call != Call::kInfer) {
    infer.inputs.push_back(Tensor::of_text("text", parse_text_request(found.call, received.body).text));
  } else if (is_infer || (tripwire_.armed() && !received.body.empty())) {
    std::optional<std::string> length;
    const std::size_t lengths = request.get_header_value_count(kHeaderLength);
    if (lengths > 0) length = request.get_header_value(kHeaderLength);
    infer = parse_infer(received.body, length);
    if (lengths > 1 && !infer.error) {
      infer.error = OipError{400, std::string(kHeaderLength) + " is given more than once"};
    }
  }
  look(found, infer, received.body, tripwire_.armed() ? head_text(request) : std::string());

  shaped = shaped_.load(std::memory_order_relaxed);
  if (shaped) {
    const auto arrival = shaper_.arrive(now(), received.bytes, is_infer);
    way_back = arrival.way_back;
    sleep_until(arrival.at);
    if (arrival.error_status != 0) {
      errors_injected_.fetch_add(1, std::memory_order_relaxed);
      return refusal(arrival.error_status, "injected failure");
    }
  }
  if (auto refusal = refused(received)) return *std::move(refusal);
  try {
    Reply reply = act(found, infer, received);
    if (is_infer && reply.status == 200) ok_.fetch_add(1, std::memory_order_relaxed);
    return reply;
  } catch (const std::exception&) { return refusal(500, "internal error"); }
}

std::shared_ptr<Model> StubServer::Core::find(const Route& found) const {
  for (const auto& model : models_) {
    const ModelInfo& info = model->info();
    if (info.name == found.model && (found.version.empty() || info.version == found.version)) return model;
  }
  return nullptr;
}

Reply StubServer::Core::act(const Route& found, InferRequest& infer, const Received& received) {
  const bool ready = ready_ && !stopping_;
  const Quirks& quirks = quirks_of(config_.imitate);
  switch (found.call) {
    case Call::kServerLive:
      return {200, quirks.health_bodies ? R"({"live":true})" : "", {}};
    case Call::kServerReady:
      if (!ready) return refusal(quirks.not_ready, "the server is not ready");
      return {200, quirks.health_bodies ? R"({"ready":true})" : "", {}};
    case Call::kServerMetadata:
      return {200, R"({"name":"hearth-cloud-stub","version":"0.1.0","extensions":["binary_tensor_data"]})", {}};
    case Call::kChat:
    case Call::kCompletions:
    case Call::kEmbeddings:
      return ready ? answer_text(found.call, received) : refusal(503, "the model is not ready");
    case Call::kTextModels:
      return text_models();
    case Call::kModelMetadata:
    case Call::kModelReady:
    case Call::kInfer:
      break;
    case Call::kWrongMethod:
      return refusal(405, "this path does not answer to that method");
    default:
      return refusal(404, "unknown path");
  }
  const auto model = find(found);
  if (!model) return refusal(404, "unknown model or version");
  if (found.call == Call::kModelMetadata) return {200, metadata_json(model->info()), {}};
  if (!ready) return refusal(quirks.not_ready, "the model is not ready");
  if (found.call == Call::kModelReady) {
    return {200, quirks.health_bodies ? json{{"name", model->info().name}, {"ready", true}}.dump() : "", {}};
  }
  return infer_with(*model, infer, received, !found.version.empty());
}

void StubServer::Core::judge(std::string_view model, const InferRequest& request, const Received& received) {
  if (!judging()) return;
  std::optional<Duration> timeout;
  if (const auto ms = number_in(received.request, kTimeoutHeader)) timeout = std::chrono::milliseconds(*ms);
  if (request.timeout_us) timeout = std::chrono::microseconds(std::min(*request.timeout_us, kTimeMax));
  const auto held = std::chrono::microseconds(number_in(received.request, kWaitedHeader).value_or(0));
  judge_.executes(model, request, timeout, now() - received.at + held);
}

Reply StubServer::Core::text_models() const {
  json list = json::array();
  for (const auto& name : config_.text_models) {
    list.push_back({{"id", name}, {"object", "model"}, {"created", 0}, {"owned_by", "hearth"}});
  }
  return {200, json{{"object", "list"}, {"data", std::move(list)}}.dump(), {}};
}

Reply StubServer::Core::answer_text(Call call, const Received& received) {
  TextRequest request = parse_text_request(call, received.body);
  const auto& names = config_.text_models;
  if (!request.error && std::find(names.begin(), names.end(), request.model) == names.end()) {
    request.error = OpenaiError{404, "model_not_found", "the model does not exist"};
  }
  if (request.error) return {request.error->status, openai_error_json(*request.error), {}};
  InferRequest judged;
  judged.inputs.push_back(Tensor::of_text("text", request.text));
  judge(request.model, judged, received);
  const TextModel model(request.model);
  if (request.stream) return {200, {}, {}, text_events(call, request, model)};
  return {200, text_reply(call, request, model), {}};
}

Reply StubServer::Core::infer_with(Model& model, InferRequest& request, const Received& received, bool versioned) {
  if (request.error) return refusal(request.error->status, request.error->message);
  judge(model.info().name, request, received);
  const bool with_binary = received.request.has_header(kHeaderLength);
  if (auto problem = receive_as(config_.imitate, request, with_binary, versioned)) {
    return {problem->status, error_as(config_.imitate, *problem), {}};
  }
  if (auto problem = fit_to_model(request, model.info())) return refusal(problem->status, problem->message);
  const auto outputs = model.run(request.inputs);
  if (!outputs) {
    // The engine's own words may quote values.
    return outputs.error().code == ErrorCode::kInvalidArgument ? refusal(400, "the model refused the inputs")
                                                               : refusal(500, "the model failed");
  }
  InferReply built;
  if (auto problem = build_reply(request, model.info(), outputs.value(), built)) {
    return refusal(problem->status, problem->message);
  }
  answer_as(config_.imitate, built);
  return {200, std::move(built.body), built.header_length};
}

}  // namespace hearth::stub
