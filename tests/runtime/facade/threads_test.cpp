// Goal: the whole runtime with many caller threads; made for the thread sanitizer.
// Method: real loop, real HTTP, a real stub server on 127.0.0.1, port 0; only the edge model is a function.
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

#include <hearth/runtime.h>

#include "cloud_stub/server.h"
#include "runtime/net/net.h"
#include "tests/support/threaded_model.h"

using namespace hearth;
using std::chrono::milliseconds;

namespace {

const char* const kPolicy = R"({
  "version": 1, "name": "threads",
  "classes": [{"name": "public", "egress": "allow"}, {"name": "secret", "egress": "never"}],
  "default_class": "secret",
  "forbid": [{"id": "revoked", "when": {"consent": {"ne": "given"}}}],
  "prefer": [{"id": "unsure", "when": {}, "plan": "cascade", "confidence_below": 0.5, "deadline_ms": 2000}]
})";

EdgeModel::Outputs first_of(std::span<const Tensor> inputs) {
  const float values[10] = {inputs[0].floats()[0]};
  return std::vector{Tensor::of_floats("", {10}, values)};
}

std::unique_ptr<Runtime> make_runtime(int port) {
  RuntimeConfig config;
  ModelPair pair;
  pair.name = "null";
  pair.edge.file = "function";
  pair.edge.inputs = {{"x", Datatype::kFp32, {4}}};
  pair.edge.outputs = {{"y", Datatype::kFp32, {10}}};
  pair.cloud.model = "null";
  pair.cloud.inputs = pair.edge.inputs;
  pair.cloud.outputs = pair.edge.outputs;
  config.models = {pair};
  config.endpoints = {{"stub", "http://127.0.0.1:" + std::to_string(port), "eu"}};
  config.policy_json = kPolicy;
  config.limits.queue_length_max = 10'000;
  config.seed = 1;
  World world;
  world.loop = net::make_asio_loop();
  world.transport = net::make_http_transport(*world.loop, {});
  world.load_edge_model = [](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
    return std::shared_ptr<EdgeModel>(std::make_shared<test::ThreadedModel>(first_of));
  };
  auto runtime = Runtime::create(config, std::move(world));
  REQUIRE(runtime.ok());
  runtime.value()->set_consent(Consent::kGiven);
  return std::move(runtime).value();
}

Request request(float sureness, const char* label) {
  const float values[] = {sureness, 0, 0, 0};
  Request request;
  request.model = "null";
  request.inputs = {Tensor::of_floats("x", {4}, values)};
  request.label = label;
  return request;
}

}  // namespace

TEST_CASE("many callers, both ways of asking: one outcome each, and only what may leaves", "[facade][loopback]") {
  stub::StubServer server({}, {stub::null_model("null")});
  const auto port = server.start();
  REQUIRE(port.ok());
  constexpr int kThreads = 8, kEach = 40;
  std::atomic<int> served{0}, on_cloud{0}, outcomes{0}, secrets_out{0};
  {
    const auto runtime = make_runtime(port.value());
    const auto count = [&](const Outcome& outcome) {
      ++outcomes;
      served += outcome.status == OutcomeStatus::kServed;
      on_cloud += outcome.served_on == "stub";
      secrets_out += outcome.data_class == "secret" && outcome.bytes_sent > 0;
    };
    std::vector<std::thread> callers;
    for (int t = 0; t < kThreads; ++t) {
      callers.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const auto r = request(i % 3 == 0 ? 0.f : 9.f, i % 2 == 0 ? "public" : "secret");
          if (t % 2 == 0)
            count(runtime->infer(r));
          else
            runtime->submit(r, count);
        }
      });
    }
    for (auto& caller : callers) caller.join();
    while (outcomes < kThreads * kEach) std::this_thread::yield();
    runtime->set_consent(Consent::kRevoked);
    CHECK(runtime->infer(request(0, "public")).permit_rule == "revoked");
  }
  CHECK(served == kThreads * kEach);
  // i % 3 == 0 and i % 2 == 0: seven of forty ask the cloud.
  CHECK(on_cloud == kThreads * 7);
  CHECK(secrets_out == 0);
  CHECK(server.stats().infer_requests == static_cast<std::uint64_t>(kThreads * 7));
}

TEST_CASE("destroying a busy runtime gives everything in flight its outcome and lets waiting callers go",
          "[facade][loopback]") {
  stub::StubServer server({}, {stub::null_model("null")});
  const auto port = server.start();
  REQUIRE(port.ok());
  for (int round = 0; round < 20; ++round) {
    auto runtime = make_runtime(port.value());
    std::atomic<int> outcomes{0};
    std::atomic<bool> inside{false}, told{false};
    for (int i = 0; i < 50; ++i)
      runtime->submit(request(i % 2 ? 0.f : 9.f, "public"), [&](const Outcome&) { ++outcomes; });
    std::thread waiting([&, raw = runtime.get()] {
      inside = true;
      const auto outcome = raw->infer(request(0, "public"));
      told = outcome.status == OutcomeStatus::kServed || outcome.reason == Reason::kShutDown;
    });
    while (!inside) std::this_thread::yield();
    runtime->shutdown();
    waiting.join();
    CHECK(told);
    runtime.reset();
    CHECK(outcomes == 50);
  }
}

