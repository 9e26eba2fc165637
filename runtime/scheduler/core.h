/// \file SchedulerCore: decides what happens to each request. A state machine: told what happened and when, it answers
/// with what to do. No I/O, no clock, no thread, no payload.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include <hearth/config.h>
#include <hearth/mask.h>
#include <hearth/outcome.h>
#include <hearth/time.h>
#include <hearth/transport.h>

#include "runtime/cloud/breaker.h"
#include "runtime/signals/latency_estimate.h"

namespace hearth::scheduler {

// ---- what the core is told ------------------------------------------------------------------------------------------

/// A request that passed classify and permit. `mask` already lacks the cloud when its pair has no cloud half.
struct Submitted {
  RequestId id;
  Mask mask;
  PlanKind plan;
  float confidence_below;  ///< For kCascade.
  Duration deadline;       ///< From now.
  bool on_caller;          ///< The caller waits and will run the forward pass itself.
  bool offline = false;    ///< The device says that it has no network.
};
struct EdgeFinished {
  RequestId id;
  bool ok;
  float confidence;
};
enum class CloudVerdict : std::uint8_t {
  kAnswered,
  kFailed,   ///< Counts against the endpoint.
  kRefused,  ///< The endpoint lives, but would not serve this request (4xx).
  kDenied,   ///< The door said no, or the attempt was withdrawn: nothing was learned of the endpoint.
};
struct CloudFinished {
  RequestId id;
  AttemptId attempt;
  CloudVerdict verdict;
};
struct TimerFired {
  RequestId id;
};
struct CancelAsked {
  RequestId id;
};
struct ShutDown {};
using Event = std::variant<Submitted, EdgeFinished, CloudFinished, TimerFired, CancelAsked, ShutDown>;

// ---- what it answers ------------------------------------------------------------------------------------------------

struct RunEdge {
  RequestId id;
};
struct StartCloud {
  RequestId id;
  AttemptId attempt;
  SiteId site;
  TimePoint deadline;
};
struct CancelCloud {
  RequestId id;
  AttemptId attempt;
};
/// Replaces the request's former timer.
struct SetTimer {
  RequestId id;
  TimePoint due;
};
/// Exactly one per submitted request; nothing about it follows except a late CancelCloud's echo, which is ignored.
struct Finish {
  RequestId id;
  OutcomeStatus status;
  Reason reason;
  SiteId answered_by;  ///< Meaningful when kServed.
};
using Action = std::variant<RunEdge, StartCloud, CancelCloud, SetTimer, Finish>;

/// Threads: none of its own; the owner serializes step(). Bounds: `Limits`; time: `CloudTiming`.
class SchedulerCore {
 public:
  /// `endpoints` cloud sites; site ids 1..endpoints.
  SchedulerCore(const Limits& limits, const CloudTiming& timing, std::size_t endpoints, std::uint64_t seed);

  /// Appends to `actions` what `event` leads to, in the order to be carried out.
  void step(const Event& event, TimePoint now, std::vector<Action>& actions);

  std::size_t unfinished() const { return requests_.size(); }
  std::size_t queued() const { return queue_.size(); }
  std::size_t edge_busy() const { return edge_busy_; }
  std::size_t cloud_in_flight() const { return attempts_.size(); }

 private:
  enum class Stage : std::uint8_t { kQueued, kOnEdge, kOnCloud };
  struct State {
    Mask mask;
    PlanKind plan;
    float confidence_below;
    TimePoint deadline;
    bool on_caller;
    bool offline;
    Stage stage = Stage::kQueued;
    Reason reason_if_edge = Reason::kLocalByDefault;  ///< What an edge answer will be put down to.
    bool edge_tried = false;
    bool edge_answered = false;
    bool cloud_tried = false;
    AttemptId attempt = 0;

    bool can_fall_back() const { return edge_answered || (mask.has(kEdgeSite) && !edge_tried); }
  };
  struct CloudSite {
    cloud::Breaker breaker;
    signals::LatencyEstimate latency;
    TimePoint next_trial;  ///< Of a forecast that is too old to be believed.
  };
  struct InFlight {
    SiteId site;
    TimePoint began;
  };
  using Requests = std::unordered_map<RequestId, State>;
  using Actions = std::vector<Action>;

  void on(const Submitted& event, TimePoint now, Actions& actions);
  void on(const EdgeFinished& event, TimePoint now, Actions& actions);
  void on(const CloudFinished& event, TimePoint now, Actions& actions);
  void on(const TimerFired& event, TimePoint now, Actions& actions);
  void on(const CancelAsked& event, TimePoint now, Actions& actions);
  void on(const ShutDown& event, TimePoint now, Actions& actions);

  void enter_edge(Requests::iterator request, Actions& actions);
  void run_edge(Requests::iterator request, Actions& actions);
  void run_queued(Actions& actions);
  /// Begins a cloud attempt when one may begin; otherwise says why not.
  std::optional<Reason> try_cloud(Requests::iterator request, TimePoint now, Actions& actions);
  /// The cloud did not answer: the local answer, a local attempt, or failure.
  void fall_back(Requests::iterator request, Reason reason, TimePoint now, Actions& actions);
  bool has_room(CloudSite& site, TimePoint now, TimePoint give_up);
  std::optional<SiteId> best_site(Mask mask, TimePoint now) const;
  void settle(AttemptId attempt, CloudVerdict verdict, TimePoint now);
  void withdraw(Requests::iterator request, CloudVerdict verdict, TimePoint now, Actions& actions);
  void finish(Requests::iterator request, OutcomeStatus status, Reason reason, SiteId answered_by, Actions& actions);

  Limits limits_;
  CloudTiming timing_;
  Requests requests_;
  std::deque<RequestId> queue_;
  std::unordered_map<AttemptId, InFlight> attempts_;
  std::vector<CloudSite> sites_;
  std::size_t edge_busy_ = 0;
  AttemptId last_attempt_ = 0;
  bool shut_down_ = false;
};

}  // namespace hearth::scheduler
