#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/base/json_reader.h"
#include "tests/support/temp_folder.h"
#include "tools/simulate/calibrate_simulator.h"
#include "tools/simulate/calibrate_simulator_command.h"
#include "tools/simulate/export.h"
#include "tools/simulate/observed.h"
#include "tools/simulate/record_writer.h"
#include "tools/simulate/run.h"
#include "tools/simulate/scenario.h"

using namespace hearth;
using namespace hearth::simulate;

namespace {

using Json = nlohmann::json;

const char* const kPolicyJson = R"({"version": 1, "name": "p", "classes": [{"name": "public", "egress": "allow"},
  {"name": "private", "egress": "never"}], "default_class": "private",
  "prefer": [{"id": "all", "when": {"model": "tagger"}, "plan": "cascade", "confidence_below": 0.9}]})";

const char* const kScenarioJson = R"({"version": 1, "name": "s", "policy": "policy.json", "length_s": 120, "seed": 7,
  "models": [{"name": "tagger", "edge": {"latency": {"median_ms": 5, "sigma": 0.2}, "accuracy": 0.85},
              "cloud": {"accuracy": 0.95}}],
  "network": {"round_trip": {"median_ms": 10, "sigma": 0}},
  "workload": [{"name": "photos", "model": "tagger", "arrivals": {"process": "poisson", "rate_per_s": 20},
                "diurnal": {"amplitude": 0.5, "day_s": 60}, "sessions": 5,
                "kinds": [{"share": 0.7, "label": "public", "in_session": true}, {"share": 0.3, "label": "private"}],
                "payload": {"median_bytes": 5000, "sigma": 0.3}, "deadline_ms": 200}],
  "clouds": [{"name": "eu-1", "region": "eu", "service": {"median_ms": 30, "sigma": 0.2}}]})";

class Kept : public RecordSink {
 public:
  void take(const Record& record) override { records.push_back(record); }
  std::vector<Record> records;
};

struct World {
  World() {
    write("policy.json", kPolicyJson);
    write("scenario.json", kScenarioJson);
  }
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  Scenario scenario() const { return load_scenario(path("scenario.json")).value(); }
  hearth::test::TempFolder folder;
};

std::vector<Record> records_of(const Scenario& scenario) {
  Kept kept;
  run(scenario, kept);
  return std::move(kept.records);
}

std::string lines_of(const Scenario& scenario) {
  const Names names = names_of(scenario);
  RecordLine line(names);
  std::string text;
  for (const Record& record : records_of(scenario)) (text += line.of(record)) += '\n';
  return text;
}

const Component& part(const Calibration& calibration, const std::string& name) {
  for (const Component& one : calibration.components)
    if (one.name == name) return one;
  throw std::logic_error("no part " + name);
}

/// The simulation is what it is; the live run was a tenth slower or faster in one part of its time.
Calibration with_live(const std::function<void(Record&)>& distort) {
  const World world;
  const Scenario scenario = world.scenario();
  const auto simulated = records_of(scenario);
  auto live = simulated;
  for (Record& record : live) distort(record);
  return calibrate(live, {simulated}, {}, names_of(scenario)).value();
}

Duration tenth_less(Duration time) { return Duration(time.count() * 9 / 10); }

/// What the command says on standard error, and its exit code.
std::pair<int, std::string> ran(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "simulator");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  std::ostringstream out, err;
  auto* const old_out = std::cout.rdbuf(out.rdbuf());
  auto* const old_err = std::cerr.rdbuf(err.rdbuf());
  const int code = calibrate_simulator_main(static_cast<int>(argv.size()), argv.data());
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  return {code, code == 0 || code == 1 ? out.str() : err.str()};
}

/// One live run: the requests of a scenario, as the real thing would have kept them.
Observed observe(const World& world, std::uint64_t seed) {
  const Scenario scenario = with_seed(world.scenario(), seed);
  Observed observed;
  observed.name = "observed";
  observed.policy_json = kPolicyJson;
  observed.names = names_of(scenario);
  observed.endpoint = scenario.fleet.runtime.endpoints[0];
  observed.limits = scenario.fleet.runtime.limits;
  observed.device = {NetworkKind::kUnmetered, {}, {}};
  observed.kinds = {{0, "public", "", true, false}, {0, "private", "", true, false}};
  observed.link = scenario.fleet.link;
  auto records = records_of(scenario);
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) { return a.id < b.id; });
  sim::Source source(scenario.fleet.streams[0], 0, 0, seed);
  for (const Record& record : records) {
    const auto arriving = source.next().value();
    ObservedRequest request;
    request.record = record;
    request.answer = scenario.fleet.pairs[0].answer(arriving.sample, seed);
    request.payload_bytes = arriving.payload_bytes;
    request.reply_bytes = arriving.reply_bytes;
    request.kind = record.data_class;
    observed.requests.push_back(request);
  }
  split_cloud_times(observed);
  return observed;
}

}  // namespace

