// Goal: a profile comes back as it was written, and a file that is wrong is refused with a line for each problem.
#include "runtime/signals/profile.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <hearth/random.h>

#include <nlohmann/json.hpp>

using namespace hearth;
using namespace hearth::signals;
using Catch::Matchers::Contains;
using nlohmann::json;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

const std::string kSha(64, 'a');

QuantileSketch sketch_of(std::initializer_list<Duration> samples) {
  QuantileSketch sketch;
  for (const auto sample : samples) sketch.observe(sample);
  return sketch;
}

EdgeRow row_of(std::uint64_t batch, std::uint64_t threads, std::initializer_list<Duration> samples) {
  return {batch, threads, sketch_of(samples), {}};
}

/// A good file, for one thing at a time to be put wrong.
json good() {
  return json::parse(R"({
    "version": 1, "machine": {"cpu": "a processor", "cores": 2},
    "edge": [{"model_sha256": ")" +
                     kSha +
                     R"(", "rows": [{"batch": 1, "threads": 1, "samples": 3, "latency_ns": [[1000000, 2], [2000000, 1]],
                       "joules_per_inference": 0.5}]}],
    "cloud": [{"endpoint": "eu", "model": "m",
               "rows": [{"payload_bytes_max": 4096, "samples": 1, "latency_ns": [[40000000, 1]]}]}]
  })");
}

Profile read(const std::string& text) {
  auto profile = parse_profile(text, "p.json");
  INFO((profile.ok() ? "" : profile.error().message));
  REQUIRE(profile.ok());
  return std::move(profile).value();
}

}  // namespace

