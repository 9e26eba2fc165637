// The fleet's engine against queueing theory, against itself, and against what its devices are said to do.
#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "runtime/sim/fleet.h"
#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

class Gathered : public sim::RecordSink {
 public:
  void take(const sim::Record& record) override { records.push_back(record); }
  double mean_ms(Duration sim::Record::*part) const {
    double sum = 0;
    for (const auto& record : records) sum += to_ms(record.*part);
    return sum / static_cast<double>(records.size());
  }
  std::vector<sim::Record> records;
};

/// One device, one model, one endpoint, everything constant; the policy's plan is `plan`.
sim::FleetModel small_world(const std::string& plan, double rate_per_s) {
  sim::FleetModel model;
  model.runtime = sim_config();
  const std::string before = R"("plan": "cascade", "confidence_below": 0.8, "deadline_ms": 200)";
  std::string policy = kPolicy;
  policy.replace(policy.find(before), before.size(), plan);
  model.policy = policies::Policy::load(policy, "test").value();
  model.link.round_trip_sigma = 0;
  model.link.round_trip_median = milliseconds(20);
  model.link.up_mbit_per_s = model.link.down_mbit_per_s = 1e6;
  model.clouds.resize(1);
  model.pairs.resize(1);
  model.pairs[0].edge.median = milliseconds(2);
  sim::Stream stream;
  stream.name = "s";
  stream.arrivals = sim::PoissonArrivals{rate_per_s};
  stream.kinds = {{1, "public", "", true, false}};
  stream.deadline = hours(1);
  model.streams = {stream};
  return model;
}

double factorial(unsigned n) { return n == 0 ? 1 : n * factorial(n - 1); }

/// Mean wait of M/M/k (Erlang C), in units of the mean service time.
double erlang_wait(double load, unsigned k) {
  double sum = 0;
  for (unsigned n = 0; n < k; ++n) sum += std::pow(load, n) / factorial(n);
  const double last = std::pow(load, k) / factorial(k) * k / (k - load);
  return last / (sum + last) / (k - load);
}

}  // namespace

TEST_CASE("one server: waits are those of M/M/1 and M/D/1, and M/M/k's with several, within 2 %", "[sim]") {
  constexpr double kMean_ns = 1e6;
  const auto mean_wait = [&](double load, std::size_t servers, bool constant) {
    RandomStream gaps(5, "gaps"), services(5, "services");
    sim::ServerQueue queue;
    Duration at{};
    double waited = 0;
    constexpr int kCustomers = 4'000'000;
    for (int i = 0; i < kCustomers; ++i) {
      at += Duration(static_cast<Duration::rep>(gaps.exponential(kMean_ns / load)));
      Duration takes{};
      const auto whole = queue.serve(at, servers, 1'000'000, [&](std::size_t) {
        return takes = Duration(static_cast<Duration::rep>(constant ? kMean_ns : services.exponential(kMean_ns)));
      });
      waited += static_cast<double>((*whole - takes).count());
    }
    return waited / kCustomers / kMean_ns;
  };
  CHECK(mean_wait(0.7, 1, false) == Approx(0.7 / 0.3).epsilon(0.02));
  CHECK(mean_wait(0.7, 1, true) == Approx(0.7 / 0.3 / 2).epsilon(0.02));
  CHECK(mean_wait(3.2, 4, false) == Approx(erlang_wait(3.2, 4)).epsilon(0.02));
  CHECK(mean_wait(12, 16, false) == Approx(erlang_wait(12, 16)).epsilon(0.02));
}

