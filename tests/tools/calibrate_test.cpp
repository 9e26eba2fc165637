// `hearth calibrate cascade`: the fit on made-up models whose truth is known, and the command as it is run.
#include <cmath>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "policies/policy.h"
#include "tests/support/hearth_command.h"
#include "tools/hearth/cascade_fit.h"

using namespace hearth;
using namespace hearth::tool;
using nlohmann::json;

namespace {

/// An edge model that is as often right as its softmax at `temperature` says, and a cloud that is right 95 times in
/// 100.
std::vector<CascadeSample> samples(int count, double temperature, std::uint64_t seed = 1) {
  RandomStream random(seed, "samples");
  std::vector<CascadeSample> made;
  for (int i = 0; i < count; ++i) {
    CascadeSample sample;
    std::vector<double> weights;
    for (int c = 0; c < 5; ++c) {
      sample.edge_scores.push_back(static_cast<float>(4 * random.normal()));
      weights.push_back(std::exp(sample.edge_scores.back() / temperature));
    }
    double left = random.uniform() * (weights[0] + weights[1] + weights[2] + weights[3] + weights[4]);
    while (sample.label < 4 && left > weights[sample.label]) left -= weights[sample.label++];
    const auto top = std::max_element(sample.edge_scores.begin(), sample.edge_scores.end());
    sample.edge_right = static_cast<std::size_t>(top - sample.edge_scores.begin()) == sample.label;
    sample.cloud_right = random.uniform() < 0.95;
    made.push_back(std::move(sample));
  }
  return made;
}

std::string records(int count) {
  std::string lines;
  for (const auto& sample : samples(count, 2)) {
    lines += json{{"edge_scores", sample.edge_scores},
                  {"label", sample.label},
                  {"cloud_label", sample.cloud_right ? sample.label : (sample.label + 1) % 5}}
                 .dump() +
             "\n";
  }
  return lines;
}

}  // namespace

TEST_CASE("the temperature that made the labels is found, and with it the confidence is honest", "[calibrate]") {
  const auto answer = fit_cascade(samples(20'000, 2.5), Scores::kLogits, 0.99);
  for (const auto& candidate : answer.candidates) {
    if (candidate.name == "entropy") CHECK(candidate.rule.temperature == Approx(2.5).epsilon(0.05));
  }
  CHECK(answer.calibration_error > 0.1);
  CHECK(answer.calibration_error_fitted < 0.02);
}

TEST_CASE("the threshold meets its target on samples that it was not fitted to", "[calibrate]") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto answer = fit_cascade(samples(20'000, 2, seed), Scores::kLogits, 0.97);
    const auto& best = answer.candidates.front();
    CHECK(best.held_out.accuracy >= 0.97 * answer.held_out_cloud_accuracy - 0.005);
    CHECK(best.held_out.cloud_share < 0.9);
    CHECK(best.held_out.cloud_share == Approx(best.chosen.cloud_share).margin(0.03));
    CHECK(best.chosen.cloud_share <= answer.candidates.back().chosen.cloud_share);
  }
}

TEST_CASE("a policy takes the calibration that was written, and its hash changes with it", "[calibrate]") {
  const test::CommandFolder folder;
  folder.write("records.jsonl", records(2000));
  const auto ran = folder.run("calibrate cascade records.jsonl --target 0.97 --out photos.json --json");
  REQUIRE(ran.code == 0);
  const json file = json::parse(test::text_of(folder.at("photos.json")));
  CHECK(file == json::parse(ran.out));

  const auto policy_file = folder.write("policy.json", R"({
    "version": 1, "name": "p", "classes": [{"name": "public", "egress": "allow"}],
    "prefer": [{"id": "unsure", "when": {}, "plan": "cascade", "calibration": "photos.json"}]})");
  const auto policy = policies::Policy::load_file(policy_file);
  REQUIRE(policy.ok());
  const auto preference = policy.value()->prefer({}, 0);
  CHECK(preference.confidence_below == file.at("confidence_below").get<float>());
  CHECK(preference.confidence.temperature == file.at("confidence").at("temperature").get<double>());

  folder.write("photos.json", R"({"confidence": {"kind": "margin"}, "confidence_below": 0.25})");
  const auto changed = policies::Policy::load_file(policy_file);
  REQUIRE(changed.ok());
  CHECK(changed.value()->prefer({}, 0).confidence == ConfidenceRule{ConfidenceKind::kMargin, 1});
  CHECK(changed.value()->sha256() != policy.value()->sha256());

  folder.write("photos.json", R"({"confidence": {"kind": "gut"}, "confidence_below": 0.25})");
  const auto bad = policies::Policy::load_file(policy_file);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message.find("expected one of max_probability, margin, entropy") != std::string::npos);
}

TEST_CASE("a target that needs too much of the cloud is an answer of no, and nothing is written", "[calibrate]") {
  const test::CommandFolder folder;
  const auto ran = folder.run("calibrate cascade --target 1 --cloud-share-max 0.01 --out photos.json", records(2000));
  CHECK(ran.code == 1);
  CHECK_FALSE(std::filesystem::exists(folder.at("photos.json")));
}

TEST_CASE("bad records are refused with their place, and nothing is written", "[calibrate]") {
  const test::CommandFolder folder;
  const auto refusal = [&](const std::string& line) {
    const auto ran = folder.run("calibrate cascade --out photos.json", records(200) + line + "\n");
    CHECK(ran.code == 2);
    CHECK_FALSE(std::filesystem::exists(folder.at("photos.json")));
    return ran.err;
  };
  const std::string where = "hearth calibrate: standard input:201: expected ";
  CHECK(refusal("nonsense") == where + "a JSON object\n");
  CHECK(refusal(R"({"label": 1})") == where + "\"label\" and \"cloud_label\", whole numbers from 0\n");
  CHECK(refusal(R"({"label": 1, "cloud_label": 1, "edge_scores": [1, 2]})") ==
        where + "as many scores as in the first line\n");
  CHECK(refusal(R"({"label": 5, "cloud_label": 1, "edge_scores": [1, 2, 3, 4, 5]})") ==
        where + "a \"label\" that is an index into \"edge_scores\"\n");
  CHECK(folder.run("calibrate cascade", records(99)).err ==
        "hearth calibrate: -: expected at least 100 labelled answers, got 99\n");
}
