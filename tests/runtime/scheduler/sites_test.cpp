// Goal: load on a cloud in trouble stays bounded. Method: many requests through the sites' bookkeeping; time is a
// number.
#include <map>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/scheduler/cloud_sites.h"
#include "tests/runtime/scheduler/bench.h"

using namespace hearth;
using namespace hearth::test;

namespace {

/// Every request at once asks again as long as it may. Returns attempts per request.
double amplification(CloudVerdict verdict, int requests) {
  auto config = config_of(Limits{}, CloudTiming{}, 3);
  config.cloud.breaker_failures = 1000;  // the budget alone
  config.cloud.attempts_max = 5;
  CloudSites sites(config);
  AttemptId attempt = 0;
  TimePoint now{};
  for (int i = 0; i < requests; ++i, now += milliseconds(10)) {
    Wish wish;
    wish.mask = wish.untried = Mask::all(3);
    wish.give_up = now + milliseconds(500);
    for (int n = 0; n < 5; ++n) {
      wish.extra = n > 0;
      const auto choice = sites.choose(wish, now);
      if (!std::holds_alternative<SiteId>(choice)) break;
      sites.begin(++attempt, std::get<SiteId>(choice), wish, now);
      sites.settle(attempt, verdict, now + milliseconds(5));
    }
  }
  return static_cast<double>(attempt) / requests;
}

/// Requests by site when so many are always under way; `takes[i]` is the latency of site i + 1.
std::vector<int> shares(const std::vector<double>& weights, const std::vector<Duration>& takes, std::size_t at_once,
                        int requests) {
  auto config = config_of(Limits{}, CloudTiming{}, weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) config.endpoints[i].weight = weights[i];
  CloudSites sites(config);
  Wish wish;
  wish.mask = wish.untried = Mask::all(weights.size());
  std::vector<int> counts(weights.size());
  std::multimap<TimePoint, AttemptId> under_way;
  AttemptId attempt = 0;
  TimePoint now{};
  RandomStream jitter(1, "jitter");
  while (static_cast<int>(attempt) < requests) {
    wish.give_up = now + std::chrono::seconds(10);
    while (under_way.size() < at_once) {
      const auto choice = sites.choose(wish, now);
      REQUIRE(std::holds_alternative<SiteId>(choice));
      const SiteId site = std::get<SiteId>(choice);
      sites.begin(++attempt, site, wish, now);
      ++counts[site - 1u];
      under_way.emplace(now + takes[site - 1u] + milliseconds(jitter.below(4)), attempt);
    }
    const auto next = under_way.begin();
    now = next->first;
    sites.settle(next->second, CloudVerdict::kAnswered, now);
    under_way.erase(next);
  }
  return counts;
}

}  // namespace

TEST_CASE("retries add at most the allowed share, and almost nothing when all fails", "[scheduler]") {
  CHECK(amplification(CloudVerdict::kFailed, 2000) <= 1.01);      // the throttle is empty after five failures
  CHECK(amplification(CloudVerdict::kAnswered, 2000) <= 1.0935);  // 8 %, and a burst of 25
  CHECK(amplification(CloudVerdict::kAnswered, 2000) > 1.07);
}

TEST_CASE("after an outage an endpoint gets one attempt at a time, and one more with each answer", "[scheduler]") {
  CloudSites sites(config_of(Limits{}, CloudTiming{}, 1));
  Wish wish;
  wish.mask = wish.untried = Mask::all(1);
  wish.give_up = at(100'000);
  AttemptId attempt = 0;
  sites.begin(++attempt, 1, wish, at(0));
  sites.settle(attempt, CloudVerdict::kUnreachable, at(1));
  const auto room = [&](TimePoint now) {
    const AttemptId first = attempt + 1;
    while (std::holds_alternative<SiteId>(sites.choose(wish, now))) sites.begin(++attempt, 1, wish, now);
    return std::pair(first, attempt);
  };
  auto [first, last] = room(at(2000));
  CHECK(last == first);  // the trial
  sites.settle(first, CloudVerdict::kAnswered, at(2010));
  std::tie(first, last) = room(at(2011));
  CHECK(last - first + 1 == 2);
  sites.settle(first, CloudVerdict::kAnswered, at(2020));
  sites.settle(last, CloudVerdict::kAnswered, at(2020));
  std::tie(first, last) = room(at(2021));
  CHECK(last - first + 1 == 4);
}

TEST_CASE("hedges are due at the quantile that keeps them within the share", "[scheduler]") {
  auto config = config_of(Limits{}, CloudTiming{}, 1);
  config.cloud.extra_attempts_share_max = 0.1;
  CloudSites sites(config);
  Wish wish;
  wish.mask = wish.untried = Mask::all(1);
  CHECK(sites.hedge_delay(1, wish) == 3 * config.cloud.expected_latency);
  for (int ms = 1; ms <= 1000; ++ms) {
    sites.begin(static_cast<AttemptId>(ms), 1, wish, at(0));
    sites.settle(static_cast<AttemptId>(ms), CloudVerdict::kAnswered, at(ms));
  }
  CHECK(to_ms(sites.hedge_delay(1, wish)) == Approx(910).epsilon(0.01));  // nine tenths of the allowed tenth are later
}

TEST_CASE("what a hedge overtook still counts as late, or hedges would come ever earlier", "[scheduler]") {
  auto config = config_of(Limits{}, CloudTiming{}, 1);
  config.cloud.extra_attempts_share_max = 0.05;
  CloudSites sites(config);
  Wish wish;
  wish.mask = wish.untried = Mask::all(1);
  AttemptId attempt = 0;
  for (int i = 0; i < 1000; ++i) {
    sites.begin(++attempt, 1, wish, at(0));
    if (i % 10 == 0) {
      sites.overtaken(attempt, at(30));
    } else {
      sites.settle(attempt, CloudVerdict::kAnswered, at(10));
    }
  }
  CHECK(sites.hedge_delay(1, wish) > milliseconds(30));  // one in ten took longer than that, and 4.5 % may be hedged
}

TEST_CASE("sites that are otherwise equal share the requests by their weights", "[scheduler]") {
  const std::vector<Duration> alike(3, milliseconds(20));
  for (const std::size_t at_once : {1u, 8u, 30u}) {
    CAPTURE(at_once);
    const auto three = shares({5, 3, 2}, alike, at_once, 20'000);
    CHECK(three[0] / 20'000.0 == Approx(0.5).margin(0.03));
    CHECK(three[1] / 20'000.0 == Approx(0.3).margin(0.03));
    const auto two = shares({9, 1}, alike, at_once, 20'000);
    CHECK(two[0] / 20'000.0 == Approx(0.9).margin(0.03));
  }
}

TEST_CASE("a weight does not keep requests on a site that is clearly slower", "[scheduler]") {
  const auto counts = shares({9, 1}, {milliseconds(100), milliseconds(20)}, 4, 5'000);
  CHECK(counts[0] < 500);
}

TEST_CASE("sites of one weight are chosen as if there were no weights", "[scheduler]") {
  const std::vector<Duration> takes{milliseconds(20), milliseconds(22), milliseconds(30)};
  CHECK(shares({1, 1, 1}, takes, 8, 3'000) == shares({4, 4, 4}, takes, 8, 3'000));
}
