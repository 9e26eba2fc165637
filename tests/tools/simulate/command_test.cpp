// hearth simulate, compare and sweep as they are run.
#include <algorithm>
#include <filesystem>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/hearth_command.h"

using hearth::test::CommandFolder;
using hearth::test::Ran;
using nlohmann::ordered_json;

namespace {

/// Tests run in the project's root.
std::string golden(const std::string& name) {
  return (std::filesystem::current_path() / "tests/tools/simulate/golden" / name).string();
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A policy that keeps everything home, beside the golden one.
std::string stay_policy(const CommandFolder& folder) {
  return folder.write("stay.json", R"({"version": 1, "name": "stay", "classes": [{"name": "public", "egress": "never"},
    {"name": "health", "egress": "never"}], "default_class": "health"})");
}

}  // namespace

TEST_CASE("a small scenario comes to what it came to before") {
  const CommandFolder folder;
  const Ran ran = folder.run("simulate " + golden("scenario.json") + " --json");
  REQUIRE(ran.code == 0);
  auto summary = ordered_json::parse(ran.out);
  for (const char* machine : {"wall_s", "requests_per_second", "events_per_second"}) {
    INFO(machine);
    CHECK(summary.contains(machine));
    summary.erase(machine);
  }
  INFO(
      "meant to change? put what `hearth simulate tests/tools/simulate/golden/scenario.json --json` prints, without "
      "the "
      "three figures of the machine, into golden/summary.json");
  CHECK(summary.dump(2) == ordered_json::parse(hearth::test::text_of(golden("summary.json"))).dump(2));
}

TEST_CASE("without the roads there is no oracle, and no figure in its place") {
  const CommandFolder folder;
  const Ran ran = folder.run("simulate " + golden("scenario.json") + " --no-roads --json");
  REQUIRE(ran.code == 0);
  const auto summary = ordered_json::parse(ran.out);
  CHECK(summary.at("all").at("regret").is_null());
  CHECK(summary.at("roads").is_null());
  CHECK_FALSE(has(folder.run("simulate " + golden("scenario.json") + " --no-roads").out, "oracle"));
  CHECK(has(folder.run("simulate " + golden("scenario.json")).out, "an oracle bound by the same permits"));
  CHECK(folder.run("simulate " + golden("scenario.json") + " --no-roads --out files").code == 2);
}

TEST_CASE("a run leaves its summary, its requests, a trace and a report, the same bytes each time") {
  const CommandFolder folder;
  for (const char* out : {"one", "two"})
    REQUIRE(folder.run("simulate " + golden("scenario.json") + " --out " + out).code == 0);
  for (const char* file : {"summary.json", "requests.jsonl", "trace.json", "report.html"}) {
    INFO(file);
    const std::string bytes = hearth::test::text_of(folder.at("one/" + std::string(file)));
    CHECK_FALSE(bytes.empty());
    CHECK(bytes == hearth::test::text_of(folder.at("two/" + std::string(file))));
  }
  CHECK(has(hearth::test::text_of(folder.at("one/report.html")), "offline"));  // marked as a fault
  CHECK_FALSE(ordered_json::parse(hearth::test::text_of(folder.at("one/trace.json")))["traceEvents"].empty());
}

TEST_CASE("compare tells the policies apart, whatever the number of jobs") {
  const CommandFolder folder;
  const std::string arguments = "simulate compare " + golden("scenario.json") + " --policy " + golden("policy.json") +
                                " --policy " + stay_policy(folder) + " --seeds 3 --json --out out --jobs ";
  const Ran one = folder.run(arguments + "1"), many = folder.run(arguments + "4");
  REQUIRE(one.code == 0);
  CHECK(one.out == many.out);
  const auto json = ordered_json::parse(one.out);
  CHECK(json["policies"]["B"]["name"] == "stay");
  CHECK(json["against_a"]["B"]["usd_per_1000_requests"]["verdict"] == "B better");
  CHECK(json["against_a"]["B"]["right_in_time_share"]["verdict"] == "A better");
  CHECK(hearth::test::text_of(folder.at("out/comparison.json")) == one.out);
  CHECK(has(hearth::test::text_of(folder.at("out/report.html")), "which policy?"));
}

TEST_CASE("compare refuses one policy, and a policy that is not there, before it writes anything") {
  const CommandFolder folder;
  const std::string start = "simulate compare " + golden("scenario.json") + " --out out --policy ";
  const Ran alone = folder.run(start + golden("policy.json"));
  CHECK(alone.code == 2);
  CHECK(has(alone.err, "expected two to 8"));
  const Ran absent = folder.run(start + golden("policy.json") + " --policy absent.json");
  CHECK(absent.code == 2);
  CHECK(has(absent.err, "absent.json"));
  CHECK_FALSE(std::filesystem::exists(folder.at("out")));
}

TEST_CASE("sweep runs every combination and writes CSV, JSON and a report") {
  const CommandFolder folder;
  const Ran ran = folder.run("simulate sweep " + golden("scenario.json") +
                             " --set network.round_trip.median_ms=10,400 --set workload.photos.arrivals.rate_per_s=5,10"
                             " --json --out out");
  REQUIRE(ran.code == 0);
  const auto json = ordered_json::parse(ran.out);
  REQUIRE(json["points"].size() == 4);
  const auto share = [&](std::size_t i) { return json["points"][i]["metrics"]["cloud_share"]["value"].get<double>(); };
  CHECK(share(0) > 0.1);
  CHECK(share(2) == 0);  // a round trip of 400 ms leaves no room
  CHECK(json["points"][1]["requests"].get<double>() > 1.5 * json["points"][0]["requests"].get<double>());
  const std::string csv = hearth::test::text_of(folder.at("out/sweep.csv"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 5);
  CHECK(hearth::test::text_of(folder.at("out/sweep.json")) == ran.out);
  CHECK(has(hearth::test::text_of(folder.at("out/report.html")), "what if?"));
}

TEST_CASE("sweep refuses keys and values that a scenario does not have, with the nearest, and writes nothing") {
  const CommandFolder folder;
  const auto refused = [&](const std::string& setting) {
    const Ran ran = folder.run("simulate sweep " + golden("scenario.json") + " --out out --set '" + setting + "'");
    CHECK(ran.code == 2);
    CHECK(ran.out.empty());
    CHECK_FALSE(std::filesystem::exists(folder.at("out")));
    return ran.err;
  };
  CHECK(has(refused("network.round_trip.median_m=20"), "unknown key (did you mean \"median_ms\"?)"));
  CHECK(has(refused("networks.x=1"), "did you mean \"network\"?"));
  CHECK(has(refused("network.round_trip.median_ms=fast"), "expected a number"));
  CHECK(has(refused("workload.videos.deadline_ms=1"), "no element of the list has the name \"videos\""));
  CHECK(has(refused("length_s=1"), "warm_up_s"));
  CHECK(has(refused("seed"), "expected PATH=VALUE"));
}
