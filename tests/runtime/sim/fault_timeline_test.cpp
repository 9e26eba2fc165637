// Timelines: what a file may say, and whom its faults hit.
#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "runtime/sim/fault_schedule.h"

using namespace hearth;
using namespace hearth::sim;
using namespace std::chrono_literals;

namespace {

std::string problems_in(const std::string& json) {
  const auto timeline = parse_timeline(json, "f.json");
  return timeline ? "no problem" : timeline.error().message;
}

FaultSchedule schedule(const std::string& faults, std::uint64_t seed = 1) {
  auto timeline = parse_timeline(R"({"seed":)" + std::to_string(seed) + R"(,"faults":[)" + faults + "]}", "f.json");
  INFO((timeline.ok() ? "" : timeline.error().message));
  REQUIRE(timeline.ok());
  return FaultSchedule(std::move(timeline).value());
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// How many of `count` requests, a millisecond apart, are hit.
int hits(FaultSchedule& faults, int count, bool infer = true) {
  int hit = 0;
  for (int i = 0; i < count; ++i) hit += faults.on_request(i * 1ms, infer).fault.has_value() ? 1 : 0;
  return hit;
}

}  // namespace

TEST_CASE("every fault has a name of its own, a row of the list, and is read by its name") {
  std::set<std::string> names;
  for (const FaultFacts& facts : all_faults()) {
    CAPTURE(std::string(facts.name));
    CHECK(names.insert(std::string(facts.name)).second);
    CHECK_FALSE(facts.row.empty());
    CHECK(facts_of(facts.kind).name == facts.name);
    const std::string more = facts.kind == FaultKind::kBrownOut ? R"(,"for_ms":10)" : "";
    const auto timeline =
        parse_timeline(R"({"faults":[{"fault":")" + std::string(facts.name) + "\"" + more + "}]}", "f");
    REQUIRE(timeline.ok());
    CHECK(timeline.value().faults[0].kind == facts.kind);
  }
}

TEST_CASE("every file in configs/faults loads") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("configs/faults")) {
    CAPTURE(entry.path().string());
    const auto timeline = load_timeline(entry.path().string());
    CHECK((timeline.ok() ? "" : timeline.error().message) == "");
    ++files;
  }
  CHECK(files >= 4);
}

TEST_CASE("all problems of a timeline come at once, each with its place") {
  const std::string problems = problems_in(R"({"sed": 3, "faults": [
    {"fault": "reset_mid_bdy", "bytes": 1},
    {"fault": "drip", "bites": 4},
    {"fault": "status", "status": 99},
    {"fault": "latency", "probability": 2},
    {"fault": "refuse", "probability": 0.5},
    {"fault": "brown_out", "delay_ms": 5},
    {"fault": "status", "every_ms": 5},
    {"at_ms": 5}]})");
  CHECK(has(problems, R"(f.json:1:9: /sed: unknown key (did you mean "seed"?))"));
  CHECK(
      has(problems, R"(f.json:2:15: /faults/0/fault: unknown fault "reset_mid_bdy" (did you mean "reset_mid_body"?))"));
  CHECK(has(problems, R"(f.json:3:32: /faults/1/bites: unknown key (did you mean "bytes"?))"));
  CHECK(has(problems, "/faults/2/status: "));
  CHECK(has(problems, "/faults/3/probability: "));
  CHECK(has(problems, "/faults/4/fault: hits everything while it is active"));
  CHECK(has(problems, "/faults/5/for_ms: a brown-out needs its length"));
  CHECK(has(problems, "/faults/6/every_ms: needs a for_ms"));
  CHECK(has(problems, "/faults/7"));
  CHECK_FALSE(has(problems, "/faults/0/bytes"));  // what an unknown fault takes is not known
  CHECK(has(problems_in("{}"), "faults"));
  CHECK(has(problems_in(R"({"faults":[{"fault":"latency","distribution":"trace"}]})"), "trace_ms: is missing"));
}

TEST_CASE("one fault is read by its name alone or as an object") {
  CHECK(parse_fault("blackhole", "h").value().kind == FaultKind::kBlackhole);
  CHECK(parse_fault(R"({"fault":"drip","bytes":3})", "h").value().bytes == 3);
  const auto wrong = parse_fault("black_hole", "h");
  REQUIRE_FALSE(wrong.ok());
  CHECK(has(wrong.error().message, R"(did you mean "blackhole"?)"));
  CHECK_FALSE(parse_fault("{", "h").ok());
  CHECK_FALSE(parse_fault("", "h").ok());
}

