// Goal: every decision and every egress stands in the log with its reasons and without a byte of the user's.
#include <catch2/catch.hpp>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "runtime/privacy/chained_journal.h"
#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

std::vector<json> records_of(const SimWorld& world, const std::string& kind) {
  std::vector<json> found;
  for (const auto& line : world.journal->records) {
    auto record = json::parse(line);
    if (record.at("kind") == kind) found.push_back(std::move(record));
  }
  return found;
}

/// A runtime over the simulated journal, sealed as a real one is.
struct SealedWorld : SimWorld {
  void start_sealed() {
    World world;
    world.loop = std::shared_ptr<EventLoop>(std::shared_ptr<void>(), &loop);
    world.transport = transport;
    world.journal = std::make_shared<privacy::ChainedJournal>(loop, journal, std::string(privacy::kDeviceKeyBytes, 'k'),
                                                              privacy::ChainedJournal::Bounds{4096, 4, 100});
    world.load_edge_model = [this](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
      return std::shared_ptr<EdgeModel>(model);
    };
    runtime = Runtime::create(config, std::move(world), [this](LogLevel, std::string_view line) {
                log.emplace_back(line);
              }).value();
  }
};

}  // namespace

TEST_CASE("a decision's record tells class, label, detectors, mask, rules, hashes, plan and attempts",
          "[facade][audit]") {
  SimWorld world;
  world.start();
  auto request = photo(0);
  request.text = "a red shoe";
  const auto outcome = world.run(request);
  const auto decisions = records_of(world, "decision");
  REQUIRE(decisions.size() == 1);
  const auto& d = decisions[0];
  CHECK(d.at("request") == outcome.id);
  CHECK(d.at("model") == "tagger");
  CHECK(d.at("edge_sha256") == "simulated");
  CHECK(d.at("cloud_sha256") == std::string(64, 'c'));
  CHECK(d.at("policy_sha256") == outcome.policy_sha256);
  CHECK(d.at("class") == "public");
  CHECK(d.at("label") == "public");
  CHECK(d.at("detected") == json::object());
  CHECK(d.at("mask") == json{"edge", "eu-1"});
  CHECK(d.at("rules") == json{{"prefer", "unsure"}});
  CHECK(d.at("plan") == "cascade");
  CHECK(d.at("status") == "served");
  CHECK(d.at("reason") == "cloud_answered");
  CHECK(d.at("served_on") == "eu-1");
  CHECK(d.at("region") == "eu");
  CHECK(d.at("bytes") == outcome.bytes_sent);
  REQUIRE(d.at("attempts").size() == 2);
  CHECK(d.at("attempts")[0].at("site") == "edge");
  CHECK(d.at("attempts")[1].at("site") == "eu-1");
  CHECK(d.at("attempts")[1].at("bytes") == outcome.bytes_sent);
}

TEST_CASE("no record quotes a text, an unknown label, a session or an unknown model", "[facade][audit]") {
  SimWorld world;
  world.start();
  auto request = photo(0, "Ann Smith's own label");
  request.text = "mail ann@example.org";
  request.session = "visit of Ann";
  world.run(request);
  request.label = "public";
  world.run(request);
  auto unknown = photo(0);
  unknown.model = "Ann's model";
  world.run(unknown);
  const auto decisions = records_of(world, "decision");
  REQUIRE(decisions.size() == 3);
  CHECK(decisions[0].at("label") == "(unknown)");
  CHECK(decisions[0].at("rules").at("classify") == "unknown-label");
  CHECK(decisions[0].at("detected").at("EMAIL") == 1);
  CHECK(decisions[1].at("label") == "public");
  CHECK(decisions[1].at("rules").at("classify") == "found-mail");
  CHECK(decisions[2].at("model").is_null());
  CHECK(decisions[2].at("reason") == "invalid_request");
  for (const auto& line : world.journal->records)
    for (const auto* word : {"Ann", "ann", "example", "visit"}) CHECK(line.find(word) == std::string::npos);
}

TEST_CASE("an egress record names its attempt and its payload by a keyed hash", "[facade][audit]") {
  SealedWorld world;
  world.start_sealed();
  world.runtime->set_consent(Consent::kGiven);
  world.loop.run_until_idle();
  const auto outcome = world.run(photo(0));
  REQUIRE(outcome.served_on == "eu-1");
  const auto egress = records_of(world, "egress");
  REQUIRE(egress.size() == 1);
  const privacy::ChainedJournal reference(world.loop, world.journal, std::string(privacy::kDeviceKeyBytes, 'k'),
                                          {4096, 4, 100});
  CHECK(egress[0].at("payload_hmac") == reference.keyed_digest(world.transport->seen()[0].body));
  CHECK(egress[0].at("request") == outcome.id);
  CHECK(egress[0].at("attempt") == 2);  // the edge was first
  CHECK(egress[0].at("class") == "public");
  CHECK(egress[0].at("label") == "public");
  CHECK(egress[0].at("detected") == json::object());
  CHECK(egress[0].at("endpoint") == "eu-1");
  CHECK(egress[0].at("region") == "eu");
  CHECK(egress[0].at("bytes") == world.transport->seen()[0].body.size());
  CHECK(egress[0].at("model") == "tagger");
  CHECK(egress[0].at("model_sha256") == std::string(64, 'c'));
}

