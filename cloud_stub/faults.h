/// \file Faults: the timeline in force, shared by the front's thread and the admin calls; counts and a log of what hit.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <hearth/result.h>

#include "runtime/sim/fault_schedule.h"

namespace hearth::stub {

/// Can a real server do this? kInvalidArgument when an entry is for the client's side, or needs TLS and there is none.
Status check_servable(const sim::FaultTimeline& timeline, bool tls);

/// Reads the real clock, which a FaultSchedule does not.
/// Threads: every method from any thread; each locks for the length of one decision.
class Faults {
 public:
  static constexpr std::size_t kLogMax = 1000;  ///< Older entries of the log are forgotten.

  explicit Faults(sim::FaultTimeline timeline) : schedule_(std::move(timeline)) {}

  /// From now on as `timeline` says, its time and its draws from their beginning.
  void replace(sim::FaultTimeline timeline);

  std::optional<sim::FaultSpec> on_connect();
  sim::FaultDecision on_request(bool infer);
  /// One fault that a request asks for by itself (its x-hearth-fault header). kInvalidArgument when there is no such
  /// fault, or when it needs more than one request to strike.
  Result<sim::FaultDecision> on_request_with(std::string_view asked, bool infer);

  bool refuses() const;
  /// How much longer bytes in this direction wait; nothing when they flow.
  std::optional<Duration> cut_for(sim::Direction direction) const;

  /// What GET /admin/faults answers: the entries with their hits, and the log.
  std::string json() const;
  std::uint64_t injected() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Logged {
    Duration at;
    sim::FaultKind kind;
    bool by_header;
  };
  Duration now() const { return Clock::now() - began_; }
  void log(sim::FaultKind kind, bool by_header);

  mutable std::mutex mutex_;
  Clock::time_point began_ = Clock::now();
  sim::FaultSchedule schedule_;
  std::deque<Logged> log_;
  std::uint64_t injected_ = 0;
  std::uint64_t asked_ = 0;
};

}  // namespace hearth::stub
