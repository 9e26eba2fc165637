#include <catch2/catch.hpp>

#include "tools/hearth/scoreboard.h"

using namespace hearth;
using namespace hearth::tool;

namespace {

Served served(double latency_ms, const char* on, bool correct, bool in_time, std::uint64_t bytes = 0) {
  Served one;
  one.latency = from_ms(latency_ms);
  one.correct = correct;
  one.in_time = in_time;
  one.outcome.status = OutcomeStatus::kServed;
  one.outcome.served_on = on;
  one.outcome.bytes_sent = bytes;
  return one;
}

}  // namespace

TEST_CASE("a quantile is the smallest value that the share does not exceed") {
  const std::vector<double> ten = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  CHECK(quantile(ten, 0.50) == 5);   // rank ceil(5.0)
  CHECK(quantile(ten, 0.95) == 10);  // rank ceil(9.5)
  CHECK(quantile(ten, 0.10) == 1);
  CHECK(quantile(ten, 0.0) == 1);
  CHECK(quantile(ten, 1.0) == 10);
  std::vector<double> twenty(20);
  for (int i = 0; i < 20; ++i) twenty[static_cast<std::size_t>(i)] = i + 1;
  CHECK(quantile(twenty, 0.95) == 19);  // 0.95 * 20 is a hair over 19 in binary: still rank 19
  CHECK(quantile({}, 0.5) == 0);
}

TEST_CASE("a mode's figures count every request, and one that was not served is wrong and late") {
  std::vector<Served> all = {served(1, "edge", true, true), served(2, "edge", false, true),
                             served(80, "cloud", true, true, 3'500), served(400, "cloud", true, false, 3'600)};
  Served lost;
  lost.outcome.status = OutcomeStatus::kFailed;
  lost.outcome.bytes_sent = 100;
  lost.latency = from_ms(250);
  all.push_back(lost);
  const Figures figures = count(all);
  CHECK(figures.requests == 5);
  CHECK(figures.not_served == 1);
  CHECK(figures.accuracy() == Approx(3.0 / 5));
  CHECK(figures.in_time_share() == Approx(3.0 / 5));
  CHECK(figures.cloud_share() == Approx(2.0 / 5));
  CHECK(figures.edge_share() == Approx(2.0 / 5));
  CHECK(figures.bytes_sent == 7'200);  // 3,500 + 3,600 + 100: what a lost request sent was sent
  CHECK(figures.p50_ms == 2);          // second of the four that were served
  CHECK(figures.max_ms == 400);
}

TEST_CASE("a filter counts only what it says yes to, and nothing at all has share zero") {
  const std::vector<Served> all = {served(1, "edge", true, true), served(2, "cloud", false, true)};
  const Figures cloud = count(all, [](const Served& one) { return served_on_cloud(one.outcome); });
  CHECK(cloud.requests == 1);
  CHECK(cloud.accuracy() == 0);
  const Figures none = count(all, [](const Served&) { return false; });
  CHECK(none.accuracy() == 0);
  CHECK(none.p50_ms == 0);
}
