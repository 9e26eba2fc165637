#include <array>
#include <vector>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <hearth/random.h>

#include "tools/hearth/scoreboard.h"
#include "tools/simulate/latency_histogram.h"
#include "tools/simulate/statistics.h"

using namespace hearth;
using namespace hearth::simulate;

TEST_CASE("a quantile is within 0.4 % of the sorted values' nearest rank, whatever the values") {
  CHECK(rc::check([](std::vector<std::uint32_t> values) {
    RC_PRE(!values.empty());
    LatencyHistogram histogram;
    std::vector<double> sorted;
    for (const std::uint32_t value : values) {
      const Duration duration(static_cast<Duration::rep>(value) * 37);
      histogram.observe(duration);
      sorted.push_back(static_cast<double>(duration.count()));
    }
    std::sort(sorted.begin(), sorted.end());
    for (const double q : {0.0, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const double exact = tool::quantile(sorted, q);
      const auto found = static_cast<double>(histogram.quantile(q).count());
      RC_ASSERT(std::abs(found - exact) <= exact / 256 + 4);
    }
    RC_ASSERT(histogram.quantile(1).count() <= histogram.largest().count());
    RC_ASSERT(static_cast<double>(histogram.largest().count()) == sorted.back());
    RC_ASSERT(static_cast<double>(histogram.least().count()) == sorted.front());
  }));
}

TEST_CASE("two histograms merged are the histogram of all their values") {
  CHECK(rc::check([](const std::vector<std::uint32_t>& one, const std::vector<std::uint32_t>& other) {
    LatencyHistogram a, b, both;
    for (const auto value : one) a.observe(Duration(value)), both.observe(Duration(value));
    for (const auto value : other) b.observe(Duration(value)), both.observe(Duration(value));
    a.merge(b);
    RC_ASSERT(a.count() == both.count());
    RC_ASSERT(a.mean() == both.mean());
    const auto merged = a.steps(), whole = both.steps();
    RC_ASSERT(merged.size() == whole.size());
    for (std::size_t i = 0; i < merged.size(); ++i)
      RC_ASSERT(merged[i].end == whole[i].end && merged[i].count == whole[i].count);
  }));
}

TEST_CASE("durations below zero and beyond a day count as the ends") {
  LatencyHistogram histogram;
  histogram.observe(Duration(-5));
  histogram.observe(std::chrono::hours(1000));
  CHECK(histogram.count() == 2);
  CHECK(histogram.quantile(0.5) < Duration(8));
  CHECK(histogram.quantile(1) > std::chrono::hours(19));
  CHECK(histogram.largest() == std::chrono::hours(1000));
}

TEST_CASE("an empty histogram answers with zero") {
  const LatencyHistogram histogram;
  CHECK(histogram.quantile(0.99) == Duration::zero());
  CHECK(histogram.mean() == Duration::zero());
  CHECK(histogram.least() == Duration::zero());
  CHECK(histogram.steps().empty());
}

TEST_CASE("a 95 % interval over three seeds is 4.303 standard errors wide on each side") {
  const std::array samples = {9.0, 10.0, 11.0};  // mean 10, deviation 1
  const auto interval = interval_of(samples);
  REQUIRE(interval);
  CHECK(interval->mean == Approx(10));
  CHECK(interval->half_width == Approx(4.303 / std::sqrt(3.0)));
  CHECK_FALSE(interval_of(std::array{1.0}));
}

TEST_CASE("95 % intervals over five normal samples hold the truth 95 times in 100") {
  RandomStream random(7, "coverage");
  int holds = 0;
  constexpr int kTrials = 20'000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::array<double, 5> samples{};
    for (double& one : samples) one = 3 + random.normal();
    const auto interval = interval_of(samples);
    holds += interval->low() <= 3 && 3 <= interval->high() ? 1 : 0;
  }
  // 19,000 expected, deviation sqrt(20,000 x 0.95 x 0.05) = 31
  CHECK(holds > 19'000 - 155);
  CHECK(holds < 19'000 + 155);
}

TEST_CASE("the table of Student's t never falls below the truth between its rows") {
  CHECK(student_t95(0) == student_t95(1));
  for (std::size_t freedom = 2; freedom < 2000; ++freedom) CHECK(student_t95(freedom) <= student_t95(freedom - 1));
  CHECK(student_t95(1'000'000) >= 1.95996);
}

TEST_CASE("a small but steady difference is found by pairing, where each side's own spread would hide it") {
  const std::array a = {10.0, 20.0, 30.0, 40.0, 50.0};
  const std::array b = {7.9, 18.1, 28.0, 37.9, 48.1};
  const Difference found = compare_paired(a, b, Better::kLower, false);
  CHECK(found.verdict == Verdict::kBBetter);
  CHECK(found.b_minus_a->mean == Approx(-2));
  CHECK(compare_paired(b, a, Better::kLower, false).verdict == Verdict::kABetter);
  CHECK(compare_paired(a, b, Better::kHigher, false).verdict == Verdict::kABetter);
  CHECK(compare_paired(a, b, Better::kNeither, false).verdict == Verdict::kALarger);
}

TEST_CASE("a difference that lies within five per cent on every side is equivalent") {
  const std::array a = {100.0, 101.0, 99.0};
  const std::array b = {101.0, 102.1, 99.9};
  CHECK(compare_paired(a, b, Better::kLower, false).verdict == Verdict::kEquivalent);
  CHECK(compare_paired(a, a, Better::kLower, false).verdict == Verdict::kEquivalent);
}

TEST_CASE("the margin of a share is five per cent of its rarer side, so 99 % is not the same as 97 %") {
  const std::array a = {0.990, 0.991, 0.989};
  const std::array b = {0.970, 0.971, 0.969};
  const Difference found = compare_paired(a, b, Better::kHigher, true);
  CHECK(found.margin == Approx(0.0005));
  CHECK(found.verdict == Verdict::kABetter);
  CHECK(compare_paired(a, b, Better::kHigher, false).verdict == Verdict::kEquivalent);
}

TEST_CASE("one seed, or seeds that disagree, prove nothing") {
  CHECK(compare_paired(std::array{1.0}, std::array{2.0}, Better::kLower, false).verdict == Verdict::kInconclusive);
  CHECK(compare_paired(std::array{1.0, 2.0, 3.0}, std::array{2.0, 1.0, 4.0}, Better::kLower, false).verdict ==
        Verdict::kInconclusive);
}
