#include <hearth/confidence.h>

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch.hpp>

using namespace hearth;

namespace {

/// Probabilities 0.5, 0.3, 0.2 as logits.
const std::vector<float> kLogits = {std::log(0.5f) + 3, std::log(0.3f) + 3, std::log(0.2f) + 3};

float of(ConfidenceKind kind, double temperature = 1) {
  return confidence_of(kLogits, Scores::kLogits, {kind, temperature});
}

}  // namespace

TEST_CASE("a confidence is the largest probability, the margin to the next, or what entropy leaves", "[confidence]") {
  CHECK(of(ConfidenceKind::kMaxProbability) == Approx(0.5));
  CHECK(of(ConfidenceKind::kMargin) == Approx(0.2));
  const double entropy = -(0.5 * std::log(0.5) + 0.3 * std::log(0.3) + 0.2 * std::log(0.2));
  CHECK(of(ConfidenceKind::kEntropy) == Approx(1 - entropy / std::log(3.0)));
}

TEST_CASE("a temperature of two takes the square root of the odds", "[confidence]") {
  const double a = std::sqrt(0.5), b = std::sqrt(0.3), c = std::sqrt(0.2);
  CHECK(of(ConfidenceKind::kMaxProbability, 2) == Approx(a / (a + b + c)));
  CHECK(of(ConfidenceKind::kMargin, 2) == Approx((a - b) / (a + b + c)));
}

TEST_CASE("probabilities are taken as they are, and two equal ones have no margin", "[confidence]") {
  const std::vector<float> same = {0.4f, 0.4f, 0.2f};
  CHECK(confidence_of(same, Scores::kProbabilities, {}) == 0.4f);
  CHECK(confidence_of(same, Scores::kProbabilities, {ConfidenceKind::kMargin, 1}) == Approx(0).margin(1e-6));
  const std::vector<float> sure = {0, 1, 0};
  CHECK(confidence_of(sure, Scores::kProbabilities, {ConfidenceKind::kEntropy, 1}) == Approx(1));
}

TEST_CASE("no scores are no confidence, and one that is not finite is not a number", "[confidence]") {
  const std::vector<float> bad = {1, std::numeric_limits<float>::infinity()};
  CHECK(confidence_of({}, Scores::kLogits, {}) == 0);
  CHECK(std::isnan(confidence_of(bad, Scores::kLogits, {})));
}
