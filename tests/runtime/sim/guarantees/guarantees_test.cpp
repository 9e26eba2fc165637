// Goal: G1 to G12 hold in every world (docs/faults.md). Method: the real runtime on a virtual loop, worlds drawn from
// seeds, and a judge that reads what an app and a wire tap see. The judge is itself shown to notice each guarantee
// broken. More worlds: `hearth-swarm --seeds 10000`.
#include <algorithm>
#include <functional>

#include <catch2/catch.hpp>

#include "tests/runtime/sim/guarantees/story.h"

using namespace hearth;
using namespace hearth::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t kWorlds = 150;

using Kind = WireEvent::Kind;

TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }

WireEvent sent(int ms, AttemptId attempt, std::size_t request, const std::string& endpoint = "e1") {
  WireEvent event{Kind::kSend, at(ms), attempt, endpoint};
  event.request = request;
  event.deadline = at(200);
  return event;
}

WireEvent ended(int ms, AttemptId attempt, int status) {
  WireEvent event{Kind::kDone, at(ms), attempt, {}};
  event.status = status;
  return event;
}

/// One request that fails at one endpoint, is answered by another, and one that is answered at once.
Story good_story() {
  Story story;
  story.timing.breaker_failures = 1;
  story.edge_takes = milliseconds(10);
  for (const int began : {0, 100}) {
    Asked asked;
    asked.at = at(began);
    asked.deadline = milliseconds(100) + milliseconds(began == 0 ? 100 : 0);
    asked.attempts_max = 2;
    asked.permitted = {"e1", "e2"};
    asked.outcomes = 1;
    asked.finished = at(began + 50);
    asked.outcome.status = OutcomeStatus::kServed;
    asked.outcome.served_on = "e2";
    asked.outcome.outputs.resize(1);
    asked.outcome.attempts.resize(began == 0 ? 2 : 1);
    for (auto& attempt : asked.outcome.attempts) attempt.site = 1;
    story.requests.push_back(asked);
  }
  story.wire = {sent(1, 1, 0),     ended(20, 1, 500),     sent(21, 2, 0, "e2"),
                ended(50, 2, 200), sent(101, 3, 1, "e2"), ended(150, 3, 200)};
  return story;
}

struct Planted {
  std::string guarantee;
  std::function<void(Story&)> what;
};

