// Goal: the whole runtime, request to outcome. Method: every seam simulated, time virtual, one request at a time.
#include <algorithm>
#include <limits>

#include <catch2/catch.hpp>

#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;
using std::chrono::milliseconds;

TEST_CASE("a confident local answer stays on the edge", "[facade]") {
  SimWorld world;
  world.start();
  const auto outcome = world.run(photo(5));
  CHECK(outcome.status == OutcomeStatus::kServed);
  CHECK(outcome.reason == Reason::kLocalConfident);
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.confidence == Approx(std::exp(5.0) / (std::exp(5.0) + 2)));
  CHECK(outcome.outputs.at(0).floats()[0] == 5);
  CHECK(outcome.bytes_sent == 0);
  CHECK(outcome.deadline == milliseconds(200));
  CHECK(outcome.prefer_rule == "unsure");
  CHECK(world.transport->seen().empty());
}

TEST_CASE("an unsure answer asks the cloud and says so", "[facade]") {
  SimWorld world;
  world.start();
  const auto outcome = world.run(photo(0));
  CHECK(outcome.reason == Reason::kCloudAnswered);
  CHECK(outcome.served_on == "eu-1");
  CHECK(outcome.model_sha256 == std::string(64, 'c'));
  CHECK(outcome.outputs.at(0).floats()[1] == 9);
  CHECK(outcome.outputs.at(0).name == "scores");
  REQUIRE(outcome.attempts.size() == 2);
  CHECK(outcome.attempts[0].site == kEdgeSite);
  CHECK(outcome.attempts[1].endpoint == "eu-1");
  REQUIRE(world.transport->seen().size() == 1);
  CHECK(outcome.bytes_sent == world.transport->seen()[0].body.size());
  CHECK(outcome.deadline_met);
}

TEST_CASE("what the class forbids never reaches the transport, however unsure", "[facade][door]") {
  struct Row {
    std::string label, text, permit_rule;
  };
  const auto row =
      GENERATE(Row{"secret", "", "class:secret"}, Row{"", "", "class:secret"}, Row{"no-such-class", "", "class:secret"},
               Row{"personal", "", "class:personal"}, Row{"public", "write to ann@example.com", "class:personal"},
               Row{"public", "\xff\xfe not text", "class:secret"});
  SimWorld world;
  world.start();
  auto request = photo(0, row.label);
  request.text = row.text;
  const auto outcome = world.run(request);
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.reason == Reason::kLocalOnlyPermitted);
  CHECK(outcome.permit_rule == row.permit_rule);
  CHECK(outcome.mask == Mask::edge_only());
  CHECK(world.transport->seen().empty());
}

TEST_CASE("a region that the endpoint is not in keeps data home", "[facade][door]") {
  auto config = sim_config();
  config.endpoints[0].region = GENERATE("us", "");
  SimWorld world({}, config);
  world.start();
  CHECK(world.run(photo(0, "regional")).permit_rule == "class:regional");
  CHECK(world.transport->seen().empty());
  CHECK(world.run(photo(0, "public")).served_on == "eu-1");
}

TEST_CASE("sensitive data taints its session, also over a restart", "[facade][door]") {
  SimWorld world;
  world.start();
  auto secret = photo(0, "secret"), later = photo(0, "public"), other = photo(0, "public");
  secret.session = later.session = "visit";
  other.session = "shopping";
  world.run(secret);
  CHECK(world.run(later).permit_rule == "session-taint");
  CHECK(world.run(other).served_on == "eu-1");

  world.runtime.reset();
  world.start();
  CHECK(world.run(later).permit_rule == "session-taint");
  world.runtime->forget_session("visit");
  CHECK(world.run(later).served_on == "eu-1");
}

TEST_CASE("taint lasts for all of its time, whenever in a second it began", "[facade][door]") {
  SimWorld world;
  world.start();
  world.loop.run_until(world.loop.now() + milliseconds(900));
  auto secret = photo(0, "secret"), later = photo(0, "public");
  secret.session = later.session = "visit";
  world.run(secret);
  world.loop.run_until(world.loop.now() + std::chrono::seconds(3600) - milliseconds(200));  // as kPolicy says
  CHECK(world.run(later).permit_rule == "session-taint");
  world.loop.run_until(world.loop.now() + std::chrono::seconds(2));
  CHECK(world.run(later).served_on == "eu-1");
}

