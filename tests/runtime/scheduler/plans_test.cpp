// Goal: what each plan does with more than one thing under way. Method: events in, actions out; time is a number.
#include "tests/runtime/scheduler/bench.h"

using namespace hearth;
using namespace hearth::test;

namespace {

RuntimeConfig two_endpoints() {
  auto config = config_of(Limits{}, CloudTiming{}, 2);
  config.cloud.expected_latency = milliseconds(20);  // and so the first hedges after 60 ms
  return config;
}

CloudFinished ended(const StartCloud& start, CloudVerdict verdict, Duration retry_after = {}) {
  return {start.id, start.attempt, verdict, retry_after};
}

std::size_t count_starts(const std::vector<Action>& actions) {
  return static_cast<std::size_t>(std::count_if(
      actions.begin(), actions.end(), [](const Action& action) { return std::holds_alternative<StartCloud>(action); }));
}

}  // namespace

TEST_CASE("a safety net asks both at once and takes the cloud's answer when it is in time", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto begun = bench.tell(planned(PlanKind::kSafetyNet, 1));
  const auto start = only<StartCloud>(begun);
  CHECK_FALSE(only<RunEdge>(begun).on_caller);
  CHECK(none<Finish>(bench.tell(EdgeFinished{1, true, 1.0f}, at(3))));
  const auto finish = only<Finish>(bench.tell(ended(start, CloudVerdict::kAnswered), at(120)));
  CHECK(finish.answered_by == start.site);
  CHECK(finish.reason == Reason::kCloudAnswered);
}

TEST_CASE("a safety net gives the local answer shortly before the deadline", "[scheduler]") {
  Bench bench(two_endpoints());
  bench.tell(planned(PlanKind::kSafetyNet, 1));
  CHECK(only<SetTimer>(bench.tell(EdgeFinished{1, true, 1.0f}, at(3))).due == at(190));
  const auto actions = bench.tell(TimerFired{1}, at(190));
  CHECK_FALSE(none<CancelCloud>(actions));
  CHECK(only<Finish>(actions).answered_by == kEdgeSite);
  CHECK(only<Finish>(actions).reason == Reason::kCloudFailed);
}

TEST_CASE("a safety net whose cloud fails everywhere answers locally at once", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kSafetyNet, 1, Mask::all(2))));
  bench.tell(EdgeFinished{1, true, 1.0f}, at(3));
  const auto second = only<StartCloud>(bench.tell(ended(first, CloudVerdict::kFailed), at(10)));
  CHECK(second.site != first.site);
  CHECK(only<Finish>(bench.tell(ended(second, CloudVerdict::kFailed), at(20))).answered_by == kEdgeSite);
}

TEST_CASE("a late answer is hedged at another endpoint, and the loser is cancelled", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto begun = bench.tell(planned(PlanKind::kHedge, 1, Mask::all(2)));
  const auto first = only<StartCloud>(begun);
  CHECK(only<SetTimer>(begun).due == at(60));
  const auto hedged = bench.tell(TimerFired{1}, at(60));
  const auto second = only<StartCloud>(hedged);
  CHECK(second.site != first.site);
  const auto won = bench.tell(ended(second, CloudVerdict::kAnswered), at(70));
  CHECK(only<CancelCloud>(won).attempt == first.attempt);
  CHECK(only<Finish>(won).answered_by == second.site);
  CHECK(bench.tell(ended(first, CloudVerdict::kAnswered), at(71)).empty());  // a late answer changes nothing
}

TEST_CASE("a hedge goes to the same endpoint when there is no other", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kHedge, 1, Mask::all(2).without(2))));
  const auto second = only<StartCloud>(bench.tell(TimerFired{1}, at(60)));
  CHECK(second.site == first.site);
  CHECK(second.attempt != first.attempt);
}

TEST_CASE("what is not idempotent is sent once, whatever happens", "[scheduler]") {
  const auto plan = GENERATE(PlanKind::kCloud, PlanKind::kHedge, PlanKind::kSafetyNet);
  Bench bench(two_endpoints());
  auto request = planned(plan, 1, Mask::all(2));
  request.idempotent = false;
  request.attempts_max = 5;
  const auto first = only<StartCloud>(bench.tell(request));
  CHECK(count_starts(bench.tell(TimerFired{1}, at(60))) == 0);
  CHECK(count_starts(bench.tell(ended(first, CloudVerdict::kUnreachable), at(70))) == 0);
}

