// Goal: load on a cloud in trouble stays bounded. Method: many requests through the sites' bookkeeping; time is a
// number.
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
