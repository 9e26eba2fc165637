// Goal: each row is measured with its batch and its number of passes at the same time. Method: a model that counts.
#include "tools/hearth/measure_model.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

using namespace hearth;
using namespace hearth::tool;

namespace {

/// A pass takes 100 microseconds at least. Notes how many passes of a batch it ran, at most at a time, and on which
/// threads.
class CountingModel final : public EdgeModel {
 public:
  struct Count {
    int passes = 0;
    int at_a_time = 0;
    std::set<std::thread::id> threads;
  };

  const std::string& sha256() const override { return sha256_; }
  Outputs run(std::span<const Tensor> inputs) override {
    const std::int64_t batch = inputs[0].shape[0];
    const int now = ++running_;
    {
      const std::lock_guard lock(mutex_);
      auto& count = counts_[batch];
      ++count.passes;
      count.at_a_time = std::max(count.at_a_time, now);
      count.threads.insert(std::this_thread::get_id());
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    --running_;
    if (batch == refused) return Error{ErrorCode::kInternal, "no such batch"};
    return std::vector<Tensor>{};
  }
  void start(std::span<const Tensor>, Callback) override {}

  const std::map<std::int64_t, Count>& counts() const { return counts_; }
  std::int64_t refused = 0;

 private:
  std::atomic<int> running_ = 0;
  std::mutex mutex_;
  std::map<std::int64_t, Count> counts_;
  std::string sha256_;
};

Result<std::vector<Tensor>> inputs_of(std::uint64_t batch) {
  return std::vector<Tensor>{Tensor{"x", Datatype::kFp32, {static_cast<std::int64_t>(batch), 2}, {}}};
}

}  // namespace

TEST_CASE("every row is measured: its batch, so many passes at a time, enough of them") {
  CountingModel model;
  double last = 0;
  const auto rows =
      measure_model(model, {{1, 4}, {1, 3}, std::chrono::milliseconds(10)}, inputs_of, nullptr, [&](double done) {
        CHECK(done > last);
        last = done;
      });
  REQUIRE(rows.ok());
  CHECK(last == 1);
  REQUIRE(rows->size() == 4);
  int measured = 0;
  for (const MeasuredRow& one : *rows) {
    const auto passes = static_cast<int>(one.row.latency.weight());
    CHECK(passes >= kMeasureRounds * kPassesMin * static_cast<int>(one.row.threads));
    measured += passes;
    CHECK(one.row.latency.quantile(0.5) >= std::chrono::microseconds(99));  // it waits for 100
    CHECK(one.spread >= 0);
    CHECK(one.inferences_per_s > 0);
    CHECK(one.inferences_per_s <= 10'000.0 * static_cast<double>(one.row.threads * one.row.batch));
    CHECK_FALSE(one.row.joules_per_inference);
  }
  CHECK((*rows)[1].row.batch == 4);
  CHECK((*rows)[2].row.threads == 3);
  int run = 0;
  for (const auto& [batch, count] : model.counts()) {
    CHECK((batch == 1 || batch == 4));
    CHECK(count.at_a_time <= 3);
    CHECK(count.threads.size() >= 3);  // those of a round live side by side
    run += count.passes;
  }
  CHECK(run > measured);  // warming up is not counted
}

TEST_CASE("what the model or its inputs refuse is the measurement's error, whatever the number of threads") {
  CountingModel model;
  model.refused = 4;
  const MeasurePlan plan{{1, 4}, {2}, std::chrono::milliseconds(1)};
  const auto refused = measure_model(model, plan, inputs_of, nullptr, [](double) {});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "no such batch");
  const auto no_inputs = [](std::uint64_t) -> Result<std::vector<Tensor>> {
    return Error{ErrorCode::kInvalidArgument, "too large"};
  };
  CHECK(measure_model(model, plan, no_inputs, nullptr, [](double) {}).error().message == "too large");
}
