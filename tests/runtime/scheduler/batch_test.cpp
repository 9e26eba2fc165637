// Goal: who shares a forward pass, how long anybody waits for company, and what becomes of a batch's members.
// Method: events in, actions out; time is a number. A pass of k takes 10 ms and 2 ms for each further request.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <rapidcheck.h>

#include "tests/runtime/scheduler/bench.h"

using namespace hearth;
using namespace hearth::test;
using scheduler::PassTimes;
using std::chrono::microseconds;

namespace {

RuntimeConfig batching(std::uint64_t batch_max, Duration wait, std::size_t slots = 1) {
  Limits limits;
  limits.edge_slots = slots;
  auto config = config_of(limits, {}, 0);
  config.models[0].edge.batch_max = batch_max;
  config.models[0].edge.batch_wait = wait;
  return config;
}

Submitted local(RequestId id, Duration deadline = milliseconds(200), Priority priority = Priority::kNormal) {
  auto made = planned(PlanKind::kEdge, id, Mask::edge_only());
  made.deadline = deadline;
  made.priority = priority;
  return made;
}

/// The passes that begin, as lists of requests.
std::vector<std::vector<RequestId>> passes_in(const std::vector<Action>& actions) {
  std::vector<std::vector<RequestId>> passes;
  std::size_t missing = 0;
  for (const auto& action : actions) {
    const auto* run = std::get_if<RunEdge>(&action);
    if (run == nullptr) continue;
    if (missing == 0) passes.emplace_back();
    passes.back().push_back(run->id);
    if (passes.back().size() > 1) REQUIRE(run->together == missing - 1);
    missing = run->together;
  }
  REQUIRE(missing == 0);
  return passes;
}

Duration takes(std::size_t requests) { return milliseconds(8 + 2 * static_cast<int>(requests)); }

/// A scheduler with one slot that has seen 20 passes of every size.
struct Taught : Bench {
  explicit Taught(const RuntimeConfig& config) : Bench(config), edge(config.models[0].edge) {
    for (int round = 0; round < 20; ++round)
      for (std::size_t size = 1; size <= edge.batch_max; ++size) teach(size);
  }
  /// While one holds the slot, as many as shall share the next pass come to wait.
  void teach(std::size_t size) {
    const RequestId holder = ++id;
    if (passes_in(tell(local(holder), now)).empty()) tell(TimerFired{holder}, now += edge.batch_wait);
    const TimePoint since = now;
    for (std::size_t i = 0; i < size; ++i) tell(local(++id), now);
    auto begun = passes_in(tell(EdgeFinished{holder, true, 1}, now += takes(1)));
    if (begun.empty()) {
      now = std::max(now, since + edge.batch_wait);
      begun = passes_in(tell(TimerFired{holder + 1}, now));
    }
    REQUIRE(begun.size() == 1);
    REQUIRE(begun[0].size() == size);
    now += takes(size);
    for (const RequestId one : begun[0]) tell(EdgeFinished{one, true, 1}, now);
    REQUIRE(core.unfinished() == 0);
    now += milliseconds(1);
  }

  EdgeBinding edge;
  RequestId id = 0;
  TimePoint now{};
};

}  // namespace

TEST_CASE("what waits when a slot is free shares the next pass, up to the batch's bound", "[scheduler][batch]") {
  Bench bench(batching(3, {}));
  CHECK(passes_in(bench.tell(local(1))) == std::vector<std::vector<RequestId>>{{1}});  // nobody to wait for
  for (RequestId id = 2; id <= 5; ++id) CHECK(passes_in(bench.tell(local(id))).empty());
  CHECK(passes_in(bench.tell(EdgeFinished{1, true, 1}, at(10))) == std::vector<std::vector<RequestId>>{{2, 3, 4}});
  CHECK(bench.core.edge_busy() == 1);
  for (const RequestId id : {3, 2}) CHECK(passes_in(bench.tell(EdgeFinished{id, true, 1}, at(20))).empty());
  CHECK(passes_in(bench.tell(EdgeFinished{4, true, 1}, at(20))) == std::vector<std::vector<RequestId>>{{5}});
}

