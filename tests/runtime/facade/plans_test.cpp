// Goal: plans with more than one attempt, from request to outcome. Method: a simulated world, seen from outside.
#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;
using std::chrono::milliseconds;

namespace {

RuntimeConfig config_for(const std::string& plan) {
  auto config = sim_config();
  config.endpoints.push_back({"eu-2", "http://127.0.0.1:2", "eu"});
  config.cloud.expected_latency = milliseconds(10);  // the first hedges after 30 ms
  const std::string cascade = R"("plan": "cascade", "confidence_below": 0.8)";
  config.policy_json.replace(config.policy_json.find(cascade), cascade.size(), plan);
  return config;
}

sim::Network slow_link() {
  sim::Network network;
  network.link.round_trip_median = milliseconds(60);
  network.link.round_trip_sigma = 0.01;
  return network;
}

}  // namespace

TEST_CASE("a hedge's attempts each have a permit, a record and an id of their own, and one outcome tells of both",
          "[facade][door]") {
  SimWorld world(slow_link(), config_for(R"("plan": "hedge")"));
  world.start();
  const auto outcome = world.run(photo(0));
  CHECK(outcome.status == OutcomeStatus::kServed);
  CHECK(outcome.plan == PlanKind::kHedge);
  REQUIRE(outcome.attempts.size() == 2);
  CHECK(outcome.attempts[0].endpoint != outcome.attempts[1].endpoint);
  CHECK(outcome.served_on == outcome.attempts[0].endpoint);
  CHECK(outcome.attempts[0].error.empty());
  CHECK(outcome.attempts[1].error == "cancelled");
  CHECK(outcome.bytes_sent == outcome.attempts[0].bytes_sent + outcome.attempts[1].bytes_sent);
  CHECK(outcome.attempts[1].bytes_sent > 0);

  CHECK(world.transport->seen().size() == 2);
  const auto is_egress = [](const std::string& record) { return record.find(R"("egress")") != std::string::npos; };
  CHECK(std::count_if(world.journal->records.begin(), world.journal->records.end(), is_egress) == 2);
  CHECK(world.transport->seen()[0].body != world.transport->seen()[1].body);  // the ids differ
}

TEST_CASE("consent revoked between a request's attempts stops the second", "[facade][door]") {
  SimWorld world(slow_link(), config_for(R"("plan": "hedge")"));
  world.start();
  Outcome outcome;
  world.loop.schedule_at(world.loop.now() + milliseconds(20), [&] { world.runtime->set_consent(Consent::kRevoked); });
  outcome = world.run(photo(0));
  CHECK(world.transport->seen().size() == 1);
  CHECK(outcome.status == OutcomeStatus::kServed);
  REQUIRE(outcome.attempts.size() == 2);
  CHECK(outcome.attempts[1].bytes_sent == 0);
}

TEST_CASE("a hedge stays inside the mask", "[facade][door]") {
  auto config = config_for(R"("plan": "hedge", "attempts_max": 5)");
  config.endpoints[1].region = "us";
  SimWorld world(slow_link(), config);
  world.start();
  const auto outcome = world.run(photo(0, "regional"));
  for (const auto& attempt : outcome.attempts) CHECK(attempt.endpoint != "eu-2");  // the one in the us
  CHECK(outcome.served_on == "eu-1");
  const auto secret = world.run(photo(0, "secret"));
  CHECK(secret.served_on == "edge");
  CHECK(secret.bytes_sent == 0);
}

TEST_CASE("a safety net answers from the cloud when it is in time and from the edge when it is not", "[facade]") {
  const bool in_time = GENERATE(true, false);
  auto network = slow_link();
  if (!in_time) network.link.round_trip_median = milliseconds(500);
  SimWorld world(network, config_for(R"("plan": "safety_net", "attempts_max": 1)"));
  world.start();
  const auto outcome = world.run(photo(5));
  CHECK(outcome.status == OutcomeStatus::kServed);
  CHECK(outcome.deadline_met);
  CHECK((outcome.served_on == "edge") == !in_time);
  CHECK(outcome.attempts.size() == 2);
  CHECK(outcome.confidence > 0.9f);  // the local pass ran in either case
}

TEST_CASE("an endpoint that refuses connections costs one attempt, and the answer comes from the other", "[facade]") {
  SimWorld world(network_with({"refuse"}), config_for(R"("plan": "cloud")"));
  world.start();
  std::size_t attempts = 0;
  for (int i = 0; i < 50; ++i) {
    const auto outcome = world.run(photo(5));
    CHECK(outcome.served_on == "edge");
    attempts += outcome.attempts.size() - 1;
  }
  CHECK(attempts == 2);  // one for each endpoint
}
