// Nothing sensitive on the wire, whatever happens: random policies, faults, reloads and consent that comes and goes.
#include <catch2/catch.hpp>

#include <cstring>
#include <string>
#include <vector>

#include "tests/support/leak_draws.h"
#include "tests/support/notes_world.h"

namespace hearth {
namespace {

using test::draw_note;
using test::draw_policy;
using test::draw_request;
using test::kCanaryAddress;
using test::kCanaryPixel;
using test::photo;
using test::SimWorld;

constexpr int kWorlds = 200;
constexpr int kRequestsPerWorld = 500;

/// What the wire must never carry.
std::size_t canaries_in(const sim::SimulatedTransport& transport) {
  std::string pixel(sizeof kCanaryPixel, '\0');
  std::memcpy(pixel.data(), &kCanaryPixel, sizeof kCanaryPixel);
  std::size_t found = 0;
  for (const auto& message : transport.seen()) {
    found += message.body.find(pixel) != std::string::npos || message.body.find(kCanaryAddress) != std::string::npos;
  }
  return found;
}

struct Totals {
  std::size_t outcomes = 0;
  std::size_t sent = 0;
  std::size_t leaks = 0;
  std::size_t reloads = 0;

  void add(const Totals& other) {
    outcomes += other.outcomes;
    sent += other.sent;
    leaks += other.leaks;
    reloads += other.reloads;
  }
};

template <class AnyWorld, class DrawRequest>
void run_world(std::uint64_t seed, const DrawRequest& draw_one, Totals& totals) {
  RandomStream draw(seed, "leak test");
  sim::Network network = test::network_with({"status", "blackhole"});
  network.faults.faults[0].probability = draw.uniform() * 0.6;
  network.faults.faults[1].probability = draw.below(2) == 0 ? draw.uniform() * 0.3 : 0;
  RuntimeConfig config = test::sim_config();
  config.seed = seed;
  config.endpoints.push_back({"us-1", "http://127.0.0.1:2", "us"});
  config.policy_json = draw_policy(draw);
  AnyWorld world(network, config);
  world.start();
  for (int i = 0; i < kRequestsPerWorld; ++i) {
    world.loop.schedule_at(world.loop.now() + std::chrono::microseconds(draw.below(3'000'000)),
                           [&, what = draw.below(20)] {
                             if (what == 0) {
                               world.runtime->set_consent(draw.below(2) == 0 ? Consent::kRevoked : Consent::kGiven);
                             } else if (what == 1) {
                               totals.reloads += world.runtime->reload_policy(draw_policy(draw)).ok();
                             }
                             world.runtime->submit(draw_one(draw), [&](Outcome) { ++totals.outcomes; });
                           });
  }
  world.loop.run_until_idle();
  totals.sent += world.transport->seen().size();
  totals.leaks += canaries_in(*world.transport);
}

TEST_CASE("no canary reaches the wire in 100,000 requests under faults, reloads and consent that is revoked") {
  Totals totals;
  Totals notes;
  for (std::uint64_t seed = 1; seed <= kWorlds; ++seed) {
    if (seed % 4 != 0) {
      run_world<SimWorld>(seed, draw_request, totals);
    } else {
      run_world<test::NotesWorld>(seed, draw_note, notes);
    }
  }
  CHECK(notes.sent > notes.outcomes / 20);
  totals.add(notes);
  WARN(totals.outcomes << " requests, " << totals.sent << " attempts on the wire, " << totals.reloads << " reloads, "
                       << totals.leaks << " canaries");
  CHECK(totals.outcomes == kWorlds * kRequestsPerWorld);
  CHECK(totals.sent > totals.outcomes / 20);
  CHECK(totals.reloads > kWorlds);
  CHECK(totals.leaks == 0);
}

TEST_CASE("a planted canary is seen") {
  SimWorld world;
  world.start();
  Request request = photo(0);
  std::memcpy(request.inputs[0].data.data() + sizeof(float), &kCanaryPixel, sizeof(float));
  world.run(request);  // labelled public: it leaves
  CHECK(canaries_in(*world.transport) == 1);
}

}  // namespace
}  // namespace hearth