TEST_CASE("a request alone runs on its caller, those of a batch do not", "[scheduler][batch]") {
  Bench bench(batching(2, {}));
  const auto on_caller = [](RequestId id) {
    auto made = local(id);
    made.on_caller = true;
    return made;
  };
  CHECK(only<RunEdge>(bench.tell(on_caller(1))).on_caller);
  bench.tell(on_caller(2));
  bench.tell(on_caller(3));
  for (const auto& action : bench.tell(EdgeFinished{1, true, 1}, at(10))) {
    if (const auto* run = std::get_if<RunEdge>(&action)) CHECK_FALSE(run->on_caller);
  }
}

TEST_CASE("before a pass is measured nobody waits for company", "[scheduler][batch]") {
  Bench bench(batching(4, milliseconds(5)));
  CHECK(passes_in(bench.tell(local(1))).size() == 1);
}

TEST_CASE("a request waits for company no longer than batch_wait", "[scheduler][batch]") {
  Taught bench(batching(4, milliseconds(5)));
  const TimePoint then = bench.now;
  const RequestId first = ++bench.id, second = ++bench.id;
  const auto waits = bench.tell(local(first), then);
  CHECK(none<RunEdge>(waits));
  CHECK(only<SetTimer>(waits).due == then + milliseconds(5));
  CHECK(none<RunEdge>(bench.tell(local(second), then + milliseconds(3))));
  CHECK(passes_in(bench.tell(TimerFired{first}, then + milliseconds(5))) ==
        std::vector<std::vector<RequestId>>{{first, second}});
}

TEST_CASE("a full batch waits no longer", "[scheduler][batch]") {
  Taught bench(batching(2, milliseconds(5)));
  const RequestId first = ++bench.id, second = ++bench.id;
  bench.tell(local(first), bench.now);
  CHECK(passes_in(bench.tell(local(second), bench.now)) == std::vector<std::vector<RequestId>>{{first, second}});
}

TEST_CASE("nobody waits for company until it would be late in a full pass", "[scheduler][batch]") {
  Taught bench(batching(4, milliseconds(50)));
  const TimePoint then = bench.now;
  const RequestId first = ++bench.id, second = ++bench.id;
  CHECK(only<SetTimer>(bench.tell(local(first, milliseconds(100)), then)).due == then + milliseconds(50));
  // A full pass takes 16 ms, and has never taken anything else.
  const Duration due = only<SetTimer>(bench.tell(local(second, milliseconds(40)), then)).due - then;
  CHECK(due <= milliseconds(40 - 16));
  CHECK(due >= milliseconds(40 - 17));
  CHECK(passes_in(bench.tell(TimerFired{second}, then + due)) == std::vector<std::vector<RequestId>>{{second, first}});
}

