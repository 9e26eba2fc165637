#include "runtime/scheduler/core.h"

#include <algorithm>
#include <cassert>
#include <string>

namespace hearth::scheduler {

SchedulerCore::SchedulerCore(const Limits& limits, const CloudTiming& timing, std::size_t endpoints, std::uint64_t seed)
    : limits_(limits), timing_(timing) {
  const cloud::Breaker::Options options{timing.breaker_failures, timing.breaker_backoff, timing.breaker_backoff_max};
  for (std::size_t i = 0; i < endpoints; ++i)
    sites_.push_back({cloud::Breaker(options, RandomStream(seed, "breaker " + std::to_string(i + 1))),
                      signals::LatencyEstimate(timing.expected_latency), TimePoint{}});
}

void SchedulerCore::step(const Event& event, TimePoint now, Actions& actions) {
  std::visit([&](const auto& e) { on(e, now, actions); }, event);
}

void SchedulerCore::on(const Submitted& event, TimePoint now, Actions& actions) {
  const auto refuse = [&](OutcomeStatus status, Reason reason) {
    actions.push_back(Finish{event.id, status, reason, kEdgeSite});
  };
  if (shut_down_) return refuse(OutcomeStatus::kCancelled, Reason::kShutDown);
  if (event.mask.empty() || event.plan == PlanKind::kReject)
    return refuse(OutcomeStatus::kRejected, Reason::kNoPermittedSite);

  State state{};
  state.mask = event.mask;
  state.plan = event.plan;
  state.confidence_below = event.confidence_below;
  state.deadline = now + event.deadline;
  state.on_caller = event.on_caller;
  state.offline = event.offline;
  const auto request = requests_.emplace(event.id, state).first;

  // The plan is carried out inside the mask: without the edge only the cloud is left, whatever was preferred.
  if (event.plan == PlanKind::kCloud || !event.mask.has(kEdgeSite)) {
    const auto why_not = try_cloud(request, now, actions);
    if (why_not) fall_back(request, *why_not, now, actions);
  } else {
    enter_edge(request, actions);
  }
}

// ---- the edge -------------------------------------------------------------------------------------------------------

void SchedulerCore::enter_edge(Requests::iterator request, Actions& actions) {
  auto& [id, state] = *request;
  if (edge_busy_ < limits_.edge_slots) {
    run_edge(request, actions);
  } else if (queue_.size() < limits_.queue_length_max) {
    state.stage = Stage::kQueued;
    queue_.push_back(id);
  } else {
    const auto status = state.cloud_tried ? OutcomeStatus::kFailed : OutcomeStatus::kRejected;
    return finish(request, status, Reason::kQueueFull, kEdgeSite, actions);
  }
  // A pass on the caller's own thread cannot be interrupted, so a timer would change nothing.
  if (!(state.on_caller && state.stage == Stage::kOnEdge)) actions.push_back(SetTimer{id, state.deadline});
}

void SchedulerCore::run_edge(Requests::iterator request, Actions& actions) {
  request->second.stage = Stage::kOnEdge;
  request->second.edge_tried = true;
  ++edge_busy_;
  actions.push_back(RunEdge{request->first});
}

void SchedulerCore::run_queued(Actions& actions) {
  while (edge_busy_ < limits_.edge_slots && !queue_.empty()) {
    const auto request = requests_.find(queue_.front());
    queue_.pop_front();
    assert(request != requests_.end());
    run_edge(request, actions);
  }
}

void SchedulerCore::on(const EdgeFinished& event, TimePoint now, Actions& actions) {
  assert(edge_busy_ > 0);
  --edge_busy_;  // also for a request that is gone: its slot stayed charged until now
  if (const auto request = requests_.find(event.id); request != requests_.end()) {
    auto& state = request->second;
    if (!event.ok) {
      if (state.cloud_tried || try_cloud(request, now, actions))
        finish(request, OutcomeStatus::kFailed, Reason::kEdgeFailed, kEdgeSite, actions);
    } else {
      state.edge_answered = true;
      std::optional<Reason> reason = state.reason_if_edge;
      if (state.plan == PlanKind::kCascade && !state.cloud_tried)
        // Written so that a confidence that is not a number asks the cloud.
        reason =
            event.confidence >= state.confidence_below ? Reason::kLocalConfident : try_cloud(request, now, actions);
      if (reason) finish(request, OutcomeStatus::kServed, *reason, kEdgeSite, actions);
    }
  }
  run_queued(actions);
}

// ---- the cloud ------------------------------------------------------------------------------------------------------

std::optional<SiteId> SchedulerCore::best_site(Mask mask, TimePoint now) const {
  std::optional<SiteId> best;
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    const auto site = static_cast<SiteId>(i + 1);
    if (!mask.has(site) || !sites_[i].breaker.allows(now)) continue;
    if (!best || sites_[i].latency.upper() < sites_[*best - 1].latency.upper()) best = site;
  }
  return best;
}

bool SchedulerCore::has_room(CloudSite& site, TimePoint now, TimePoint give_up) {
  if (now + site.latency.upper() <= give_up) return true;
  // A forecast that lets nothing through would never be put right: a stale one is tried, one request at a time. It
  // costs nothing but bytes, for there is something to fall back on.
  if (site.latency.fresh(now) || now < site.next_trial) return false;
  site.next_trial = now + signals::LatencyEstimate::kFresh;
  return true;
}

