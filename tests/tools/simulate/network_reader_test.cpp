// Goal: a scenario's network is read as it stands, what it leaves out stays as the code has it, and each mistake is one
// line that says where. Method: small files, one mistake each, and one with several.
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "tests/support/temp_folder.h"
#include "tools/simulate/network_reader.h"

using namespace hearth;
using namespace hearth::simulate;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Network {
  sim::LinkModel link;
  std::string problems;
};

Network read_scenario(const std::string& network, const std::string& folder = ".") {
  const auto document = JsonDocument::parse("{\"network\": " + network + "}", "s.json");
  INFO((document.ok() ? "" : document.error().message));
  REQUIRE(document.ok());
  Problems problems;
  Network result;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  read_network(reader, folder, result.link);
  reader.finish();
  if (!problems.empty()) result.problems = problems.as_error().message;
  return result;
}

}  // namespace

TEST_CASE("a network that says nothing is the code's own") {
  const auto [link, problems] = read_scenario("{}");
  const sim::LinkModel defaults;
  CHECK(problems.empty());
  CHECK(link.round_trip_median == defaults.round_trip_median);
  CHECK(link.up_mbit_per_s == defaults.up_mbit_per_s);
  CHECK(link.loss.enter_bad == 0);
  CHECK(link.handovers.every == Duration{});
  CHECK(link.outages.empty());
}

TEST_CASE("everything that a network of formulas can say is read") {
  const auto [link, problems] = read_scenario(R"({
    "round_trip": {"median_ms": 45, "sigma": 0.3}, "up": {"mbit_per_s": 5}, "down": {"mbit_per_s": 20},
    "loss": {"enter_bad": 0.01, "leave_bad": 0.2, "loss_good": 0.001, "loss_bad": 0.9, "retransmit_ms": 300},
    "handover": {"every_s": 40, "gap_ms": 300, "sigma": 0.4},
    "captive": [{"at_s": 10, "for_s": 5}, {"at_s": 60, "for_s": 2.5}]})");
  CHECK(problems.empty());
  CHECK(link.round_trip_median == milliseconds(45));
  CHECK(link.round_trip_sigma == 0.3);
  CHECK(link.up_mbit_per_s == 5);
  CHECK(link.down_mbit_per_s == 20);
  CHECK(link.loss.enter_bad == 0.01);
  CHECK(link.loss.leave_bad == 0.2);
  CHECK(link.loss.loss_good == 0.001);
  CHECK(link.loss.loss_bad == 0.9);
  CHECK(link.loss.retransmit == milliseconds(300));
  CHECK(link.handovers.every == seconds(40));
  CHECK(link.handovers.gap_median == milliseconds(300));
  CHECK(link.handovers.gap_sigma == 0.4);
  REQUIRE(link.outages.size() == 2);
  CHECK(link.outages[1].at == seconds(60));
  CHECK(link.outages[1].length == milliseconds(2500));
}

TEST_CASE("traces of all four kinds are read, relative to the scenario's folder") {
  const test::TempFolder folder;
  std::ofstream(folder.path() / "m") << "1\n2\n";
  std::ofstream(folder.path() / "r") << "0 1\n1 8\n";
  std::ofstream(folder.path() / "p") << "64 bytes from h: icmp_seq=1 ttl=5 time=30 ms\n";
  std::ofstream(folder.path() / "c") << "t_s,rtt_ms,up_kbps,down_kbps\n0,40,8,16\n1,50,8,16\n";
  const std::string at = folder.path().string();
  const auto first = read_scenario(
      R"({"round_trip": {"ping_trace": "p"}, "up": {"mahimahi_trace": "m"}, "down": {"rate_trace": "r"},
          "trace_offset_s": 3, "trace_spread_s": 4})",
      at);
  CHECK(first.problems.empty());
  REQUIRE((first.link.round_trips && first.link.up && first.link.down_rate));
  CHECK(first.link.round_trips->round_trips[0] == milliseconds(30));
  CHECK(first.link.up->at_ms.size() == 2);
  CHECK(first.link.down_rate->pieces[0].bytes_by == Approx(1e6));
  CHECK(first.link.trace_offset == seconds(3));
  CHECK(first.link.trace_spread == seconds(4));
  const auto second =
      read_scenario(R"({"round_trip": {"csv_trace": "c"}, "up": {"csv_trace": "c"}, "down": {"csv_trace": "c"}})", at);
  CHECK(second.problems.empty());
  REQUIRE((second.link.round_trips && second.link.up_rate && second.link.down_rate));
  CHECK(second.link.round_trips->round_trips[1] == milliseconds(50));
  CHECK(second.link.up_rate->pieces[0].bytes_by == Approx(1000));
  CHECK(second.link.down_rate->pieces[0].bytes_by == Approx(2000));
}

