// Goal: endpoints with credentials and protocols, from request to outcome. Method: real loop, real HTTP, a real journal
// and a real stub server on 127.0.0.1; only the edge model is a function.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include <httplib.h>

#include <catch2/catch.hpp>

#include "cloud_stub/server.h"
#include "runtime/device/audit_log.h"
#include "runtime/net/net.h"
#include "runtime/telemetry/trace.h"
#include "tests/support/notes_world.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kSecret = "s3same-0pen-9f2c";
constexpr const char* kVariable = "HEARTH_TEST_ENDPOINT_TOKEN";

struct Variable {
  explicit Variable(const std::string& value) { setenv(kVariable, value.c_str(), 1); }
  ~Variable() { unsetenv(kVariable); }
};

ModelPair chat_pair() {
  ModelPair pair = notes_pair();
  pair.cloud.model = "small";
  pair.cloud.api = CloudApi::kChat;
  return pair;
}

std::string answer_of(const Outcome& outcome) {
  const auto& data = outcome.outputs.at(0).data;
  return {reinterpret_cast<const char*>(data.data()) + 4, data.size() - 4};
}

struct LoopbackWorld {
  explicit LoopbackWorld(const std::string& bearer = "") : server(stub_config(bearer), {stub::null_model("photo")}) {
    const auto port = server.start();
    if (!port) throw std::runtime_error(port.error().message);
    url = "http://127.0.0.1:" + std::to_string(port.value());
    config = sim_config();
    config.models = {chat_pair()};
    Endpoint endpoint{"eu-1", url + "/v1", "eu"};
    endpoint.protocol = Protocol::kOpenai;
    endpoint.auth = {Auth::Kind::kBearer, Auth::Source::kEnvironment, kVariable};
    config.endpoints = {endpoint};
    config.journal_file = (folder.path() / "journal").string();
  }
  static stub::StubConfig stub_config(const std::string& bearer) {
    stub::StubConfig config;
    config.text_models = {"small"};
    config.bearer = bearer;
    return config;
  }

  void start() {
    World world;
    world.loop = net::make_asio_loop();
    world.transport = net::make_http_transport(*world.loop, {});
    auto journal = device::open_audit_log(*world.loop, config);
    if (!journal.ok()) throw std::runtime_error(journal.error().message);
    world.journal = journal.value();
    world.load_edge_model = [loop = world.loop.get()](const ModelPair& pair) -> Result<std::shared_ptr<EdgeModel>> {
      if (!pair.edge.endpoint.empty()) return net::make_local_text_model(pair.edge, 2, 1 << 20);
      const bool text = pair.edge.inputs.empty();
      const auto answer = [text](std::span<const Tensor>) -> EdgeModel::Outputs {
        if (text) return std::vector<Tensor>{Tensor::of_text("answer", "at home")};
        return std::vector<Tensor>{Tensor::of_floats("", {10}, std::vector<float>(10, 0.f))};
      };
      return std::shared_ptr<EdgeModel>(std::make_shared<sim::SimulatedModel>(*loop, answer, 1ms, 0.1, 1));
    };
    auto made = Runtime::create(config, std::move(world), [this](LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex);
      said += std::string(line) + '\n';
    });
    if (!made.ok()) throw std::runtime_error(made.error().message);
    runtime = std::move(made).value();
    runtime->set_consent(Consent::kGiven);
  }
  Outcome ask(Request request) {
    request.deadline = 30s;
    const Outcome outcome = runtime->infer(request);
    said += telemetry::to_json_line(outcome) + '\n' + outcome.message + '\n';
    return outcome;
  }
  /// Everything that the runtime has said or written down. Ends it.
  std::string everything() {
    runtime.reset();
    std::string all = said;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder.path())) {
      std::ifstream in(file.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }

  TempFolder folder;
  stub::StubServer server;
  std::string url;
  RuntimeConfig config;
  std::mutex mutex;
  std::string said;
  std::unique_ptr<Runtime> runtime;
};

}  // namespace

TEST_CASE("a credential opens the endpoint and is in no log, message, trace or record", "[facade][door][loopback]") {
  const Variable variable(kSecret);
  LoopbackWorld world(kSecret);
  world.start();
  const Outcome outcome = world.ask(note("The knee hurts. Bring cake."));
  CHECK(outcome.served_on == "eu-1");
  CHECK(answer_of(outcome) == "In short: The knee hurts. Bring cake.");
  setenv(kVariable, (std::string(kSecret) + "-wrong").c_str(), 1);
  const Outcome refused = world.ask(note("The knee hurts."));
  CHECK(refused.served_on == "edge");
  CHECK(refused.message == "the server answered with status 401: it does not take the credential");
  const std::string all = world.everything();
  CHECK(all.find("\"egress\"") != std::string::npos);  // the journal was among it
  CHECK(all.find(kSecret) == std::string::npos);
}