TEST_CASE("withdrawing callers that wait for a slot gives every slot back", "[facade][loopback]") {
  stub::StubServer server({}, {stub::null_model("null")});
  const auto port = server.start();
  REQUIRE(port.ok());
  const auto runtime = make_runtime(port.value());
  std::atomic<bool> stop{false};
  auto in_session = request(9, "public");
  in_session.session = "s";
  std::vector<std::thread> callers;
  for (int t = 0; t < 6; ++t)
    callers.emplace_back([&] {
      while (!stop) runtime->infer(in_session);
    });
  for (int i = 0; i < 2000; ++i) runtime->end_session("s");
  stop = true;
  for (auto& caller : callers) caller.join();
  for (int i = 0; i < 10; ++i) CHECK(runtime->infer(request(9, "public")).status == OutcomeStatus::kServed);
}

TEST_CASE("shutdown waits for the callback that is running", "[facade][loopback]") {
  stub::StubServer server({}, {stub::null_model("null")});
  const auto port = server.start();
  REQUIRE(port.ok());
  const auto runtime = make_runtime(port.value());
  std::atomic<bool> inside{false}, go_on{false}, ended{false}, ended_before_return{false};
  runtime->submit(request(9, "public"), [&](const Outcome&) {
    inside = true;
    while (!go_on) std::this_thread::yield();
    ended = true;
  });
  while (!inside) std::this_thread::yield();
  std::thread stopping([&] {
    runtime->shutdown();
    ended_before_return = ended.load();
  });
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // time for a shutdown that does not wait to return
  go_on = true;
  stopping.join();
  CHECK(ended_before_return);
}

namespace {

/// Batches of up to four, on this device alone.
RuntimeConfig batching_config() {
  RuntimeConfig config;
  ModelPair pair;
  pair.name = "null";
  pair.edge.file = "function";
  pair.edge.inputs = {{"x", Datatype::kFp32, {1, 4}}};
  pair.edge.outputs = {{"y", Datatype::kFp32, {1, 10}}};
  pair.edge.batch_max = 4;
  pair.edge.batch_wait = milliseconds(1);
  config.models = {pair};
  config.policy_json = kPolicy;
  config.limits.queue_length_max = 10'000;
  config.seed = 1;
  return config;
}

std::unique_ptr<Runtime> make_batching_runtime(const RuntimeConfig& config, test::ThreadedModel::Answer answer) {
  World world;
  world.loop = net::make_asio_loop();
  world.load_edge_model = [&](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
    return std::shared_ptr<EdgeModel>(std::make_shared<test::ThreadedModel>(std::move(answer)));
  };
  auto runtime = Runtime::create(config, std::move(world));
  REQUIRE(runtime.ok());
  return std::move(runtime).value();
}

Request row(float value) {
  auto made = request(value, "secret");
  made.inputs[0].shape = {1, 4};
  return made;
}

}  // namespace

TEST_CASE("many callers share passes, and each gets its own answer", "[facade][batch]") {
  constexpr int kThreads = 8, kEach = 100;
  std::atomic<int> own{0}, outcomes{0};
  {
    const auto runtime = make_batching_runtime(batching_config(), first_of);
    std::vector<std::thread> callers;
    for (int t = 0; t < kThreads; ++t) {
      callers.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const auto value = static_cast<float>(t * kEach + i);
          const auto count = [&, value](const Outcome& outcome) {
            own += outcome.status == OutcomeStatus::kServed && outcome.outputs[0].floats()[0] == value;
            ++outcomes;
          };
          if (t % 2 == 0) {
            count(runtime->infer(row(value)));
          } else {
            runtime->submit(row(value), count);
          }
        }
      });
    }
    for (auto& caller : callers) caller.join();
    while (outcomes < kThreads * kEach) std::this_thread::yield();
  }
  CHECK(own == kThreads * kEach);
}

TEST_CASE("a caller whose time is up leaves a pass that still reads its request", "[facade][batch]") {
  std::atomic<bool> first_may_end{false}, others_may_end{false}, first_runs{false};
  std::atomic<int> late{0};
  RuntimeConfig config = batching_config();
  config.limits.edge_slots = 1;
  config.limits.queue_length_max = 3;
  const auto runtime = make_batching_runtime(config, [&](std::span<const Tensor> inputs) {
    const float value = inputs[0].floats()[0];
    if (value == 1) first_runs = true;
    while ((value == 1 && !first_may_end) || (value == 2 && !others_may_end)) std::this_thread::yield();
    return first_of(inputs);
  });
  for (int i = 0; i < 20; ++i) runtime->infer(row(0));  // so that short passes are expected
  runtime->submit(row(1), [](const Outcome&) {});
  while (!first_runs) std::this_thread::yield();
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      const auto brief = std::make_unique<Request>(row(2));
      brief->deadline = std::chrono::seconds(2);
      late += runtime->infer(*brief).reason == Reason::kDeadlinePassed;
    });
  }
  auto probe = row(0);
  probe.priority = Priority::kBackground;
  for (std::atomic<bool> full{false}; !full;) {  // until all three are in the queue
    std::atomic<bool> ended{false};
    const RequestId id = runtime->submit(probe, [&](const Outcome& outcome) {
      full = outcome.reason == Reason::kQueueFull;
      ended = true;
    });
    runtime->cancel(id);
    while (!ended) std::this_thread::yield();
  }
  first_may_end = true;
  for (auto& caller : callers) caller.join();
  CHECK(late == 3);
  others_may_end = true;
}
