/// \file The main of every benchmark: Google Benchmark's own, plus `--quick` for a run that only shows that it works.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace hearth::bench {

/// Runs the registered benchmarks. Google Benchmark's flags work as they are (`--benchmark_format=json`, ...).
inline int run_benchmarks(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  for (auto& argument : arguments)
    if (argument == "--quick") argument = "--benchmark_min_time=0.02";
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace hearth::bench
