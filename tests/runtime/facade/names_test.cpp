// Goal: what no class may reach is never looked up nor connected to, also when connections are set up beside their
// attempts; a name that does not resolve costs nothing but the cloud. Method: the whole runtime over real sockets, with
// a name server in the test's hand.
#include <algorithm>
#include <future>

#include <catch2/catch.hpp>

#include "tests/runtime/net/named_addresses.h"
#include "tests/runtime/net/tls_world.h"
#include "tests/support/notes_world.h"
#include "tests/support/threaded_model.h"

using namespace hearth;
using namespace hearth::test;
using namespace std::chrono_literals;

namespace {

/// No class goes anywhere but to the region eu.
constexpr const char* kNamesPolicy = R"({
  "version": 1, "name": "names", "classes": [{"name": "public", "egress": "allow", "regions": ["eu"]}],
  "default_class": "public",
  "prefer": [{"id": "cloud", "when": {"model": "tagger"}, "plan": "cloud"}]})";

struct NamesWorld {
  NamesWorld(std::vector<Endpoint> endpoints, const std::shared_ptr<NamedAddresses>& names, net::HttpOptions options) {
    RuntimeConfig config = sim_config();
    ModelPair pair = notes_pair();
    pair.cloud.model = "small";
    pair.cloud.api = CloudApi::kChat;
    config.models = {pair};
    for (Endpoint& endpoint : endpoints) endpoint.protocol = Protocol::kOpenai;
    config.endpoints = std::move(endpoints);
    config.policy_json = kNamesPolicy;
    config.cloud.attempts_max = 1;
    config.cloud.breaker_backoff = config.cloud.breaker_backoff_max = 1ms;
    World world;
    world.loop = net::make_asio_loop();
    names->loop = world.loop.get();
    options.resolver = names;
    world.transport = net::make_http_transport(*world.loop, std::move(options));
    world.load_edge_model = [](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
      return std::shared_ptr<EdgeModel>(
          std::make_shared<ThreadedModel>([](std::span<const Tensor>) -> EdgeModel::Outputs {
            return std::vector<Tensor>{Tensor::of_text("answer", "at home")};
          }));
    };
    auto made = Runtime::create(config, std::move(world));
    if (!made.ok()) throw std::runtime_error(made.error().message);
    runtime = std::move(made).value();
  }

  Outcome ask(Duration deadline) {
    Request request = note("red boots");
    request.deadline = deadline;
    std::promise<Outcome> outcome;
    runtime->submit(std::move(request), [&](Outcome ended) { outcome.set_value(std::move(ended)); });
    return outcome.get_future().get();
  }

  std::unique_ptr<Runtime> runtime;
};

void answer_chat(Peer& peer) {
  const std::string body = R"({"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]})";
  while (!peer.read_request().empty()) peer.send(ok_reply(body));
}

}  // namespace

TEST_CASE("a name that does not resolve is an attempt that failed, and the device answers", "[facade][loopback]") {
  const auto names = std::make_shared<NamedAddresses>(Error{ErrorCode::kNotFound, "no such host"});
  NamesWorld world({{"eu-1", "https://cloud.test/v1", "eu"}}, names, {});
  const Outcome outcome = world.ask(60s);
  CHECK(outcome.status == OutcomeStatus::kServed);
  CHECK(outcome.served_on == "edge");
  const auto tried = std::find_if(outcome.attempts.begin(), outcome.attempts.end(),
                                  [](const Attempt& attempt) { return attempt.endpoint == "eu-1"; });
  REQUIRE(tried != outcome.attempts.end());
  CHECK(tried->error == "unavailable");
  CHECK(outcome.bytes_sent == 0);
}

TEST_CASE("set-ups beside their attempts go where an attempt might, and nowhere else", "[facade][door][loopback]") {
  std::promise<void> go_on;
  ScriptedServer::Options slow;
  slow.before_handshake = [wait = go_on.get_future().share()](Peer&) { wait.wait(); };
  const TlsWorld permitted("DNS:cloud.test", answer_chat, false, slow);
  const TlsWorld forbidden("DNS:forbidden.test", answer_chat);
  const auto names = std::make_shared<NamedAddresses>(net::Resolver::Addresses{"127.0.0.1"});
  Endpoint here = permitted.at("cloud.test");
  Endpoint there = forbidden.at("forbidden.test");
  there.name = "us-1";
  there.region = "us";
  net::HttpOptions options = permitted.trusting();
  options.connect_timeout = 60s;
  NamesWorld world({there, here}, names, options);

  // Deadlines before the handshake's end: the device answers, each time.
  for (int i = 0; i < 3; ++i) CHECK(world.ask(300ms).served_on == "edge");
  go_on.set_value();
  std::string served;
  for (int i = 0; i < 100'000 && served != "cloud"; ++i) served = world.ask(2s).served_on;
  CHECK(served == "cloud");
  CHECK(names->looked_up() == std::vector<std::string>{"cloud.test"});
  CHECK(forbidden.server->connections() == 0);
}