std::optional<Reason> SchedulerCore::try_cloud(Requests::iterator request, TimePoint now, Actions& actions) {
  auto& [id, state] = *request;
  if (!state.mask.has_cloud()) return Reason::kLocalOnlyPermitted;
  const auto site = best_site(state.mask, now);
  if (state.offline || !site || attempts_.size() >= limits_.cloud_in_flight_max) return Reason::kCloudUnhealthy;

  // With something to fall back on, the cloud gets the time up to the reserve and only when it will likely do.
  const bool fallback = state.can_fall_back();
  const TimePoint give_up = fallback ? state.deadline - timing_.local_reserve : state.deadline;
  if (now >= give_up || (fallback && !has_room(sites_[*site - 1], now, give_up))) return Reason::kNoRoom;

  state.stage = Stage::kOnCloud;
  state.cloud_tried = true;
  state.attempt = ++last_attempt_;
  attempts_.emplace(state.attempt, InFlight{*site, now});
  sites_[*site - 1].breaker.begin(state.attempt, now);
  actions.push_back(StartCloud{id, state.attempt, *site, state.deadline});
  actions.push_back(SetTimer{id, give_up});
  return std::nullopt;
}

void SchedulerCore::on(const CloudFinished& event, TimePoint now, Actions& actions) {
  if (!attempts_.contains(event.attempt)) return;  // withdrawn: a late answer changes nothing
  const SiteId site = attempts_.at(event.attempt).site;
  settle(event.attempt, event.verdict, now);
  const auto request = requests_.find(event.id);
  assert(request != requests_.end() && request->second.attempt == event.attempt);
  if (event.verdict == CloudVerdict::kAnswered) {
    finish(request, OutcomeStatus::kServed, Reason::kCloudAnswered, site, actions);
  } else {
    fall_back(request, event.verdict == CloudVerdict::kDenied ? Reason::kLocalOnlyPermitted : Reason::kCloudFailed, now,
              actions);
  }
}

void SchedulerCore::fall_back(Requests::iterator request, Reason reason, TimePoint now, Actions& actions) {
  auto& state = request->second;
  if (state.edge_answered) return finish(request, OutcomeStatus::kServed, reason, kEdgeSite, actions);
  if (state.can_fall_back() && now < state.deadline) {
    state.reason_if_edge = reason;
    return enter_edge(request, actions);
  }
  if (now >= state.deadline) reason = Reason::kDeadlinePassed;
  if (reason == Reason::kLocalOnlyPermitted) reason = Reason::kNoPermittedSite;
  finish(request, OutcomeStatus::kFailed, reason, kEdgeSite, actions);
}

void SchedulerCore::settle(AttemptId attempt, CloudVerdict verdict, TimePoint now) {
  const auto found = attempts_.find(attempt);
  auto& site = sites_[found->second.site - 1];
  const Duration took = now - found->second.began;
  switch (verdict) {
    case CloudVerdict::kAnswered:
    case CloudVerdict::kRefused:
      site.breaker.succeeded();
      site.latency.observe(took, now);
      break;
    case CloudVerdict::kFailed:
      site.breaker.failed(attempt, now);
      break;
    case CloudVerdict::kDenied:
      site.breaker.withdrawn(attempt);
      break;
  }
  attempts_.erase(found);
}

void SchedulerCore::withdraw(Requests::iterator request, CloudVerdict verdict, TimePoint now, Actions& actions) {
  const auto& [id, state] = *request;
  if (state.stage != Stage::kOnCloud) return;
  actions.push_back(CancelCloud{id, state.attempt});
  settle(state.attempt, verdict, now);
}

// ---- time, cancellation, the end ------------------------------------------------------------------------------------

void SchedulerCore::on(const TimerFired& event, TimePoint now, Actions& actions) {
  const auto request = requests_.find(event.id);
  if (request == requests_.end()) return;
  auto& state = request->second;
  if (state.stage == Stage::kOnCloud) {
    // A reply that did not come in time is a failure of the endpoint, and tells that it takes at least this long.
    const auto& attempt = attempts_.at(state.attempt);
    sites_[attempt.site - 1].latency.observe(now - attempt.began, now);
    withdraw(request, CloudVerdict::kFailed, now, actions);
    return fall_back(request, Reason::kCloudFailed, now, actions);
  }
  if (now < state.deadline || (state.stage == Stage::kOnEdge && state.on_caller)) return;
  finish(request, OutcomeStatus::kFailed, Reason::kDeadlinePassed, kEdgeSite, actions);
}

void SchedulerCore::on(const CancelAsked& event, TimePoint now, Actions& actions) {
  const auto request = requests_.find(event.id);
  if (request == requests_.end()) return;
  withdraw(request, CloudVerdict::kDenied, now, actions);
  finish(request, OutcomeStatus::kCancelled, Reason::kCallerCancelled, kEdgeSite, actions);
}

void SchedulerCore::on(const ShutDown&, TimePoint now, Actions& actions) {
  shut_down_ = true;
  std::vector<RequestId> ids;
  for (const auto& entry : requests_) ids.push_back(entry.first);
  std::sort(ids.begin(), ids.end());  // the order must not depend on a hash table
  for (const auto id : ids) {
    const auto request = requests_.find(id);
    withdraw(request, CloudVerdict::kDenied, now, actions);
    finish(request, OutcomeStatus::kCancelled, Reason::kShutDown, kEdgeSite, actions);
  }
}

void SchedulerCore::finish(Requests::iterator request, OutcomeStatus status, Reason reason, SiteId answered_by,
                           Actions& actions) {
  const auto id = request->first;
  if (request->second.stage == Stage::kQueued) std::erase(queue_, id);
  actions.push_back(Finish{id, status, reason, answered_by});
  requests_.erase(request);
}

}  // namespace hearth::scheduler
