/// \file SchedulerCore: decides what happens to each request. A state machine: told what happened and when, it answers
/// with what to do. No I/O, no clock, no thread, no payload.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <hearth/config.h>
#include <hearth/mask.h>
#include <hearth/outcome.h>
#include <hearth/plan.h>
#include <hearth/request.h>
#include <hearth/time.h>
#include <hearth/transport.h>

#include "runtime/base/recycling_map.h"
#include "runtime/scheduler/cloud_sites.h"
#include "runtime/scheduler/edge_slots.h"

namespace hearth::scheduler {

// ---- what the core is told ------------------------------------------------------------------------------------------

/// A request that passed classify and permit. `mask` already lacks the cloud when its pair has no cloud half.
struct Submitted {
  RequestId id;
  Mask mask;
  PlanKind plan;
  float confidence_below;  ///< For kCascade.
  Duration deadline;       ///< From now.
  bool on_caller;          ///< The caller waits and can run the forward pass itself.
  bool offline = false;    ///< The device says that it has no network.
  Priority priority = Priority::kNormal;
  bool idempotent = true;           ///< Else at most one cloud attempt begins.
  unsigned attempts_max = 0;        ///< Of the policy; 0: the configuration's.
  std::uint16_t model = 0;          ///< Index of its pair.
  std::uint64_t payload_bytes = 0;  ///< What an attempt would send, about.
  std::optional<Objective> objective;
};
struct EdgeFinished {
  RequestId id;
  bool ok;
  float confidence;
};
struct CloudFinished {
  RequestId id;
  AttemptId attempt;
  CloudVerdict verdict;
  Duration retry_after{};  ///< With kOverloaded: what the endpoint asked for; zero when it did not say.
};
/// The first piece of an attempt's answer is about to reach the app: from here on nothing else may answer.
struct CloudSpeaks {
  RequestId id;
  AttemptId attempt;
};
/// kAnswered: the endpoint said something. kDenied: the probe was not sent.
struct ProbeFinished {
  AttemptId probe;
  CloudVerdict verdict;
};
struct TimerFired {
  RequestId id;
};
struct CancelAsked {
  RequestId id;
};
struct ShutDown {};
using Event =
    std::variant<Submitted, EdgeFinished, CloudFinished, CloudSpeaks, ProbeFinished, TimerFired, CancelAsked, ShutDown>;

// ---- what it answers ------------------------------------------------------------------------------------------------

struct RunEdge {
  RequestId id;
  bool on_caller;  ///< The caller runs the pass; else the model's own threads, for something else is under way too.
  /// So many of the actions that follow at once are RunEdge too, and their requests go into the same pass as this one.
  std::uint16_t together = 0;
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
/// See whether `site` can be reached, with constant bytes, if the mask of this request still has it. The request does
/// not wait for it.
struct ProbeCloud {
  RequestId id;
  AttemptId probe;
  SiteId site;
  TimePoint deadline;
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
using Action = std::variant<RunEdge, StartCloud, CancelCloud, ProbeCloud, SetTimer, Finish>;

/// Each event changes what is known of a request; advance() then looks at the whole of it and does what its plan asks
/// for at that moment. docs/scheduling.md tells the rules.
///
/// Threads: none of its own; the owner serializes step(). Bounds: `Limits`; time: `CloudTiming`.
class SchedulerCore {
 public:
  static constexpr unsigned kAttemptsMax = 5;

  explicit SchedulerCore(const RuntimeConfig& config);

  /// The model cannot compute several requests in one pass, whatever is configured. Before its first request.
  void run_alone(std::uint16_t model) { edge_.run_alone(model); }

  /// Appends to `actions` what `event` leads to, in the order to be carried out.
  void step(const Event& event, TimePoint now, std::vector<Action>& actions);

  /// What an earlier run or `hearth profile` saw, before the first request.
  void start_edge_from(std::uint16_t model, const signals::QuantileSketch& profile) {
    edge_.start_from(model, profile);
  }
  void start_cloud_from(SiteId site, std::size_t model, std::uint64_t payload_bytes,
                        const signals::QuantileSketch& profile) {
    sites_.start_from(site, model, payload_bytes, profile);
  }
  const signals::QuantileSketch& edge_latencies(std::uint16_t model) const { return edge_.forecast(model).lasting(); }
  const signals::Forecasts& cloud_latencies(SiteId site) const { return sites_.forecasts(site); }