TEST_CASE("A run against itself has no error, and every decision is the same") {
  const auto calibration = with_live([](Record&) {});
  CHECK(calibration.met);
  CHECK(calibration.grade == "excellent");
  CHECK(calibration.equal_decisions == 1);
  CHECK(calibration.requests > 2000);
  for (const Component& one : calibration.components)
    for (const double error : one.error) CHECK(error == 0);
  CHECK(part(calibration, "local").pearson_r.value() == Approx(1));
}

TEST_CASE("Local passes that were a tenth faster in life are told as a tenth too much, in that part and in no other") {
  const auto calibration = with_live([](Record& record) { record.edge_time = tenth_less(record.edge_time); });
  const Component& local = part(calibration, "local");
  CHECK(local.error[1] == Approx(1.0 / 9).epsilon(0.01));
  CHECK(local.mape == Approx(1.0 / 9).epsilon(0.01));
  CHECK(local.bias == "over-predicts");
  CHECK_FALSE(local.met);
  CHECK_FALSE(calibration.met);
  CHECK(calibration.grade == "fair");
  for (const char* other : {"queue", "network", "server", "latency"}) {
    INFO(other);
    CHECK(part(calibration, other).error[1] == 0);
    CHECK(part(calibration, other).bias == "neutral");
  }
}

TEST_CASE("A server that was a tenth slower in life is told as too little, though the sum were right") {
  const auto calibration = with_live([](Record& record) {
    if (record.cloud_time == Duration{}) return;
    // What the server took more the network took less: the sum hides it.
    record.server_time = Duration(record.server_time.count() * 10 / 9);
  });
  CHECK(part(calibration, "server").error[1] == Approx(-0.1).epsilon(0.01));
  CHECK(part(calibration, "server").bias == "under-predicts");
  CHECK(part(calibration, "network").bias == "over-predicts");
  CHECK(part(calibration, "cloud").error[1] == 0);
  CHECK(part(calibration, "latency").error[1] == 0);
  CHECK_FALSE(calibration.met);
}

TEST_CASE("Decisions that differ are counted by what both sides did, and cost the grade") {
  std::uint64_t changed = 0;
  const auto calibration = with_live([&](Record& record) {
    if (record.id % 20 != 0 || record.answered_by != kEdgeSite || record.reason != Reason::kLocalConfident) return;
    record.reason = Reason::kNoRoom;
    ++changed;
  });
  REQUIRE(changed > 0);
  CHECK(calibration.equal_decisions ==
        Approx(1 - static_cast<double>(changed) / static_cast<double>(calibration.requests)));
  REQUIRE(calibration.differing.size() == 1);
  CHECK(calibration.differing.begin()->second == changed);
  CHECK(calibration.met == (calibration.equal_decisions >= kEqualDecisionsMin));
}

TEST_CASE("What two live runs differ by widens what is allowed to one and a half times as much") {
  const World world;
  const Scenario scenario = world.scenario();
  const auto simulated = records_of(scenario);
  auto live = simulated, other = simulated;
  for (Record& record : live) record.edge_time = tenth_less(record.edge_time);
  for (Record& record : other) record.edge_time = tenth_less(tenth_less(record.edge_time));
  const auto alone = calibrate(live, {simulated}, {}, names_of(scenario)).value();
  const auto beside = calibrate(live, {simulated}, other, names_of(scenario)).value();
  CHECK_FALSE(part(alone, "local").met);
  CHECK(part(beside, "local").met);
  CHECK((*part(beside, "local").live_error)[1] == Approx(-0.1).epsilon(0.01));
  CHECK(part(beside, "local").allowed[1] == Approx(0.15).epsilon(0.01));
  CHECK(beside.live_equal_decisions == 1.0);
}

TEST_CASE("A simulated run that is exported as a scenario replays to the byte, and judges itself without error") {
  const World world;
  const Scenario scenario = world.scenario();
  const std::string out = world.path("exported");
  REQUIRE(export_scenario(out, scenario).ok());
  const auto again = load_scenario(out + "/scenario.json");
  REQUIRE(again.ok());
  CHECK(lines_of(again.value()) == lines_of(scenario));
  world.write("exported/live.jsonl", lines_of(scenario));
  const auto [code, text] = ran({out, "--seeds", "1", "--json"});
  INFO(text);
  CHECK(code == 0);
  const auto json = Json::parse(text);
  CHECK(json["equal_decisions"] == 1);
  CHECK(json["components"]["network"]["error"]["p99"] == 0);
  CHECK(json["components"]["latency_cloud"]["real"]["requests"] > 100);
}