TEST_CASE("when nobody can be reached the edge begins at once, beside the attempt elsewhere", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kCloud, 1, Mask::all(2))));
  const auto actions = bench.tell(ended(first, CloudVerdict::kUnreachable), at(10));
  CHECK_FALSE(none<StartCloud>(actions));
  CHECK(only<RunEdge>(actions).id == 1);
}

TEST_CASE("when nobody can be reached and the edge may not answer, the next timer lies ahead", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kCloud, 1, Mask::all(2).without(kEdgeSite))));
  const auto actions = bench.tell(ended(first, CloudVerdict::kUnreachable), at(10));
  CHECK_FALSE(none<StartCloud>(actions));
  for (const auto& action : bench.tell(TimerFired{1}, at(11)))
    if (const auto* timer = std::get_if<SetTimer>(&action)) CHECK(timer->due > at(11));
}

TEST_CASE("when the last attempt has failed the edge answers, though an endpoint was never asked", "[scheduler]") {
  const auto plan = GENERATE(PlanKind::kCloud, PlanKind::kHedge);
  Bench bench(two_endpoints());
  auto request = planned(plan, 1, Mask::all(2));
  request.attempts_max = 1;
  const auto first = only<StartCloud>(bench.tell(request));
  const auto actions = bench.tell(ended(first, CloudVerdict::kFailed), at(10));
  CHECK(none<Finish>(actions));
  CHECK(only<RunEdge>(actions).id == 1);
}

TEST_CASE("a hedge in which the edge answers first is put down to that", "[scheduler]") {
  Bench bench(two_endpoints());
  auto request = planned(PlanKind::kHedge, 1);
  request.attempts_max = 1;
  bench.tell(request);
  CHECK(only<RunEdge>(bench.tell(TimerFired{1}, at(190))).id == 1);
  const auto finish = only<Finish>(bench.tell(EdgeFinished{1, true, 0.5f}, at(189)));
  CHECK(finish.reason == Reason::kLocalFaster);
}

TEST_CASE("a local pass for a plan of the cloud begins early enough to be in time", "[scheduler]") {
  Bench bench(two_endpoints());
  TimePoint now{};
  for (RequestId id = 1; id <= 40; ++id, now += milliseconds(50)) {
    bench.tell(planned(PlanKind::kEdge, id), now);
    bench.tell(EdgeFinished{id, true, 1.0f}, now + milliseconds(40));
  }
  const auto begun = bench.tell(planned(PlanKind::kCloud, 50), now);
  const auto due = only<SetTimer>(begun).due;  // 200 less the reserve of 10 less the 90 % quantile of 40, within 0.8 %
  CHECK(due - now > milliseconds(149));
  CHECK(due - now < milliseconds(151));
  CHECK(only<RunEdge>(bench.tell(TimerFired{50}, due)).id == 50);
}

TEST_CASE("a request without a local way tries the same endpoint again after a backoff", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kCloud, 1, Mask::all(1).without(kEdgeSite))));
  const auto failed = bench.tell(ended(first, CloudVerdict::kFailed), at(10));
  CHECK(count_starts(failed) == 0);
  const auto due = only<SetTimer>(failed).due;  // 50 ms with 20 % jitter
  CHECK(due >= at(50));
  CHECK(due <= at(70));
  CHECK(count_starts(bench.tell(TimerFired{1}, due)) == 1);
}

TEST_CASE("Retry-After is obeyed, and bounded", "[scheduler]") {
  auto config = two_endpoints();
  config.cloud.retry_after_max = std::chrono::seconds(2);
  Bench bench(config);
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kCloud, 1)));
  bench.tell(ended(first, CloudVerdict::kOverloaded, std::chrono::hours(1)), at(10));
  CHECK(count_starts(bench.tell(planned(PlanKind::kCloud, 2), at(2009))) == 0);
  CHECK(count_starts(bench.tell(planned(PlanKind::kCloud, 3), at(2010))) == 1);
}

