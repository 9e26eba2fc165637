// The fleet's engine knows payloads as sizes; the whole runtime encodes, permits, sends and decodes. In one world both
// must come to the same.
#include <catch2/catch.hpp>

#include <hearth/confidence.h>

#include "runtime/sim/fleet.h"
#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

struct Ending {
  OutcomeStatus status;
  Reason reason;
  std::string served_on;
  Duration latency;
  std::size_t cloud_attempts;
};

constexpr std::array kLabels = {"public", "regional", "personal", "secret"};
constexpr std::size_t kRequests = 400;
constexpr Duration kDeadline = milliseconds(150);

/// One of a world's requests, for both.
struct Planned {
  TimePoint at;
  std::uint32_t label;
  float sureness;
};

std::vector<Planned> plan_of(std::uint64_t seed, double mean_gap_ms) {
  RandomStream draw(seed, "plan");
  std::vector<Planned> planned;
  TimePoint at{};
  for (std::size_t i = 0; i < kRequests; ++i) {
    at += from_ms(draw.exponential(mean_gap_ms));
    planned.push_back(
        {at, static_cast<std::uint32_t>(draw.below(kLabels.size())), static_cast<float>(6 * draw.uniform())});
  }
  return planned;
}

sim::Network constant_network(const sim::FaultTimeline& faults) {
  sim::Network network;
  network.link.round_trip_median = milliseconds(20);
  network.link.round_trip_sigma = 0;
  network.link.up_mbit_per_s = network.link.down_mbit_per_s = 1e6;
  network.server.service_median = milliseconds(5);
  network.server.servers = 2;
  network.faults = faults;
  return network;
}

std::vector<Ending> by_the_runtime(const RuntimeConfig& config, const std::vector<Planned>& planned,
                                   const sim::FaultTimeline& faults) {
  SimWorld world(constant_network(faults), config);
  world.model = std::make_shared<sim::SimulatedModel>(world.loop, edge_answer, milliseconds(2), 0, config.seed);
  world.start();
  std::vector<Ending> endings(planned.size());
  for (std::size_t i = 0; i < planned.size(); ++i) {
    world.loop.schedule_at(planned[i].at, [&, i] {
      Request request = photo(planned[i].sureness, kLabels[planned[i].label]);
      request.deadline = kDeadline;
      world.runtime->submit(std::move(request), [&, i](Outcome outcome) {
        const auto cloud = std::count_if(outcome.attempts.begin(), outcome.attempts.end(),
                                         [](const Attempt& attempt) { return attempt.site != kEdgeSite; });
        endings[i] = {outcome.status, outcome.reason, outcome.served_on, outcome.latency,
                      static_cast<std::size_t>(cloud)};
      });
    });
  }
  world.loop.run_until_idle();
  return endings;
}

class Endings : public sim::RecordSink {
 public:
  explicit Endings(const RuntimeConfig& config) : config_(config), endings(kRequests) {}
  void take(const sim::Record& record) override {
    std::string served_on;
    if (record.status == OutcomeStatus::kServed)
      served_on = record.answered_by == kEdgeSite ? "edge" : config_.endpoints[record.answered_by - 1u].name;
    endings.at(record.id - 1) = {record.status, record.reason, served_on, record.latency, record.attempts};
  }

 private:
  const RuntimeConfig& config_;

 public:
  std::vector<Ending> endings;
};

std::vector<Ending> by_the_fleet(const RuntimeConfig& config, const std::vector<Planned>& planned,
                                 const sim::FaultTimeline& faults) {
  sim::FleetModel model;
  model.runtime = config;
  model.policy = policies::Policy::load(config.policy_json, "test").value();
  const sim::Network network = constant_network(faults);
  model.link = network.link;
  model.clouds.assign(config.endpoints.size(), {network.server, {}, {}, network.faults});
  model.seed = config.seed;
  model.length = std::chrono::hours(1);

  sim::Stream stream;
  stream.name = "plan";
  stream.deadline = kDeadline;
  stream.payload.median = 8;
  stream.reply.median = 12;
  for (const char* label : kLabels) stream.kinds.push_back({1.0 / kLabels.size(), label, "", true, false});
  auto recorded = std::make_shared<std::vector<sim::RecordedRequest>>();
  auto answers = std::make_shared<std::vector<sim::Answer>>();
  for (const Planned& one : planned) {
    sim::RecordedRequest request;
    request.at = one.at.time_since_epoch();
    request.kind = one.label;
    request.sample = answers->size();
    recorded->push_back(request);
    const float values[] = {one.sureness, 0, 0};
    answers->push_back({confidence_of(values, Scores::kLogits, {}), true, true});
  }
  stream.arrivals = sim::RecordedArrivals{recorded, planned.back().at.time_since_epoch(), false, false, 1};
  model.streams = {stream};
  sim::PairModel pair;
  pair.edge.median = milliseconds(2);
  pair.answers = answers;
  model.pairs = {pair};

  Endings sink(config);
  const auto facts = sim::run_fleet(model, sink);
  CHECK(facts.requests == planned.size());
  CHECK(facts.left_in_flight == 0);
  CHECK(facts.leaks == 0);
  return sink.endings;
}