TEST_CASE("a device's own queue waits as M/D/1 and M/G/1 do, within 2 %", "[sim]") {
  sim::FleetModel model = small_world(R"("plan": "edge")", 350);  // a load of 0.7
  model.length = hours(1);
  model.runtime.limits.queue_length_max = 100'000;
  Gathered constant;
  sim::run_fleet(model, constant);
  CHECK(constant.mean_ms(&sim::Record::edge_wait) == Approx(2 * 0.7 / 0.3 / 2).epsilon(0.02));

  // Pollaczek and Khinchine: load / (1 - load) x (1 + cv^2) / 2 service times. Of a lognormal: mean = median
  // e^(sigma^2 / 2), cv^2 = e^(sigma^2) - 1.
  constexpr double kSigma = 0.5;
  model.pairs[0].edge.sigma = kSigma;
  Gathered lognormal;
  sim::run_fleet(model, lognormal);
  const double mean_ms = 2 * std::exp(kSigma * kSigma / 2), load = 0.35 * mean_ms;
  CHECK(lognormal.mean_ms(&sim::Record::edge_time) == Approx(mean_ms).epsilon(0.01));
  CHECK(lognormal.mean_ms(&sim::Record::edge_wait) ==
        Approx(mean_ms * load / (1 - load) * std::exp(kSigma * kSigma) / 2).epsilon(0.02));
}

TEST_CASE("equal worlds have equal hashes and records, another seed has others", "[sim]") {
  sim::FleetModel model = small_world(R"("plan": "cascade", "confidence_below": 0.8)", 200);
  model.length = seconds(20);
  model.link.round_trip_sigma = 0.4;
  Gathered once, twice, other;
  const auto facts = sim::run_fleet(model, once);
  CHECK(sim::run_fleet(model, twice).hash == facts.hash);
  REQUIRE(once.records.size() == twice.records.size());
  for (std::size_t i = 0; i < once.records.size(); ++i) CHECK(once.records[i].latency == twice.records[i].latency);
  model.seed = 2;
  CHECK(sim::run_fleet(model, other).hash != facts.hash);
}

TEST_CASE("another policy meets the same requests, and the same passes", "[sim]") {
  sim::FleetModel edge = small_world(R"("plan": "edge")", 100), cloud = small_world(R"("plan": "safety_net")", 100);
  edge.length = cloud.length = seconds(20);
  edge.pairs[0].edge.sigma = cloud.pairs[0].edge.sigma = 0.5;
  edge.runtime.limits.edge_slots = cloud.runtime.limits.edge_slots = 64;
  Gathered one, other;
  sim::run_fleet(edge, one);
  sim::run_fleet(cloud, other);
  const auto by_id = [](const sim::Record& a, const sim::Record& b) { return a.id < b.id; };
  std::sort(one.records.begin(), one.records.end(), by_id);
  std::sort(other.records.begin(), other.records.end(), by_id);
  REQUIRE(one.records.size() == other.records.size());
  for (std::size_t i = 0; i < one.records.size(); ++i) {
    CHECK(one.records[i].arrived == other.records[i].arrived);
    CHECK(one.records[i].edge.latency == other.records[i].edge.latency);
    CHECK(one.records[i].cloud.correct == other.records[i].cloud.correct);
  }
}

TEST_CASE("what decisions know of the device is as old as in life", "[sim]") {
  sim::FleetModel model = small_world(R"("plan": "cloud")", 20);
  model.length = seconds(30);
  model.device.network = {{{}, NetworkKind::kUnmetered}, {seconds(11), NetworkKind::kOffline}};
  Gathered gathered;
  const auto facts = sim::run_fleet(model, gathered);
  CHECK(facts.left_in_flight == 0);
  std::size_t found_out = 0;
  for (const auto& record : gathered.records) {
    const Duration at = record.arrived.time_since_epoch();
    CHECK(record.status == OutcomeStatus::kServed);
    if (at > seconds(16)) CHECK(record.attempts == 0);  // known by now: nothing is tried
    if (record.reason == Reason::kCloudFailed) ++found_out;
    if (at > seconds(11)) CHECK(record.answered_by == kEdgeSite);
  }
  // Not told for up to five seconds, so an attempt or two fail; what they teach keeps the others at home.
  CHECK(found_out >= 1);
  CHECK(found_out <= 3);
}

