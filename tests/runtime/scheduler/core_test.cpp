// Goal: each decision of the scheduler, with its reason. Method: events in, actions out; time is a number.
#include <limits>
#include <map>
#include <memory>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "tests/runtime/scheduler/bench.h"

using namespace hearth;
using namespace hearth::test;

TEST_CASE("a cascade asks the cloud only under the threshold", "[scheduler]") {
  Bench bench;
  CHECK(only<RunEdge>(bench.tell(cascade(1))).id == 1);
  const auto sure = only<Finish>(bench.tell(EdgeFinished{1, true, 0.8f}));
  CHECK(sure.reason == Reason::kLocalConfident);

  bench.tell(cascade(2));
  const auto unsure = bench.tell(EdgeFinished{2, true, 0.79f}, at(3));
  CHECK(only<StartCloud>(unsure).site == 1);
  CHECK(only<StartCloud>(unsure).deadline == at(200));
  CHECK(only<SetTimer>(unsure).due == at(190));  // deadline 200 less the reserve of 10
  CHECK(none<Finish>(unsure));
}

TEST_CASE("a confidence that is not a number asks the cloud", "[scheduler]") {
  Bench bench;
  bench.tell(cascade(1));
  CHECK_FALSE(none<StartCloud>(bench.tell(EdgeFinished{1, true, std::numeric_limits<float>::quiet_NaN()})));
}

TEST_CASE("no plan leaves the mask", "[scheduler]") {
  const auto plan =
      GENERATE(PlanKind::kEdge, PlanKind::kCloud, PlanKind::kCascade, PlanKind::kSafetyNet, PlanKind::kHedge);
  SECTION("edge only") {
    Bench bench;
    auto request = cascade(1, Mask::edge_only());
    request.plan = plan;
    CHECK(none<StartCloud>(bench.tell(request)));
    const auto actions = bench.tell(EdgeFinished{1, true, 0.1f});
    CHECK(none<StartCloud>(actions));
    CHECK(only<Finish>(actions).reason ==
          (plan == PlanKind::kEdge ? Reason::kLocalByDefault : Reason::kLocalOnlyPermitted));
  }
  SECTION("cloud only") {
    Bench bench;
    auto request = cascade(1, Mask::all(1).without(kEdgeSite));
    request.plan = plan;
    request.idempotent = false;
    const auto actions = bench.tell(request);
    CHECK(none<RunEdge>(actions));
    const auto failed = bench.tell(CloudFinished{1, only<StartCloud>(actions).attempt, CloudVerdict::kFailed}, at(5));
    CHECK(none<RunEdge>(failed));
    CHECK(only<Finish>(failed).status == OutcomeStatus::kFailed);
  }
  SECTION("nothing") {
    Bench bench;
    auto request = cascade(1, Mask());
    request.plan = plan;
    const auto finish = only<Finish>(bench.tell(request));
    CHECK(finish.status == OutcomeStatus::kRejected);
    CHECK(finish.reason == Reason::kNoPermittedSite);
  }
}

TEST_CASE("the bounded queue refuses one more with a typed reason, and runs in order", "[scheduler]") {
  Bench bench;
  bench.tell(cascade(1));
  CHECK(none<Finish>(bench.tell(cascade(2))));
  const auto refused = only<Finish>(bench.tell(cascade(3, Mask::edge_only())));
  CHECK(refused.status == OutcomeStatus::kRejected);
  CHECK(refused.reason == Reason::kQueueFull);
  CHECK(only<RunEdge>(bench.tell(EdgeFinished{1, true, 1})).id == 2);
}

TEST_CASE("without room before the deadline the answer stays local", "[scheduler]") {
  Bench bench{Limits{}};
  bench.tell(cascade(1));
  const auto start = only<StartCloud>(bench.tell(EdgeFinished{1, true, 0}));
  bench.tell(CloudFinished{1, start.attempt, CloudVerdict::kAnswered}, at(80));  // forecast: 80 ms + 2 * 20 ms
  bench.tell(cascade(2), at(80));
  CHECK(only<Finish>(bench.tell(EdgeFinished{2, true, 0}, at(151))).reason == Reason::kNoRoom);  // 151 + 120 > 280 - 10
  bench.tell(cascade(3), at(80));
  CHECK_FALSE(none<StartCloud>(bench.tell(EdgeFinished{3, true, 0}, at(150))));
}