TEST_CASE("without consent nothing leaves, and revoking it stops an attempt that is waiting for its record",
          "[facade][door]") {
  SimWorld world;
  world.start();
  world.runtime->set_consent(Consent::kRevoked);
  CHECK(world.run(photo(0)).permit_rule == "no-consent");

  world.runtime->set_consent(Consent::kGiven);
  world.loop.run_until_idle();
  world.journal->write_time = milliseconds(20);
  Outcome outcome;
  world.runtime->submit(photo(0), [&](Outcome o) { outcome = std::move(o); });
  world.loop.run_until(world.loop.now() + milliseconds(10));  // the edge has answered, the record is being written
  world.runtime->set_consent(Consent::kRevoked);
  world.loop.run_until_idle();
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.reason == Reason::kLocalOnlyPermitted);
  CHECK(outcome.attempts.back().error == "permission_denied");
  CHECK(outcome.bytes_sent == 0);
  CHECK(world.transport->seen().empty());
}

TEST_CASE("a journal that cannot be written or read keeps data home and says so", "[facade][door]") {
  SimWorld world;
  const bool full = GENERATE(true, false);
  if (full) {
    world.start();
    world.journal->full = true;
    CHECK(world.run(photo(0)).attempts.back().error == "resource_exhausted");
  } else {
    world.journal->unreadable = true;
    world.start();
  }
  auto request = photo(0);
  request.session = GENERATE("", "any");
  CHECK(world.run(request).permit_rule == "session-taint");
  world.runtime->set_consent(Consent::kGiven);  // does not make known what was lost
  CHECK(world.run(request).served_on == "edge");
  CHECK(world.transport->seen().empty());
  CHECK(std::any_of(world.log.begin(), world.log.end(),
                    [](const auto& line) { return line.find("the journal cannot be") != std::string::npos; }));
}

TEST_CASE("every egress is on record before it leaves", "[facade][door]") {
  SimWorld world;
  world.start();
  world.run(photo(0));
  const auto& records = world.journal->records;
  REQUIRE(std::count_if(records.begin(), records.end(),
                        [](const auto& r) { return r.find("\"egress\"") != std::string::npos; }) == 1);
  CHECK(records.back().find(world.runtime->policy_sha256()) != std::string::npos);
}

TEST_CASE("the wire holds a random id and the tensor, but no label, session or local answer", "[facade][door]") {
  SimWorld world;
  world.start();
  auto request = photo(0);
  request.session = "patient-4711";
  request.text = "a red shoe";
  world.run(request);
  world.run(request);
  REQUIRE(world.transport->seen().size() == 2);
  const auto& [first, second] = std::tie(world.transport->seen()[0], world.transport->seen()[1]);
  for (const auto* word : {"patient-4711", "public", "scores", "confidence"}) {
    CHECK(first.body.find(word) == std::string::npos);
    for (const auto& [name, value] : first.headers) CHECK((name + value).find(word) == std::string::npos);
  }
  CHECK(first.body.find("a red shoe") != std::string::npos);
  CHECK(first.body != second.body);  // same request, new id
}

TEST_CASE("any failure of the cloud gives the local answer within the deadline", "[facade]") {
  const auto [fault, expected] = GENERATE(table<std::string, std::string>(
      {{"status", "unavailable"}, {"blackhole", "deadline_exceeded"}, {"refuse", "unavailable"}}));
  SimWorld world(network_with({fault}));
  world.start();
  const auto outcome = world.run(photo(0));
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.reason == Reason::kCloudFailed);
  CHECK(outcome.attempts.back().error == expected);
  CHECK(outcome.deadline_met);
  CHECK(outcome.latency <= milliseconds(190));  // the deadline less the local reserve
}

