/// \file SimWorld: a whole runtime on a virtual loop, with a two-number edge model and a cloud behind a simulated link.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <hearth/runtime.h>

#include "runtime/sim/simulated_journal.h"
#include "runtime/sim/simulated_model.h"
#include "runtime/sim/simulated_transport.h"
#include "runtime/sim/virtual_loop.h"

namespace hearth::test {

/// Public may leave, personal only redacted (so a tensor stays), secret never and it taints; unsure answers ask the
/// cloud.
inline const char* const kPolicy = R"({
  "version": 1, "name": "test",
  "classes": [
    {"name": "public", "egress": "allow"},
    {"name": "regional", "egress": "allow", "regions": ["eu"]},
    {"name": "personal", "egress": "redacted", "regions": ["eu"]},
    {"name": "secret", "egress": "never", "taints_session_for_s": 3600}
  ],
  "default_class": "secret",
  "classify": [{"id": "found-mail", "when": {"detected.EMAIL": {"gt": 0}}, "class": "personal"}],
  "forbid": [{"id": "no-consent", "when": {"consent": {"ne": "given"}}}],
  "prefer": [{"id": "unsure", "when": {"model": "tagger"}, "plan": "cascade", "confidence_below": 0.8, "deadline_ms": 200}]
})";

inline ModelPair tagger_pair() {
  ModelPair pair;
  pair.name = "tagger";
  pair.edge.file = "simulated";
  pair.edge.inputs = {{"x", Datatype::kFp32, {1, 2}}};
  pair.edge.outputs = {{"scores", Datatype::kFp32, {1, 3}}};
  pair.cloud.model = "tagger-large";
  pair.cloud.sha256 = std::string(64, 'c');
  pair.cloud.inputs = {{"image", Datatype::kFp32, {2}}};
  pair.cloud.outputs = {{"logits", Datatype::kFp32, {3}}};
  pair.cloud.text_input = "caption";
  pair.labels = {"a", "b", "c"};
  return pair;
}

inline RuntimeConfig sim_config() {
  RuntimeConfig config;
  config.models = {tagger_pair()};
  config.endpoints = {{"eu-1", "http://127.0.0.1:1", "eu"}};
  config.policy_json = kPolicy;
  config.limits.edge_slots = 1;
  config.seed = 7;
  return config;
}

inline std::vector<Tensor> scores(float a, float b, float c) {
  const float values[] = {a, b, c};
  return {Tensor::of_floats("", {1, 3}, values)};
}

/// `sureness` is the first edge logit against two zeros: 0 gives a confidence of 1/3, 5 of 0.987.
inline Request photo(float sureness, std::string label = "public") {
  const float values[] = {sureness, 0};
  Request request;
  request.model = "tagger";
  request.inputs = {Tensor::of_floats("x", {1, 2}, values)};
  request.label = std::move(label);
  return request;
}

inline EdgeModel::Outputs edge_answer(std::span<const Tensor> inputs) { return scores(inputs[0].floats()[0], 0, 0); }

/// What goes wrong with every endpoint, in a timeline's words: a fault's name, or an object.
inline sim::Network network_with(std::initializer_list<std::string> faults) {
  sim::Network network;
  for (const auto& fault : faults) {
    auto spec = sim::parse_fault(fault, "the test's fault");
    if (!spec.ok()) throw std::runtime_error(spec.error().message);
    network.faults.faults.push_back(std::move(spec).value());
  }
  return network;
}

struct SimWorld {
  explicit SimWorld(sim::Network network = {}, RuntimeConfig with = sim_config()) : config(std::move(with)) {
    network.connect_timeout = config.cloud.connect_timeout;
    transport = std::make_shared<sim::SimulatedTransport>(
        loop, std::move(network),
        sim::oip_server(config.models[0].cloud, [](const std::vector<std::string>&) { return scores(0, 9, 0); }),
        config.seed);
    model = std::make_shared<sim::SimulatedModel>(loop, edge_answer, std::chrono::milliseconds(2), 0.1, config.seed);
    journal = std::make_shared<sim::SimulatedJournal>(loop);
  }

  /// Creates the runtime and gives consent.
  void start() {
    World world;
    world.loop = std::shared_ptr<EventLoop>(std::shared_ptr<void>(), &loop);
    world.transport = tap ? tap(transport) : transport;
    world.journal = journal;
    world.probe = probe;
    world.load_edge_model = [this](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
      return std::shared_ptr<EdgeModel>(model);
    };
    auto made =
        Runtime::create(config, std::move(world), [this](LogLevel, std::string_view line) { log.emplace_back(line); });
    if (!made.ok()) throw std::runtime_error(made.error().message);
    runtime = std::move(made).value();
    runtime->set_consent(Consent::kGiven);
    loop.run_until_idle();
  }

  /// Submits and runs until nothing is left to do.
  Outcome run(Request request) {
    Outcome outcome;
    int delivered = 0;
    runtime->submit(std::move(request), [&](Outcome o) { outcome = std::move(o), ++delivered; });
    loop.run_until_idle();
    if (delivered != 1) throw std::runtime_error("delivered " + std::to_string(delivered) + " outcomes");
    return outcome;
  }

  RuntimeConfig config;
  sim::VirtualLoop loop;
  std::shared_ptr<sim::SimulatedTransport> transport;
  std::shared_ptr<sim::SimulatedModel> model;
  std::shared_ptr<sim::SimulatedJournal> journal;
  /// What stands before the transport, when something does.
  std::function<std::shared_ptr<Transport>(std::shared_ptr<sim::SimulatedTransport>)> tap;
  std::shared_ptr<DeviceProbe> probe;  ///< None unless a test gives one before start().
  std::vector<std::string> log;
  std::unique_ptr<Runtime> runtime;
};

}  // namespace hearth::test
