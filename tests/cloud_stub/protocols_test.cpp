// hearth's own way out to each kind of server that the stub can stand in for: codecs, transport and server together.
#include <httplib.h>

#include <cmath>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "cloud_stub/server.h"
#include "runtime/cloud/codec.h"
#include "runtime/cloud/oip_codec.h"
#include "tests/runtime/net/attempts.h"

using namespace hearth;
using namespace std::chrono_literals;
using stub::Imitated;
using test::Attempts;

namespace {

/// What it is asked for, and more: KServe and MLServer give all of a model's outputs.
class Generous : public stub::Model {
 public:
  Generous() {
    info_.name = "sum";
    info_.inputs = {{"x", Datatype::kFp32, {3}}};
    info_.outputs = {{"extra", Datatype::kInt64, {2}}, {"y", Datatype::kFp32, {3}}};
  }
  const stub::ModelInfo& info() const override { return info_; }
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    std::vector<float> values;
    for (const float value : inputs[0].floats()) values.push_back(value * 2);
    return std::vector<Tensor>{Tensor{"", Datatype::kInt64, {2}, std::vector<std::byte>(16)},
                               Tensor::of_floats("", {3}, values)};
  }

 private:
  stub::ModelInfo info_;
};

CloudBinding sum_binding() {
  CloudBinding bound;
  bound.model = "sum";
  bound.inputs = {{"x", Datatype::kFp32, {3}}};
  bound.outputs = {{"y", Datatype::kFp32, {3}}};
  return bound;
}

struct World {
  explicit World(stub::StubConfig config)
      : server(std::move(config), std::vector<std::shared_ptr<stub::Model>>{std::make_shared<Generous>()}) {
    const auto port = server.start();
    if (!port) throw std::runtime_error(port.error().message);
    endpoint = test::endpoint_at("http://127.0.0.1:" + std::to_string(port.value()));
  }
  static stub::StubConfig like(Imitated whom) {
    stub::StubConfig config;
    config.imitate = whom;
    return config;
  }
  static stub::StubConfig with_text() {
    stub::StubConfig config;
    config.text_models = {"org/small:1"};
    config.judge = true;
    return config;
  }
  Result<std::vector<Tensor>> ask(const CloudBinding& bound, const Request& request, Duration time_left = 60s) {
    Endpoint at = endpoint;
    if (protocol_of(bound.api) == Protocol::kOpenai) at.url += "/v1";
    Attempts attempts;
    const SendResult sent = attempts.send(at, cloud::encode(bound, at, request, "id-1", time_left));
    if (!sent.reply.ok()) return sent.reply.error();
    return cloud::decode(bound, sent.reply.value(), "id-1");
  }
  /// "right", or "code: message".
  std::string sum(Encoding encoding, const std::string& version = "") {
    CloudBinding bound = sum_binding();
    bound.version = version;
    endpoint.encoding = encoding;
    Request request;
    request.inputs = {Tensor::of_floats("x", {3}, std::vector<float>{1, 2, 4})};
    const auto answer = ask(bound, request);
    if (!answer.ok()) return std::string(name_of(answer.error().code)) + ": " + answer.error().message;
    const auto values = answer.value().at(0).floats();
    const bool right =
        check_tensors(answer.value(), bound.outputs).ok() && values[0] == 2 && values[1] == 4 && values[2] == 8;
    return right ? "right" : "wrong";
  }

  stub::StubServer server;
  Endpoint endpoint;
};

CloudBinding text_binding(CloudApi api, const std::string& model = "org/small:1") {
  CloudBinding bound;
  bound.model = model;
  bound.api = api;
  bound.text_input = "text";
  if (api == CloudApi::kEmbeddings) {
    bound.outputs = {{"embedding", Datatype::kFp32, {1, 64}}};
  } else {
    bound.outputs = {{"answer", Datatype::kBytes, {1}}};
  }
  return bound;
}

Request note(std::string text) {
  Request request;
  request.text = std::move(text);
  return request;
}

std::string text_of(const Result<std::vector<Tensor>>& answer) {
  if (!answer.ok()) return std::string(name_of(answer.error().code)) + ": " + answer.error().message;
  const auto& data = answer.value().at(0).data;
  return {reinterpret_cast<const char*>(data.data()) + 4, data.size() - 4};
}

const std::string kStory =
    "The knee hurts since Monday. Weather was fine. The knee is red, and the knee is warm. Bring cake.";

}  // namespace

TEST_CASE("each server's answer is understood in JSON, and in binary where it speaks binary") {
  for (const auto whom : {Imitated::kNone, Imitated::kTriton, Imitated::kKserve, Imitated::kOvms}) {
    CAPTURE(static_cast<int>(whom));
    World world(World::like(whom));
    CHECK(world.sum(Encoding::kJson) == "right");
    CHECK(world.sum(Encoding::kBinary) == "right");
  }
  World mlserver(World::like(Imitated::kMlserver));
  CHECK(mlserver.sum(Encoding::kJson) == "right");
  CHECK(mlserver.sum(Encoding::kBinary) == "invalid_argument: the server answered with status 422");
}

TEST_CASE("a version in the path is served by all but KServe, also where the reply does not name it") {
  for (const auto whom : {Imitated::kNone, Imitated::kTriton, Imitated::kOvms, Imitated::kMlserver}) {
    CAPTURE(static_cast<int>(whom));
    CHECK(World(World::like(whom)).sum(Encoding::kJson, "1") == "right");
  }
  CHECK(World(World::like(Imitated::kKserve)).sum(Encoding::kJson, "1") ==
        "unavailable: the server answered with status 501");
}