TEST_CASE("each mistake in a network is one line that says where, what and what was expected") {
  const auto [json, line] = GENERATE(table<std::string, std::string>({
      {"7", "s.json:1:13: /network: expected an object, got 7"},
      {R"({"uplink": {}})",
       "s.json:1:24: /network/uplink: unknown key; valid keys: round_trip, up, down, loss, handover, captive, "
       "trace_offset_s, trace_spread_s"},
      {R"({"up": {}})",
       "s.json:1:20: /network/up: expected one of \"mbit_per_s\", \"mahimahi_trace\", \"rate_trace\", \"csv_trace\""},
      {R"({"up": {"mbit_per_s": 0}})",
       "s.json:1:35: /network/up/mbit_per_s: expected a number from 0.001 to 1000000, got 0"},
      {R"({"up": {"rate_trace": "none"}})", "s.json:1:35: /network/up/rate_trace: ./none: no such file"},
      {R"({"up": {"mahimahi_trace": ""}})", "s.json:1:39: /network/up/mahimahi_trace: expected a file"},
      {R"({"round_trip": {"median_ms": 5, "ping_trace": 7}})",
       "s.json:1:59: /network/round_trip/ping_trace: stands beside \"median_ms\", expected one of them\n"
       "s.json:1:59: /network/round_trip/ping_trace: expected a string, got 7"},
      {R"({"round_trip": {"csv_trace": "none", "sigma": 1}})",
       "s.json:1:42: /network/round_trip/csv_trace: ./none: no such file\n"
       "s.json:1:59: /network/round_trip/sigma: unknown key; valid keys: median_ms, ping_trace, csv_trace"},
      {R"({"loss": {"enter_bad": 1.5}})",
       "s.json:1:36: /network/loss/enter_bad: expected a number from 0 to 1, got 1.5"},
      {R"({"handover": {"gap_ms": 5}})", "s.json:1:26: /network/handover: \"every_s\" is missing"},
      {R"({"handover": {"every_s": 1, "gap_ms": 600}})",
       "s.json:1:51: /network/handover/gap_ms: expected at most half of every_s"},
      {R"({"captive": [{"at_s": -1, "for_s": 1}]})",
       "s.json:1:35: /network/captive/0/at_s: expected a number from 0 to 10000000, got -1"},
      {R"({"trace_spread_s": 5})", "s.json:1:32: /network/trace_spread_s: there is no trace here"},
  }));
  CHECK(read_scenario(json).problems == line);
}

TEST_CASE("what is wrong in a trace is told with its own place, and every trace is looked at") {
  const test::TempFolder folder;
  std::ofstream(folder.path() / "m") << "5\n2\n";
  std::ofstream(folder.path() / "r") << "0 1\n1 -8\n";
  std::ofstream(folder.path() / "c") << "t_s,up_kbps\n0,8\n1,8\n";
  const std::string at = folder.path().string();
  const std::string problems =
      read_scenario(R"({"round_trip": {"csv_trace": "c"}, "up": {"mahimahi_trace": "m"}, "down": {"rate_trace": "r"}})",
                    at)
          .problems;
  CHECK(problems == "s.json:1:42: /network/round_trip/csv_trace: " + at +
                        "/c: nothing in a column rtt_ms\ns.json:1:73: /network/up/mahimahi_trace: " + at +
                        "/m:2: 2 after 5, expected times in order\ns.json:1:102: /network/down/rate_trace: " + at +
                        "/r:2: not a rate, expected Mbit/s from 0 to 1000000");
}