TEST_CASE("a forecast that lets nothing through is tried again after a second, by one request", "[scheduler]") {
  Bench bench{Limits{}};
  RequestId id = 0;
  const auto ask = [&](int ms) {
    bench.tell(cascade(++id), at(ms));
    return bench.tell(EdgeFinished{id, true, 0}, at(ms));
  };
  const auto first = only<StartCloud>(ask(0)).attempt;
  bench.tell(TimerFired{1}, at(190));  // forecast: 190 ms + 2 * 47.5 ms
  CHECK(bench.tell(CloudFinished{1, first, CloudVerdict::kAnswered}, at(195)).empty());
  CHECK(only<Finish>(ask(1190)).reason == Reason::kNoRoom);
  const auto trial = only<StartCloud>(ask(1191)).attempt;
  CHECK(only<Finish>(ask(1192)).reason == Reason::kNoRoom);
  bench.tell(CloudFinished{id - 1, trial, CloudVerdict::kAnswered}, at(1251));  // the estimate starts anew: 60 ms
  CHECK_FALSE(none<StartCloud>(ask(1252)));
}

TEST_CASE("a cloud that does not answer in time is given up for the local answer", "[scheduler]") {
  Bench bench;
  bench.tell(cascade(1));
  const auto attempt = only<StartCloud>(bench.tell(EdgeFinished{1, true, 0}, at(1))).attempt;
  const auto actions = bench.tell(TimerFired{1}, at(190));
  CHECK(only<CancelCloud>(actions).attempt == attempt);
  CHECK(only<Finish>(actions).status == OutcomeStatus::kServed);
  CHECK(only<Finish>(actions).reason == Reason::kCloudFailed);
  CHECK(bench.tell(CloudFinished{1, attempt, CloudVerdict::kAnswered}, at(191))
            .empty());  // a late answer changes nothing
}

TEST_CASE("a plan for the cloud falls back to the edge inside the deadline", "[scheduler]") {
  Bench bench;
  auto request = cascade(1);
  request.plan = PlanKind::kCloud;
  bench.tell(request);
  const auto actions = bench.tell(TimerFired{1}, at(190));
  CHECK(only<RunEdge>(actions).id == 1);
  CHECK(only<Finish>(bench.tell(EdgeFinished{1, true, 0}, at(192))).reason == Reason::kCloudFailed);
}

TEST_CASE("the breaker opens after failures in a row, lets one trial through, and closes on success", "[scheduler]") {
  CloudTiming timing;
  timing.breaker_failures = 3;
  Bench bench(Limits{}, timing);
  RequestId id = 0;
  const auto ask = [&](int ms) {
    auto request = cascade(++id);
    bench.tell(request, at(ms));
    return bench.tell(EdgeFinished{id, true, 0}, at(ms));
  };
  for (int i = 0; i < 3; ++i) {
    const auto actions = ask(i);
    bench.tell(CloudFinished{id, only<StartCloud>(actions).attempt, CloudVerdict::kFailed}, at(i));
  }
  CHECK(only<Finish>(ask(10)).reason == Reason::kCloudUnhealthy);
  // The pause is 1 s with 20 % jitter.
  CHECK(only<Finish>(ask(799)).reason == Reason::kCloudUnhealthy);
  // First somebody looks whether it is there; nobody waits for that.
  const auto probing = ask(1300);
  CHECK(only<Finish>(probing).reason == Reason::kCloudUnhealthy);
  CHECK(none<ProbeCloud>(ask(1301)));  // one at a time
  bench.tell(ProbeFinished{only<ProbeCloud>(probing).probe, CloudVerdict::kAnswered}, at(1302));
  const auto trial = ask(1303);
  CHECK(only<Finish>(ask(1304)).reason == Reason::kCloudUnhealthy);  // one trial at a time
  bench.tell(CloudFinished{id - 1, only<StartCloud>(trial).attempt, CloudVerdict::kAnswered}, at(1360));
  CHECK_FALSE(none<StartCloud>(ask(1361)));
}

TEST_CASE("a probe that finds nobody doubles the pause, and one that was not sent changes nothing", "[scheduler]") {
  CloudTiming timing;
  timing.breaker_failures = 1;
  Bench bench(Limits{}, timing);
  RequestId id = 0;
  const auto ask = [&](int ms) {
    bench.tell(cascade(++id), at(ms));
    return bench.tell(EdgeFinished{id, true, 0}, at(ms));
  };
  bench.tell(CloudFinished{1, only<StartCloud>(ask(0)).attempt, CloudVerdict::kUnreachable}, at(1));
  bench.tell(ProbeFinished{only<ProbeCloud>(ask(1300)).probe, CloudVerdict::kDenied}, at(1301));
  const auto probe = only<ProbeCloud>(ask(1302));
  CHECK(probe.deadline == at(1302) + timing.connect_timeout);
  bench.tell(ProbeFinished{probe.probe, CloudVerdict::kUnreachable}, at(2302));
  CHECK(none<ProbeCloud>(ask(2302 + 1500)));  // 2 s with 20 % jitter
  CHECK_FALSE(none<ProbeCloud>(ask(2302 + 2500)));
}