TEST_CASE("health is what the status says: bodies differ from server to server") {
  const auto health = [](Imitated whom) {
    World world(World::like(whom));
    httplib::Client client(world.endpoint.url);
    const auto good = client.Get("/v2/health/ready");
    client.Post("/admin/ready", R"({"ready":false})", "application/json");
    const auto bad = client.Get("/v2/health/ready");
    REQUIRE((good && bad));
    return std::to_string(good->status) + good->body + std::to_string(bad->status);
  };
  CHECK(health(Imitated::kTriton) == "200400");
  CHECK(health(Imitated::kOvms) == "200400");
  CHECK(health(Imitated::kMlserver) == "200400");
  CHECK(health(Imitated::kKserve) == R"(200{"ready":true}503)");
}

TEST_CASE("the time left reaches the server, which counts what comes later") {
  stub::StubConfig config;
  config.judge = true;
  config.shaping.latency = {.kind = stub::LatencyKind::kConstant, .ms = 40};
  World world(std::move(config));
  Request request;
  request.inputs = {Tensor::of_floats("x", {3}, std::vector<float>{1, 2, 4})};
  CHECK(world.ask(sum_binding(), request, 60s).ok());
  CHECK(world.server.verdict_json().find(R"("after_deadline":0)") != std::string::npos);
  CHECK(world.ask(sum_binding(), request, 1ms).ok());  // the server takes 20 ms to hear of it
  CHECK(world.server.verdict_json().find(R"("after_deadline":1)") != std::string::npos);
}

TEST_CASE("chat, completions and embeddings get their answers from a server that is no codec of hearth's") {
  World world(World::with_text());
  const std::string short_story = "In short: The knee hurts since Monday. The knee is red, and the knee is warm.";
  CHECK(text_of(world.ask(text_binding(CloudApi::kChat), note(kStory))) == short_story);
  CHECK(text_of(world.ask(text_binding(CloudApi::kCompletions), note(kStory))) == short_story);
  CloudBinding bounded = text_binding(CloudApi::kChat);
  bounded.system_prompt = "Be short.";
  bounded.tokens_max = 4;
  CHECK(text_of(world.ask(bounded, note(kStory))) == "In short: The knee");
  const auto embedding = world.ask(text_binding(CloudApi::kEmbeddings), note(kStory));
  REQUIRE(embedding.ok());
  double squares = 0;
  for (const float value : embedding.value()[0].floats()) squares += static_cast<double>(value) * value;
  CHECK(std::fabs(squares - 1) < 1e-5);  // the model gives vectors of length 1
  CHECK(world.server.stats().ok == 4);
}

TEST_CASE("a text server's refusals are typed") {
  World world(World::with_text());
  CHECK(text_of(world.ask(text_binding(CloudApi::kChat, "another"), note("hi"))) ==
        "not_found: the server does not have the model, or not this API (404)");
  stub::StubConfig guarded = World::with_text();
  guarded.bearer = "sesame";
  World locked(std::move(guarded));
  CHECK(text_of(locked.ask(text_binding(CloudApi::kChat), note("hi"))) ==
        "invalid_argument: the server answered with status 401: it does not take the credential");
}

TEST_CASE("the tripwire sees what arrives through the OpenAI API too") {
  World world(World::with_text());
  httplib::Client client(world.endpoint.url);
  REQUIRE(client.Post("/admin/tripwire", R"({"canaries":["4711-0815"]})", "application/json"));
  CHECK(world.ask(text_binding(CloudApi::kChat), note("her number is 4711-0815.")).ok());
  CHECK(world.server.stats().canaries_seen == 1);
}

TEST_CASE("a stream of server-sent events says in pieces what the whole answer says") {
  World world(World::with_text());
  httplib::Client client(world.endpoint.url);
  std::string events;
  const auto streamed =
      client.Post("/v1/chat/completions",
                  R"({"model":"org/small:1","stream":true,"messages":[{"role":"user","content":"One. Two."}]})",
                  "application/json");
  REQUIRE(streamed);
  CHECK(streamed->get_header_value("Content-Type") == "text/event-stream");
  std::string text;
  for (std::size_t at = 0; (at = streamed->body.find("\"content\":\"", at)) != std::string::npos;) {
    at += 11;
    text += streamed->body.substr(at, streamed->body.find('"', at) - at);
  }
  CHECK(text == "In short: One. Two.");
  CHECK(streamed->body.ends_with("data: [DONE]\n\n"));
}

TEST_CASE("what is no request of the OpenAI API is refused in its words, and the server lives on") {
  World world(World::with_text());
  httplib::Client client(world.endpoint.url);
  const auto post = [&](const std::string& path, const std::string& body) {
    const auto reply = client.Post(path.c_str(), body, "application/json");
    REQUIRE(reply);
    return std::to_string(reply->status) + (reply->body.find(R"("error":{)") != std::string::npos ? " error" : "");
  };
  for (const std::string body :
       {"", "{", "[]", R"({"model":"org/small:1"})", R"({"model":1,"messages":[]})",
        R"({"model":"org/small:1","messages":[]})", R"({"model":"org/small:1","messages":[7]})",
        R"({"model":"org/small:1","messages":[{"role":"x","content":"y"}]})"}) {
    CAPTURE(body);
    CHECK(post("/v1/chat/completions", body) == "400 error");
  }
  CHECK(post("/v1/completions", std::string(200'000, '[')) == "400 error");
  CHECK(post("/v1/embeddings", R"({"model":"nobody","input":"x"})") == "404 error");
  CHECK(post("/v1/completions", R"({"model":"org/small:1","prompt":"x","max_tokens":0})") == "400 error");
  CHECK(client.Get("/v1/models")->body.find("org/small:1") != std::string::npos);
  CHECK(client.Get("/v1/chat/completions")->status == 405);
}
