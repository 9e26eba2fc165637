// What a simulated request costs after it ended: in the summary, and as a line of JSON; against no more than looking at
// its record, and against the same line by nlohmann/json. On the path of a simulation of a million requests a second.
//
// bench_results [--quick] [Google Benchmark's flags]
#include <nlohmann/json.hpp>

#include "bench/bench_main.h"
#include "tests/tools/simulate/synthetic_records.h"
#include "tools/simulate/record_writer.h"
#include "tools/simulate/summary.h"

namespace {

using namespace hearth;
using namespace hearth::simulate;

const simulate::test::MadeRun& records() {
  static const auto run = simulate::test::make_run({.requests = 100'000});
  return run;
}

/// The sum of their latencies: every record is read once.
void read_only(benchmark::State& state) {
  const auto& run = records();
  for (auto _ : state) {
    Duration sum{};
    for (const Record& record : run.records) sum += record.latency;
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(run.records.size()));
}
BENCHMARK(read_only)->Unit(benchmark::kMillisecond);

void into(RecordSink& sink, benchmark::State& state) {
  const auto& run = records();
  for (auto _ : state)
    for (const Record& record : run.records) sink.take(record);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(run.records.size()));
}

void summary(benchmark::State& state) {
  const auto& run = records();
  Summary sink(run.names, run.facts.warm_up, run.facts.length);
  into(sink, state);
}
BENCHMARK(summary)->Unit(benchmark::kMillisecond);

void line(benchmark::State& state) {
  const auto& run = records();
  RecordLine lines(run.names);
  std::size_t bytes = 0;
  for (auto _ : state)
    for (const Record& record : run.records) bytes += lines.of(record).size();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(run.records.size()));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(line)->Unit(benchmark::kMillisecond);

/// The same bytes, from values that are there already.
void line_by_nlohmann(benchmark::State& state) {
  const auto& run = records();
  RecordLine lines(run.names);
  std::vector<nlohmann::ordered_json> values;
  for (std::size_t i = 0; i < 1'000; ++i) values.push_back(nlohmann::ordered_json::parse(lines.of(run.records[i])));
  std::size_t bytes = 0;
  for (auto _ : state)
    for (const auto& value : values) bytes += value.dump().size();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(values.size()));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(line_by_nlohmann)->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) { return hearth::bench::run_benchmarks(argc, argv); }