TEST_CASE("Fleets and closed loops are not exported, for a trace cannot hold them") {
  const World world;
  auto json = Json::parse(kScenarioJson);
  json["devices"]["count"] = 2;
  world.write("scenario.json", json.dump());
  CHECK_THAT(export_scenario(world.path("x"), world.scenario()).error().message,
             Catch::Contains("devices.count is 2, expected 1"));
  json["devices"]["count"] = 1;
  json["workload"][0].erase("diurnal");
  json["workload"][0]["arrivals"] = {{"process", "closed_loop"}};
  world.write("scenario.json", json.dump());
  CHECK_THAT(export_scenario(world.path("x"), world.scenario()).error().message, Catch::Contains("closed loop"));
  CHECK_FALSE(std::filesystem::exists(world.path("x")));
}

TEST_CASE("An observed run becomes a scenario whose passes, servers and decisions are those that were seen") {
  const World world;
  REQUIRE(write_observed(world.path("one"), observe(world, 1)).ok());
  REQUIRE(write_observed(world.path("two"), observe(world, 2)).ok());
  for (const auto& arguments : {std::vector{world.path("one")}, {world.path("one"), "--judge", world.path("two")}}) {
    auto with_json = arguments;
    with_json.push_back("--json");
    const auto [code, text] = ran(with_json);
    INFO(text);
    REQUIRE((code == 0 || code == 1));
    const auto json = Json::parse(text);
    CHECK(json["equal_decisions"] >= 0.99);
    for (const char* name : {"local", "server", "latency"}) {
      INFO(name);
      CHECK(std::abs(json["components"][name]["error"]["p50"].get<double>()) < 0.05);
      CHECK(std::abs(json["components"][name]["error"]["p95"].get<double>()) < 0.10);
    }
  }
}

TEST_CASE("A folder that is no live run gives one clear line and exit code 2") {
  const World world;
  const auto one_line = [&](const std::string& folder, const std::string& what) {
    const auto [code, text] = ran({folder});
    INFO(text);
    CHECK(code == 2);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK_THAT(text, Catch::Contains(what));
  };
  one_line(world.path("nowhere"), "nowhere/scenario.json");
  one_line(world.folder.path().string(), "live.jsonl");
  world.write("live.jsonl", "{\"id\": 1}\n");
  one_line(world.folder.path().string(), "live.jsonl:1: ");
  world.write("live.jsonl", "");
  one_line(world.folder.path().string(), "no live requests");
  auto lines = lines_of(world.scenario());
  world.write("live.jsonl", lines.substr(0, lines.find('\n') + 1));
  one_line(world.folder.path().string(), "1 live requests against");
  lines = lines_of(with_seed(world.scenario(), 8));
  world.write("live.jsonl", lines);
  one_line(world.folder.path().string(), "the live run that the scenario was made from");
}

TEST_CASE("Times may be measured quantiles, and what is no ascending list is refused") {
  const World world;
  auto json = Json::parse(kScenarioJson);
  auto& latency = json["models"][0]["edge"]["latency"];
  latency = {{"quantiles_ms", {4, 4, 4}}};
  json["clouds"][0]["service"] = {{"quantiles_ms", {30, 30}}};
  world.write("scenario.json", json.dump());
  std::uint64_t answered = 0;
  for (const Record& record : records_of(world.scenario())) {
    if (record.edge_time > Duration{}) CHECK(record.edge_time == from_ms(4));
    if (record.cloud_time > Duration{}) CHECK(record.server_time - record.server_wait == from_ms(30));
    answered += record.cloud_time > Duration{} ? 1 : 0;
  }
  CHECK(answered > 100);
  for (const Json& bad : {Json{{"quantiles_ms", {5, 4}}}, Json{{"quantiles_ms", {5}}}, Json{{"quantiles_ms", "5"}},
                          Json{{"quantiles_ms", {4, 5}}, {"median_ms", 4}}, Json{{"profile", "nowhere.json"}}}) {
    latency = bad;
    world.write("scenario.json", json.dump());
    const auto scenario = load_scenario(world.path("scenario.json"));
    INFO(bad);
    REQUIRE_FALSE(scenario.ok());
    CHECK_THAT(scenario.error().message, Catch::Contains("/models/0/edge/latency"));
  }
}