  std::size_t unfinished() const { return requests_.size(); }
  std::size_t queued() const { return edge_.waiting(); }
  /// Forward passes under way.
  std::size_t edge_busy() const { return edge_.busy(); }
  std::size_t cloud_in_flight() const { return sites_.in_flight(); }

 private:
  static constexpr TimePoint kNever = TimePoint::max();

  enum class Edge : std::uint8_t { kIdle, kQueued, kRunning, kAnswered, kFailed };
  struct State {
    Submitted told;
    TimePoint deadline{};
    TimePoint give_up{};  ///< From then on a local answer is not kept waiting for a better one.
    Edge edge = Edge::kIdle;
    bool edge_on_caller = false;
    bool unsure = false;                              ///< The local answer is below the cascade's threshold.
    double edge_confidence = 0;                       ///< Of the local answer, or what is expected of it.
    Reason reason_if_edge = Reason::kLocalByDefault;  ///< What an edge answer will be put down to.
    Reason reason_if_none = Reason::kDeadlinePassed;  ///< What it will be put down to when nothing answers.
    Mask untried;                                     ///< Sites that no attempt went to.
    std::array<AttemptId, kAttemptsMax> in_flight{};  ///< Zero: none.
    std::uint8_t attempts = 0;                        ///< Begun.
    bool cloud_over = false;                          ///< No further attempt begins.
    bool spoken = false;                              ///< The app has part of a cloud answer: no other will do.
    TimePoint next_attempt{};                         ///< Not before: a hedge's delay, a retry's backoff.
    TimePoint company_until = kNever;                 ///< In the queue: until then it may wait for others.
    TimePoint edge_start = kNever;                    ///< The latest at which a local pass would still be in time.
    TimePoint timer = kNever;

    bool on_cloud() const;
    bool edge_may_answer() const {
      return edge == Edge::kAnswered || edge == Edge::kRunning || edge == Edge::kQueued ||
             (edge == Edge::kIdle && told.mask.has(kEdgeSite));
    }
  };
  using Requests = RecyclingMap<RequestId, State>;
  using Actions = std::vector<Action>;

  void on(const Submitted& event, TimePoint now, Actions& actions);
  void on(const EdgeFinished& event, TimePoint now, Actions& actions);
  void on(const CloudFinished& event, TimePoint now, Actions& actions);
  void on(const CloudSpeaks& event, TimePoint now, Actions& actions);
  void on(const ProbeFinished& event, TimePoint now, Actions& actions);
  void on(const TimerFired& event, TimePoint now, Actions& actions);
  void on(const CancelAsked& event, TimePoint now, Actions& actions);
  void on(const ShutDown& event, TimePoint now, Actions& actions);

  void advance(Requests::iterator request, TimePoint now, Actions& actions);
  bool wants_cloud(const State& state, TimePoint now) const;
  bool wants_edge(const State& state, TimePoint now) const;
  bool waits(const State& state, TimePoint now) const;
  void try_cloud(Requests::iterator request, TimePoint now, Actions& actions);
  void enter_edge(Requests::iterator request, TimePoint now, Actions& actions);
  void cannot_enter_edge(State& state, Reason reason);
  void displace(RequestId id, TimePoint now, Actions& actions);
  void run_edge(Requests::iterator request, bool alone, std::size_t together, Actions& actions);
  void run_queued(TimePoint now, Actions& actions);
  void arm(Requests::iterator request, Actions& actions);
  Wish wish_of(const State& state) const;
  unsigned attempts_max(const State& state) const;
  static EdgeSlots::Ask ask_of(RequestId id, const State& state);
  enum class Withdrawn : std::uint8_t { kLate, kOvertaken, kUnwanted };
  void withdraw(Requests::iterator request, Withdrawn why, TimePoint now, Actions& actions, AttemptId but = 0);
  void give_out(Requests::iterator request, TimePoint now, Actions& actions);
  void finish(Requests::iterator request, OutcomeStatus status, Reason reason, SiteId answered_by, Actions& actions);

  CloudTiming timing_;
  double edge_watts_;
  Requests requests_;
  EdgeSlots edge_;
  CloudSites sites_;
  std::vector<double> mean_confidence_;  ///< Of each model's local answers.
  AttemptId last_attempt_ = 0;
  bool shut_down_ = false;
};

}  // namespace hearth::scheduler
