// Goal: requests that share a forward pass, from request to outcome: each gets its own answer, and its own end.
// Method: a simulated world, seen from outside.
#include <map>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

RuntimeConfig batching(std::uint64_t batch_max, Duration wait = {}) {
  auto config = sim_config();
  config.models[0].edge.batch_max = batch_max;
  config.models[0].edge.batch_wait = wait;
  config.endpoints.clear();
  return config;
}

/// Fails on what is below zero; else the answer tells the input.
EdgeModel::Outputs own_answer(std::span<const Tensor> inputs) {
  const float value = inputs[0].floats()[0];
  if (value < 0) return Error{ErrorCode::kInternal, "the test's model takes no such number"};
  return scores(value, 0, 0);
}

/// A world whose model takes 10 ms, and 2 ms for each further request of a batch.
struct BatchWorld : SimWorld {
  explicit BatchWorld(RuntimeConfig with) : SimWorld({}, std::move(with)) {
    model = std::make_shared<sim::SimulatedModel>(loop, own_answer, milliseconds(10), 0, config.seed);
    model->make_batches(0.2);
    start();
  }
  RequestId submit(float value, Duration deadline = milliseconds(500)) {
    auto request = photo(value, "secret");
    request.deadline = deadline;
    const auto index = outcomes.size();
    outcomes.emplace_back();
    return runtime->submit(std::move(request), [this, index](Outcome outcome) { outcomes[index].push_back(outcome); });
  }
  std::vector<std::vector<Outcome>> outcomes;  ///< Of each request, in the order of submission.
};

float told(const Outcome& outcome) { return outcome.outputs[0].floats()[0]; }

/// Answers batches with one answer too few.
class Forgetful final : public EdgeModel, public BatchedModel {
 public:
  explicit Forgetful(EventLoop& loop) : loop_(loop) {}
  const std::string& sha256() const override { return sha256_; }
  Outputs run(std::span<const Tensor> inputs) override { return own_answer(inputs); }
  void start(std::span<const Tensor> inputs, EdgeModel::Callback done) override {
    loop_.post([inputs, done = std::move(done)] { done(own_answer(inputs)); });
  }
  BatchedModel* batched() override { return this; }
  void start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) override {
    loop_.post([batch, done = std::move(done)] {
      std::vector<Outputs> answers;
      for (const auto& inputs : batch.subspan(1)) answers.push_back(own_answer(inputs));
      done(std::move(answers));
    });
  }

 private:
  EventLoop& loop_;
  std::string sha256_ = "forgetful";
};

}  // namespace

TEST_CASE("requests that wait together are answered by one pass, each with its own answer", "[facade][batch]") {
  BatchWorld world(batching(4));
  for (int i = 0; i < 5; ++i) world.submit(static_cast<float>(i));
  world.loop.run_until_idle();
  for (std::size_t i = 0; i < 5; ++i) {
    REQUIRE(world.outcomes[i].size() == 1);
    const Outcome& outcome = world.outcomes[i][0];
    CHECK(outcome.status == OutcomeStatus::kServed);
    CHECK(told(outcome) == static_cast<float>(i));
    CHECK(outcome.latency == (i == 0 ? milliseconds(10) : milliseconds(26)));  // 10 alone, then 10 + 3 * 2
    REQUIRE(outcome.attempts.size() == 1);
    CHECK(outcome.queued == (i == 0 ? milliseconds(0) : milliseconds(10)));
  }
}

TEST_CASE("company that comes within batch_wait shares the pass", "[facade][batch]") {
  BatchWorld world(batching(4, milliseconds(5)));
  world.submit(1);  // nothing is measured yet: at once
  world.loop.run_until_idle();
  const TimePoint then = world.loop.now();
  world.submit(2);
  world.loop.run_until(then + milliseconds(3));
  world.submit(3);
  world.loop.run_until_idle();
  CHECK(world.outcomes[1][0].latency == milliseconds(5 + 12));
  CHECK(world.outcomes[2][0].latency == milliseconds(2 + 12));
  CHECK(told(world.outcomes[1][0]) == 2);
  CHECK(told(world.outcomes[2][0]) == 3);
}

