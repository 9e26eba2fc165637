#include "runtime/scheduler/core.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace hearth::scheduler {

SchedulerCore::SchedulerCore(const RuntimeConfig& config)
    : timing_(config.cloud),
      edge_watts_(config.energy.edge_watts),
      edge_(config),
      sites_(config),
      mean_confidence_(std::max<std::size_t>(1, config.models.size()), 0.5) {}

void SchedulerCore::step(const Event& event, TimePoint now, Actions& actions) {
  std::visit([&](const auto& e) { on(e, now, actions); }, event);
}

// ---- events ---------------------------------------------------------------------------------------------------------

void SchedulerCore::on(const Submitted& event, TimePoint now, Actions& actions) {
  const auto refuse = [&](OutcomeStatus status, Reason reason) {
    actions.push_back(Finish{event.id, status, reason, kEdgeSite});
  };
  if (shut_down_) return refuse(OutcomeStatus::kCancelled, Reason::kShutDown);
  if (event.mask.empty() || event.plan == PlanKind::kReject)
    return refuse(OutcomeStatus::kRejected, Reason::kNoPermittedSite);
  assert(event.model < mean_confidence_.size());

  State state;
  state.told = event;
  // The plan is carried out inside the mask: without the edge only the cloud is left, whatever was preferred.
  if (!event.mask.has(kEdgeSite) && event.plan != PlanKind::kHedge) state.told.plan = PlanKind::kCloud;
  state.deadline = now + event.deadline;
  state.give_up = state.deadline - timing_.local_reserve;
  state.untried = event.mask;
  state.edge_confidence = mean_confidence_[event.model];
  advance(requests_.emplace(event.id, state), now, actions);
}

void SchedulerCore::on(const EdgeFinished& event, TimePoint now, Actions& actions) {
  auto& mean_confidence = mean_confidence_[edge_.end(event.id, now)];
  if (event.ok && std::isfinite(event.confidence)) mean_confidence += (double{event.confidence} - mean_confidence) / 64;

  if (const auto request = requests_.find(event.id); request != requests_.end()) {
    auto& state = request->second;
    state.edge = event.ok && !state.spoken ? Edge::kAnswered : Edge::kFailed;
    if (state.spoken) {
      // too late to be anyone's answer
    } else if (!event.ok) {
      state.reason_if_none = Reason::kEdgeFailed;
    } else {
      state.edge_confidence = std::isfinite(event.confidence) ? double{event.confidence} : 0;
      if (state.told.plan == PlanKind::kCascade && state.attempts == 0) {
        // Written so that a confidence that is not a number asks the cloud.
        const bool confident = event.confidence >= state.told.confidence_below;
        state.unsure = !confident;
        if (confident) state.reason_if_edge = Reason::kLocalConfident;
      }
    }
    advance(request, now, actions);
  }
  run_queued(now, actions);
}

void SchedulerCore::on(const CloudFinished& event, TimePoint now, Actions& actions) {
  const auto site = sites_.settle(event.attempt, event.verdict, now, event.retry_after);
  if (!site) return;  // withdrawn: a late answer changes nothing
  const auto request = requests_.find(event.id);
  assert(request != requests_.end());
  auto& state = request->second;
  std::replace(state.in_flight.begin(), state.in_flight.end(), event.attempt, AttemptId{0});
  if (event.verdict == CloudVerdict::kAnswered) {
    withdraw(request, Withdrawn::kOvertaken, now, actions);
    return finish(request, OutcomeStatus::kServed, Reason::kCloudAnswered, *site, actions);
  }
  const bool denied = event.verdict == CloudVerdict::kDenied;
  state.reason_if_edge = denied ? Reason::kLocalOnlyPermitted : Reason::kCloudFailed;
  state.reason_if_none = denied ? Reason::kNoPermittedSite : Reason::kCloudFailed;
  if (event.verdict == CloudVerdict::kUnreachable && state.told.mask.has(kEdgeSite))
    state.edge_start = now;  // the network may be gone altogether
  const bool elsewhere = (state.told.mask & state.untried).has_cloud();
  if (denied || event.verdict == CloudVerdict::kRefused || state.attempts >= attempts_max(state) ||
      (!elsewhere && state.edge_may_answer())) {
    state.cloud_over = true;  // what is under way goes on
  } else {
    state.next_attempt = elsewhere ? now : now + std::max(sites_.backoff(state.attempts), event.retry_after);
  }
  advance(request, now, actions);
}

