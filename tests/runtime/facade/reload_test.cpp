// A new policy while the runtime runs: whole or not at all, and only ever narrower for what is in flight.
#include <catch2/catch.hpp>

#include <string>

#include "tests/support/sim_world.h"

namespace hearth {
namespace {

using test::photo;
using test::SimWorld;

/// The test policy with one text for another.
std::string with(const std::string& from, const std::string& to) {
  std::string policy = test::kPolicy;
  const auto found = policy.find(from);
  REQUIRE(found != std::string::npos);
  return policy.replace(found, from.size(), to);
}

TEST_CASE("a new policy is in force for the next request, and its hash in the outcome") {
  SimWorld world;
  world.start();
  CHECK(world.run(photo(0)).served_on == "eu-1");
  const auto before = world.runtime->policy_sha256();
  REQUIRE(world.runtime->reload_policy(with("\"confidence_below\": 0.8", "\"confidence_below\": 0.1")).ok());
  CHECK(world.runtime->policy_sha256() != before);
  const Outcome after = world.run(photo(0));
  CHECK(after.served_on == "edge");
  CHECK(after.policy_sha256 == world.runtime->policy_sha256());
}

TEST_CASE("a policy that is wrong, or names what is not configured, leaves the old one in force and says so") {
  SimWorld world;
  world.start();
  const auto before = world.runtime->policy_sha256();
  for (const std::string& bad : {std::string("{"), with("\"egress\": \"allow\"", "\"egress\": \"alow\""),
                                 with("[{\"id\": \"no-consent\", \"when\": {\"consent\": {\"ne\": \"given\"}}}]",
                                      "[{\"id\": \"x\", \"when\": {}, \"sites\": [\"cloud:nowhere\"]}]")}) {
    world.log.clear();
    const Status status = world.runtime->reload_policy(bad);
    CHECK_FALSE(status.ok());
    REQUIRE(world.log.size() == 1);
    CHECK(world.log[0].find("the policy stays as it was") == 0);
  }
  CHECK(world.runtime->policy_sha256() == before);
  CHECK(world.run(photo(0)).served_on == "eu-1");
}

TEST_CASE("what is in flight is narrowed by a new policy before its attempt") {
  SimWorld world;
  world.start();
  Outcome outcome;
  world.runtime->submit(photo(0), [&](Outcome o) { outcome = std::move(o); });
  // The local pass is under way: the plan goes on to the cloud afterwards.
  REQUIRE(world.runtime->reload_policy(with(R"("forbid": [)", R"("forbid": [{"id": "all-home", "when": {}}, )")).ok());
  world.loop.run_until_idle();
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.reason == Reason::kLocalOnlyPermitted);
  CHECK(outcome.permit_rule == "all-home");
  CHECK(outcome.policy_sha256 == world.runtime->policy_sha256());
  CHECK(world.transport->seen().empty());
}

TEST_CASE("what is in flight is not widened by a new policy") {
  SimWorld world;
  world.start();
  world.runtime->set_consent(Consent::kRevoked);
  Outcome outcome;
  world.runtime->submit(photo(0), [&](Outcome o) { outcome = std::move(o); });
  REQUIRE(world.runtime->reload_policy(with("{\"consent\": {\"ne\": \"given\"}}", "{\"utc_hour\": 99}")).ok() == false);
  REQUIRE(world.runtime->reload_policy(with("{\"consent\": {\"ne\": \"given\"}}", "{\"model\": \"none-such\"}")).ok() ==
          false);
  REQUIRE(world.runtime
              ->reload_policy(with("[{\"id\": \"no-consent\", \"when\": {\"consent\": {\"ne\": \"given\"}}}]", "[]"))
              .ok());
  world.loop.run_until_idle();
  CHECK(outcome.served_on == "edge");
  CHECK(world.transport->seen().empty());
  CHECK(world.run(photo(0)).served_on == "eu-1");
}

}  // namespace
}  // namespace hearth