TEST_CASE("a request that has only the cloud is itself the trial", "[scheduler]") {
  CloudTiming timing;
  timing.breaker_failures = 1;
  Bench bench(Limits{}, timing);
  const auto ask = [&](RequestId id, int ms) {
    return bench.tell(cascade(id, Mask::all(1).without(kEdgeSite)), at(ms));
  };
  bench.tell(CloudFinished{1, only<StartCloud>(ask(1, 0)).attempt, CloudVerdict::kUnreachable}, at(1));
  const auto trial = ask(2, 1300);
  CHECK(none<ProbeCloud>(trial));
  CHECK_FALSE(none<StartCloud>(trial));
}

TEST_CASE("what began before the breaker opened neither ends the trial nor counts as it", "[scheduler]") {
  const auto late = GENERATE(CloudVerdict::kDenied, CloudVerdict::kFailed);
  CloudTiming timing;
  timing.breaker_failures = 1;
  Bench bench(Limits{}, timing);
  const auto ask = [&](RequestId id, int ms) {
    auto request = cascade(id);
    request.deadline = std::chrono::seconds(10);
    bench.tell(request, at(ms));
    return bench.tell(EdgeFinished{id, true, 0}, at(ms));
  };
  const auto old = only<StartCloud>(ask(1, 0)).attempt;
  bench.tell(CloudFinished{2, only<StartCloud>(ask(2, 1)).attempt, CloudVerdict::kFailed}, at(2));
  bench.tell(ProbeFinished{only<ProbeCloud>(ask(9, 1290)).probe, CloudVerdict::kAnswered}, at(1295));
  const auto trial = only<StartCloud>(ask(3, 1300)).attempt;
  bench.tell(CloudFinished{1, old, late}, at(1301));
  CHECK(only<Finish>(ask(4, 1302)).reason == Reason::kCloudUnhealthy);  // the trial is still the only one
  bench.tell(CloudFinished{3, trial, CloudVerdict::kAnswered}, at(1303));
  CHECK_FALSE(none<StartCloud>(ask(5, 1304)));
}

TEST_CASE("a refusal by the door or by the server does not open the breaker", "[scheduler]") {
  const auto verdict = GENERATE(CloudVerdict::kDenied, CloudVerdict::kRefused);
  Bench bench(Limits{});
  for (RequestId id = 1; id <= 20; ++id) {
    bench.tell(cascade(id));
    const auto actions = bench.tell(EdgeFinished{id, true, 0});
    const auto ended = bench.tell(CloudFinished{id, only<StartCloud>(actions).attempt, verdict});
    CHECK(only<Finish>(ended).reason ==
          (verdict == CloudVerdict::kDenied ? Reason::kLocalOnlyPermitted : Reason::kCloudFailed));
  }
}

TEST_CASE("of two permitted endpoints the one predicted faster is asked", "[scheduler]") {
  Bench bench(Limits{}, {}, 2);
  const auto ask = [&](RequestId id, Mask mask, int took_ms) {
    bench.tell(cascade(id, mask));
    const auto start = only<StartCloud>(bench.tell(EdgeFinished{id, true, 0}));
    bench.tell(CloudFinished{id, start.attempt, CloudVerdict::kAnswered}, at(took_ms));
    return start.site;
  };
  CHECK(ask(1, Mask::all(2).without(2), 70) == 1);
  CHECK(ask(2, Mask::all(2).without(1), 20) == 2);
  CHECK(ask(3, Mask::all(2), 20) == 2);
  CHECK(ask(4, Mask::all(2).without(2), 70) == 1);  // the mask comes before any prediction
}

TEST_CASE("a pass that outlives its request keeps its slot", "[scheduler]") {
  Bench bench;
  bench.tell(cascade(1));
  CHECK(only<Finish>(bench.tell(TimerFired{1}, at(200))).reason == Reason::kDeadlinePassed);
  CHECK(none<RunEdge>(bench.tell(cascade(2), at(201))));
  CHECK(only<RunEdge>(bench.tell(EdgeFinished{1, true, 1}, at(300))).id == 2);
}

namespace {

/// A scheduler amid random events, which checks what it answers.
struct RandomWorld {
  explicit RandomWorld(std::uint64_t seed) : random(seed, "events") {
    limits.edge_slots = 1 + random.below(3);
    limits.queue_length_max = random.below(4);
    limits.cloud_in_flight_max = 1 + random.below(3);
    core = std::make_unique<SchedulerCore>(config_of(limits, CloudTiming{}, 3, seed));
  }