TEST_CASE("cancelling gives one outcome at once, and the late answer changes nothing", "[facade]") {
  SimWorld world;
  world.start();
  std::vector<Outcome> outcomes;
  const auto id = world.runtime->submit(photo(0), [&](Outcome o) { outcomes.push_back(std::move(o)); });
  world.loop.run_until(world.loop.now() + milliseconds(20));
  CHECK(world.transport->in_flight() == 1);
  CHECK(world.runtime->cancel(id));
  CHECK_FALSE(world.runtime->cancel(id));
  world.loop.run_until_idle();
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].status == OutcomeStatus::kCancelled);
  CHECK(outcomes[0].bytes_sent > 0);  // they had left
  CHECK(world.transport->in_flight() == 0);
}

TEST_CASE("shutdown delivers an outcome to everything in flight and refuses what comes later", "[facade]") {
  SimWorld world;
  world.start();
  std::vector<Outcome> outcomes;
  const auto keep = [&](Outcome o) { outcomes.push_back(std::move(o)); };
  for (int i = 0; i < 5; ++i) world.runtime->submit(photo(0), keep);
  world.loop.run_until(world.loop.now() + milliseconds(5));
  world.runtime->shutdown();
  REQUIRE(outcomes.size() == 5);
  for (const auto& outcome : outcomes) CHECK(outcome.reason == Reason::kShutDown);
  world.runtime->submit(photo(0), keep);
  CHECK(outcomes.size() == 5);  // never inside the call
  world.loop.run_until_idle();
  REQUIRE(outcomes.size() == 6);
  CHECK(outcomes.back().reason == Reason::kShutDown);
  world.runtime.reset();
  world.loop.run_until_idle();
  CHECK(outcomes.size() == 6);
}

TEST_CASE("ending a session withdraws what is in flight in it", "[facade]") {
  SimWorld world;
  world.start();
  std::vector<Reason> reasons;
  for (const auto* session : {"a", "b"}) {
    auto request = photo(5);
    request.session = session;
    world.runtime->submit(request, [&](Outcome o) { reasons.push_back(o.reason); });
  }
  world.runtime->end_session("a");
  world.loop.run_until_idle();
  CHECK(reasons == std::vector{Reason::kCallerCancelled, Reason::kLocalConfident});
}

TEST_CASE("a request that does not fit its model is refused with what was expected", "[facade]") {
  SimWorld world;
  world.start();
  auto request = photo(0);
  std::string expected;
  SECTION("unknown model") {
    request.model = "taggr";
    expected = "no model of that name is configured";
  }
  SECTION("wrong shape") {
    request.inputs[0].shape = {2, 1};
    expected = "input 'x' is FP32 [2,1], expected FP32 [1,2]";
  }
  SECTION("bytes that do not make the shape") {
    request.inputs[0].data.pop_back();
    expected = "input 'x' holds 7 bytes, which do not make FP32 [1,2]";
  }
  SECTION("missing input") {
    request.inputs.clear();
    expected = "got 0 inputs, expected 1";
  }
  SECTION("no time") {
    request.deadline = GENERATE(Duration(0), Duration(-1), Duration::max());
    expected = "the deadline must be positive and at most a day";
  }
  const auto outcome = world.run(request);
  CHECK(outcome.status == OutcomeStatus::kRejected);
  CHECK(outcome.reason == Reason::kInvalidRequest);
  CHECK(outcome.message == expected);
}

TEST_CASE("infer() on the loop thread is an error, not a deadlock", "[facade]") {
  SimWorld world;
  world.start();
  const auto outcome = world.runtime->infer(photo(0));
  CHECK(outcome.status == OutcomeStatus::kFailed);
  CHECK(outcome.reason == Reason::kInvalidRequest);
}

TEST_CASE("a device that is offline costs no attempt", "[facade]") {
  SimWorld world;
  world.start();
  DeviceState offline;
  offline.network = NetworkKind::kOffline;
  world.runtime->set_device_state(offline);
  const auto outcome = world.run(photo(0));
  CHECK(outcome.reason == Reason::kCloudUnhealthy);
  CHECK(outcome.attempts.size() == 1);
}