TEST_CASE("a sealed log over many segments keeps taint and consent through restarts", "[facade][audit]") {
  SealedWorld world;
  world.start_sealed();
  world.runtime->set_consent(Consent::kGiven);
  auto secret = photo(0, "secret"), later = photo(0);
  secret.session = later.session = "visit";
  world.run(secret);
  for (int i = 0; i < 60; ++i) world.run(photo(5));
  CHECK(world.journal->segment_starts.size() > 4);
  world.runtime.reset();
  world.loop.run_until_idle();
  world.start_sealed();
  CHECK(world.run(later).permit_rule == "session-taint");
  CHECK(world.run(photo(0)).served_on == "eu-1");
  privacy::AuditChain chain(std::string(privacy::kDeviceKeyBytes, 'k'));
  for (const auto& line : world.journal->records) REQUIRE(chain.open(line).ok());
}

TEST_CASE("a log that was tampered with keeps data home, and local requests go on", "[facade][audit]") {
  SealedWorld world;
  world.start_sealed();
  world.runtime->set_consent(Consent::kRevoked);
  world.runtime->set_consent(Consent::kGiven);
  world.loop.run_until_idle();
  world.runtime.reset();
  world.loop.run_until_idle();
  auto& line = world.journal->records[1];
  line.replace(line.find("revoked"), 7, "given");
  const auto before = world.journal->records;
  world.start_sealed();
  const auto outcome = world.run(photo(0));
  CHECK(outcome.served_on == "edge");
  CHECK(world.transport->seen().empty());
  CHECK(world.journal->records == before);
  REQUIRE(world.log.size() == 1);
  CHECK(world.log[0] == "the journal cannot be read, so nothing may leave: record 2 was changed");
}

TEST_CASE("decisions are recorded only where the configuration asks for it", "[facade][audit]") {
  auto config = sim_config();
  config.audit_decisions = false;
  SimWorld world({}, config);
  world.start();
  world.run(photo(0));
  CHECK(records_of(world, "decision").empty());
  CHECK(records_of(world, "egress").size() == 1);
}

TEST_CASE("a class may ask that its egress records are only written, and then they wait for no sync",
          "[facade][audit]") {
  auto config = sim_config();
  const bool synced = GENERATE(true, false);
  if (!synced)
    config.policy_json.replace(config.policy_json.find(R"("egress": "allow")"), 17,
                               R"("egress": "allow", "egress_record": "written")");
  SimWorld world({}, config);
  world.start();
  world.journal->write_time = milliseconds(500);  // far over the deadline of 200 ms
  const auto outcome = world.run(photo(0));
  CHECK(outcome.served_on == (synced ? "edge" : "eu-1"));
}

TEST_CASE("an egress that was held back after its record says so for the same attempt", "[facade][audit]") {
  SimWorld world;
  world.start();
  world.journal->write_time = milliseconds(20);
  world.runtime->submit(photo(0), [](Outcome) {});
  world.loop.run_until(world.loop.now() + milliseconds(10));
  world.runtime->set_consent(Consent::kRevoked);
  world.loop.run_until_idle();
  const auto egress = records_of(world, "egress"), withheld = records_of(world, "withheld");
  REQUIRE(egress.size() == 1);
  REQUIRE(withheld.size() == 1);
  for (const auto* key : {"request", "attempt", "bytes"}) CHECK(withheld[0].at(key) == egress[0].at(key));
}

TEST_CASE("a journal that stands still makes decisions wait up to a bound, and then the log says how many it lacks",
          "[facade][audit]") {
  SimWorld world;
  world.start();
  constexpr int kRequests = 9000;  // 8192 find room
  for (int i = 0; i < kRequests; ++i) {
    auto unknown = photo(5);
    unknown.model = "none";
    world.runtime->submit(unknown, [](Outcome) {});
  }
  world.loop.run_until_idle();
  CHECK(records_of(world, "decision").size() == 8192);
  const auto gaps = records_of(world, "gap");
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].at("decisions") == kRequests - 8192);
  CHECK(world.run(photo(0)).served_on == "eu-1");
}
