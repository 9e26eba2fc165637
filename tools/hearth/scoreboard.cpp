#include "tools/hearth/scoreboard.h"

#include <algorithm>
#include <cmath>

namespace hearth::tool {

bool served_on_cloud(const Outcome& outcome) {
  return outcome.status == OutcomeStatus::kServed && outcome.served_on != "edge";
}

double quantile(std::span<const double> sorted, double share) {
  if (sorted.empty()) return 0;
  // The tiny step down keeps 0.95 * 20 = 19.000000000000004 from becoming rank 20.
  const double rank = std::ceil(share * static_cast<double>(sorted.size()) - 1e-9);
  const auto index = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

std::vector<double> sorted_latencies_ms(std::span<const Served> served) {
  std::vector<double> latencies;
  latencies.reserve(served.size());
  for (const Served& one : served) {
    if (one.outcome.status == OutcomeStatus::kServed) latencies.push_back(to_ms(one.latency));
  }
  std::sort(latencies.begin(), latencies.end());
  return latencies;
}

Figures count(std::span<const Served> served, const std::function<bool(const Served&)>& counts) {
  Figures figures;
  std::vector<double> latencies;
  latencies.reserve(served.size());
  for (const Served& one : served) {
    if (counts && !counts(one)) continue;
    ++figures.requests;
    figures.bytes_sent += one.outcome.bytes_sent;
    if (one.outcome.status != OutcomeStatus::kServed) {
      ++figures.not_served;
      continue;
    }
    latencies.push_back(to_ms(one.latency));
    figures.correct += one.correct ? 1 : 0;
    figures.in_time += one.in_time ? 1 : 0;
    ++(served_on_cloud(one.outcome) ? figures.on_cloud : figures.on_edge);
  }
  std::sort(latencies.begin(), latencies.end());
  figures.p50_ms = quantile(latencies, 0.50);
  figures.p95_ms = quantile(latencies, 0.95);
  figures.p99_ms = quantile(latencies, 0.99);
  figures.max_ms = latencies.empty() ? 0 : latencies.back();
  return figures;
}

}  // namespace hearth::tool
