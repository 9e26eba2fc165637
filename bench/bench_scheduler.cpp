// What the scheduler's bookkeeping costs a request: breaker, budget, forecasts, limits, hedges.
//
//   request/<plan>   submitted, every event it leads to, and its outcome, through SchedulerCore with four endpoints and
//                    attempts that are answered. ns per request: median and p99 over batches of 64; allocations per
//                    request after the first 10,000.
//   waiting/<how>    the same where 32 others wait for the two slots of this device: each request is held against its
//                    deadline, waits in its lane, is chosen, and ends its pass. one_model; shares: 8 models that take
//                    turns by their shares; batches: passes of up to 8, and timers for who waits for company.
//   reference        the least that any scheduler does: a request put into a hash map and taken out again
//
// bench_scheduler [--quick]
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <unordered_map>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/bench_main.h"
#include "bench/counted_new.h"
#include "runtime/scheduler/core.h"

namespace {

using namespace hearth;
using namespace hearth::scheduler;
using bench::allocations;
using bench::quantile;
using Clock = std::chrono::steady_clock;

constexpr int kBatch = 64;
constexpr int kWarmUp = 10'000;

/// Calls `one` in batches for as long as the benchmark runs, and reports a call's time.
template <class One>
void report(benchmark::State& state, const One& one) {
  for (int i = 0; i < kWarmUp; ++i) one();
  std::vector<double> ns;
  const std::size_t before = allocations;
  std::size_t own = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto begin = Clock::now();
    for (int i = 0; i < kBatch; ++i) one();
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    const std::size_t now = allocations;
    ns.push_back(took.count() / kBatch);
    own += allocations - now;
  }
  const double requests = static_cast<double>(ns.size()) * kBatch;
  state.counters["allocations"] = static_cast<double>(allocations - before - own) / requests;
  state.counters["p50_ns"] = quantile(ns, 0.5);
  state.counters["p99_ns"] = quantile(ns, 0.99);
}

class Drive {
 public:
  explicit Drive(PlanKind plan) : core_(config()) {
    told_.mask = Mask::all(4);
    told_.plan = plan;
    told_.confidence_below = 0.8f;
    told_.deadline = std::chrono::milliseconds(500);
    told_.idempotent = true;
    actions_.reserve(16);
  }

  /// One request, from submission to outcome. The cloud answers in 20 to 83 ms; every 16th is hedged.
  void one_request() {
    now_ += std::chrono::milliseconds(1);
    told_.id = ++id_;
    const Duration takes = std::chrono::milliseconds(20 + id_ % 64);
    tell(told_, now_);
    if (edge_) tell(EdgeFinished{id_, true, 0.5f}, now_ + std::chrono::microseconds(100));
    if (hedges_ && id_ % 16 == 0) tell(TimerFired{id_}, now_ + takes - std::chrono::milliseconds(1));
    if (cloud_ != 0) tell(CloudFinished{id_, cloud_, CloudVerdict::kAnswered}, now_ + takes);
    if (!finished_) std::abort();
  }
  void hedge() { hedges_ = true; }

 private:
  static RuntimeConfig config() {
    RuntimeConfig config;
    config.models.resize(1);
    config.endpoints.resize(4);
    return config;
  }
  void tell(const Event& event, TimePoint now) {
    actions_.clear();
    if (std::holds_alternative<Submitted>(event)) edge_ = finished_ = false, cloud_ = 0;
    core_.step(event, now, actions_);
    for (const auto& action : actions_) {
      if (std::holds_alternative<RunEdge>(action)) edge_ = true;
      if (const auto* start = std::get_if<StartCloud>(&action)) cloud_ = start->attempt;
      if (std::holds_alternative<Finish>(action)) finished_ = true;
    }
  }

  SchedulerCore core_;
  Submitted told_{};
  std::vector<Action> actions_;
  TimePoint now_{};
  RequestId id_ = 0;
  AttemptId cloud_ = 0;
  bool edge_ = false, finished_ = false, hedges_ = false;
};

void request(benchmark::State& state, PlanKind plan) {
  Drive drive(plan);
  if (plan == PlanKind::kHedge) drive.hedge();
  report(state, [&] { drive.one_request(); });
}
BENCHMARK_CAPTURE(request, edge, PlanKind::kEdge);
BENCHMARK_CAPTURE(request, cascade, PlanKind::kCascade);
BENCHMARK_CAPTURE(request, cloud, PlanKind::kCloud);
BENCHMARK_CAPTURE(request, safety_net, PlanKind::kSafetyNet);
BENCHMARK_CAPTURE(request, hedge, PlanKind::kHedge);

/// The device's slots with many that wait: each request that comes lets another go.
class Crowd {
 public:
  Crowd(std::size_t models, std::uint64_t batch_max) : core_(config(models, batch_max)), models_(models) {
    told_.mask = Mask::edge_only();
    told_.deadline = std::chrono::seconds(10);
    told_.idempotent = true;
    actions_.reserve(64);
    while (core_.queued() < kWaiting) submit();
  }

  void one_request() {
    submit();
    while (core_.queued() >= kWaiting && !running_.empty()) {
      const RequestId id = running_.back();
      running_.pop_back();
      tell(EdgeFinished{id, true, 0.9f});
    }
  }

 private:
  static constexpr std::size_t kWaiting = 32;

  static RuntimeConfig config(std::size_t models, std::uint64_t batch_max) {
    RuntimeConfig config;
    config.models.resize(models);
    for (std::size_t i = 0; i < models; ++i) {
      config.models[i].edge.share = static_cast<double>(1 + i % 3);
      config.models[i].edge.batch_max = batch_max;
      config.models[i].edge.batch_wait = std::chrono::milliseconds(batch_max > 1 ? 2 : 0);
    }
    return config;
  }
  void submit() {
    now_ += std::chrono::microseconds(50);
    told_.id = ++id_;
    told_.model = static_cast<std::uint16_t>(id_ % models_);
    told_.deadline = std::chrono::seconds(10) + std::chrono::milliseconds(id_ * 7 % 1000);
    tell(told_);
  }
  void tell(const Event& event) {
    actions_.clear();
    core_.step(event, now_, actions_);
    for (const auto& action : actions_) {
      if (const auto* run = std::get_if<RunEdge>(&action)) running_.push_back(run->id);
    }
  }

  SchedulerCore core_;
  std::size_t models_;
  Submitted told_{};
  std::vector<Action> actions_;
  std::vector<RequestId> running_;
  TimePoint now_{};
  RequestId id_ = 0;
};

void waiting(benchmark::State& state, std::size_t models, std::uint64_t batch_max) {
  Crowd crowd(models, batch_max);
  report(state, [&] { crowd.one_request(); });
}
BENCHMARK_CAPTURE(waiting, one_model, 1, 1);
BENCHMARK_CAPTURE(waiting, shares, 8, 1);
BENCHMARK_CAPTURE(waiting, batches, 1, 8);
BENCHMARK_CAPTURE(waiting, shares_and_batches, 8, 8);

void reference(benchmark::State& state) {
  std::unordered_map<RequestId, Submitted> requests;
  RequestId id = 0;
  report(state, [&] {
    requests.emplace(++id, Submitted{});
    requests.erase(id);
    benchmark::DoNotOptimize(requests.size());
  });
}
BENCHMARK(reference);

}  // namespace

int main(int argc, char** argv) { return hearth::bench::run_benchmarks(argc, argv); }