  void tell(const Event& event) {
    std::vector<Action> actions;
    core->step(event, now, actions);
    for (const auto& action : actions) std::visit([this](const auto& a) { check(a); }, action);
    RC_ASSERT(core->edge_busy() <= limits.edge_slots);
    RC_ASSERT(core->queued() <= limits.queue_length_max);
    RC_ASSERT(core->cloud_in_flight() <= limits.cloud_in_flight_max);
  }
  void check(const RunEdge& run) {
    RC_ASSERT(masks.at(run.id).has(kEdgeSite));
    on_edge.push_back(run.id);
  }
  void check(const StartCloud& start) {
    RC_ASSERT(start.site != kEdgeSite);
    RC_ASSERT(masks.at(start.id).has(start.site));
    RC_ASSERT(allowed.at(start.id)-- > 0u);
    RC_ASSERT(outcomes.count(start.id) == 0u);
    on_cloud.emplace_back(start.id, start.attempt);
  }
  void check(const Finish& finish) {
    RC_ASSERT(++outcomes[finish.id] == 1);
    if (finish.status == OutcomeStatus::kServed) RC_ASSERT(masks.at(finish.id).has(finish.answered_by));
  }
  void check(const CancelCloud&) {}
  void check(const ProbeCloud& probe) {
    RC_ASSERT(masks.at(probe.id).has(probe.site));
    probes.push_back(probe.probe);
  }
  void check(const SetTimer&) {}

  void submit() {
    Mask mask = Mask::all(3);
    for (SiteId site = 0; site <= 3; ++site)
      if (random.below(3) == 0) mask = mask.without(site);
    masks[++last] = mask;
    Submitted made = planned(static_cast<PlanKind>(random.below(6)), last, mask);
    made.confidence_below = 0.5f;
    made.deadline = milliseconds(1 + random.below(300));
    made.on_caller = random.below(2) == 0;
    made.offline = random.below(8) == 0;
    made.priority = static_cast<Priority>(random.below(3));
    made.idempotent = random.below(4) != 0;
    made.attempts_max = static_cast<unsigned>(random.below(4));
    if (random.below(3) == 0) made.objective = Objective{1, random.uniform(), random.uniform()};
    allowed[last] = !made.idempotent ? 1 : made.attempts_max > 0 ? made.attempts_max : CloudTiming{}.attempts_max;
    tell(made);
  }
  void end_a_pass() {
    if (!on_edge.empty()) tell(EdgeFinished{take(on_edge), random.below(5) != 0, static_cast<float>(random.uniform())});
  }
  void end_an_attempt() {
    if (!probes.empty()) tell(ProbeFinished{take(probes), static_cast<CloudVerdict>(random.below(6))});
    if (on_cloud.empty()) return;
    const auto [id, attempt] = take(on_cloud);
    tell(CloudFinished{id, attempt, static_cast<CloudVerdict>(random.below(6)), milliseconds(random.below(3) * 100)});
  }
  void one_event() {
    now += milliseconds(random.below(60));
    switch (random.below(6)) {
      case 0:
      case 1:
        return submit();
      case 2:
        return end_a_pass();
      case 3:
        return end_an_attempt();
      case 4:
        return tell(TimerFired{1 + random.below(last + 1)});
      case 5:
        if (random.below(4) == 0) tell(CancelAsked{1 + random.below(last + 1)});
    }
  }
  template <class T>
  T take(std::vector<T>& list) {
    const auto at = list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size()));
    const T one = *at;
    list.erase(at);
    return one;
  }

  RandomStream random;
  Limits limits;
  std::unique_ptr<SchedulerCore> core;
  TimePoint now{};
  RequestId last = 0;
  std::map<RequestId, Mask> masks;
  std::map<RequestId, int> outcomes;
  std::map<RequestId, unsigned> allowed;  ///< Cloud attempts.
  std::vector<RequestId> on_edge;
  std::vector<AttemptId> probes;
  std::vector<std::pair<RequestId, AttemptId>> on_cloud;
};

}  // namespace

TEST_CASE("whatever happens in whatever order: one outcome each, no site outside the mask, no bound exceeded",
          "[scheduler][property]") {
  const bool held = rc::check("random events", [] {
    RandomWorld world(*rc::gen::arbitrary<std::uint64_t>());
    for (int i = 0; i < 120; ++i) world.one_event();
    world.tell(ShutDown{});
    while (!world.on_edge.empty()) world.end_a_pass();
    RC_ASSERT(world.outcomes.size() == world.last);
    RC_ASSERT(world.core->unfinished() == 0u);
    RC_ASSERT(world.core->edge_busy() == 0u);
    RC_ASSERT(world.core->cloud_in_flight() == 0u);
  });
  CHECK(held);
}
