#include "tools/hearth/evaluate.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace hearth;
using namespace hearth::tool;

namespace {

/// Scores the label that the image's first pixel names, ln(9) above the other nine: a probability of one half.
class FirstPixel : public EdgeModel {
 public:
  const std::string& sha256() const override { return sha256_; }
  Outputs run(std::span<const Tensor> inputs) override {
    std::vector<float> logits(10, 0);
    logits[static_cast<std::size_t>(std::lround(inputs[0].floats()[0] * 255))] = std::log(9.0f);
    return std::vector<Tensor>{Tensor::of_floats("", {1, 10}, logits)};
  }
  void start(std::span<const Tensor>, Callback) override {}

 private:
  std::string sha256_;
};

LabelledImages images(const std::vector<std::uint8_t>& first_pixels, const std::vector<std::uint8_t>& labels) {
  LabelledImages made;
  made.labels = labels;
  for (const std::uint8_t pixel : first_pixels) made.pixels.insert(made.pixels.end(), kImagePixels, pixel);
  return made;
}

}  // namespace

TEST_CASE("Answers hold labels, confidences and the share that is right") {
  FirstPixel model;
  const auto answers = answer(model, std::vector<std::int64_t>{1, 784}, images({3, 4, 5, 6}, {3, 4, 5, 0}));
  REQUIRE(answers.ok());
  CHECK(answers.value().labels == std::vector<std::uint8_t>{3, 4, 5, 6});
  CHECK(answers.value().accuracy == 0.75);
  CHECK(answers.value().confidences[0] == Approx(0.5));
}

TEST_CASE("The cascade curve counts what goes and what is right then") {
  const std::vector<std::uint8_t> truth = {0, 1, 2, 3};
  const Answers edge{{0, 1, 0, 0}, {0.9f, 0.6f, 0.5f, 0.3f}, {}, 0.5};
  const Answers cloud{{0, 0, 2, 3}, {1, 1, 1, 1}, {}, 0.75};
  const auto curve = cascade_curve(edge, cloud, truth);
  REQUIRE(curve.size() == 99);
  CHECK(curve[9].threshold == Approx(0.10));
  CHECK(curve[9].cloud_share == 0);
  CHECK(curve[9].accuracy == 0.5);
  CHECK(curve[54].cloud_share == 0.5);  // Below 0.55 go the last two, which the cloud knows.
  CHECK(curve[54].accuracy == 1.0);
  CHECK(curve[98].cloud_share == 1.0);
  CHECK(curve[98].accuracy == 0.75);
}

TEST_CASE("The picked point is the cheapest that is good enough, and never too dear") {
  const std::vector<CascadeFigures> curve = {
      {0.1, 0.00, 0.80}, {0.2, 0.10, 0.85}, {0.3, 0.20, 0.89}, {0.4, 0.30, 0.90}};
  CHECK(pick_point(curve, 0.90, 0.05, 0.27).threshold == 0.2);
  CHECK(pick_point(curve, 0.90, 0.01, 0.27).threshold == 0.3);
  CHECK(pick_point(curve, 0.90, 0.00, 0.27).threshold ==
        0.3);  // Good enough only at 30 %: the best there is under 27 %.
  CHECK(pick_point(curve, 0.90, 0.00, 0.50).threshold == 0.4);
}

TEST_CASE("Models timed in turns each get their quantiles in order") {
  FirstPixel a;
  FirstPixel b;
  const std::vector<Timed> both = {{&a, {1, 784}}, {&b, {1, 784}}};
  const auto latencies = time_in_turns(both, images({1, 2}, {1, 2}), 60);
  REQUIRE(latencies.ok());
  REQUIRE(latencies.value().size() == 2);
  for (const auto& [p10, p50, p90] : latencies.value()) {
    CHECK(p10 <= p50);
    CHECK(p50 <= p90);
    CHECK(p10 > 0);
  }
}
