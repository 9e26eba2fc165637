#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "tests/support/temp_folder.h"
#include "tools/simulate/record_writer.h"
#include "tools/simulate/run.h"
#include "tools/simulate/scenario.h"
#include "tools/simulate/summary.h"

using namespace hearth;
using namespace hearth::simulate;

namespace {

using Json = nlohmann::json;

const char* const kPolicyJson = R"({"version": 1, "name": "p", "classes": [{"name": "public", "egress": "allow"},
  {"name": "private", "egress": "never"}], "default_class": "private",
  "prefer": [{"id": "all", "when": {"model": "tagger"}, "plan": "cascade", "confidence_below": 0.9}]})";

Json scenario_json() {
  return Json::parse(R"({"version": 1, "name": "s", "policy": "policy.json", "length_s": 10,
    "models": [{"name": "tagger", "edge": {"latency": {"median_ms": 5, "sigma": 0.2}, "accuracy": 0.85},
                "cloud": {"accuracy": 0.95}}],
    "network": {"round_trip": {"median_ms": 30}},
    "workload": [{"name": "photos", "model": "tagger", "arrivals": {"process": "poisson", "rate_per_s": 20},
                  "kinds": [{"share": 0.7, "label": "public"}, {"share": 0.3, "label": "private"}],
                  "deadline_ms": 200}],
    "clouds": [{"name": "eu-1", "region": "eu", "service": {"median_ms": 8}}]})");
}

struct Folder {
  Folder() { write("policy.json", kPolicyJson); }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string file = (folder.path() / name).string();
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
  Result<Scenario> load(const Json& json) const { return load_scenario(write("scenario.json", json.dump())); }
  std::string refusal(const Json& json) const {
    const auto scenario = load(json);
    return scenario.ok() ? "(accepted)" : scenario.error().message;
  }
  test::TempFolder folder;
};

/// Every record of a run as text, and the hash of its events.
class Lines : public RecordSink {
 public:
  explicit Lines(const Names& names) : line_(names) {}
  void take(const Record& record) override { (text += line_.of(record)) += '\n'; }
  std::string text;

 private:
  RecordLine line_;
};

std::string bytes_of(const Scenario& scenario) {
  Lines lines(names_of(scenario));
  Summary summary(names_of(scenario), scenario.warm_up, scenario.fleet.length);
  const RunFacts facts = run(scenario, lines);
  CHECK(facts.left_in_flight == 0);
  CHECK(facts.leaks == 0);
  CHECK(static_cast<std::uint64_t>(std::count(lines.text.begin(), lines.text.end(), '\n')) == facts.requests);
  return facts.trace_hash + "\n" + lines.text;
}

Json draw_arrivals(RandomStream& draw) {
  switch (draw.below(4)) {
    case 0:
      return {{"process", "poisson"}, {"rate_per_s", 1 + 60 * draw.uniform()}};
    case 1:
      return {{"process", "gamma"}, {"rate_per_s", 1 + 40 * draw.uniform()}, {"cv", 0.5 + 4 * draw.uniform()}};
    case 2:
      return {{"process", "closed_loop"}, {"users", 1 + draw.below(20)}, {"think_mean_ms", 50 + 500 * draw.uniform()}};
    default:
      return {{"process", "modulated"},
              {"states",
               {{{"rate_per_s", 80 * draw.uniform()}, {"stay_mean_s", 1}},
                {{"rate_per_s", 1 + 5 * draw.uniform()}, {"stay_mean_s", 2}}}}};
  }
}

