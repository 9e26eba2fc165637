// Goal: quantiles within their promised error, merging and ageing. Method: against sorted samples.
#include <algorithm>
#include <cmath>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <hearth/random.h>

#include "runtime/signals/quantile_sketch.h"

using namespace hearth;
using namespace hearth::signals;
using std::chrono::milliseconds;

namespace {

std::vector<Duration> lognormal_samples(std::uint64_t seed, int count) {
  RandomStream random(seed, "samples");
  std::vector<Duration> samples;
  for (int i = 0; i < count; ++i) samples.push_back(from_ms(random.lognormal(5, 1.5)));
  return samples;
}

QuantileSketch sketch_of(const std::vector<Duration>& samples) {
  QuantileSketch sketch(1e6f);
  for (const auto sample : samples) sketch.observe(sample);
  return sketch;
}

double relative_error(Duration got, Duration exact) {
  return std::abs(static_cast<double>((got - exact).count())) / static_cast<double>(exact.count());
}

}  // namespace

TEST_CASE("every quantile is within one percent of the sample it stands for", "[signals][property]") {
  CHECK(rc::check("random samples", [] {
    auto samples = lognormal_samples(*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::inRange(1, 500));
    const auto sketch = sketch_of(samples);
    std::sort(samples.begin(), samples.end());
    for (std::size_t rank = 1; rank <= samples.size(); ++rank) {
      const double q = (static_cast<double>(rank) - 0.5) / static_cast<double>(samples.size());
      RC_ASSERT(relative_error(sketch.quantile(q), samples[rank - 1]) <= 0.01);
    }
  }));
}

TEST_CASE("two sketches merged are the sketch of both", "[signals][property]") {
  CHECK(rc::check("random samples", [] {
    auto one = lognormal_samples(*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::inRange(0, 200));
    const auto other = lognormal_samples(*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::inRange(0, 200));
    auto merged = sketch_of(one);
    merged.merge(sketch_of(other));
    one.insert(one.end(), other.begin(), other.end());
    const auto both = sketch_of(one);
    RC_ASSERT(merged.weight() == both.weight());
    for (int percent = 0; percent <= 100; ++percent)
      RC_ASSERT(merged.quantile(percent / 100.0) == both.quantile(percent / 100.0));
  }));
}

TEST_CASE("the weight up to a value counts the samples below it", "[signals]") {
  QuantileSketch sketch;
  for (int ms = 1; ms <= 100; ++ms) sketch.observe(milliseconds(ms));
  CHECK(sketch.weight_up_to(milliseconds(25)) == Approx(25).margin(1));
  CHECK(sketch.weight_up_to(milliseconds(100)) == 100);
  CHECK(sketch.weight_up_to(Duration{}) == 0);
}

TEST_CASE("the past fades as new samples come", "[signals]") {
  QuantileSketch sketch(64);
  for (int i = 0; i < 1000; ++i) sketch.observe(milliseconds(10));
  CHECK(sketch.weight() <= 64);
  for (int i = 0; i < 64; ++i) sketch.observe(milliseconds(100));
  CHECK(sketch.quantile(0.5) > milliseconds(99));
}

TEST_CASE("what lies outside the range counts as its nearest end", "[signals]") {
  QuantileSketch sketch;
  sketch.observe(Duration(-5));
  CHECK(sketch.quantile(0.5) < std::chrono::microseconds(2));
  QuantileSketch large;
  large.observe(std::chrono::hours(100));
  CHECK(large.quantile(0.5) > std::chrono::minutes(18));
  CHECK(QuantileSketch().quantile(0.5) == Duration{});
}