TEST_CASE("without its credential nothing leaves, and the local answer says why", "[facade][door][loopback]") {
  LoopbackWorld world(kSecret);
  world.start();
  const Outcome outcome = world.ask(note("The knee hurts."));
  CHECK(outcome.served_on == "edge");
  CHECK(answer_of(outcome) == "at home");
  CHECK(outcome.reason == Reason::kCloudFailed);
  REQUIRE_FALSE(outcome.attempts.empty());
  CHECK(outcome.attempts.back().error == "not_found");
  CHECK(outcome.message ==
        "endpoint 'eu-1': its credential, environment variable 'HEARTH_TEST_ENDPOINT_TOKEN', is not set");
  CHECK(world.server.stats().connections == 0);
}

TEST_CASE("text that leaves redacted comes back restored from a chat server", "[facade][door][loopback]") {
  const Variable variable(kSecret);
  LoopbackWorld world(kSecret);
  httplib::Client admin(world.url);
  REQUIRE(admin.Post("/admin/tripwire", R"({"canaries":["ann@example.com"]})", "application/json"));
  world.start();
  const Outcome outcome = world.ask(note("Ask ann@example.com about the knee. Ann is ann@example.com, too."));
  CHECK(outcome.data_class == "personal");
  CHECK(outcome.served_on == "eu-1");
  CHECK(answer_of(outcome) == "In short: Ask ann@example.com about the knee. Ann is ann@example.com, too.");
  CHECK(world.server.stats().canaries_seen == 0);
  CHECK(world.everything().find("example.com") == std::string::npos);
}

TEST_CASE("a pair is sent only where its API is spoken", "[facade][loopback]") {
  const Variable variable(kSecret);
  LoopbackWorld world(kSecret);
  ModelPair photo = tagger_pair();
  photo.name = "photo";
  photo.edge.inputs = photo.cloud.inputs = {{"x", Datatype::kFp32, {2}}};
  photo.edge.outputs = photo.cloud.outputs = {{"y", Datatype::kFp32, {10}}};
  photo.cloud.model = "photo";
  photo.cloud.text_input.clear();
  photo.labels.clear();
  world.config.models.push_back(photo);
  Endpoint tensors{"tensors", world.url, "eu"};
  tensors.auth = world.config.endpoints[0].auth;
  world.config.endpoints.push_back(tensors);
  std::string policy = world.config.policy_json;
  policy.replace(policy.find(R"("when": {"model": "tagger"})"), 27, R"("when": {})");
  world.config.policy_json = policy;
  world.start();
  for (int i = 0; i < 3; ++i) {
    CHECK(world.ask(note("The knee hurts.")).served_on == "eu-1");
    Request request;
    request.model = "photo";
    request.label = "public";
    request.inputs = {Tensor::of_floats("x", {2}, std::vector<float>{1, 2})};
    CHECK(world.ask(request).served_on == "tensors");
  }
  CHECK(world.server.stats().ok == 6);
  CHECK(world.server.stats().infer_requests == 6);
}

TEST_CASE("a text server on this device answers as the device, whatever the class", "[facade][loopback]") {
  stub::StubConfig local_config;
  local_config.text_models = {"llama3:8b"};
  stub::StubServer local(local_config, {});
  const auto port = local.start();
  REQUIRE(port.ok());
  LoopbackWorld world;
  EdgeBinding& edge = world.config.models[0].edge;
  edge.file.clear();
  edge.endpoint = "http://127.0.0.1:" + std::to_string(port.value()) + "/v1";
  edge.model = "llama3:8b";
  world.start();
  const Outcome outcome = world.ask(note("The knee hurts. Bring cake.", "visit", "secret"));
  CHECK(outcome.data_class == "secret");
  CHECK(outcome.served_on == "edge");
  CHECK(answer_of(outcome) == "In short: The knee hurts. Bring cake.");
  CHECK(outcome.bytes_sent == 0);
  CHECK(local.stats().ok == 1);
  CHECK(world.server.stats().requests == 0);
  std::promise<Outcome> submitted;  // on a thread of the model's own
  Request request = note("Mail ann@example.com. Now.", "visit", "secret");
  request.deadline = 30s;
  world.runtime->submit(request, [&](Outcome one) { submitted.set_value(std::move(one)); });
  CHECK(answer_of(submitted.get_future().get()) == "In short: Mail ann@example.com. Now.");
  local.stop();
  const Outcome alone = world.ask(note("The knee hurts.", "visit", "secret"));
  CHECK(alone.status == OutcomeStatus::kFailed);
  CHECK(alone.reason == Reason::kEdgeFailed);
  CHECK(alone.message.starts_with("the local text server: "));
  CHECK(world.everything().find("knee") == std::string::npos);
}

TEST_CASE("a local text server elsewhere than on this device is refused", "[facade]") {
  EdgeBinding edge;
  edge.model = "m";
  for (const std::string url : {"http://203.0.113.5/v1", "https://127.0.0.1/v1", "http://localhost.example/v1", "7"}) {
    edge.endpoint = url;
    CHECK_FALSE(net::make_local_text_model(edge, 1, 1 << 20).ok());
  }
}
