// Goal: G1 to G13 hold in every world (docs/faults.md). Method: the real runtime on a virtual loop, worlds drawn from
// seeds, and a judge that reads what an app and a wire tap see. The judge is itself shown to notice each guarantee
// broken. More worlds: `hearth simulate swarm --seeds 10000`.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>

#include <catch2/catch.hpp>

#include "runtime/base/json_reader.h"
#include "tools/simulate/swarm/swarm.h"

using namespace hearth;
using namespace hearth::simulate;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::string kFolder = "tests/tools/simulate/swarm/";

std::vector<std::uint64_t> corpus() {
  std::vector<std::uint64_t> seeds;
  std::ifstream in(kFolder + "corpus.txt");
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::size_t end = 0;
    const std::uint64_t from = std::stoull(line, &end);
    const std::uint64_t to = line[end] == '-' ? std::stoull(line.substr(end + 1)) : from;
    for (std::uint64_t seed = from; seed <= to; ++seed)
      if (std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) seeds.push_back(seed);
  }
  REQUIRE(seeds.size() > 20);
  return seeds;
}

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
    asked.outcome.outputs = {Tensor::of_floats("scores", {1, 3}, std::array{0.0f, 9.0f, 0.0f})};
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

std::vector<Planted> planted_in_attempts() {
  return {
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
  };
}

std::vector<Planted> planted_in_outcomes() {
  return {
      {"G8: request 1 was answered by an attempt that was over",
       [](Story& s) {
         s.wire.insert(s.wire.begin() + 5, {Kind::kCancel, at(140), 3, {}});
       }},
      {"G8: request 1 was answered what no site said",
       [](Story& s) {
         s.requests[1].outcome.outputs = {Tensor::of_floats("scores", {1, 3}, std::array{0.0f, 8.0f, 0.0f})};
       }},
      {"G9: request 1 has 2 outcomes", [](Story& s) { s.requests[1].outcomes = 2; }},
      {"G9: request 1 has 0 outcomes", [](Story& s) { s.requests[1].outcomes = 0; }},
      {"G10: what must stay was sent by request 1", [](Story& s) { s.wire[4].canary = true; }},
      {"G10: request 1 went to e2, which is not permitted", [](Story& s) { s.requests[1].permitted = {"e1"}; }},
      {"G10: request 1 was sent without consent",
       [](Story& s) {
         s.in_force = {{0, true, {"e1", "e2"}, {}}, {4, false, {"e1", "e2"}, {}}};
       }},
      {"G10: request 1 went to e2 although it is closed by now",
       [](Story& s) {
         s.in_force = {{0, true, {"e1", "e2"}, {}}, {4, true, {"e1"}, {}}};
       }},
      {"G10: request 1 left the session that request 0 tainted",
       [](Story& s) {
         s.requests[0].taints = true;
         s.requests[0].session = s.requests[1].session = "s";
         s.forgotten = {{at(102), "s"}};  // too late
       }},
      {"G11: request 1 had its outcome late", [](Story& s) { s.requests[1].finished = at(201); }},
      {"G11: request 1 has neither an answer nor a reason", [](Story& s) { s.requests[1].outcome.outputs.clear(); }},
      {"G11: request 1 got no answer from an idle device",
       [](Story& s) {
         s.requests[1].outcome.status = OutcomeStatus::kFailed;
         s.requests[1].outcome.served_on.clear();
         s.requests[1].outcome.outputs.clear();
       }},
      {"G11: request 1 waited for a slot while one was free",
       [](Story& s) {
         s.edge_slots = 1;
         s.requests[0].outcome.attempts[0].site = kEdgeSite;
         s.requests[0].outcome.attempts[0].began = milliseconds(95);
         s.requests[1].outcome = {};
         s.requests[1].outcome.plan = PlanKind::kEdge;
         s.requests[1].outcome.reason = Reason::kDeadlinePassed;
       }},
      {"G12: time went back", [](Story& s) { s.wire[1].at = at(0); }},
      {"G13: request 1 was sent by a device that is offline", [](Story& s) { s.requests[1].offline = true; }},
      {"G13: request 1 was to stay on the edge and was sent",
       [](Story& s) {
         s.requests[1].outcome.plan = PlanKind::kEdge;
         s.requests[1].outcome.attempts[0].site = kEdgeSite;
       }},
      {"G13: request 1 was sent although the local answer is sure",
       [](Story& s) {
         s.requests[1].outcome.plan = PlanKind::kCascade;
         s.requests[1].outcome.confidence = 0.95f;
         s.requests[1].outcome.attempts[0].site = kEdgeSite;
       }},
  };
}

}  // namespace

TEST_CASE("every guarantee holds in the worlds of the corpus, which reach all there is, with faults and after them",
          "[sim]") {
  std::size_t requests = 0, attempts = 0;
  Reach reached;
  const auto seeds = corpus();
  for (const std::uint64_t seed : seeds) {
    const Judged judged = judge_world(draw_world(seed), [](const SwarmWorld& world) { return run_world(world); });
    requests += judged.requests;
    attempts += judged.attempts;
    reached |= judged.reached;
    for (const auto& line : judged.broken) FAIL_CHECK(line << "\nrepeat: hearth simulate swarm --seed " << seed);
  }
  for (std::size_t i = 0; i < all_things().size(); ++i) {
    CAPTURE(all_things()[i].kind, all_things()[i].name);  // none left: `hearth simulate swarm --seeds 1000 --cover`
    CHECK(reached.test(i));
  }
  // The worlds are worth judging.
  CHECK(requests > 200 * seeds.size());
  CHECK(attempts > 50 * seeds.size());
}

TEST_CASE("worlds that once broke a guarantee break none", "[sim]") {
  std::size_t worlds = 0;
  for (const auto& file : std::filesystem::directory_iterator(kFolder + "worlds")) {
    CAPTURE(file.path());
    const auto text = read_whole_file(file.path().string(), 1 << 20);
    REQUIRE(text.ok());
    const auto world = parse_world(text.value(), file.path().string());
    REQUIRE(world.ok());
    CHECK(violations(run_world(world.value())).empty());
    ++worlds;
  }
  CHECK(worlds > 0);
}

TEST_CASE("a story in which all is well breaks nothing", "[sim]") { CHECK(violations(good_story()).empty()); }

TEST_CASE("each guarantee's check notices when it is broken", "[sim]") {
  auto planted = planted_in_attempts();
  for (auto& one : planted_in_outcomes()) planted.push_back(std::move(one));
  for (const auto& one : planted) {
    CAPTURE(one.guarantee);
    Story story = good_story();
    one.what(story);
    const auto lines = violations(story);
    CHECK(std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(one.guarantee); }));
  }
}
