#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "cloud_stub/shaping.h"

namespace {

using namespace hearth;
using namespace hearth::stub;
using namespace std::chrono_literals;

std::string problems_in(const std::string& json) {
  const auto shaping = parse_shaping(json, "net.json");
  return shaping ? "no problem" : shaping.error().message;
}

}  // namespace

TEST_CASE("without shaping a request is there at once") {
  CHECK(Shaping{}.idle());
  Shaper shaper{Shaping{}};
  const auto arrival = shaper.arrive(5ms, 1'000'000, true);
  CHECK(arrival.at == 5ms);
  CHECK(arrival.error_status == 0);
  CHECK(shaper.depart(7ms, 1'000'000, arrival.way_back) == 7ms);
}

TEST_CASE("requests take the uplink one after the other, replies the downlink") {
  Shaping shaping;
  shaping.uplink_mbit_per_s = 8;      // 1 byte per microsecond
  shaping.downlink_mbit_per_s = 0.8;  // 1 byte per 10 microseconds
  Shaper shaper(shaping);
  CHECK(shaper.arrive(0ms, 1000, true).at == 1ms);
  CHECK(shaper.arrive(0ms, 1000, true).at == 2ms);    // waits for the first
  CHECK(shaper.arrive(500us, 2000, true).at == 4ms);  // waits for both
  CHECK(shaper.arrive(10ms, 1000, true).at == 11ms);  // the link has been idle: no credit, no debt
  CHECK(shaper.depart(3ms, 100, 0ms) == 4ms);         // the other direction has its own queue
  CHECK(shaper.depart(3500us, 100, 0ms) == 5ms);
}

TEST_CASE("half of the latency is spent on the way in, half on the way back, and it does not keep the link busy") {
  Shaping shaping;
  shaping.latency = {.kind = LatencyKind::kConstant, .ms = 60};
  shaping.uplink_mbit_per_s = 8;
  Shaper shaper(shaping);
  const auto first = shaper.arrive(0ms, 1000, true);
  const auto second = shaper.arrive(0ms, 1000, true);
  CHECK(first.at == 31ms);
  CHECK(second.at == 32ms);
  CHECK(shaper.depart(first.at + 4ms, 50, first.way_back) == 65ms);
}

TEST_CASE("draws are the seed's own and follow its distribution") {
  Shaping shaping;
  shaping.seed = 42;
  SECTION("uniform") { shaping.latency = {.kind = LatencyKind::kUniform, .min_ms = 20, .max_ms = 40}; }
  SECTION("lognormal") { shaping.latency = {.kind = LatencyKind::kLognormal, .median_ms = 30, .sigma = 0.2}; }
  Shaper one(shaping);
  Shaper same(shaping);
  shaping.seed = 43;
  Shaper other(shaping);
  int below = 0;
  int different = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto arrival = one.arrive(0ms, 10, true);
    CHECK(same.arrive(0ms, 10, true).at == arrival.at);
    different += other.arrive(0ms, 10, true).at != arrival.at;
    below += arrival.at + arrival.way_back < 30ms;
    if (shaping.latency.kind == LatencyKind::kUniform) {
      CHECK(arrival.at + arrival.way_back >= 20ms);
      CHECK(arrival.at + arrival.way_back <= 40ms);
    }
  }
  CHECK(below > 900);  // 30 ms is the median of both; 4.5 standard deviations of 2000 coin tosses are 100
  CHECK(below < 1100);
  CHECK(different > 1990);
}

TEST_CASE("errors come at the rate asked for, half 500 and half 503, and never for what may not fail") {
  Shaping shaping;
  shaping.error_rate = 0.1;
  Shaper shaper(shaping);
  int internal = 0;
  int unavailable = 0;
  for (int i = 0; i < 10'000; ++i) {
    const int status = shaper.arrive(0ms, 10, true).error_status;
    internal += status == 500;
    unavailable += status == 503;
  }
  // Expected 500 each, standard deviation 22: five of them.
  CHECK(std::abs(internal - 500) < 110);
  CHECK(std::abs(unavailable - 500) < 110);
  shaping.error_rate = 1;
  shaper.replace(shaping);
  CHECK(shaper.arrive(0ms, 10, false).error_status == 0);
  CHECK(shaper.arrive(0ms, 10, true).error_status != 0);
}

TEST_CASE("errors do not shift the latencies drawn") {
  Shaping shaping;
  shaping.latency = {.kind = LatencyKind::kUniform, .min_ms = 1, .max_ms = 9};
  Shaper calm(shaping);
  shaping.error_rate = 0.5;
  Shaper failing(shaping);
  for (int i = 0; i < 100; ++i) CHECK(calm.arrive(0ms, 1, true).at == failing.arrive(0ms, 1, true).at);
}

