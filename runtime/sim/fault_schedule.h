/// \file FaultSchedule: which faults of a timeline hit this connection or that request. Pure: it is told the time.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <hearth/random.h>
#include <hearth/time.h>

#include "runtime/sim/fault_timeline.h"
#include "runtime/sim/packet_loss.h"
#include "runtime/sim/server_queue.h"

namespace hearth::sim {

/// What is to be done to one request.
struct FaultDecision {
  Duration wait{};                 ///< Before the server gets the request: all load faults together.
  double slow_factor = 1;          ///< The server's own time is multiplied by this.
  std::optional<FaultSpec> fault;  ///< A request or reply fault; for a full queue and a rate limit kStatus.
};

/// A function of the timeline and of the calls made, in their order; times are since the timeline began. Each entry
/// draws from streams of its own, one draw for each event that it could hit, so that entries do not move each other.
/// Threads: none of its own.
class FaultSchedule {
 public:
  explicit FaultSchedule(FaultTimeline timeline);

  /// The connection fault that a new connection gets: the first one that hits.
  std::optional<FaultSpec> on_connect(Duration at);
  /// What one request gets; `infer`: it asks for an inference, not for health or metadata.
  FaultDecision on_request(Duration at, bool infer);

  /// Is nobody listening?
  bool refuses(Duration at) const;
  /// Does looking the name up fail?
  bool fails_look_up(Duration at) const;
  /// Which of its addresses the endpoint has, counted from 0: a connection to another one leads nowhere.
  std::uint64_t address(Duration at) const;
  /// When bytes in this direction flow again; nothing when they flow. kForever when they never do.
  std::optional<Duration> cut_until(Duration at, Direction direction) const;

  const FaultTimeline& timeline() const { return timeline_; }
  /// How often each entry has hit, in the timeline's order. Entries that hit everything while active count nothing.
  const std::vector<std::uint64_t>& hits() const { return hits_; }

 private:
  /// What an entry remembers from request to request.
  struct State {
    RandomStream gate;    ///< Is this one hit?
    RandomStream values;  ///< And how?
    std::uint64_t seen = 0;
    std::size_t traced = 0;
    bool bad = false;  ///< Gilbert-Elliott.
    ServerQueue queue;
    std::optional<Duration> last;  ///< Cold start: the last request.
    Duration warm_at{};            ///< Cold start.
    double tokens = 0;             ///< Rate limit.
    Duration filled_at{};          ///< Rate limit.
  };

  bool hit(std::size_t entry, Duration at);
  void load(std::size_t entry, Duration at, FaultDecision& decision);
  Duration draw(const FaultSpec& spec, State& state);
  bool queue(const FaultSpec& spec, State& state, Duration at, Duration& wait);
  Duration cold_start(const FaultSpec& spec, State& state, Duration at);
  bool take_token(const FaultSpec& spec, State& state, Duration at);

  FaultTimeline timeline_;
  std::vector<State> states_;
  std::vector<std::uint64_t> hits_;
};

/// Is `at` inside one of the spec's windows? `into`: how far.
bool is_active(const FaultSpec& spec, Duration at, Duration* into = nullptr);

}  // namespace hearth::sim
