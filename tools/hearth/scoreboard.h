/// \file What one mode did with the workload, counted: accuracy, latency quantiles, deadlines, bytes, places served.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <hearth/outcome.h>
#include <hearth/time.h>

namespace hearth::tool {

/// One request of one mode, after its outcome. Outcomes are kept without their tensors.
struct Served {
  std::uint32_t arrival = 0;  ///< Index into the workload's arrivals.
  Duration submitted{};       ///< When it was handed over, since the phase began.
  Duration latency{};         ///< From its scheduled arrival to its outcome, so a late hand-over counts too.
  std::optional<int> answer;  ///< Index of the label; none when not served.
  bool correct = false;
  bool in_time = false;  ///< Served, and `latency` within the deadline.
  Outcome outcome;
};

/// What arrived at the server and was registered as having to stay home, by the server's own count.
struct TripwireCount {
  std::uint64_t requests = 0;  ///< With a photo, a caption or both.
  std::uint64_t inputs = 0;    ///< Photos, recognised by SHA-256.
  std::uint64_t canaries = 0;  ///< Captions, recognised by a token in them.

  TripwireCount operator-(const TripwireCount& earlier) const {
    return {requests - earlier.requests, inputs - earlier.inputs, canaries - earlier.canaries};
  }
  bool operator==(const TripwireCount&) const = default;
};

/// One pass over the workload.
struct ModeRun {
  std::string name;            ///< "edge_only", "cloud_only", "hearth".
  std::vector<Served> served;  ///< served[i] is arrival i.
  TripwireCount left;          ///< In this phase.
};

/// The figures of some requests of one mode.
struct Figures {
  std::uint64_t requests = 0;
  std::uint64_t not_served = 0;  ///< Rejected, failed or cancelled.
  std::uint64_t correct = 0;
  std::uint64_t in_time = 0;
  std::uint64_t on_cloud = 0;
  std::uint64_t on_edge = 0;
  std::uint64_t bytes_sent = 0;
  double p50_ms = 0, p95_ms = 0, p99_ms = 0, max_ms = 0;

  double accuracy() const { return share(correct); }  ///< A request that was not served is a wrong answer.
  double in_time_share() const { return share(in_time); }
  double cloud_share() const { return share(on_cloud); }
  double edge_share() const { return share(on_edge); }
  double share(std::uint64_t part) const {
    return requests == 0 ? 0 : static_cast<double>(part) / static_cast<double>(requests);
  }
};

bool served_on_cloud(const Outcome& outcome);

/// Counts the requests that `counts` says yes to; all without one.
Figures count(std::span<const Served> served, const std::function<bool(const Served&)>& counts = {});

/// The smallest value that at least `share` of the values do not exceed (nearest rank). 0 of nothing.
double quantile(std::span<const double> sorted, double share);

/// Ascending latencies in milliseconds of what was served.
std::vector<double> sorted_latencies_ms(std::span<const Served> served);

}  // namespace hearth::tool
