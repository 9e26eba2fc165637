#include "tools/hearth/measure_model.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace hearth::tool {
namespace {

using Clock = std::chrono::steady_clock;
using signals::QuantileSketch;

constexpr Duration kWarmUpMax = std::chrono::milliseconds(50);
constexpr int kWarmUpPasses = 3;
constexpr float kSamplesMax = 1e7f;  ///< Of a round; a faster model's past is then halved.

/// What one thread saw in one round.
struct Seen {
  QuantileSketch latency{kSamplesMax};
  std::uint64_t passes = 0;
  Status status = Done{};
};

void warm_up(EdgeModel& model, std::span<const Tensor> inputs, Duration round, Seen& seen) {
  const auto until = Clock::now() + std::min(kWarmUpMax, round / 10);
  for (int pass = 0; pass < kWarmUpPasses || Clock::now() < until; ++pass) {
    if (const auto outputs = model.run(inputs); !outputs.ok()) {
      seen.status = outputs.error();
      return;
    }
  }
}

void run_round(EdgeModel& model, std::span<const Tensor> inputs, Duration round, Seen& seen) {
  const auto until = Clock::now() + round;
  for (auto began = Clock::now(); seen.passes < kPassesMin || began < until; began = Clock::now()) {
    const auto outputs = model.run(inputs);
    const auto ended = Clock::now();
    if (!outputs.ok()) {
      seen.status = outputs.error();
      return;
    }
    seen.latency.observe(ended - began);
    ++seen.passes;
  }
}

/// One row under way.
struct Row {
  MeasuredRow measured;
  std::vector<std::vector<Tensor>> inputs;  ///< Of each thread.
  std::vector<Duration> medians;            ///< Of each round.
  std::uint64_t passes = 0;
  double seconds = 0;
  std::optional<double> joules = 0.0;
};

std::optional<double> read(device::EnergyMeter* meter) {
  if (meter == nullptr) return {};
  const auto joules = meter->joules();
  return joules.ok() ? std::optional(joules.value()) : std::nullopt;
}

Status measure_round(EdgeModel& model, Row& row, Duration round, device::EnergyMeter* meter) {
  const std::size_t count = row.inputs.size();
  std::vector<Seen> seen(count);
  std::barrier together(static_cast<std::ptrdiff_t>(count) + 1);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      warm_up(model, row.inputs[i], round, seen[i]);
      together.arrive_and_wait();
      together.arrive_and_wait();  // the meter is read between
      if (seen[i].status.ok()) run_round(model, row.inputs[i], round, seen[i]);
    });
  }
  together.arrive_and_wait();
  const auto joules_before = read(meter);
  const auto began = Clock::now();
  together.arrive_and_wait();
  threads.clear();  // joins
  row.seconds += std::chrono::duration<double>(Clock::now() - began).count();
  const auto joules_after = read(meter);
  if (!joules_before || !joules_after) row.joules.reset();
  if (row.joules) *row.joules += *joules_after - *joules_before;

  QuantileSketch all(kSamplesMax * static_cast<float>(count));
  for (const Seen& one : seen) {
    if (!one.status.ok()) return one.status;
    all.merge(one.latency);
    row.passes += one.passes;
  }
  row.medians.push_back(all.quantile(0.5));
  row.measured.row.latency.merge(all);
  return Done{};
}

Result<std::vector<Row>> rows_of(const MeasurePlan& plan, const InputsOf& inputs_of) {
  std::vector<Row> rows;
  for (const std::uint64_t threads : plan.threads) {
    for (const std::uint64_t batch : plan.batches) {
      Row& row = rows.emplace_back();
      row.measured.row = {
          batch, threads, QuantileSketch(kSamplesMax * kMeasureRounds * static_cast<float>(threads)), {}};
      auto inputs = inputs_of(batch);
      if (!inputs.ok()) return inputs.error();
      row.inputs.assign(threads, std::move(inputs).value());
    }
  }
  return rows;
}

}  // namespace

Result<std::vector<MeasuredRow>> measure_model(EdgeModel& model, const MeasurePlan& plan, const InputsOf& inputs_of,
                                               device::EnergyMeter* meter,
                                               const std::function<void(double)>& progress) {
  auto rows = rows_of(plan, inputs_of);
  if (!rows.ok()) return rows.error();
  const double turns = static_cast<double>(rows->size()) * kMeasureRounds;
  double done = 0;
  for (int round = 0; round < kMeasureRounds; ++round) {
    for (Row& row : *rows) {
      const auto measured = measure_round(model, row, plan.row_time / kMeasureRounds, meter);
      if (!measured.ok()) return measured.error();
      progress(++done / turns);
    }
  }
  std::vector<MeasuredRow> measured;
  for (Row& row : *rows) {
    MeasuredRow& one = measured.emplace_back(std::move(row.measured));
    const auto [least, largest] = std::ranges::minmax(row.medians);
    one.spread = to_ms(largest - least) / to_ms(one.row.latency.quantile(0.5));
    const double inferences = static_cast<double>(row.passes) * static_cast<double>(one.row.batch);
    one.inferences_per_s = inferences / row.seconds;
    if (row.joules) one.row.joules_per_inference = *row.joules / inferences;
  }
  return measured;
}

}  // namespace hearth::tool