const std::vector<Planted>& planted() {
  static const std::vector<Planted> kPlanted{
      {"G1: request 0 made too many attempts", [](Story& s) { s.requests[0].attempts_max = 1; }},
      {"G2: ",
       [](Story& s) {  // 40 retries of one request
         s.requests[0].attempts_max = 50;
         for (AttemptId i = 0; i < 40; ++i) {
           s.wire.insert(s.wire.begin() + 2, ended(20, 100 + i, 400));
           s.wire.insert(s.wire.begin() + 2, sent(20, 100 + i, 0));
         }
       }},
      {"G2: 400 attempts for 250 requests",
       [](Story& s) {
         s = Story{};
         s.troubled = true;
         s.timing.extra_attempts_share_max = 1;
         s.requests.resize(250);
         for (AttemptId i = 0; i < 400; ++i) s.wire.push_back(sent(1, i, i % 250));
       }},
      {"G3: request 0 began an attempt after its deadline",
       [](Story& s) { s.requests[0].deadline = milliseconds(21); }},
      {"G3: an attempt of request 0 outlived the deadline", [](Story& s) { s.wire[3].at = at(201); }},
      {"G4: two trials at a time at e1",
       [](Story& s) {
         s.wire.insert(s.wire.begin() + 3, sent(30, 7, 1));
         s.wire.insert(s.wire.begin() + 3, sent(30, 8, 1));
       }},
      {"G4: e2 answered 0 of 1",
       [](Story& s) {
         s.requests[1].proves = "e2";
         s.requests[1].outcome.served_on = "edge";
       }},
      {"G5: attempts are left in flight", [](Story& s) { s.left_in_flight = 1; }},
      {"G5: an attempt ended 2 times", [](Story& s) { s.wire.push_back(ended(150, 3, 200)); }},
      {"G6: e1 was asked although it had asked for peace",
       [](Story& s) {
         s.wire[1].status = 429;
         s.wire[1].retry_after = seconds(1);
         s.wire[4].endpoint = "e1";
       }},
      {"G7: request 0 is not idempotent and was sent twice", [](Story& s) { s.requests[0].idempotent = false; }},
      {"G7: an attempt of request 0 went on after the outcome", [](Story& s) { s.requests[0].finished = at(40); }},
      {"G8: request 1 was answered by an attempt that was over",
       [](Story& s) {
         s.wire.insert(s.wire.begin() + 5, {Kind::kCancel, at(140), 3, {}});
       }},
      {"G9: request 1 has 2 outcomes", [](Story& s) { s.requests[1].outcomes = 2; }},
      {"G9: request 1 has 0 outcomes", [](Story& s) { s.requests[1].outcomes = 0; }},
      {"G10: what must stay was sent by request 1", [](Story& s) { s.wire[4].canary = true; }},
      {"G10: request 1 went to e2, which is not permitted", [](Story& s) { s.requests[1].permitted = {"e1"}; }},
      {"G11: request 1 had its outcome late", [](Story& s) { s.requests[1].finished = at(201); }},
      {"G11: request 1 has neither an answer nor a reason", [](Story& s) { s.requests[1].outcome.outputs.clear(); }},
      {"G11: request 1 got no answer from an idle device",
       [](Story& s) {
         s.requests[1].outcome.status = OutcomeStatus::kFailed;
         s.requests[1].outcome.served_on.clear();
         s.requests[1].outcome.outputs.clear();
       }},
      {"G12: time went back", [](Story& s) { s.wire[1].at = at(0); }},
  };
  return kPlanted;
}

}  // namespace

TEST_CASE("every guarantee holds in worlds drawn from seeds, with faults and after them", "[sim]") {
  std::size_t requests = 0, attempts = 0;
  for (std::uint64_t seed = 1; seed <= kWorlds; ++seed) {
    const Story story = run_world(seed);
    requests += story.requests.size();
    for (const auto& event : story.wire) attempts += event.kind == Kind::kSend;
    for (const auto& line : violations(story)) FAIL_CHECK(line << "\nrepeat: bin/hearth-swarm --seed " << seed);
  }
  // The worlds are worth judging.
  CHECK(requests > 300 * kWorlds);
  CHECK(attempts > 100 * kWorlds);
}

TEST_CASE("a story in which all is well breaks nothing", "[sim]") { CHECK(violations(good_story()).empty()); }

TEST_CASE("each guarantee's check notices when it is broken", "[sim]") {
  for (const auto& one : planted()) {
    CAPTURE(one.guarantee);
    Story story = good_story();
    one.what(story);
    const auto lines = violations(story);
    CHECK(std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(one.guarantee); }));
  }
}

TEST_CASE("a world is the same each time, and a clock that is set changes nothing of it", "[sim]") {
  const auto shape = [](const Story& story) {
    std::string all;
    for (const auto& event : story.wire)
      all += std::to_string(static_cast<int>(event.kind)) + " " + std::to_string(event.at.time_since_epoch().count()) +
             " " + std::to_string(event.attempt) + " " + event.endpoint + " " + std::to_string(event.status) + "\n";
    for (const auto& asked : story.requests)
      all += std::to_string(asked.finished.time_since_epoch().count()) + " " + asked.outcome.served_on + " " +
             name_of(asked.outcome.reason) + "\n";
    return all;
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const std::string first = shape(run_world(seed));
    CHECK(first == shape(run_world(seed)));
    CHECK(first == shape(run_world(seed, false)));  // G12: only the monotonic clock counts
  }
}