TEST_CASE("of a batch one is cancelled, one comes too late and one cannot be computed: the fourth has its answer",
          "[facade][batch]") {
  BatchWorld world(batching(4));
  world.submit(9);
  const RequestId cancelled = world.submit(1);
  world.submit(2, milliseconds(15));
  world.submit(-1);
  world.submit(4);
  world.loop.run_until(world.loop.now() + milliseconds(12));
  CHECK(world.runtime->cancel(cancelled));
  world.loop.run_until_idle();
  const auto reason = [&](std::size_t i) { return world.outcomes[i].at(0).reason; };
  CHECK(reason(1) == Reason::kCallerCancelled);
  CHECK(reason(2) == Reason::kDeadlinePassed);
  CHECK(reason(3) == Reason::kEdgeFailed);
  CHECK(world.outcomes[3][0].message == "the test's model takes no such number");
  CHECK(world.outcomes[4][0].status == OutcomeStatus::kServed);
  CHECK(told(world.outcomes[4][0]) == 4);
  for (const auto& of_one : world.outcomes) CHECK(of_one.size() == 1);
}

TEST_CASE("a model that gives other answers than one each is believed none", "[facade][batch]") {
  SimWorld world({}, batching(4));
  World with;
  with.loop = std::shared_ptr<EventLoop>(std::shared_ptr<void>(), &world.loop);
  with.load_edge_model = [&](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
    return std::shared_ptr<EdgeModel>(std::make_shared<Forgetful>(world.loop));
  };
  auto made = Runtime::create(world.config, std::move(with));
  REQUIRE(made.ok());
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 4; ++i)
    made.value()->submit(photo(static_cast<float>(i), "secret"), [&](Outcome o) { outcomes.push_back(std::move(o)); });
  world.loop.run_until_idle();
  REQUIRE(outcomes.size() == 4);
  CHECK(told(outcomes[0]) == 0);
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(outcomes[i].reason == Reason::kEdgeFailed);
    CHECK(outcomes[i].message == "the edge model gave other answers than one each");
  }
}

TEST_CASE("a model that makes no batches is told of in the log, and runs one by one", "[facade][batch]") {
  SimWorld world({}, batching(4));
  world.start();
  REQUIRE(world.log.size() == 1);
  CHECK_THAT(world.log[0], Contains("model \"tagger\" makes no batches"));
  std::vector<Duration> latencies;
  for (int i = 0; i < 3; ++i)
    world.runtime->submit(photo(9, "secret"), [&](const Outcome& outcome) { latencies.push_back(outcome.latency); });
  world.loop.run_until_idle();
  REQUIRE(latencies.size() == 3);
  CHECK(latencies[0] < latencies[1]);
  CHECK(latencies[1] < latencies[2]);
}

TEST_CASE("shutting down with a batch under way gives each of its members an outcome", "[facade][batch]") {
  BatchWorld world(batching(4));
  for (int i = 0; i < 4; ++i) world.submit(static_cast<float>(i));
  world.loop.run_until(world.loop.now() + milliseconds(15));
  world.runtime.reset();
  world.loop.run_until_idle();
  CHECK(world.outcomes[0].at(0).status == OutcomeStatus::kServed);
  for (std::size_t i = 1; i < 4; ++i) {
    REQUIRE(world.outcomes[i].size() == 1);
    CHECK(world.outcomes[i][0].reason == Reason::kShutDown);
  }
}

TEST_CASE("whatever comes and goes, an answer belongs to its own input, and every request has one outcome",
          "[facade][batch][property]") {
  const bool held = rc::check("random requests", [] {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>(), "requests");
    auto config = batching(2 + random.below(7), milliseconds(random.below(3) * 3));
    config.limits.edge_slots = 1 + random.below(2);
    BatchWorld world(config);
    std::vector<RequestId> ids;
    for (int i = 0; i < 120; ++i) {
      world.loop.run_until(world.loop.now() + microseconds(random.below(8000)));
      const float value = random.below(10) == 0 ? -1.0f : static_cast<float>(i);
      ids.push_back(world.submit(value, milliseconds(8 + random.below(120))));
      if (random.below(8) == 0) world.runtime->cancel(ids[random.below(ids.size())]);
    }
    world.loop.run_until_idle();
    int served = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      RC_ASSERT(world.outcomes[i].size() == 1u);
      const Outcome& outcome = world.outcomes[i][0];
      if (outcome.status != OutcomeStatus::kServed) continue;
      ++served;
      RC_ASSERT(told(outcome) == static_cast<float>(i));
      RC_ASSERT(outcome.deadline_met);
    }
    RC_ASSERT(served > 10);
  });
  CHECK(held);
}
