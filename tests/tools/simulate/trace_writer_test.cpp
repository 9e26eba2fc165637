#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/tools/simulate/synthetic_records.h"
#include "tools/simulate/trace_writer.h"

using namespace hearth;
using namespace hearth::simulate;
using nlohmann::json;
using simulate::test::make_run;
using std::chrono::seconds;

namespace {

TraceWriter trace_of(const simulate::test::MadeRun& run, std::uint64_t requests_max = 2'000) {
  TraceWriter trace(run.names, run.facts.warm_up, requests_max);
  for (const Record& record : run.records) trace.take(record);
  return trace;
}

json parsed(const simulate::test::MadeRun& run, const std::vector<Mark>& marks = {}) {
  return json::parse(trace_of(run).json("a title", marks));
}

std::vector<json> slices(const json& trace) {
  std::vector<json> all;
  for (const json& event : trace["traceEvents"])
    if (event["ph"] == "X") all.push_back(event);
  return all;
}

}  // namespace

TEST_CASE("the trace parses, and every track that something lies on has a name, and so has its device") {
  const json trace = parsed(make_run());
  CHECK(trace["displayTimeUnit"] == "ms");
  std::map<std::pair<int, int>, std::string> tracks;
  std::map<int, std::string> processes;
  for (const json& event : trace["traceEvents"]) {
    if (event["name"] == "thread_name") tracks[{event["pid"], event["tid"]}] = event["args"]["name"];
    if (event["name"] == "process_name") processes[event["pid"]] = event["args"]["name"];
  }
  std::set<std::string> names;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == "M") continue;
    REQUIRE(tracks.count({event["pid"], event["tid"]}) == 1);
    REQUIRE(processes.count(event["pid"]) == 1);
    names.insert(tracks[{event["pid"], event["tid"]}]);
  }
  for (const char* name : {"edge 1", "eu-1 1", "eu-2 1", "waits for the edge 1", "not served"}) {
    INFO(name);
    CHECK(names.count(name) == 1);
  }
  CHECK(processes[2] == "device 1");
}

TEST_CASE("slices on one track stand one after the other, or one inside the other") {
  std::map<std::pair<int, int>, std::vector<std::pair<double, double>>> tracks;
  for (const json& slice : slices(parsed(make_run()))) {
    const double begin = slice["ts"], length = slice["dur"];
    tracks[{slice["pid"], slice["tid"]}].emplace_back(begin, begin + length);
  }
  REQUIRE(tracks.size() > 8);
  constexpr double kRounding = 0.002;  // microseconds
  for (auto& [track, spans] : tracks) {
    std::vector<double> open;  // ends of the slices around
    std::sort(spans.begin(), spans.end(), [](const auto& one, const auto& other) {
      return one.first != other.first ? one.first < other.first : one.second > other.second;
    });
    bool nested = true;
    for (const auto& [begin, end] : spans) {
      while (!open.empty() && open.back() <= begin + kRounding) open.pop_back();
      nested = nested && (open.empty() || end <= open.back() + kRounding);
      open.push_back(end);
    }
    CHECK(nested);
  }
}

TEST_CASE("an attempt is cut into up, server and down, which add up to it") {
  const auto run = make_run();
  std::size_t attempts = 0;
  const json trace = parsed(run);
  const auto all = slices(trace);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + 1 >= all.size() || all[i + 1]["name"] != "up") continue;
    double sum = 0;
    for (std::size_t k = i + 1; k < all.size() && !all[k].contains("args"); ++k) sum += all[k]["dur"].get<double>();
    CHECK(sum == Approx(all[i]["dur"].get<double>()));
    ++attempts;
  }
  CHECK(attempts > 100);
  std::size_t begins = 0, ends = 0;
  for (const json& event : trace["traceEvents"]) {
    begins += event["ph"] == "s";
    ends += event["ph"] == "f";
  }
  CHECK(begins == attempts);  // a cascade: each attempt follows a local pass
  CHECK(ends == attempts);
}

TEST_CASE("a slice says of its request why, and what the roads would have taken") {
  const json trace = parsed(make_run({.requests = 200}));
  for (const json& event : trace["traceEvents"]) {
    if (!event.contains("args") || event["ph"] == "M") continue;
    CHECK(event["args"].contains("reason"));
    CHECK(event["args"].contains("cloud_road_ms"));
    CHECK(event["args"]["edge_road_ms"].get<double>() > 0);
  }
}

TEST_CASE("faults are marked, for as long as they lasted") {
  const json trace =
      parsed(make_run({.requests = 10}), {{seconds(60), seconds(6), "blackhole"}, {seconds(9), {}, "kill"}});
  const auto find = [&](const char* name) {
    const auto& events = trace["traceEvents"];
    return *std::find_if(events.begin(), events.end(), [&](const json& event) { return event["name"] == name; });
  };
  CHECK(find("blackhole")["dur"] == 6e6);
  CHECK(find("blackhole")["ts"] == 60e6);
  CHECK(find("kill")["ph"] == "i");
}

TEST_CASE("the trace is bounded, begins after the warm-up, and is the same twice") {
  const auto run = make_run();
  std::set<std::uint64_t> requests;
  const json trace = json::parse(trace_of(run, 50).json("", {}));
  for (const json& event : trace["traceEvents"]) {
    if (!event.contains("args") || event["ph"] == "M") continue;
    requests.insert(event["args"]["request"].get<std::uint64_t>());
    CHECK(event["ts"].get<double>() >= 10e6);
  }
  CHECK(requests.size() == 50);
  CHECK(trace_of(run).json("t", {}) == trace_of(run).json("t", {}));
}

TEST_CASE("a trace of nothing is still a trace") {
  CHECK(json::parse(TraceWriter({}, {}, 10).json("", {}))["traceEvents"].empty());
}