TEST_CASE("a refusal and a denial are not tried again", "[scheduler]") {
  const auto verdict = GENERATE(CloudVerdict::kRefused, CloudVerdict::kDenied);
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kCloud, 1, Mask::all(2).without(kEdgeSite))));
  CHECK(only<Finish>(bench.tell(ended(first, verdict), at(10))).status == OutcomeStatus::kFailed);
}

TEST_CASE("an endpoint that cannot be reached is left alone after one attempt", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kCloud, 1)));
  bench.tell(ended(first, CloudVerdict::kUnreachable), at(10));
  for (RequestId id = 2; id < 20; ++id)
    CHECK(count_starts(bench.tell(planned(PlanKind::kCloud, id), at(10 + static_cast<int>(id)))) == 0);
}

TEST_CASE("the objective keeps an answer local that the cloud would not better enough for its price", "[scheduler]") {
  auto config = two_endpoints();
  config.endpoints[0].usd_per_request = 0.001;  // a tenth of a cent
  config.models[0].cloud.accuracy = 0.95;
  Bench bench(config);
  const auto ask = [&](RequestId id, float confidence) {
    auto request = cascade(id);
    request.confidence_below = 1;
    request.objective = Objective{1, 0.5, 0};  // a tenth of a cent is worth 0.05 right answers
    bench.tell(request);
    return bench.tell(EdgeFinished{id, true, confidence});
  };
  CHECK(only<Finish>(ask(1, 0.91f)).reason == Reason::kNotWorthIt);  // 0.04 more
  CHECK(count_starts(ask(2, 0.89f)) == 1);                           // 0.06 more
}

TEST_CASE("of two endpoints the objective asks the one that is worth more", "[scheduler]") {
  auto config = two_endpoints();
  config.endpoints[0].usd_per_request = 0.002;
  config.endpoints[1].usd_per_request = 0.001;
  Bench bench(config);
  auto request = planned(PlanKind::kCloud, 1, Mask::all(2));
  request.objective = Objective{1, 1, 0};
  CHECK(only<StartCloud>(bench.tell(request)).site == 2);
}

TEST_CASE("of those that wait the more urgent goes first, then the one with the nearest deadline", "[scheduler]") {
  Limits limits;
  limits.edge_slots = 1;
  Bench bench(limits);
  const auto waits = [&](RequestId id, Priority priority, int deadline_ms) {
    auto request = planned(PlanKind::kEdge, id);
    request.priority = priority;
    request.deadline = milliseconds(deadline_ms);
    bench.tell(request);
  };
  waits(1, Priority::kNormal, 100);  // runs at once
  waits(2, Priority::kNormal, 300);
  waits(3, Priority::kBackground, 50);
  waits(4, Priority::kNormal, 200);
  waits(5, Priority::kUrgent, 900);
  waits(6, Priority::kNormal, 200);
  RequestId running = 1;
  std::vector<RequestId> order;
  for (int i = 0; i < 5; ++i) {
    running = only<RunEdge>(bench.tell(EdgeFinished{running, true, 1.0f}, at(1))).id;
    order.push_back(running);
  }
  CHECK(order == std::vector<RequestId>{5, 4, 6, 2, 3});
}

TEST_CASE("a full queue lets its least urgent request go for a more urgent one", "[scheduler]") {
  Bench bench;  // one slot, a queue of one
  auto background = planned(PlanKind::kEdge, 2, Mask::edge_only());
  background.priority = Priority::kBackground;
  bench.tell(planned(PlanKind::kEdge, 1, Mask::edge_only()));
  bench.tell(background);
  const auto displaced = only<Finish>(bench.tell(planned(PlanKind::kEdge, 3, Mask::edge_only())));
  CHECK(displaced.id == 2);
  CHECK(displaced.reason == Reason::kQueueFull);
  CHECK(only<RunEdge>(bench.tell(EdgeFinished{1, true, 1.0f})).id == 3);
}

