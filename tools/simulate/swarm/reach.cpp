#include "tools/simulate/swarm/reach.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <vector>

namespace hearth::simulate {
namespace {

constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::kShutDown) + 1;
constexpr std::size_t kPlans = static_cast<std::size_t>(PlanKind::kHedge) + 1;  // kReject is no answer to be had here
constexpr std::size_t kActs = static_cast<std::size_t>(ActKind::kSetClock) + 1;
constexpr std::size_t kFirstError =
    static_cast<std::size_t>(ErrorCode::kCorrupt);  // of those that an attempt ends with
constexpr std::size_t kErrors = static_cast<std::size_t>(ErrorCode::kInternal);

std::vector<Thing> make_things() {
  std::vector<Thing> things;
  for (const auto& facts : sim::all_faults()) things.push_back({"fault", std::string(facts.name)});
  for (std::size_t i = 0; i < kReasons; ++i) things.push_back({"reason", hearth::name_of(static_cast<Reason>(i))});
  for (std::size_t i = 0; i < kPlans; ++i) things.push_back({"plan", hearth::name_of(static_cast<PlanKind>(i))});
  for (std::size_t i = 0; i < kActs; ++i) things.push_back({"act", name_of(static_cast<ActKind>(i))});
  for (std::size_t i = kFirstError; i <= kErrors; ++i)
    things.push_back({"error", hearth::name_of(static_cast<ErrorCode>(i))});
  if (things.size() > kThingsMax) throw std::logic_error("kThingsMax is too small");
  return things;
}

void reach(const std::string& kind, const std::string& name, Reach& reached) {
  const auto things = all_things();
  for (std::size_t i = 0; i < things.size(); ++i)
    if (things[i].kind == kind && things[i].name == name) reached.set(i);
}

struct Span {
  TimePoint from, to = TimePoint::max();
};

/// When attempts were under way, by endpoint.
std::map<std::string, std::vector<Span>> spans_of(const Story& story) {
  std::map<AttemptId, std::pair<std::string, Span>> attempts;
  for (const auto& event : story.wire) {
    if (event.kind == WireEvent::Kind::kSend) {
      attempts[event.attempt] = {event.endpoint, {event.at}};
    } else if (const auto found = attempts.find(event.attempt); found != attempts.end()) {
      found->second.second.to = std::min(found->second.second.to, event.at);
    }
  }
  std::map<std::string, std::vector<Span>> spans;
  for (const auto& [id, one] : attempts) spans[one.first].push_back(one.second);
  return spans;
}

}  // namespace

std::span<const Thing> all_things() {
  static const std::vector<Thing> kThings = make_things();
  return kThings;
}

Reach reach_of(const SwarmWorld& world, const Story& story) {
  Reach reached;
  const auto spans = spans_of(story);
  for (const auto& [endpoint, timeline] : world.endpoints) {
    const auto found = spans.find(endpoint.name);
    if (found == spans.end()) continue;
    for (const auto& spec : timeline.faults) {
      const TimePoint from(spec.at);
      const TimePoint to = spec.length == sim::kForever ? TimePoint::max() : from + spec.length;
      for (const Span& span : found->second)
        if (span.from < to && span.to > from) {
          reach("fault", std::string(sim::facts_of(spec.kind).name), reached);
          break;
        }
    }
  }
  for (const auto& act : world.acts) reach("act", name_of(act.kind), reached);
  for (const auto& asked : story.requests) {
    reach("reason", hearth::name_of(asked.outcome.reason), reached);
    reach("plan", hearth::name_of(asked.outcome.plan), reached);
    for (const auto& attempt : asked.outcome.attempts) reach("error", attempt.error, reached);
  }
  return reached;
}

}  // namespace hearth::simulate