TEST_CASE("a budget is never exceeded, and what it holds back is not on record as sent", "[facade][door]") {
  auto config = sim_config();
  config.policy_json.insert(config.policy_json.rfind('}'), R"(, "budgets": {"cloud_mib_per_day": 0.001})");
  SimWorld world({}, config);
  world.start();
  world.journal->write_time = milliseconds(20);
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 10; ++i) world.runtime->submit(photo(0), [&](Outcome o) { outcomes.push_back(std::move(o)); });
  world.loop.run_until_idle();
  std::size_t sent = 0;
  for (const auto& message : world.transport->seen()) sent += message.body.size();
  CHECK(sent > 0);
  CHECK(sent <= 1048);                                          // 0.001 MiB
  CHECK(1048 - sent < world.transport->seen()[0].body.size());  // and used as far as it goes
  const auto count = [&](const char* kind) {
    return std::count_if(world.journal->records.begin(), world.journal->records.end(),
                         [&](const auto& record) { return record.find(kind) != std::string::npos; });
  };
  CHECK(static_cast<std::size_t>(count("\"egress\"") - count("\"withheld\"")) == world.transport->seen().size());
  CHECK(std::count_if(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.served_on == "edge"; }) ==
        static_cast<std::ptrdiff_t>(10 - world.transport->seen().size()));
}

TEST_CASE("setting the clock forward ends no taint", "[facade][door]") {
  SimWorld world;
  world.start();
  auto secret = photo(0, "secret"), later = photo(0);
  secret.session = later.session = "visit";
  world.run(secret);
  world.loop.set_clock_forward(std::chrono::hours(24 * 365));
  CHECK(world.run(later).permit_rule == "session-taint");
  world.loop.run_until(world.loop.now() + std::chrono::hours(1) + std::chrono::seconds(1));
  CHECK(world.run(later).served_on == "eu-1");
}

TEST_CASE("a device that comes back online is noticed without an attempt", "[facade]") {
  struct Radio final : DeviceProbe {
    DeviceState read() override { return state; }
    DeviceState state;
  };
  const auto radio = std::make_shared<Radio>();
  radio->state.network = NetworkKind::kOffline;
  SimWorld world;
  world.probe = radio;
  world.start();
  CHECK(world.run(photo(0)).reason == Reason::kCloudUnhealthy);
  radio->state.network = NetworkKind::kUnknown;
  world.loop.run_until(world.loop.now() + std::chrono::seconds(10));
  world.run(photo(5));
  CHECK(world.run(photo(0)).served_on == "eu-1");
}

TEST_CASE("a runtime can go while an attempt is in flight and its loop lives on", "[facade]") {
  SimWorld world;
  world.start();
  Outcome outcome;
  world.runtime->submit(photo(0), [&](Outcome o) { outcome = std::move(o); });
  world.loop.run_until(world.loop.now() + milliseconds(20));
  REQUIRE(world.transport->in_flight() == 1);
  world.runtime->set_consent(Consent::kRevoked);
  world.runtime.reset();
  CHECK(outcome.reason == Reason::kShutDown);
  world.loop.run_until_idle();
  CHECK(world.transport->in_flight() == 0);
}

TEST_CASE("scores that are not finite are no confidence: the cloud is asked", "[facade]") {
  auto config = sim_config();
  config.models[0].scores = GENERATE(Scores::kLogits, Scores::kProbabilities);
  SimWorld world({}, config);
  world.start();
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  CHECK(world.run(photo(bad)).reason == Reason::kCloudAnswered);
}

TEST_CASE("a policy that forbids an endpoint that is not there is refused: it would forbid nothing", "[facade][door]") {
  auto config = sim_config();
  const std::string rule = R"({"id": "no-consent")";
  config.policy_json.insert(config.policy_json.find(rule),
                            R"({"id": "not-there", "when": {}, "sites": ["cloud:eu-2"]}, )");
  SimWorld world({}, config);
  REQUIRE_THROWS_WITH(world.start(), Catch::Contains("no endpoint is called \"eu-2\"") && Catch::Contains("\"eu-1\""));
}

TEST_CASE("what a callback holds may call the runtime when it goes", "[facade]") {
  struct Caller {
    ~Caller() { runtime.set_consent(Consent::kRevoked); }
    Runtime& runtime;
  };
  SimWorld world;
  world.start();
  world.runtime->submit(photo(5), [caller = std::shared_ptr<Caller>(new Caller{*world.runtime})](const Outcome&) {});
  world.loop.run_until_idle();
  CHECK(world.run(photo(0)).permit_rule == "no-consent");
}