void SchedulerCore::on(const CloudSpeaks& event, TimePoint now, Actions& actions) {
  const auto request = requests_.find(event.id);
  if (request == requests_.end()) return;
  auto& state = request->second;
  if (std::find(state.in_flight.begin(), state.in_flight.end(), event.attempt) == state.in_flight.end()) return;
  withdraw(request, Withdrawn::kOvertaken, now, actions, event.attempt);
  if (state.edge == Edge::kQueued) edge_.remove(ask_of(event.id, state));
  state.spoken = state.cloud_over = true;
  state.edge = Edge::kFailed;
  state.reason_if_none = Reason::kCloudFailed;
  advance(request, now, actions);
}

void SchedulerCore::on(const ProbeFinished& event, TimePoint now, Actions&) {
  sites_.end_probe(event.probe, event.verdict, now);
}

void SchedulerCore::on(const TimerFired& event, TimePoint now, Actions& actions) {
  const auto request = requests_.find(event.id);
  if (request == requests_.end()) return;
  auto& state = request->second;
  state.timer = kNever;
  if (now >= state.company_until) state.company_until = kNever;
  advance(request, now, actions);
  run_queued(now, actions);
}

void SchedulerCore::on(const CancelAsked& event, TimePoint now, Actions& actions) {
  const auto request = requests_.find(event.id);
  if (request == requests_.end()) return;
  withdraw(request, Withdrawn::kUnwanted, now, actions);
  finish(request, OutcomeStatus::kCancelled, Reason::kCallerCancelled, kEdgeSite, actions);
}

void SchedulerCore::on(const ShutDown&, TimePoint now, Actions& actions) {
  shut_down_ = true;
  std::vector<RequestId> ids;
  for (const auto& entry : requests_) ids.push_back(entry.first);
  std::sort(ids.begin(), ids.end());  // the order must not depend on a hash table
  for (const auto id : ids) {
    const auto request = requests_.find(id);
    withdraw(request, Withdrawn::kUnwanted, now, actions);
    finish(request, OutcomeStatus::kCancelled, Reason::kShutDown, kEdgeSite, actions);
  }
}

// ---- what a request needs now ---------------------------------------------------------------------------------------

void SchedulerCore::advance(Requests::iterator request, TimePoint now, Actions& actions) {
  auto& state = request->second;
  if (wants_cloud(state, now)) try_cloud(request, now, actions);
  if (wants_edge(state, now)) {
    enter_edge(request, now, actions);
    if (wants_cloud(state, now)) try_cloud(request, now, actions);  // the edge had no place
  }
  if (waits(state, now)) return arm(request, actions);
  give_out(request, now, actions);
}

bool SchedulerCore::wants_cloud(const State& state, TimePoint now) const {
  if (state.cloud_over || now >= state.deadline || state.attempts >= attempts_max(state)) return false;
  if (state.attempts > 0) return now >= state.next_attempt;
  switch (state.told.plan) {
    case PlanKind::kCloud:
    case PlanKind::kHedge:
    case PlanKind::kSafetyNet:
      return true;
    case PlanKind::kCascade:
      return state.unsure || state.edge == Edge::kFailed;
    case PlanKind::kEdge:
      return state.edge == Edge::kFailed;
    case PlanKind::kReject:
      break;
  }
  return false;
}

bool SchedulerCore::wants_edge(const State& state, TimePoint now) const {
  if (state.edge != Edge::kIdle || !state.told.mask.has(kEdgeSite) || now >= state.deadline) return false;
  const bool cloud_first = state.told.plan == PlanKind::kCloud || state.told.plan == PlanKind::kHedge;
  return !cloud_first || (state.cloud_over && !state.on_cloud()) || now >= state.edge_start;
}

/// Whether anything is under way, or will be, that is worth waiting for.
bool SchedulerCore::waits(const State& state, TimePoint now) const {
  if (state.edge == Edge::kAnswered)
    return state.on_cloud() && now < state.give_up && state.told.plan != PlanKind::kHedge;
  if (now >= state.deadline) return state.edge == Edge::kRunning && state.edge_on_caller;  // cannot be interrupted
  if (state.on_cloud() || state.edge == Edge::kQueued || state.edge == Edge::kRunning) return true;
  return !state.cloud_over && state.attempts > 0 && state.attempts < attempts_max(state) &&
         state.next_attempt < state.deadline;
}