TEST_CASE("a fault hits inside its window only, and a window can come back") {
  FaultSchedule once = schedule(R"({"fault":"status","at_ms":10,"for_ms":5})");
  CHECK_FALSE(once.on_request(9ms, true).fault);
  CHECK(once.on_request(10ms, true).fault);
  CHECK(once.on_request(14ms, true).fault);
  CHECK_FALSE(once.on_request(15ms, true).fault);
  FaultSchedule flapping = schedule(R"({"fault":"refuse","at_ms":10,"for_ms":5,"every_ms":20})");
  CHECK_FALSE(flapping.refuses(9ms));
  CHECK(flapping.refuses(14ms));
  CHECK_FALSE(flapping.refuses(16ms));
  CHECK(flapping.refuses(31ms));
}

TEST_CASE("the n-th request on, the first k, and health only when asked for") {
  FaultSchedule after = schedule(R"({"fault":"status","after":3})");
  CHECK(hits(after, 10) == 7);
  FaultSchedule first = schedule(R"({"fault":"status","times":2})");
  CHECK(first.on_request(0ms, true).fault);
  CHECK(first.on_request(1ms, true).fault);
  CHECK_FALSE(first.on_request(2ms, true).fault);
  CHECK(first.hits() == std::vector<std::uint64_t>{2});
  FaultSchedule infer = schedule(R"({"fault":"status"})");
  CHECK(hits(infer, 5, false) == 0);
  FaultSchedule any = schedule(R"({"fault":"status","route":"any"})");
  CHECK(hits(any, 5, false) == 5);
}

TEST_CASE("draws are the seed's own, at the rate asked for, and entries do not move each other") {
  const std::string rare = R"({"fault":"status","probability":0.1})";
  FaultSchedule one = schedule(rare, 5);
  FaultSchedule same = schedule(rare, 5);
  FaultSchedule other = schedule(rare, 6);
  FaultSchedule beside = schedule(rare + R"(,{"fault":"nan","probability":0.5})", 5);
  int count = 0;
  int different = 0;
  for (int i = 0; i < 10'000; ++i) {
    const bool hit = one.on_request(0ms, true).fault.has_value();
    const auto with = beside.on_request(0ms, true).fault;
    CHECK(same.on_request(0ms, true).fault.has_value() == hit);
    CHECK((with && with->kind == FaultKind::kStatus) == hit);
    different += other.on_request(0ms, true).fault.has_value() != hit ? 1 : 0;
    count += hit ? 1 : 0;
  }
  CHECK(std::abs(count - 1000) < 150);  // five standard deviations of 30
  CHECK(different > 1000);
}

TEST_CASE("latencies add up and follow their distribution") {
  FaultSchedule two = schedule(R"({"fault":"latency","delay_ms":3},{"fault":"latency","delay_ms":4})");
  CHECK(two.on_request(0ms, true).wait == 7ms);
  FaultSchedule trace = schedule(R"({"fault":"latency","distribution":"trace","trace_ms":[1,2,3]})");
  for (const Duration expected : {1ms, 2ms, 3ms, 1ms}) CHECK(trace.on_request(0ms, true).wait == expected);
  for (const std::string spread : {"uniform", "normal", "lognormal"}) {
    CAPTURE(spread);
    FaultSchedule drawn =
        schedule(R"({"fault":"latency","distribution":")" + spread + R"(","delay_ms":30,"jitter_ms":5,"sigma":0.3})");
    int below = 0;
    for (int i = 0; i < 2000; ++i) {
      const Duration wait = drawn.on_request(0ms, true).wait;
      if (spread == "uniform") CHECK((wait >= 25ms && wait <= 35ms));
      below += wait < 30ms ? 1 : 0;
    }
    CHECK(std::abs(below - 1000) < 112);  // 30 ms is the median of all three; five standard deviations
  }
  FaultSchedule pareto = schedule(R"({"fault":"latency","distribution":"pareto","delay_ms":10,"alpha":1})");
  int beyond = 0;
  for (int i = 0; i < 2000; ++i) {
    const Duration wait = pareto.on_request(0ms, true).wait;
    CHECK(wait >= 10ms);
    beyond += wait > 100ms ? 1 : 0;  // (10/100)^1 of them
  }
  CHECK(std::abs(beyond - 200) < 68);
}