TEST_CASE("replacing the shaping begins its draws anew and leaves what is on the link") {
  Shaping shaping;
  shaping.uplink_mbit_per_s = 8;
  shaping.latency = {.kind = LatencyKind::kUniform, .min_ms = 10, .max_ms = 20};
  Shaper shaper(shaping);
  const auto before = shaper.arrive(0ms, 100'000, true);
  shaper.replace(shaping);
  const auto after = shaper.arrive(0ms, 0, true);
  CHECK(after.at == before.at);  // the same first draw, behind the same 100 ms of bytes
}

TEST_CASE("a whole shaping file is read, and what is left out keeps its default") {
  const auto shaping = parse_shaping(R"({"description": "a train",
    "latency": {"distribution": "lognormal", "median_ms": 90, "sigma": 0.5},
    "uplink_mbit_per_s": 2.5, "downlink_mbit_per_s": 20, "error_rate": 0.05, "seed": 18446744073709551615})",
                                     "net.json");
  REQUIRE(shaping.ok());
  CHECK(shaping.value().latency.kind == LatencyKind::kLognormal);
  CHECK(shaping.value().latency.median_ms == 90);
  CHECK(shaping.value().latency.sigma == 0.5);
  CHECK(shaping.value().uplink_mbit_per_s == 2.5);
  CHECK(shaping.value().downlink_mbit_per_s == 20);
  CHECK(shaping.value().error_rate == 0.05);
  CHECK(shaping.value().seed == UINT64_MAX);
  const auto none = parse_shaping("{}", "net.json");
  REQUIRE(none.ok());
  CHECK(none.value().idle());
}

TEST_CASE("all problems of a shaping file come at once, each with its place") {
  const std::string problems = problems_in(R"({
  "latency": {"distribution": "uniform", "min_ms": 9, "max_ms": 3},
  "uplink_mbit_per_s": -1,
  "downlink_mbit_per_s": 0.0001,
  "error_rate": 1.5,
  "eror_rate": 0.1,
  "seed": "one"
})");
  CAPTURE(problems);
  CHECK(problems.find("net.json:2:52: /latency/min_ms: is more than max_ms") != std::string::npos);
  CHECK(problems.find("net.json:3:24: /uplink_mbit_per_s: ") != std::string::npos);
  CHECK(problems.find("net.json:4:26: /downlink_mbit_per_s: is under 0.001") != std::string::npos);
  CHECK(problems.find("net.json:5:17: /error_rate: ") != std::string::npos);
  CHECK(problems.find("net.json:6:16: /eror_rate: unknown key") != std::string::npos);
  CHECK(problems.find("\"error_rate\"") != std::string::npos);  // the nearest valid key
  CHECK(problems.find("net.json:7:11: /seed: ") != std::string::npos);
}

TEST_CASE("a latency must say all of its distribution and nothing else") {
  CHECK(problems_in(R"({"latency": {"ms": 5}})").find("\"distribution\" is missing") != std::string::npos);
  CHECK(problems_in(R"({"latency": {"distribution": "constant"}})").find("\"ms\" is missing") != std::string::npos);
  CHECK(problems_in(R"({"latency": {"distribution": "constant", "ms": 5, "sigma": 1}})").find("/latency/sigma") !=
        std::string::npos);
  CHECK(problems_in(R"({"latency": {"distribution": "normal"}})").find("constant, uniform, lognormal") !=
        std::string::npos);
  CHECK(problems_in(R"({"latency": 60})").find("/latency: ") != std::string::npos);
}

TEST_CASE("a shaping file that is no JSON object or is not there is refused") {
  CHECK(problems_in("[]").find("net.json:1") != std::string::npos);
  CHECK(problems_in("{\n\"seed\": 1,\n").find("net.json:3") != std::string::npos);
  CHECK(problems_in("").find("net.json") != std::string::npos);
  const auto missing = load_shaping("configs/stub/no_such_file.json");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message.find("configs/stub/no_such_file.json") != std::string::npos);
}

TEST_CASE("every file in configs/stub loads") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("configs/stub")) {
    CAPTURE(entry.path().string());
    const auto shaping = load_shaping(entry.path().string());
    CHECK((shaping.ok() ? "" : shaping.error().message) == "");
    ++files;
  }
  CHECK(files >= 2);
}

TEST_CASE("values that came from flags are checked too") {
  Shaping shaping;
  CHECK(problems_of(shaping).empty());
  shaping.latency.ms = -1;
  shaping.uplink_mbit_per_s = std::numeric_limits<double>::quiet_NaN();
  shaping.error_rate = 2;
  CHECK(problems_of(shaping) == std::vector<std::string>{"latency (ms) must be between 0 and 60000",
                                                         "bandwidth (Mbit/s) must be between 0 and 1000000",
                                                         "error rate must be between 0 and 1"});
}