TEST_CASE("nothing but what a decision may know goes into the decider", "[sim]") {
  // Truth, times to come and the world's state stand in these headers; the decider includes none of them.
  for (const char* file : {"runtime/sim/decider.h", "runtime/sim/decider.cpp"}) {
    std::ifstream in(std::string(HEARTH_SOURCE_FOLDER) + "/" + file);
    REQUIRE(in);
    std::stringstream text;
    text << in.rdbuf();
    for (const char* hidden : {"sim/device.h", "sim/cloud.h", "sim/record.h", "sim/fleet", "sim/workload.h",
                               "sim/link.h", "simulated_transport.h", "virtual_loop.h"}) {
      CAPTURE(file, hidden);
      CHECK(text.str().find(hidden) == std::string::npos);
    }
  }
}

TEST_CASE("a class that never leaves stays, whatever the plan, the faults and the load", "[sim]") {
  sim::FleetModel model = small_world(R"("plan": "hedge")", 300);
  model.length = seconds(20);
  model.streams[0].kinds = {
      {0.5, "public", "", true, true}, {0.3, "secret", "", true, true}, {0.2, "", "", true, false}};
  model.streams[0].sessions = 10;
  model.streams[0].deadline = milliseconds(200);
  model.clouds[0].faults = network_with({R"({"fault": "status", "status": 500, "probability": 0.3})"}).faults;
  Gathered gathered;
  const auto facts = sim::run_fleet(model, gathered);
  CHECK(facts.leaks == 0);
  for (const auto& record : gathered.records)
    if (record.data_class > 1) CHECK(record.bytes_up == 0);
}

TEST_CASE("heat, other programs and an empty battery are felt", "[sim]") {
  const auto mean_pass_ms = [](const sim::FleetModel& model) {
    Gathered gathered;
    sim::run_fleet(model, gathered);
    return gathered.mean_ms(&sim::Record::edge_time);
  };
  sim::FleetModel model = small_world(R"("plan": "edge")", 450);  // a load of 0.9
  model.length = seconds(120);
  const double cool = mean_pass_ms(model);
  CHECK(cool == Approx(2));
  model.device.thermal = {seconds(5), 0.6, 1.2};
  const double hot = mean_pass_ms(model);
  CHECK(hot > 2.1);
  CHECK(hot < 2.4);
  model.device.thermal = {};
  model.streams[0].arrivals = sim::PoissonArrivals{100};
  model.device.background = {0.5, milliseconds(200), 3};
  CHECK(mean_pass_ms(model) == Approx(2 * (0.5 + 0.5 * 3)).epsilon(0.1));
}

TEST_CASE("passes for several requests take what the model says, and everyone gets an answer", "[sim]") {
  sim::FleetModel model = small_world(R"("plan": "edge")", 1200);  // 2.4 times what single passes could do
  model.length = seconds(10);
  model.runtime.models[0].edge.batch_max = 16;
  model.pairs[0].batch_growth = 0.1;
  Gathered gathered;
  const auto facts = sim::run_fleet(model, gathered);
  CHECK(facts.left_in_flight == 0);
  CHECK(gathered.records.size() == facts.requests);
  for (const auto& record : gathered.records) CHECK(record.status == OutcomeStatus::kServed);
  CHECK(gathered.mean_ms(&sim::Record::latency) < 10);
}

TEST_CASE("servers follow the load, a while after it", "[sim]") {
  sim::CloudModel model;
  model.server.service_median = milliseconds(100);
  model.server.servers = 2;
  model.autoscale = {20, 0.5, seconds(10), seconds(5)};
  sim::Cloud cloud("c", model, 1);
  const auto load_for = [&](Duration from, Duration to, Duration gap) {
    for (Duration at = from; at < to; at += gap) cloud.serve(at, 1);
  };
  load_for({}, seconds(12), milliseconds(25));  // 4 servers' worth
  CHECK(cloud.servers() == 2);                  // asked for at 10 s, not there yet
  load_for(seconds(12), seconds(16), milliseconds(25));
  CHECK(cloud.servers() == 8);
  load_for(seconds(16), seconds(60), milliseconds(1000));
  CHECK(cloud.servers() == 2);
}
