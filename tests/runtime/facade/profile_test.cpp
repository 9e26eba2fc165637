// Goal: a runtime that begins with a profile decides its first request as one that has served for a while.
// Method: simulated worlds, one after the other; what the first one learned is the second one's profile.
#include "runtime/signals/profile.h"

#include <algorithm>
#include <fstream>

#include <catch2/catch.hpp>

#include "runtime/signals/forecast.h"
#include "tests/support/sim_world.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

namespace {

const std::string kSha(64, 'e');

RuntimeConfig config_for(const std::string& plan, std::size_t endpoints = 1) {
  auto config = sim_config();
  if (endpoints == 2) config.endpoints.push_back({"eu-2", "http://127.0.0.1:2", "eu"});
  const std::string cascade = R"("plan": "cascade", "confidence_below": 0.8)";
  config.policy_json.replace(config.policy_json.find(cascade), cascade.size(), plan);  // the deadline is 200 ms
  return config;
}

/// The first endpoint takes 300 ms, the second 5.
sim::Network slow_and_quick() {
  sim::Network network;
  network.link.round_trip_median = milliseconds(10);
  network.servers["eu-1"].service_median = milliseconds(300);
  network.servers["eu-2"].service_median = milliseconds(5);
  return network;
}

/// What a runtime says after some requests, a while apart.
std::string learned_from(const sim::Network& network, const RuntimeConfig& config) {
  SimWorld world(network, config);
  world.start();
  for (int i = 0; i < 40; ++i) {
    world.run(photo(0));
    world.loop.run_until(world.loop.now() + milliseconds(1500));
  }
  return world.runtime->profile();
}

signals::Profile read(const std::string& text) {
  auto profile = signals::parse_profile(text, "profile");
  INFO((profile.ok() ? "" : profile.error().message));
  REQUIRE(profile.ok());
  return std::move(profile).value();
}

signals::QuantileSketch sketch_of(Duration latency, int samples) {
  signals::QuantileSketch sketch(1e9f);
  for (int i = 0; i < samples; ++i) sketch.observe(latency);
  return sketch;
}

std::string cloud_profile(const std::string& endpoint, Duration latency, const std::string& model = "tagger") {
  signals::Profile profile;
  profile.cloud = {{endpoint, model, {{4096, sketch_of(latency, 1000)}}}};
  return text_of(profile);
}

std::string edge_profile(const std::string& sha256, Duration latency) {
  signals::Profile profile;
  profile.edge = {{sha256, {{1, 1, sketch_of(latency, 1000), {}}}}};
  return text_of(profile);
}

bool logged(const SimWorld& world, const std::string& part) {
  return std::ranges::any_of(world.log, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

/// A world whose local passes take 60 ms and whose cloud never answers, with the pair's profile in a file.
struct SlowEdge {
  explicit SlowEdge(const std::string& profile) : SlowEdge(profile, config_for(R"("plan": "cloud")")) {}
  SlowEdge(const std::string& profile, RuntimeConfig config)
      : world(network_with({"blackhole"}), with_file(std::move(config), profile)) {
    world.model = std::make_shared<sim::SimulatedModel>(world.loop, edge_answer, milliseconds(60), 0.01, 7, kSha);
  }

  RuntimeConfig with_file(RuntimeConfig config, const std::string& profile) {
    if (profile.empty()) return config;
    config.models[0].edge.profile = (folder.path() / "profile.json").string();
    std::ofstream(config.models[0].edge.profile) << profile;
    return config;
  }

  TempFolder folder;
  SimWorld world;
};

}  // namespace

TEST_CASE("with what an earlier run learned the first request goes where an answer comes in time", "[facade]") {
  const auto config = config_for(R"("plan": "cloud")", 2);
  SimWorld cold(slow_and_quick(), config);
  cold.start();
  const auto before = cold.run(photo(0));
  CHECK(before.attempts.at(0).endpoint == "eu-1");
  CHECK(before.served_on == "edge");  // it did not

  auto warm_config = config;
  warm_config.profile_json = learned_from(slow_and_quick(), config);
  SimWorld warm(slow_and_quick(), warm_config);
  warm.start();
  CHECK(warm.log.empty());
  const auto after = warm.run(photo(0));
  CHECK(after.attempts.at(0).endpoint == "eu-2");
  CHECK(after.served_on == "eu-2");
  CHECK(after.reason == Reason::kCloudAnswered);
  CHECK(after.deadline_met);
}

TEST_CASE("with a profile that leaves no room the first request stays, and a second later one is tried", "[facade]") {
  const auto config = config_for(R"("plan": "safety_net")");
  SimWorld cold(slow_and_quick(), config);
  cold.start();
  CHECK(cold.run(photo(0)).bytes_sent > 0);

  auto warm_config = config;
  warm_config.profile_json = cloud_profile("eu-1", milliseconds(300));
  SimWorld warm(slow_and_quick(), warm_config);
  warm.start();
  warm.loop.run_until(warm.loop.now() + std::chrono::minutes(5));  // the app does nothing for a while
  const auto first = warm.run(photo(0));
  CHECK(first.reason == Reason::kNoRoom);
  CHECK(first.bytes_sent == 0);
  CHECK(warm.run(photo(0)).bytes_sent == 0);
  warm.loop.run_until(warm.loop.now() + std::chrono::seconds(1));
  CHECK(warm.run(photo(0)).bytes_sent > 0);
}

TEST_CASE("a slow local model that was measured begins in time for the first deadline", "[facade]") {
  SlowEdge unmeasured("");
  unmeasured.world.start();
  CHECK_FALSE(unmeasured.world.run(photo(0)).deadline_met);

  SlowEdge measured(edge_profile(kSha, milliseconds(61)));
  measured.world.start();
  CHECK(measured.world.log.empty());
  const auto outcome = measured.world.run(photo(0));
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.deadline_met);
}

TEST_CASE("what a runtime learned of its model counts before the pair's file", "[facade]") {
  auto config = config_for(R"("plan": "cloud")");
  config.profile_json = edge_profile(kSha, milliseconds(61));
  SlowEdge world(edge_profile(kSha, milliseconds(1)), config);  // the file is wrong: a pass takes 60 ms
  world.world.start();
  CHECK(world.world.run(photo(0)).deadline_met);
}

TEST_CASE("a profile of another model is left aside, and the log says so", "[facade]") {
  SlowEdge world(edge_profile(std::string(64, 'b'), milliseconds(61)));
  world.world.start();
  CHECK(logged(world.world, "profile.json: is not about simulated as it is now, and is left aside"));
  CHECK_FALSE(world.world.run(photo(0)).deadline_met);
}

TEST_CASE("a pair's profile that is broken is an error of the configuration, all of it", "[facade]") {
  SlowEdge world(R"({"version": 1, "edge": [{"model_sha256": "x", "rows": []}], "rows": 1})");
  REQUIRE_THROWS_WITH(world.world.start(), Contains("expected 64 lower-case hexadecimal digits") &&
                                               Contains("expected at least one row") &&
                                               Contains("/rows: unknown key") && Contains("profile.json:1:"));
}

TEST_CASE("learned state that is broken or of strangers stops no runtime from starting, and the log says so",
          "[facade]") {
  const auto [profile, warning] = GENERATE(table<std::string, const char*>({
      {"{", "forecasts begin with nothing, the profile is broken: profile_json:1:"},
      {R"({"version": 2})", "forecasts begin with nothing, the profile is broken: profile_json:1:"},
      {R"({"version": 1, "clouds": []})", "the profile is broken: profile_json:1:"},
      {cloud_profile("elsewhere", milliseconds(300)), "1 endpoints or models that are not configured"},
      {cloud_profile("eu-1", milliseconds(300), "other"), "1 endpoints or models that are not configured"},
  }));
  auto config = config_for(R"("plan": "safety_net")");
  config.profile_json = profile;
  SimWorld world(slow_and_quick(), config);
  world.start();
  CHECK(logged(world, warning));
  CHECK(world.run(photo(0)).bytes_sent > 0);  // as without one
}

TEST_CASE("learned state is read from a file, which is not there at the first start", "[facade]") {
  const TempFolder folder;
  auto config = config_for(R"("plan": "safety_net")");
  config.profile_file = (folder.path() / "learned.json").string();
  SimWorld first(slow_and_quick(), config);
  first.start();
  CHECK(first.log.empty());
  CHECK(first.run(photo(0)).bytes_sent > 0);
  std::ofstream(config.profile_file) << first.runtime->profile();

  SimWorld second(slow_and_quick(), config);
  second.start();
  CHECK(second.log.empty());
  CHECK(second.run(photo(0)).reason == Reason::kNoRoom);
}

TEST_CASE("a runtime's profile tells of each endpoint it asked, and of a model with a hash", "[facade]") {
  const auto profile = read(learned_from(slow_and_quick(), config_for(R"("plan": "cloud")", 2)));
  CHECK(profile.edge.empty());  // this world's model has none
  REQUIRE(profile.cloud.size() == 2);
  CHECK(profile.cloud[0].endpoint == "eu-1");
  CHECK(profile.cloud[1].endpoint == "eu-2");
  CHECK(profile.cloud[1].model == "tagger");
  REQUIRE(profile.cloud[1].rows.size() == 1);
  CHECK(profile.cloud[1].rows[0].payload_bytes_max == 4096);
  CHECK(to_ms(profile.cloud[1].rows[0].latency.quantile(0.5)) < 60);
  CHECK(to_ms(profile.cloud[0].rows[0].latency.quantile(0.5)) > 190);  // given up on

  SlowEdge world("");
  world.world.start();
  CHECK(read(world.world.runtime->profile()).edge.empty());
  world.world.run(photo(0));
  world.world.run(photo(0));
  const auto edge = read(world.world.runtime->profile()).edge;
  REQUIRE(edge.size() == 1);
  CHECK(edge[0].model_sha256 == kSha);
  CHECK(to_ms(edge[0].latency(1, 1, 0.5)) == Approx(60).epsilon(0.1));
}

TEST_CASE("a runtime that did nothing keeps what it began with, as no more than a profile's weight", "[facade]") {
  auto config = config_for(R"("plan": "safety_net")");
  config.profile_json = cloud_profile("eu-1", milliseconds(300));
  SimWorld world({}, config);
  world.start();
  const std::string once = world.runtime->profile();
  const auto latency = read(once).cloud.at(0).rows.at(0).latency;
  CHECK(latency.weight() == Approx(signals::Forecast::kProfileSamples));
  config.profile_json = once;
  SimWorld again({}, config);
  again.start();
  CHECK(again.runtime->profile() == once);
}
