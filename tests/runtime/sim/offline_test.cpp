// Goal: being offline costs almost nothing, and coming back is calm. Method: a link that is cut for a minute.
#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr auto kCut = R"({"fault": "partition", "at_ms": 5000, "for_ms": 60000})";

/// Where attempts begin, by time.
class Counted final : public Transport {
 public:
  Counted(std::shared_ptr<Transport> inner, EventLoop& loop, std::vector<TimePoint>& begun)
      : inner_(std::move(inner)), loop_(loop), begun_(begun) {}
  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override {
    begun_.push_back(loop_.now());
    ++now_;
    most_ = std::max(most_, now_);
    inner_->send(attempt, std::move(permit), deadline, [this, done = std::move(done)](SendResult result) {
      --now_;
      done(std::move(result));
    });
  }
  void cancel(AttemptId attempt) override { inner_->cancel(attempt); }
  std::size_t most() const { return most_; }
  void forget_most() { most_ = now_; }

 private:
  std::shared_ptr<Transport> inner_;
  EventLoop& loop_;
  std::vector<TimePoint>& begun_;
  std::size_t now_ = 0, most_ = 0;
};

struct Offline {
  explicit Offline(const std::string& plan, std::size_t per_s) : world(network_with({kCut}), config_for(plan)) {
    world.tap = [this](std::shared_ptr<sim::SimulatedTransport> inner) {
      return counted = std::make_shared<Counted>(std::move(inner), world.loop, begun);
    };
    world.start();
    for (Duration at{}; at < seconds(80); at += Duration(seconds(1)) / static_cast<std::int64_t>(per_s)) {
      world.loop.schedule_at(TimePoint(at), [this] {
        auto request = photo(0);
        request.deadline = seconds(2);
        world.runtime->submit(request,
                              [this, now = world.loop.now()](Outcome o) { outcomes.emplace_back(now, std::move(o)); });
      });
    }
  }

  static RuntimeConfig config_for(const std::string& plan) {
    RuntimeConfig config = sim_config();
    const std::string cascade = R"("plan": "cascade", "confidence_below": 0.8)";
    config.policy_json.replace(config.policy_json.find(cascade), cascade.size(), plan);
    config.cloud.connect_timeout = milliseconds(500);
    config.limits.edge_slots = 4;
    return config;
  }

  std::size_t begun_between(Duration from, Duration to) const {
    return static_cast<std::size_t>(std::count_if(
        begun.begin(), begun.end(), [&](TimePoint at) { return at >= TimePoint(from) && at < TimePoint(to); }));
  }
  /// What requests waited for the cloud, all together, less what the same plan waits for the edge alone.
  Duration waited_between(Duration from, Duration to) const {
    Duration sum{};
    for (const auto& [at, outcome] : outcomes)
      if (at >= TimePoint(from) && at < TimePoint(to)) sum += std::max(Duration{}, outcome.latency - milliseconds(10));
    return sum;
  }

  std::vector<TimePoint> begun;
  std::vector<std::pair<TimePoint, Outcome>> outcomes;
  std::shared_ptr<Counted> counted;
  SimWorld world;
};

}  // namespace

TEST_CASE("being offline is noticed within one attempt and costs at most one connect timeout in total", "[sim]") {
  const auto plan = GENERATE(R"("plan": "cascade", "confidence_below": 0.8)", R"("plan": "cloud")",
                             R"("plan": "hedge")", R"("plan": "safety_net")");
  CAPTURE(plan);
  Offline world(plan, 1);  // one at a time
  world.world.loop.run_until_idle();
  CHECK(world.outcomes.size() == 80);
  for (const auto& [at, outcome] : world.outcomes) CHECK(outcome.status == OutcomeStatus::kServed);
  const Duration waited = world.waited_between(seconds(5), seconds(65));
  WARN(plan << ": " << to_ms(waited) << " ms waited in a minute offline, "
            << world.begun_between(seconds(5), seconds(65)) << " attempts");
  CHECK(waited <= milliseconds(500));
}

TEST_CASE("after a minute offline attempts come back one at a time, not all at once", "[sim]") {
  Offline world(R"("plan": "cascade", "confidence_below": 0.8)", 200);
  world.world.loop.run_until(TimePoint(seconds(64)));
  world.counted->forget_most();
  const std::size_t before = world.begun.size();
  while (world.begun.size() < before + 2) world.world.loop.run_until(world.world.loop.now() + milliseconds(1));
  CHECK(world.counted->most() <= 2);
  world.world.loop.run_until_idle();
  std::size_t from_cloud = 0;
  for (const auto& [at, outcome] : world.outcomes)
    from_cloud += at > TimePoint(seconds(79)) && outcome.served_on == "eu-1";
  WARN(from_cloud << " of the last 200 requests answered by the cloud");
}