void SchedulerCore::arm(Requests::iterator request, Actions& actions) {
  auto& state = request->second;
  const bool alone_on_caller = state.edge == Edge::kRunning && state.edge_on_caller && !state.on_cloud();
  TimePoint due = alone_on_caller ? kNever : state.deadline;
  if (state.edge == Edge::kAnswered) due = std::min(due, state.give_up);
  if (state.edge == Edge::kIdle) due = std::min(due, state.edge_start);
  if (state.edge == Edge::kQueued) due = std::min(due, state.company_until);
  if (state.attempts > 0 && state.attempts < attempts_max(state) && !state.cloud_over)
    due = std::min(due, state.next_attempt);
  if (due == kNever || due == state.timer) return;
  state.timer = due;
  actions.push_back(SetTimer{request->first, due});
}

/// Nothing is left to wait for: the local answer, or none.
void SchedulerCore::give_out(Requests::iterator request, TimePoint now, Actions& actions) {
  auto& state = request->second;
  const bool on_cloud = state.on_cloud();
  const bool late = now >= (state.edge == Edge::kAnswered ? state.give_up : state.deadline);
  withdraw(request, late ? Withdrawn::kLate : Withdrawn::kOvertaken, now, actions);
  if (state.edge == Edge::kAnswered) {
    if (on_cloud) state.reason_if_edge = late ? Reason::kCloudFailed : Reason::kLocalFaster;
    return finish(request, OutcomeStatus::kServed, state.reason_if_edge, kEdgeSite, actions);
  }
  const Reason reason = now >= state.deadline ? Reason::kDeadlinePassed : state.reason_if_none;
  const bool refused = reason == Reason::kQueueFull || reason == Reason::kQueueTooLong;
  finish(request, refused ? OutcomeStatus::kRejected : OutcomeStatus::kFailed, reason, kEdgeSite, actions);
}

// ---- the edge -------------------------------------------------------------------------------------------------------

EdgeSlots::Ask SchedulerCore::ask_of(RequestId id, const State& state) {
  return {id, state.told.model, state.told.priority, state.deadline};
}

void SchedulerCore::enter_edge(Requests::iterator request, TimePoint now, Actions& actions) {
  auto& [id, state] = *request;
  const auto ask = ask_of(id, state);
  if (edge_.open_for(ask.model)) {
    edge_.begin(ask, now);
    return run_edge(request, true, 0, actions);
  }
  if (edge_.hopeless(ask, now)) return cannot_enter_edge(state, Reason::kQueueTooLong);
  const bool full = edge_.full();
  const auto displaced = full ? edge_.displaced_by(ask) : std::nullopt;
  if (full && !displaced) return cannot_enter_edge(state, Reason::kQueueFull);
  state.edge = Edge::kQueued;
  if (displaced) displace(*displaced, now, actions);
  state.company_until = edge_.add(ask, now);
  run_queued(now, actions);
}

void SchedulerCore::cannot_enter_edge(State& state, Reason reason) {
  state.edge = Edge::kFailed;
  if (state.attempts == 0) state.reason_if_none = reason;
}

void SchedulerCore::displace(RequestId id, TimePoint now, Actions& actions) {
  const auto displaced = requests_.find(id);
  edge_.remove(ask_of(id, displaced->second));
  cannot_enter_edge(displaced->second, Reason::kQueueFull);
  advance(displaced, now, actions);
}

void SchedulerCore::run_edge(Requests::iterator request, bool alone, std::size_t together, Actions& actions) {
  auto& [id, state] = *request;
  state.edge = Edge::kRunning;
  state.edge_on_caller = alone && state.told.on_caller && !state.on_cloud();
  actions.push_back(RunEdge{id, state.edge_on_caller, static_cast<std::uint16_t>(together)});
}

void SchedulerCore::run_queued(TimePoint now, Actions& actions) {
  for (auto ids = edge_.next(now); !ids.empty(); ids = edge_.next(now)) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto request = requests_.find(ids[i]);
      assert(request != requests_.end());
      run_edge(request, ids.size() == 1, ids.size() - 1 - i, actions);
    }
  }
}