void compare(const RuntimeConfig& config, const std::vector<Planned>& planned, const sim::FaultTimeline& faults) {
  const auto whole = by_the_runtime(config, planned, faults);
  const auto sized = by_the_fleet(config, planned, faults);
  for (std::size_t i = 0; i < planned.size(); ++i) {
    INFO("request " << i << " (" << kLabels[planned[i].label] << "), at " << to_ms(planned[i].at.time_since_epoch())
                    << " ms");
    CHECK(name_of(sized[i].status) == std::string(name_of(whole[i].status)));
    CHECK(name_of(sized[i].reason) == std::string(name_of(whole[i].reason)));
    CHECK(sized[i].served_on == whole[i].served_on);
    CHECK(sized[i].cloud_attempts == whole[i].cloud_attempts);
    // Sizes differ by the digits of what the codec writes: nanoseconds, on these links.
    CHECK(to_ms(sized[i].latency) == Approx(to_ms(whole[i].latency)).margin(0.005));
  }
}

RuntimeConfig config_with(const std::string& prefer) {
  RuntimeConfig config = sim_config();
  const std::string before = R"("plan": "cascade", "confidence_below": 0.8, "deadline_ms": 200)";
  config.policy_json.replace(config.policy_json.find(before), before.size(), prefer);
  config.endpoints.push_back({"eu-2", "https://cloud.example:2", "eu"});
  return config;
}

}  // namespace

TEST_CASE("a fleet decides, waits and answers as the whole runtime does, request by request", "[sim]") {
  for (const char* prefer :
       {R"("plan": "edge")", R"("plan": "cloud")", R"("plan": "cascade", "confidence_below": 0.8)",
        R"("plan": "safety_net")", R"("plan": "hedge")",
        R"("plan": "cascade", "confidence_below": 0.9, "objective": {"quality": 1, "cost": 0.1})"}) {
    for (const double gap_ms : {30.0, 4.0, 1.5}) {
      CAPTURE(prefer, gap_ms);
      compare(config_with(prefer), plan_of(11, gap_ms), {});
    }
  }
}

TEST_CASE("a fleet meets faults as the whole runtime does", "[sim]") {
  for (const char* fault :
       {R"({"fault": "refuse", "at_ms": 1000, "for_ms": 700})", R"({"fault": "blackhole", "after": 10, "times": 20})",
        R"({"fault": "status", "status": 503, "after": 5, "times": 9})",
        R"({"fault": "status", "status": 429, "retry_after": "2", "after": 8, "times": 3})",
        R"({"fault": "reset_after_request", "after": 12, "times": 9})", R"({"fault": "bad_json", "times": 9})",
        R"({"fault": "wrong_shape", "after": 3, "times": 9})", R"({"fault": "cut_mid_body", "after": 3, "times": 9})",
        R"({"fault": "degraded", "factor": 8, "at_ms": 900, "for_ms": 900})",
        R"({"fault": "partition", "at_ms": 900, "for_ms": 900})", R"({"fault": "dns_failure", "for_ms": 900})",
        R"({"fault": "latency", "delay_ms": 60, "at_ms": 500, "for_ms": 900})"}) {
    for (const char* prefer : {R"("plan": "cloud")", R"("plan": "cascade", "confidence_below": 0.8)"}) {
      CAPTURE(fault, prefer);
      compare(config_with(prefer), plan_of(12, 8), network_with({fault}).faults);
    }
  }
}