TEST_CASE("losses come in bursts and cost whole retransmission timeouts") {
  FaultSchedule loss = schedule(R"({"fault":"loss","delay_ms":200,"enter_bad":0.02,"leave_bad":0.2,"packets":1})");
  int lost = 0;
  int after_lost = 0;
  int pairs = 0;
  bool before = false;
  for (int i = 0; i < 20'000; ++i) {
    const Duration wait = loss.on_request(0ms, true).wait;
    CHECK(wait % 200ms == 0ms);
    const bool now = wait > 0ms;
    lost += now ? 1 : 0;
    pairs += before ? 1 : 0;
    after_lost += before && now ? 1 : 0;
    before = now;
  }
  REQUIRE(pairs > 100);
  CHECK(lost < 1000);  // a packet enters the bad state with 0.02 and leaves it by its own retransmissions
  CHECK(lost > 200);
  FaultSchedule certain = schedule(R"({"fault":"loss","delay_ms":1,"enter_bad":1,"leave_bad":0,"packets":3})");
  CHECK(certain.on_request(0ms, true).wait == 63ms);  // 1 + 2 + 4 + ... + 32: six tries, then it is given up
}

TEST_CASE("a queue makes latency rise with load, collapse when asked to, and refuses what has no room") {
  FaultSchedule queue = schedule(R"({"fault":"queue","servers":2,"delay_ms":10,"queue_max":2})");
  CHECK(queue.on_request(0ms, true).wait == 10ms);
  CHECK(queue.on_request(0ms, true).wait == 10ms);
  CHECK(queue.on_request(0ms, true).wait == 20ms);  // behind the first
  CHECK(queue.on_request(0ms, true).wait == 20ms);
  const auto refused = queue.on_request(0ms, true);
  REQUIRE(refused.fault);
  CHECK(refused.fault->kind == FaultKind::kStatus);
  CHECK(refused.fault->status == 503);
  CHECK(queue.on_request(100ms, true).wait == 10ms);  // idle again
  FaultSchedule collapsing = schedule(R"({"fault":"queue","delay_ms":10,"growth":1})");
  CHECK(collapsing.on_request(0ms, true).wait == 10ms);
  CHECK(collapsing.on_request(0ms, true).wait == 10ms + 20ms);  // one waits: twice as slow
  CHECK(collapsing.on_request(0ms, true).wait == 30ms + 30ms);
}

TEST_CASE("cold starts, slow instances, brown-outs and rate limits") {
  FaultSchedule cold = schedule(R"({"fault":"cold_start","delay_ms":100,"idle_ms":1000})");
  CHECK(cold.on_request(0ms, true).wait == 100ms);
  CHECK(cold.on_request(30ms, true).wait == 70ms);  // waits for the same start
  CHECK(cold.on_request(200ms, true).wait == 0ms);
  CHECK(cold.on_request(1300ms, true).wait == 100ms);
  FaultSchedule slow = schedule(R"({"fault":"degraded","factor":3},{"fault":"degraded","factor":2})");
  CHECK(slow.on_request(0ms, true).slow_factor == 6);
  FaultSchedule ramp = schedule(R"({"fault":"brown_out","delay_ms":100,"for_ms":1000})");
  CHECK(ramp.on_request(0ms, true).wait == 0ms);
  CHECK(ramp.on_request(500ms, true).wait == 50ms);
  CHECK(ramp.on_request(1001ms, true).wait == 0ms);
  FaultSchedule limit = schedule(R"({"fault":"rate_limit","per_s":10,"burst":2})");
  CHECK_FALSE(limit.on_request(0ms, true).fault);
  CHECK_FALSE(limit.on_request(0ms, true).fault);
  const auto over = limit.on_request(0ms, true);
  REQUIRE(over.fault);
  CHECK(over.fault->status == 429);
  CHECK(over.fault->retry_after == "1");
  CHECK_FALSE(limit.on_request(100ms, true).fault);
}

TEST_CASE("a partition says until when, for its direction only") {
  FaultSchedule both = schedule(R"({"fault":"partition","at_ms":10,"for_ms":20})");
  CHECK_FALSE(both.cut_until(9ms, Direction::kUp));
  CHECK(both.cut_until(15ms, Direction::kUp) == 30ms);
  CHECK(both.cut_until(15ms, Direction::kDown) == 30ms);
  FaultSchedule down = schedule(R"({"fault":"partition","direction":"down"})");
  CHECK_FALSE(down.cut_until(15ms, Direction::kUp));
  CHECK(down.cut_until(15ms, Direction::kDown) == kForever);
}

TEST_CASE("only the first connection fault and the first reply fault that hit count") {
  FaultSchedule faults =
      schedule(R"({"fault":"never_read","times":1},{"fault":"reset_on_accept"},{"fault":"nan"},{"fault":"bad_json"})");
  CHECK(faults.on_connect(0ms)->kind == FaultKind::kNeverRead);
  CHECK(faults.on_connect(0ms)->kind == FaultKind::kResetOnAccept);
  CHECK(faults.on_request(0ms, true).fault->kind == FaultKind::kNan);
  CHECK(faults.hits() == std::vector<std::uint64_t>{1, 1, 1, 0});
}