TEST_CASE("what cannot be in time any more is refused at once, or goes to the cloud where it may", "[scheduler]") {
  Limits limits;
  limits.edge_slots = 1;
  Bench bench(limits);
  TimePoint now{};
  RequestId id = 0;
  for (int i = 0; i < 30; ++i, now += milliseconds(80)) {
    bench.tell(planned(PlanKind::kEdge, ++id), now);
    bench.tell(EdgeFinished{id, true, 1.0f}, now + milliseconds(80));
  }
  bench.tell(planned(PlanKind::kEdge, ++id, Mask::edge_only()), now);                       // runs
  CHECK(none<Finish>(bench.tell(planned(PlanKind::kEdge, ++id, Mask::edge_only()), now)));  // 40 + 80 < 200
  const auto refused = only<Finish>(bench.tell(planned(PlanKind::kEdge, ++id, Mask::edge_only()), now));  // 120 + 80
  CHECK(refused.status == OutcomeStatus::kRejected);
  CHECK(refused.reason == Reason::kQueueTooLong);
  CHECK(count_starts(bench.tell(planned(PlanKind::kEdge, ++id), now)) == 1);
}

TEST_CASE("once an attempt speaks, no other answer is taken and no other attempt begins", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto first = only<StartCloud>(bench.tell(planned(PlanKind::kHedge, 1, Mask::all(2))));
  const auto second = only<StartCloud>(bench.tell(TimerFired{1}, at(60)));
  const auto spoken = bench.tell(CloudSpeaks{1, second.attempt}, at(70));
  CHECK(only<CancelCloud>(spoken).attempt == first.attempt);
  CHECK(none<Finish>(spoken));
  CHECK(bench.tell(CloudSpeaks{1, second.attempt}, at(71)).empty());  // said again, it changes nothing
  CHECK(bench.tell(CloudSpeaks{1, first.attempt}, at(71)).empty());
  const auto finish = only<Finish>(bench.tell(ended(second, CloudVerdict::kAnswered), at(90)));
  CHECK(finish.answered_by == second.site);
}

TEST_CASE("an answer that breaks off after its first piece is not made good by the device", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto start = only<StartCloud>(bench.tell(planned(PlanKind::kSafetyNet, 1, Mask::all(2))));
  bench.tell(CloudSpeaks{1, start.attempt}, at(10));
  CHECK(none<Finish>(bench.tell(EdgeFinished{1, true, 1.0f}, at(20))));
  const auto actions = bench.tell(ended(start, CloudVerdict::kFailed), at(30));
  CHECK(none<StartCloud>(actions));
  CHECK(only<Finish>(actions).status == OutcomeStatus::kFailed);
  CHECK(only<Finish>(actions).reason == Reason::kCloudFailed);
}

TEST_CASE("a stall after the first piece ends at the deadline, also with a local answer at hand", "[scheduler]") {
  Bench bench(two_endpoints());
  const auto start = only<StartCloud>(bench.tell(planned(PlanKind::kSafetyNet, 1)));
  bench.tell(EdgeFinished{1, true, 1.0f}, at(5));
  CHECK(only<SetTimer>(bench.tell(CloudSpeaks{1, start.attempt}, at(10))).due == at(200));
  CHECK(none<Finish>(bench.tell(TimerFired{1}, at(190))));  // where the local answer would have been given
  const auto actions = bench.tell(TimerFired{1}, at(200));
  CHECK(only<CancelCloud>(actions).attempt == start.attempt);
  CHECK(only<Finish>(actions).status == OutcomeStatus::kFailed);
  CHECK(only<Finish>(actions).reason == Reason::kDeadlinePassed);
}

TEST_CASE("a request that waits for the device leaves its queue when the cloud speaks", "[scheduler]") {
  RuntimeConfig config = two_endpoints();
  config.limits.edge_slots = 1;
  Bench bench(config);
  bench.tell(planned(PlanKind::kEdge, 1));
  const auto start = only<StartCloud>(bench.tell(planned(PlanKind::kSafetyNet, 2)));
  CHECK(bench.core.queued() == 1);
  bench.tell(CloudSpeaks{2, start.attempt}, at(10));
  CHECK(bench.core.queued() == 0);
  CHECK(none<RunEdge>(bench.tell(EdgeFinished{1, true, 1.0f}, at(20))));
  CHECK(only<Finish>(bench.tell(ended(start, CloudVerdict::kAnswered), at(30))).answered_by == start.site);
}
