#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/support/well_formed.h"
#include "tests/tools/simulate/synthetic_report.h"

using namespace hearth;
using namespace hearth::simulate;
using nlohmann::ordered_json;
using simulate::test::sweep_of;

namespace {

ordered_json world() {
  return ordered_json::parse(R"({"seed": 1, "network": {"round_trip": {"median_ms": 60}},
    "workload": [{"name": "photos", "arrivals": {"rate_per_s": 2}}, {"name": "notes"}]})");
}

std::string complaint(const Status& status) { return status.ok() ? "" : status.error().message; }

}  // namespace

TEST_CASE("a setting's values are JSON where they read as JSON, and text where they do not") {
  const auto setting = parse_setting("a.b=20,0.5,true,eu-1,[1,2],\"x,y\",{\"k\":[3,4]}");
  REQUIRE(setting.ok());
  CHECK(setting->path == "a.b");
  CHECK(setting->values ==
        std::vector<ordered_json>{20, 0.5, true, "eu-1", ordered_json::array({1, 2}), "x,y", {{"k", {3, 4}}}});
}

TEST_CASE("a setting that says nothing is refused with an example") {
  for (const char* text : {"a.b", "=1", "a=", ""}) {
    INFO(text);
    CHECK(parse_setting(text).error().message.find("network.round_trip.median_ms=20,60,200") != std::string::npos);
  }
  CHECK(parse_setting("a=1,,2").error().message.find("empty") != std::string::npos);
  CHECK(parse_setting("a=1,2,1").error().message.find("twice") != std::string::npos);
}

TEST_CASE("a path goes through objects by key, and through lists by index or name") {
  ordered_json scenario = world();
  CHECK(set_value(scenario, "network.round_trip.median_ms", 20).ok());
  CHECK(set_value(scenario, "workload.1.deadline_ms", 90).ok());
  CHECK(set_value(scenario, "workload.photos.arrivals.rate_per_s", 7).ok());
  CHECK(set_value(scenario, "network.loss.enter_bad", 0.1).ok());  // an object that was not there
  CHECK(scenario["network"]["round_trip"]["median_ms"] == 20);
  CHECK(scenario["workload"][1]["deadline_ms"] == 90);
  CHECK(scenario["workload"][0]["arrivals"]["rate_per_s"] == 7);
  CHECK(scenario["network"]["loss"]["enter_bad"] == 0.1);
}

TEST_CASE("a path that leads nowhere is refused with the step at which it ends") {
  ordered_json scenario = world();
  CHECK(complaint(set_value(scenario, "workload.2.x", 1)).find("has 2 elements") != std::string::npos);
  CHECK(complaint(set_value(scenario, "workload.videos.x", 1)).find("\"videos\"") != std::string::npos);
  CHECK(complaint(set_value(scenario, "seed.x", 1)).find("no object") != std::string::npos);
  CHECK(complaint(set_value(scenario, "network..x", 1)).find("empty step") != std::string::npos);
}

TEST_CASE("combinations are all of them, the last setting fastest, and bounded") {
  const std::vector<Setting> settings = {{"a", {1, 2}}, {"b", {"x", "y", "z"}}};
  const auto all = combinations(settings, 6);
  REQUIRE(all.ok());
  REQUIRE(all->size() == 6);
  CHECK((*all)[1] == std::vector<ordered_json>{1, "y"});
  CHECK((*all)[5] == std::vector<ordered_json>{2, "z"});
  CHECK(combinations(settings, 5).error().message.find("more than 5") != std::string::npos);
  CHECK(combinations({}, 5)->size() == 1);
}

TEST_CASE("the CSV has a line a point, with as many fields as its head, and quotes what needs it") {
  Sweep sweep = sweep_of({0.2, 0.8}, 2);
  sweep.settings[0].path = "odd,\"path\"";
  const std::string csv = sweep_csv(sweep);
  CHECK(csv.rfind("\"odd,\"\"path\"\"\",round_trip.median_ms,seeds,requests,latency_p50_ms,", 0) == 0);
  std::vector<std::size_t> commas;
  for (std::size_t begin = 0; begin < csv.size();) {
    const std::size_t end = csv.find("\r\n", begin);
    commas.push_back(static_cast<std::size_t>(std::count(csv.begin() + static_cast<std::ptrdiff_t>(begin),
                                                         csv.begin() + static_cast<std::ptrdiff_t>(end), ',')));
    begin = end + 2;
  }
  REQUIRE(commas.size() == 1 + sweep.points.size());
  for (std::size_t i = 1; i < commas.size(); ++i) CHECK(commas[i] == commas[0] - 1);  // one comma is in the quotes
}

TEST_CASE("the JSON of a sweep has each point's settings, hashes and intervals") {
  const auto json = sweep_json(sweep_of({0.2, 0.8}, 2));
  CHECK(json["points"].size() == 4);
  CHECK(json["points"][3]["at"]["threshold"] == 0.8);
  CHECK(json["points"][3]["seeds"] == ordered_json::array({1, 2}));
  for (const auto& point : json["points"])
    CHECK(point["metrics"]["accuracy"]["low"].get<double>() <= point["metrics"]["accuracy"]["high"].get<double>());
}

TEST_CASE("points are named by the last keys of their settings, and by whole paths where those are the same") {
  Sweep sweep = sweep_of({0.2, 0.8}, 1);
  CHECK(name_of(sweep, sweep.points[0]) == "threshold 0.2, median_ms 20");
  sweep.settings[0].path = "other.median_ms";
  CHECK(name_of(sweep, sweep.points[0]) == "other.median_ms 0.2, round_trip.median_ms 20");
  CHECK(sweep_table(sweep).find("other.median_ms 0.8") != std::string::npos);
}

TEST_CASE("the report of a sweep is well formed, whatever the settings are") {
  Sweep sweep = sweep_of({0.2, 0.5, 0.8}, 2);
  CHECK(hearth::test::well_formed(make_sweep_report(sweep, "a <story>")));
  for (auto& value : sweep.settings[0].values) value = "t<" + value.dump();  // no numbers
  for (auto& point : sweep.points) point.values[0] = "t<" + point.values[0].dump();
  const std::string page = make_sweep_report(sweep, "");
  CHECK(hearth::test::well_formed(page));
  CHECK(page.find("nan") == std::string::npos);
}