TEST_CASE("a batch stays so small that its first is in time", "[scheduler][batch]") {
  Taught bench(batching(4, {}));
  const TimePoint then = bench.now;
  const RequestId running = ++bench.id, first = running + 1;
  bench.tell(local(running), then);
  bench.tell(local(first, milliseconds(40)), then);
  for (RequestId id = first + 1; id <= first + 3; ++id) bench.tell(local(id), then);
  // 12.9 ms are left: enough for two.
  CHECK(passes_in(bench.tell(EdgeFinished{running, true, 1}, then + microseconds(27'100))) ==
        std::vector<std::vector<RequestId>>{{first, first + 1}});
}

TEST_CASE("one that cannot be in time any more lets the others go first", "[scheduler][batch]") {
  Taught bench(batching(4, {}));
  const TimePoint then = bench.now;
  const RequestId running = ++bench.id, lost = running + 1;
  bench.tell(local(running), then);
  bench.tell(local(lost, milliseconds(40)), then);
  for (RequestId id = lost + 1; id <= lost + 3; ++id) bench.tell(local(id), then);
  CHECK(passes_in(bench.tell(EdgeFinished{running, true, 1}, then + milliseconds(35))) ==
        std::vector<std::vector<RequestId>>{{lost + 1, lost + 2, lost + 3}});
  CHECK(only<Finish>(bench.tell(TimerFired{lost}, then + milliseconds(40))).reason == Reason::kDeadlinePassed);
}

TEST_CASE("a small pass for the first is given up for a full one when those behind would be late else",
          "[scheduler][batch]") {
  const bool crowded = GENERATE(false, true);
  Taught bench(batching(4, {}));
  const TimePoint then = bench.now;
  const RequestId running = ++bench.id, first = running + 1;
  bench.tell(local(running), then);
  bench.tell(local(first, milliseconds(40)), then);  // 12.5 are left when the slot is free: a pass of two
  for (RequestId id = first + 1; id <= first + 5; ++id) bench.tell(local(id, milliseconds(crowded ? 50 : 60)), then);
  const auto begun = passes_in(bench.tell(EdgeFinished{running, true, 1}, then + microseconds(27'500)));
  if (crowded) {
    CHECK(begun == std::vector<std::vector<RequestId>>{{first + 1, first + 2, first + 3, first + 4}});
  } else {
    CHECK(begun == std::vector<std::vector<RequestId>>{{first, first + 1}});
  }
}

TEST_CASE("a batch holds one priority, the more urgent first, and in it the nearest deadlines", "[scheduler][batch]") {
  Bench bench(batching(2, {}));
  bench.tell(local(1));
  bench.tell(local(2, milliseconds(300)));
  bench.tell(local(3, milliseconds(100), Priority::kBackground));
  bench.tell(local(4, milliseconds(200)));
  bench.tell(local(5, milliseconds(900), Priority::kUrgent));
  bench.tell(local(6, milliseconds(250)));
  RequestId last = 1;
  std::vector<std::vector<RequestId>> order;
  for (int i = 0; i < 4; ++i) {
    for (const auto& pass : passes_in(bench.tell(EdgeFinished{last, true, 1}, at(1)))) {
      order.push_back(pass);
      for (const RequestId id : pass) {
        if (id != pass.back()) bench.tell(EdgeFinished{id, true, 1}, at(1));
      }
      last = pass.back();
    }
  }
  CHECK(order == std::vector<std::vector<RequestId>>{{5}, {4, 6}, {2}, {3}});
}

TEST_CASE("waiting for company ends when another model wants the last slot", "[scheduler][batch]") {
  auto config = batching(4, milliseconds(5));
  config.models.resize(2);
  Taught bench(config);
  const RequestId first = ++bench.id;
  CHECK(passes_in(bench.tell(local(first), bench.now)).empty());
  auto other = local(++bench.id);
  other.model = 1;
  const auto begun = passes_in(bench.tell(other, bench.now + milliseconds(1)));
  REQUIRE(begun.size() == 1);  // one of the two; the slot is not left free for company
  CHECK(bench.core.queued() == 1);
}

TEST_CASE("a full queue waits for no company", "[scheduler][batch]") {
  auto config = batching(4, milliseconds(5));
  config.limits.queue_length_max = 2;
  Bench bench(config);
  bench.tell(local(1));
  bench.tell(EdgeFinished{1, true, 1}, at(10));
  CHECK(passes_in(bench.tell(local(2), at(20))).empty());
  CHECK(passes_in(bench.tell(local(3), at(20))) == std::vector<std::vector<RequestId>>{{2, 3}});
}

TEST_CASE("a member that is cancelled, or whose time is up, leaves the others and the slot as they are",
          "[scheduler][batch]") {
  Bench bench(batching(3, {}));
  bench.tell(local(1));
  for (RequestId id = 2; id <= 4; ++id) bench.tell(local(id, milliseconds(id == 3 ? 150 : 200)));
  REQUIRE(passes_in(bench.tell(EdgeFinished{1, true, 1}, at(10))) == std::vector<std::vector<RequestId>>{{3, 2, 4}});
  CHECK(only<Finish>(bench.tell(CancelAsked{2}, at(11))).reason == Reason::kCallerCancelled);
  CHECK(only<Finish>(bench.tell(TimerFired{3}, at(150))).reason == Reason::kDeadlinePassed);
  CHECK(none<RunEdge>(bench.tell(local(5), at(151))));
  CHECK(none<Finish>(bench.tell(EdgeFinished{2, true, 1}, at(160))));
  CHECK(none<Finish>(bench.tell(EdgeFinished{3, true, 1}, at(160))));
  const auto ended = bench.tell(EdgeFinished{4, true, 1}, at(160));
  CHECK(only<Finish>(ended).id == 4);
  CHECK(only<Finish>(ended).status == OutcomeStatus::kServed);
  CHECK(only<RunEdge>(ended).id == 5);
}

TEST_CASE("a member that fails fails alone", "[scheduler][batch]") {
  Bench bench(batching(2, {}));
  bench.tell(local(1));
  bench.tell(local(2));
  bench.tell(local(3));
  bench.tell(EdgeFinished{1, true, 1}, at(10));
  CHECK(only<Finish>(bench.tell(EdgeFinished{2, false, 0}, at(20))).reason == Reason::kEdgeFailed);
  CHECK(only<Finish>(bench.tell(EdgeFinished{3, true, 1}, at(20))).status == OutcomeStatus::kServed);
}

TEST_CASE("a model that makes no batches runs one by one, whatever is configured", "[scheduler][batch]") {
  Bench bench(batching(4, milliseconds(5), 2));
  bench.core.run_alone(0);
  for (RequestId id = 1; id <= 4; ++id) bench.tell(local(id));
  CHECK(passes_in(bench.tell(EdgeFinished{1, true, 1}, at(10))) == std::vector<std::vector<RequestId>>{{3}});
}

TEST_CASE("the time of a size that was never measured is bounded by its neighbours'", "[scheduler][batch]") {
  PassTimes times(8);
  CHECK_FALSE(times.known());
  for (int i = 0; i < 40; ++i) times.observe(2, milliseconds(10), at(i));
  CHECK(times.usual(2) == milliseconds(10));
  CHECK(times.usual(1) == milliseconds(10));
  CHECK(times.usual(8) == milliseconds(40));
  for (int i = 0; i < 40; ++i) times.observe(8, milliseconds(16), at(40 + i));
  CHECK(times.usual(8) == milliseconds(16));
  CHECK(times.usual(4) == milliseconds(16));  // no longer than a larger one
  CHECK(times.usual(3) == milliseconds(15));  // no longer for each than a smaller one
  CHECK(times.at_most(8) >= times.usual(8));
}

TEST_CASE("a size that had a bad second is tried again", "[scheduler][batch]") {
  PassTimes times(4);
  for (int i = 0; i < 40; ++i) times.observe(4, milliseconds(16), at(i));
  times.observe(4, milliseconds(900), at(900));
  CHECK(times.at_most(4) > milliseconds(400));
  for (int i = 0; i < 40; ++i) times.observe(2, milliseconds(12), at(2000 + i));
  CHECK(times.at_most(4) <= milliseconds(25));
}

namespace {

/// Random arrivals, cancellations and pass lengths; checks each pass that begins.
struct BatchWorld {
  struct Known {
    TimePoint submitted, deadline;
    Priority priority;
    std::uint16_t model;
  };

  explicit BatchWorld(std::uint64_t seed) : random(seed, "batches") {
    config = batching(1 + random.below(6), milliseconds(random.below(3) * 4), 1 + random.below(3));
    config.limits.queue_length_max = 2 + random.below(20);
    config.models.push_back(config.models[0]);
    config.models[1].edge.batch_max = 1 + random.below(6);
    config.models[1].edge.share = 1 + static_cast<double>(random.below(4));
    bench = std::make_unique<Bench>(config);
    for (const auto& pair : config.models) times.emplace_back(pair.edge.batch_max);
  }

  std::uint64_t batch_max(RequestId id) const { return config.models[known.at(id).model].edge.batch_max; }
  bool first_of(RequestId one, RequestId other) const {
    const Known &a = known.at(one), &b = known.at(other);
    return std::tie(a.deadline, one) < std::tie(b.deadline, other);
  }

  void tell(const Event& event) {
    const auto actions = bench->tell(event, now);
    for (const auto& action : actions) {
      if (const auto* timer = std::get_if<SetTimer>(&action)) timers[timer->id] = timer->due;
      if (const auto* finish = std::get_if<Finish>(&action)) {
        RC_ASSERT(++outcomes[finish->id] == 1);
        waiting.erase(finish->id);
        timers.erase(finish->id);
      }
    }
    for (const auto& pass : passes_in(actions)) check(pass);
    RC_ASSERT(bench->core.edge_busy() <= config.limits.edge_slots);
    RC_ASSERT(bench->core.queued() <= config.limits.queue_length_max);
    RC_ASSERT(bench->core.queued() == waiting.size());
    check_wait();
  }
  void check(const std::vector<RequestId>& pass) {
    RC_ASSERT(pass.size() <= batch_max(pass[0]));
    for (std::size_t i = 0; i < pass.size(); ++i) {
      const Known& one = known.at(pass[i]);
      RC_ASSERT(one.model == known.at(pass[0]).model);
      RC_ASSERT(one.priority == known.at(pass[0]).priority);
      if (i > 0) RC_ASSERT(first_of(pass[i - 1], pass[i]));
      waiting.erase(pass[i]);
    }
    for (const RequestId left : waiting) {  // who is passed over in its lane would be late
      const Known &one = known.at(left), &taken = known.at(pass[0]);
      if (one.model != taken.model || one.priority != taken.priority || first_of(pass.back(), left)) continue;
      const PassTimes& takes = times[one.model];
      RC_ASSERT(first_of(left, pass[0]));
      Duration longest = takes.usual(1);
      for (std::size_t size = 1; size <= batch_max(left); ++size) longest = std::max(longest, takes.at_most(size));
      RC_ASSERT(one.deadline < now + longest);
    }
    running.push_back(pass);
    began[pass[0]] = now;
  }
  /// With a slot free, nobody waits beyond its bound, nobody else than by one lane for each slot, and no full batch.
  void check_wait() {
    const std::size_t free = config.limits.edge_slots - running.size();
    if (free == 0) return;
    std::map<std::pair<std::uint16_t, Priority>, std::size_t> lanes;
    for (const RequestId id : waiting) {
      const Known& one = known.at(id);
      const auto& edge = config.models[one.model].edge;
      RC_ASSERT(now < one.submitted + edge.batch_wait);
      RC_ASSERT(now < one.deadline);
      RC_ASSERT(++lanes[std::pair(one.model, one.priority)] < edge.batch_max);
    }
    RC_ASSERT(lanes.size() <= free);
  }

  void submit() {
    auto made = local(++last, milliseconds(5 + random.below(100)), static_cast<Priority>(random.below(3)));
    made.model = static_cast<std::uint16_t>(random.below(2));
    made.on_caller = random.below(2) == 0;
    known[last] = {now, now + made.deadline, made.priority, made.model};
    waiting.insert(last);
    tell(made);
  }
  void end_a_pass() {
    if (running.empty()) return;
    const auto pass = running[random.below(running.size())];
    for (std::size_t i = 0; i < pass.size(); ++i) {
      if (i + 1 == pass.size()) {
        std::erase(running, pass);
        times[known.at(pass[0]).model].observe(pass.size(), now - began.at(pass[0]), now);
      }
      tell(EdgeFinished{pass[i], random.below(5) != 0, 1});
    }
  }
  /// As the loop does it: what is due by then fires first, in order.
  void advance(Duration by) {
    const TimePoint until = now + by;
    for (;;) {
      const auto next = std::min_element(timers.begin(), timers.end(),
                                         [](const auto& a, const auto& b) { return a.second < b.second; });
      if (next == timers.end() || next->second > until) break;
      const RequestId id = next->first;
      now = std::max(now, next->second);
      timers.erase(next);
      tell(TimerFired{id});
    }
    now = until;
  }

  RandomStream random;
  RuntimeConfig config;
  std::unique_ptr<Bench> bench;
  TimePoint now{};
  RequestId last = 0;
  std::map<RequestId, Known> known;
  std::map<RequestId, TimePoint> timers;
  std::set<RequestId> waiting;
  std::vector<std::vector<RequestId>> running;
  std::map<RequestId, TimePoint> began;  ///< Of passes, by their first.
  std::vector<PassTimes> times;          ///< What the scheduler has learned of each model.
  std::map<RequestId, int> outcomes;
};

}  // namespace

TEST_CASE(
    "whatever comes and goes: passes follow the order, nobody waits for company beyond its bound, one outcome each",
    "[scheduler][batch][property]") {
  const bool held = rc::check("random batches", [] {
    BatchWorld world(*rc::gen::arbitrary<std::uint64_t>());
    for (int i = 0; i < 200; ++i) {
      world.advance(microseconds(world.random.below(6000)));
      const auto what = world.random.below(8);
      if (what < 4) world.submit();
      if (what == 4) world.tell(CancelAsked{1 + world.random.below(world.last + 1)});
      if (what > 4) world.end_a_pass();
    }
    while (!world.running.empty()) world.end_a_pass();
    world.advance(std::chrono::seconds(1));
    while (!world.running.empty()) world.end_a_pass();
    RC_ASSERT(world.outcomes.size() == world.last);
    RC_ASSERT(world.bench->core.unfinished() == 0u);
    RC_ASSERT(world.bench->core.edge_busy() == 0u);
    RC_ASSERT(world.bench->core.queued() == 0u);
  });
  CHECK(held);
}