// ---- the cloud ------------------------------------------------------------------------------------------------------

bool SchedulerCore::State::on_cloud() const {
  return std::any_of(in_flight.begin(), in_flight.end(), [](AttemptId attempt) { return attempt != 0; });
}

unsigned SchedulerCore::attempts_max(const State& state) const {
  if (!state.told.idempotent) return 1;
  return std::min(kAttemptsMax, state.told.attempts_max > 0 ? state.told.attempts_max : timing_.attempts_max);
}

Wish SchedulerCore::wish_of(const State& state) const {
  Wish wish;
  wish.mask = state.told.mask;
  wish.untried = state.untried;
  wish.model = state.told.model;
  wish.payload_bytes = state.told.payload_bytes;
  wish.fallback = state.edge_may_answer();
  wish.give_up = wish.fallback ? state.give_up : state.deadline;
  wish.extra = state.attempts > 0;
  wish.objective = state.told.objective;
  wish.edge_confidence = state.edge_confidence;
  if (state.edge == Edge::kIdle) {
    const Duration pass = edge_.forecast(state.told.model).median();
    wish.energy_saved_joules = edge_watts_ * std::chrono::duration<double>(pass).count();
  }
  return wish;
}

void SchedulerCore::try_cloud(Requests::iterator request, TimePoint now, Actions& actions) {
  auto& [id, state] = *request;
  const Wish wish = wish_of(state);
  if (!state.told.offline) {
    if (const auto site = sites_.due_probe(wish, now)) {
      sites_.begin_probe(++last_attempt_, *site, now);
      actions.push_back(ProbeCloud{id, last_attempt_, *site, now + timing_.connect_timeout});
    }
  }
  const auto choice = state.told.offline && wish.mask.has_cloud() ? Reason::kCloudUnhealthy : sites_.choose(wish, now);
  if (const auto* why_not = std::get_if<Reason>(&choice)) {
    state.next_attempt = kNever;
    if (!state.on_cloud()) state.cloud_over = true;
    if (state.attempts > 0) return;
    state.reason_if_edge = *why_not;
    if (state.edge != Edge::kFailed)
      state.reason_if_none = *why_not == Reason::kLocalOnlyPermitted ? Reason::kNoPermittedSite : *why_not;
    return;
  }
  const SiteId site = std::get<SiteId>(choice);
  const AttemptId attempt = ++last_attempt_;
  *std::find(state.in_flight.begin(), state.in_flight.end(), AttemptId{0}) = attempt;
  sites_.begin(attempt, site, wish, now);
  ++state.attempts;
  state.untried = state.untried.without(site);
  state.next_attempt = state.told.plan == PlanKind::kHedge ? now + sites_.hedge_delay(site, wish) : kNever;
  if (state.edge == Edge::kIdle && state.told.mask.has(kEdgeSite))
    state.edge_start = std::min(state.edge_start, state.give_up - edge_.wait(ask_of(id, state), now) -
                                                      edge_.forecast(state.told.model).tail_or_median(0.9));
  actions.push_back(StartCloud{id, attempt, site, state.deadline});
}

void SchedulerCore::withdraw(Requests::iterator request, Withdrawn why, TimePoint now, Actions& actions,
                             AttemptId but) {
  auto& [id, state] = *request;
  for (AttemptId& attempt : state.in_flight) {
    if (attempt == 0 || attempt == but) continue;
    actions.push_back(CancelCloud{id, attempt});
    switch (why) {
      case Withdrawn::kLate:
        sites_.timed_out(attempt, now);
        break;
      case Withdrawn::kOvertaken:
        sites_.overtaken(attempt, now);
        break;
      case Withdrawn::kUnwanted:
        sites_.settle(attempt, CloudVerdict::kDenied, now);
        break;
    }
    attempt = 0;
  }
}

void SchedulerCore::finish(Requests::iterator request, OutcomeStatus status, Reason reason, SiteId answered_by,
                           Actions& actions) {
  const auto id = request->first;
  if (request->second.edge == Edge::kQueued) edge_.remove(ask_of(id, request->second));
  actions.push_back(Finish{id, status, reason, answered_by});
  requests_.erase(request);
}

}  // namespace hearth::scheduler
