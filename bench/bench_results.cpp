// What a simulated request costs after it ended: the summary, against no more than looking at its record.
// On the path of a simulation of a million requests a second.
//
// bench_results [--quick] [Google Benchmark's flags]
#include "bench/bench_main.h"
#include "tests/tools/simulate/synthetic_records.h"
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

}  // namespace

int main(int argc, char** argv) { return hearth::bench::run_benchmarks(argc, argv); }
