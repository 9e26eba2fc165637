// Goal: one seed, one world. Method: a seeded workload over a faulty link, twice; the bytes of the traces are compared.
#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "runtime/telemetry/trace.h"
#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;

namespace {

/// 400 requests of all classes, Poisson arrivals at 100/s, over a link that fails, loses, and dies at the end.
std::string trace_of(std::uint64_t seed) {
  sim::Network network =
      network_with({R"({"fault": "status", "probability": 0.1})", R"({"fault": "blackhole", "probability": 0.02})",
                    R"({"fault": "refuse", "at_ms": 2000})", R"({"fault": "reset_after_request", "at_ms": 2000})"});
  network.link.round_trip_median = std::chrono::milliseconds(40);
  network.link.round_trip_sigma = 0.4;
  auto config = sim_config();
  config.seed = seed;
  config.cloud.breaker_failures = 3;
  SimWorld world(network, config);
  world.start();
  RandomStream random(seed, "workload");
  std::string trace;
  TimePoint arrival{};
  const char* const labels[] = {"public", "public", "public", "regional", "personal", "secret"};
  for (int i = 0; i < 400; ++i) {
    arrival += from_ms(random.exponential(10));
    auto request = photo(static_cast<float>(4 * random.uniform()), labels[random.below(6)]);
    request.session = random.below(4) == 0 ? "s" + std::to_string(random.below(50)) : "";
    world.loop.run_until(arrival);
    world.runtime->submit(request, [&](Outcome outcome) { trace += telemetry::to_json_line(outcome) + "\n"; });
  }
  world.loop.run_until_idle();
  return trace;
}

}  // namespace

TEST_CASE("the same seed gives the same trace, byte for byte, and another seed another one", "[sim]") {
  const std::string trace = trace_of(42);
  CHECK(std::count(trace.begin(), trace.end(), '\n') == 400);
  CHECK(trace == trace_of(42));
  CHECK(trace != trace_of(43));
  // The world is worth comparing: every kind of ending is in it.
  for (const auto* reason :
       {"local_confident", "local_only_permitted", "cloud_answered", "cloud_failed", "cloud_unhealthy"}) {
    CAPTURE(reason);
    CHECK(trace.find(std::string("\"reason\":\"") + reason + "\"") != std::string::npos);
  }
  // Pinned: the same bytes with any compiler, in any build, on any machine.
  INFO(sha256_hex(trace));
  CHECK(sha256_hex(trace).substr(0, 16) == "4957a6e8cb444353");
}