/// A world of any kind.
Json draw_scenario(std::uint64_t seed) {
  RandomStream draw(seed, "scenario");
  Json json = scenario_json();
  json["seed"] = seed;
  json["devices"] = {{"count", 1 + draw.below(6)},
                     {"edge_slots", 1 + draw.below(3)},
                     {"battery", {{"capacity_wh", 0.01 + draw.uniform()}}},
                     {"thermal", {{"time_constant_s", 1 + 5 * draw.uniform()}}},
                     {"background", {{"busy_share", 0.5 * draw.uniform()}}},
                     {"calls", draw.below(2) == 0 ? "submit" : "infer"}};
  json["network"] = {{"round_trip", {{"median_ms", 5 + 100 * draw.uniform()}, {"sigma", draw.uniform()}}},
                     {"up", {{"mbit_per_s", 0.5 + 20 * draw.uniform()}}},
                     {"down", {{"mbit_per_s", 0.5 + 20 * draw.uniform()}}}};
  json["workload"][0]["arrivals"] = draw_arrivals(draw);
  json["workload"][0]["payload"] = {{"median_bytes", 100 + draw.below(50'000)}, {"sigma", draw.uniform()}};
  json["models"][0]["edge"]["batch_max"] = 1 + draw.below(4);
  json["clouds"][0]["servers"] = 1 + draw.below(4);
  if (draw.below(2) == 0) json["clouds"][0]["rate_limit"] = {{"per_s", 5 + 20 * draw.uniform()}};
  if (draw.below(2) == 0) json["clouds"][0]["cold_start"] = {{"delay_ms", 500}, {"idle_s", 1}};
  if (draw.below(2) == 0) json["clouds"][0]["autoscale"] = {{"servers_max", 16}, {"every_s", 2}, {"start_s", 1}};
  if (draw.below(2) == 0) json["clouds"].push_back({{"name", "us-1"}, {"region", "us"}});
  return json;
}

}  // namespace

TEST_CASE("a hundred random scenarios give the same bytes twice", "[sim]") {
  const Folder folder;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    const auto scenario = folder.load(draw_scenario(seed));
    INFO((scenario.ok() ? "" : scenario.error().message));
    REQUIRE(scenario.ok());
    const std::string once = bytes_of(scenario.value());
    CHECK(once.size() > 20);
    CHECK(once == bytes_of(scenario.value()));
  }
}

TEST_CASE("every value of a scenario is echoed with where it came from") {
  const Folder folder;
  const auto scenario = folder.load(scenario_json());
  INFO((scenario.ok() ? "" : scenario.error().message));
  REQUIRE(scenario.ok());
  const auto find = [&](const std::string& path) {
    for (const auto& line : scenario->echo)
      if (line.path == path) return line.value + " from " + line.from;
    return std::string("(none)");
  };
  CHECK_THAT(find("/length_s"), Catch::Matches("10.0 from .*scenario.json:1:[0-9]+"));
  CHECK(find("/seed") == "1 from default");
  CHECK(find("/clouds/0/servers") == "64 from default");
  CHECK(find("/devices/count") == "1 from default");  // of a section that is not there, too
  CHECK(find("/network/up/mbit_per_s") == "10.0 from default");
  CHECK(find("/runtime/limits/queue_length_max") == "256 from default");
  CHECK_THAT(find("/workload/0/deadline_ms"), Catch::Contains("200.0 from "));
}

TEST_CASE("mistakes of every kind are told all at once, a line each") {
  const Folder folder;
  Json json = scenario_json();
  json["length_s"] = -3;
  json["seeds"] = 7;
  json["models"][0]["edge"]["latency"].erase("median_ms");
  json["devices"] = {{"count", 0}, {"edge_slot", 2}};
  json["workload"][0]["kinds"][0]["share"] = 0.9;
  json["clouds"][0]["service"] = {{"median_ms", -1}};
  json["policy"] = "nowhere.json";
  const std::string told = folder.refusal(json);
  for (const char* part :
       {"/length_s: expected a number from 0.001 to 2592000, got -3", "/seeds: unknown key (did you mean \"seed\"?)",
        "/models/0/edge/latency: expected one of \"median_ms\"", "/devices/count: expected a whole number from 1",
        "/devices/edge_slot: unknown key (did you mean \"edge_slots\"?)", "/workload/0/kinds", "median_ms: expected a",
        "/policy: "}) {
    CAPTURE(part);
    CHECK_THAT(told, Catch::Contains(part));
  }
  CHECK(std::count(told.begin(), told.end(), '\n') >= 7);
}

TEST_CASE("a policy that fails its own tests, or names what is not there, is refused") {
  const Folder folder;
  Json policy = Json::parse(kPolicyJson);
  policy["tests"] = Json::parse(R"([{"name": "wrong", "request": {"class": "private", "model": "tagger"},
                                     "expect": {"plan": "edge"}}])");
  folder.write("policy.json", policy.dump());
  CHECK_THAT(folder.refusal(scenario_json()), Catch::Contains("test \"wrong\""));
  policy.erase("tests");
  policy["classes"][0]["endpoints"] = {"eu-2"};
  folder.write("policy.json", policy.dump());
  CHECK_THAT(folder.refusal(scenario_json()), Catch::Contains("eu-2"));
}

TEST_CASE("recorded answers are what both halves say, and a broken line is named") {
  const Folder folder;
  folder.write("answers.jsonl",
               "{\"confidence\": 0.5, \"edge_correct\": false, \"cloud_correct\": true}\n"
               "{\"confidence\": 1, \"edge_correct\": true, \"cloud_correct\": true}\n");
  Json json = scenario_json();
  json["models"][0]["answers"] = "answers.jsonl";
  const auto scenario = folder.load(json);
  REQUIRE(scenario.ok());
  REQUIRE(scenario->fleet.pairs[0].answers);
  CHECK(scenario->fleet.pairs[0].answers->size() == 2);
  CHECK_FALSE(scenario->fleet.pairs[0].answers->front().edge_correct);
  folder.write("answers.jsonl", "{\"confidence\": 0.5, \"edge_correct\": false, \"cloud_correct\": true}\n{\"conf\n");
  CHECK_THAT(folder.refusal(json), Catch::Contains("answers.jsonl:2: expected {\"confidence\": 0 to 1"));
}