TEST_CASE("a profile comes back as it was written, to the same text", "[signals][property]") {
  CHECK(rc::check("random profiles", [] {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>(), "profile");
    const auto sketch = [&] {
      QuantileSketch drawn(1e9f);
      for (auto i = random.below(200) + 1; i > 0; --i) drawn.observe(from_ms(random.lognormal(5, 1)));
      drawn.fade_to(static_cast<float>(random.below(100) + 1));
      return drawn;
    };
    Profile profile;
    profile.machine = {"a \"processor\" \x80", 4};
    ModelProfile model{kSha, {}};
    for (std::uint64_t threads = 1; threads <= 2; ++threads) {
      for (std::uint64_t batch = 1; batch <= 3; ++batch) model.rows.push_back({batch, threads, sketch(), 0.25});
    }
    profile.edge = {model};
    profile.cloud = {{"eu", "m", {{4096, sketch()}, {65'536, sketch()}}}};

    const std::string text = text_of(profile);
    const auto again = parse_profile(text, "p");
    RC_ASSERT(again.ok());
    RC_ASSERT(text_of(again.value()) == text);
    RC_ASSERT(again->machine->cores == 4u);
    const auto* rows = &again->edge.at(0).rows;
    RC_ASSERT(rows->size() == 6u);
    for (std::size_t i = 0; i < rows->size(); ++i) {
      RC_ASSERT((*rows)[i].batch == model.rows[i].batch);
      RC_ASSERT((*rows)[i].threads == model.rows[i].threads);
      RC_ASSERT((*rows)[i].joules_per_inference == model.rows[i].joules_per_inference);
      // Cells are the same, weights rounded to a thousandth: a quantile stays, or moves to a neighbour of its cell.
      for (const double q : {0.1, 0.5, 0.9, 0.99}) {
        const auto got = (*rows)[i].latency.quantile(q), low = model.rows[i].latency.quantile(q - 0.01),
                   high = model.rows[i].latency.quantile(std::min(1.0, q + 0.01));
        RC_ASSERT(got >= low);
        RC_ASSERT(got <= high);
      }
    }
    RC_ASSERT(again->cloud.at(0).rows.at(1).payload_bytes_max == 65'536u);
  }));
}

TEST_CASE("a profile of nothing is a profile", "[signals]") {
  CHECK(text_of(Profile{}) == "{\n  \"version\": 1\n}\n");
  CHECK(read(text_of(Profile{})).edge.empty());
}

TEST_CASE("two files merge by adding what their histograms count", "[signals]") {
  json file = good(), other = good();
  auto& row = file["edge"][0]["rows"][0];
  auto& cells = row["latency_ns"];
  other["edge"][0]["rows"][0]["latency_ns"] = {{1000000, 4}, {9000000, 1}};
  for (const auto& cell : other["edge"][0]["rows"][0]["latency_ns"]) cells.push_back(cell);
  row["samples"] = 8;
  const Profile merged = read(file.dump());
  QuantileSketch both;
  for (int i = 0; i < 6; ++i) both.observe(milliseconds(1));
  both.observe(milliseconds(2));
  both.observe(milliseconds(9));
  for (const double q : {0.0, 0.5, 0.75, 0.8, 0.99})
    CHECK(merged.edge[0].rows[0].latency.quantile(q) == both.quantile(q));
}

TEST_CASE("latency of a batch that was not measured lies between its neighbours, or grows with the batch",
          "[signals]") {
  const ModelProfile model{
      kSha, {row_of(1, 1, {milliseconds(10)}), row_of(4, 1, {milliseconds(22)}), row_of(2, 4, {milliseconds(30)})}};
  const auto ms = [&](std::uint64_t batch, std::uint64_t threads) { return to_ms(model.latency(batch, threads, 0.5)); };
  CHECK(ms(1, 1) == Approx(10).epsilon(0.008));
  CHECK(ms(4, 1) == Approx(22).epsilon(0.008));
  CHECK(ms(2, 1) == Approx(14).epsilon(0.008));   // a third of the way
  CHECK(ms(16, 1) == Approx(88).epsilon(0.008));  // four times as many
  CHECK(ms(4, 3) == ms(4, 1));                    // the rows of one thread, not of four
  CHECK(ms(2, 9) == Approx(30).epsilon(0.008));
  CHECK(ms(1, 4) == ms(2, 4));  // nothing is claimed below the smallest
  const ModelProfile two_threads{kSha, {row_of(1, 2, {milliseconds(5)})}};
  CHECK(to_ms(two_threads.latency(1, 1, 0.5)) == Approx(5).epsilon(0.008));
}

TEST_CASE("a draw of the quantile is a draw of the latency", "[signals]") {
  QuantileSketch measured;
  for (int i = 1; i <= 1000; ++i) measured.observe(microseconds(10 * i));
  const ModelProfile model{kSha, {{1, 1, measured, {}}}};
  RandomStream random(3, "draws");
  QuantileSketch drawn;
  for (int i = 0; i < 2000; ++i) drawn.observe(model.latency(1, 1, random.uniform()));
  for (const double q : {0.1, 0.5, 0.9})
    CHECK(to_ms(drawn.quantile(q)) == Approx(to_ms(measured.quantile(q))).epsilon(0.06));
}

TEST_CASE("a profile that is wrong is refused with its place and what was expected", "[signals]") {
  const auto [where, value, complaint] = GENERATE(table<const char*, const char*, const char*>({
      {"/version", "2", "/version: expected a whole number from 1 to 1, got 2"},
      {"/machine/cores", "0", "/machine/cores: expected"},
      {"/machine/core", "1", "/machine/core: unknown key (did you mean \"cores\"?)"},
      {"/edges", "[]", "/edges: unknown key (did you mean \"edge\"?)"},
      {"/edge/0/model_sha256", R"("abc")", "/edge/0/model_sha256: expected 64 lower-case hexadecimal digits"},
      {"/edge/0/rows", "[]", "/edge/0/rows: expected at least one row"},
      {"/edge/0/rows/0/batch", "0", "/edge/0/rows/0/batch: expected a whole number from 1"},
      {"/edge/0/rows/0/threads", R"("two")", "/edge/0/rows/0/threads: expected a whole number"},
      {"/edge/0/rows/0/samples", "30", "/edge/0/rows/0/samples: expected the sum of what latency_ns counts, got 30"},
      {"/edge/0/rows/0/samples", "-1", "/edge/0/rows/0/samples: expected"},
      {"/edge/0/rows/0/latency_ns", "[]", "latency_ns: expected pairs [nanoseconds, samples]"},
      {"/edge/0/rows/0/latency_ns", "7", "latency_ns: expected pairs [nanoseconds, samples], got 7"},
      {"/edge/0/rows/0/latency_ns/1", "[2000000]", "latency_ns/1: expected [nanoseconds, samples]"},
      {"/edge/0/rows/0/latency_ns/1", "[0, 1]", "latency_ns/1: expected [nanoseconds, samples]"},
      {"/edge/0/rows/0/latency_ns/1", "[2000000, -1]", "latency_ns/1: expected [nanoseconds, samples]"},
      {"/edge/0/rows/0/latency_ns/1", "[1.5, 1]", "latency_ns/1: expected [nanoseconds, samples]"},
      {"/edge/0/rows/0/latency_ns/1", "[2000000, 1e300]", "latency_ns/1: expected [nanoseconds, samples]"},
      {"/edge/0/rows/0/joules_per_inference", "-1", "joules_per_inference: expected"},
      {"/cloud/0/rows/0/payload_bytes_max", "5000", "expected one of 4096, 65536, 1048576, 16777216"},
      {"/cloud/0/model", "7", "/cloud/0/model: expected"},
  }));
  json file = good();
  file[json::json_pointer(where)] = json::parse(value);
  const auto profile = parse_profile(file.dump(), "p.json");
  REQUIRE_FALSE(profile.ok());
  CHECK(profile.error().code == ErrorCode::kInvalidArgument);
  CHECK_THAT(profile.error().message, Contains("p.json:1:"));
  CHECK_THAT(profile.error().message, Contains(complaint));
}

TEST_CASE("all problems of a profile come at once, what is missing and what is there twice too", "[signals]") {
  json file = good();
  auto& rows = file["edge"][0]["rows"];
  rows.push_back(rows[0]);
  file["edge"].push_back(file["edge"][0]);
  auto& cloud = file["cloud"][0];
  cloud["rows"].push_back(cloud["rows"][0]);
  file["cloud"].push_back(cloud);
  file["cloud"][0]["rows"][0].erase("latency_ns");
  const auto profile = parse_profile(file.dump(2), "p.json");
  REQUIRE_FALSE(profile.ok());
  const std::string& message = profile.error().message;
  CHECK_THAT(message, Contains("/edge/0/rows/1: this batch and these threads are there twice"));
  CHECK_THAT(message, Contains("/edge/1/model_sha256: this model is there twice"));
  CHECK_THAT(message, Contains("/cloud/0/rows/1: this payload_bytes_max is there twice"));
  CHECK_THAT(message, Contains("/cloud/1: this endpoint is there twice with this model"));
  CHECK_THAT(message, Contains("latency_ns"));
}

TEST_CASE("a profile cut short anywhere is refused, and so is one that is no JSON object", "[signals]") {
  const std::string text = text_of(read(good().dump()));
  for (std::size_t length = 0; length + 2 < text.size(); ++length)  // the last ones are "}\n"
    CHECK_FALSE(parse_profile(text.substr(0, length), "p").ok());
  for (const char* other : {"[]", "7", "null", "\"profile\""}) CHECK_FALSE(parse_profile(other, "p").ok());
  const auto missing = read_profile("/nowhere/p.json");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == ErrorCode::kNotFound);
}

TEST_CASE("a profile of more rows than the bound is refused before it takes their memory", "[signals]") {
  json file = {{"version", 1}};
  auto& rows = file["edge"][0]["rows"];
  file["edge"][0]["model_sha256"] = kSha;
  const json row = good()["edge"][0]["rows"][0];
  for (std::size_t i = 0; i <= Profile::kRowsMax; ++i) {
    rows.push_back(row);
    rows.back()["batch"] = i + 1;
  }
  const auto profile = parse_profile(file.dump(), "p");
  REQUIRE_FALSE(profile.ok());
  CHECK_THAT(profile.error().message, Contains("/edge/0/rows/4096: expected at most 4096 rows in a file"));
}
