// Goal: forecasts follow a site that changes and say how sure they are. Method: samples with hand-made times.
#include <catch2/catch.hpp>

#include "runtime/signals/forecasts.h"

using namespace hearth;
using namespace hearth::signals;
using std::chrono::milliseconds;

namespace {
TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }
}  // namespace

TEST_CASE("before the first sample the expectation speaks", "[signals]") {
  const Forecast forecast(milliseconds(80));
  CHECK(forecast.in_time(milliseconds(120)).probability == 1);  // 1.5 times the expectation
  CHECK(forecast.in_time(milliseconds(119)).probability == 0);
  CHECK(forecast.median() == milliseconds(80));
  CHECK(forecast.tail(0.9) == Duration{});
}

TEST_CASE("the probability of being in time is the share of recent answers that would have been", "[signals]") {
  Forecast forecast(milliseconds(80));
  for (int i = 0; i < 40; ++i) forecast.observe(milliseconds(i % 4 == 0 ? 200 : 50), at(i * 10));
  CHECK(forecast.in_time(milliseconds(100)).probability == Approx(0.75).margin(0.01));
  CHECK(forecast.in_time(milliseconds(300)).probability == 1);
}

TEST_CASE("more samples make a surer forecast", "[signals]") {
  Forecast few(milliseconds(80)), many(milliseconds(80));
  for (int i = 0; i < 4; ++i) few.observe(milliseconds(50), at(i));
  for (int i = 0; i < 60; ++i) many.observe(milliseconds(50), at(i));
  CHECK(many.in_time(milliseconds(60)).deviation < few.in_time(milliseconds(60)).deviation);
}

TEST_CASE("after a second without a sample the next one begins anew", "[signals]") {
  Forecast forecast(milliseconds(80));
  for (int i = 0; i < 60; ++i) forecast.observe(milliseconds(500), at(i));
  CHECK(forecast.fresh(at(1059)));
  CHECK_FALSE(forecast.fresh(at(1060)));
  forecast.observe(milliseconds(40), at(1100));
  CHECK(forecast.in_time(milliseconds(50)).probability == 1);
}

TEST_CASE("a profile of an earlier run speaks before the first sample", "[signals]") {
  QuantileSketch profile;
  for (int i = 0; i < 1000; ++i) profile.observe(milliseconds(20));
  Forecast forecast(milliseconds(80));
  forecast.start_from(profile);
  CHECK(forecast.in_time(milliseconds(25)).probability == 1);
  CHECK(forecast.median() < milliseconds(21));
  CHECK(forecast.tail(0.9) > milliseconds(19));
  CHECK(forecast.samples() == Approx(Forecast::kProfileSamples));  // not 1000
  CHECK_FALSE(forecast.fresh(at(0)));
}

TEST_CASE("a profile of few samples counts as no more than these", "[signals]") {
  QuantileSketch profile;
  for (int i = 0; i < 3; ++i) profile.observe(milliseconds(20));
  Forecast forecast(milliseconds(80));
  forecast.start_from(profile);
  CHECK(forecast.samples() == Approx(3));
  CHECK(forecast.tail(0.5) == Duration{});  // 20 are needed
}

TEST_CASE("real samples take over from a profile: the short past at once, the long one by their number", "[signals]") {
  QuantileSketch profile;
  for (int i = 0; i < 1000; ++i) profile.observe(milliseconds(20));
  Forecast forecast(milliseconds(80));
  forecast.start_from(profile);
  forecast.observe(milliseconds(200), at(5000));
  CHECK(forecast.median() > milliseconds(198));
  CHECK(forecast.in_time(milliseconds(100)).probability == 0);
  CHECK(forecast.tail(0.5) < milliseconds(21));  // 32 against 1
  for (int i = 1; i <= 40; ++i) forecast.observe(milliseconds(200), at(5000 + i));
  CHECK(forecast.tail(0.5) > milliseconds(198));
}

TEST_CASE("a size that was not seen is forecast from its neighbour and the link", "[signals]") {
  Forecasts forecasts(milliseconds(80));
  // 20 ms, and 1 ms for each KiB.
  for (int i = 0; i < 64; ++i) {
    const int kib = 5 + i % 50;
    forecasts.observe(0, static_cast<std::uint64_t>(kib) << 10, milliseconds(20 + kib), at(i));
  }
  // The middle of what was seen (49.5 ms) stands for 64 KiB; 200 KiB are 136 more.
  CHECK(to_ms(forecasts.median(0, 200 << 10)) == Approx(49.5 + 136).epsilon(0.05));
  CHECK(forecasts.tail(0, 200 << 10, 0.5) == Duration{});  // a tail is never borrowed
  CHECK(forecasts.median(7, 200 << 10) == milliseconds(80));
}
