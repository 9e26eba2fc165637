/// \file A scheduler under test: events in, actions out; time is a number.
#pragma once

#include <vector>

#include <catch2/catch.hpp>

#include "runtime/scheduler/core.h"

namespace hearth::test {

using scheduler::Action;
using scheduler::CancelAsked;
using scheduler::CancelCloud;
using scheduler::CloudFinished;
using scheduler::CloudSites;
using scheduler::CloudSpeaks;
using scheduler::CloudVerdict;
using scheduler::EdgeFinished;
using scheduler::Event;
using scheduler::Finish;
using scheduler::ProbeCloud;
using scheduler::ProbeFinished;
using scheduler::RunEdge;
using scheduler::SchedulerCore;
using scheduler::SetTimer;
using scheduler::ShutDown;
using scheduler::StartCloud;
using scheduler::Submitted;
using scheduler::TimerFired;
using scheduler::Wish;
using std::chrono::milliseconds;

inline RuntimeConfig config_of(const Limits& limits, const CloudTiming& timing, std::size_t endpoints,
                               std::uint64_t seed = 1) {
  RuntimeConfig config;
  config.limits = limits;
  config.cloud = timing;
  config.seed = seed;
  config.models.resize(1);
  config.endpoints.resize(endpoints);
  return config;
}

struct Bench {
  explicit Bench(Limits limits = one_slot(), CloudTiming timing = {}, std::size_t endpoints = 1)
      : Bench(config_of(limits, timing, endpoints)) {}
  explicit Bench(const RuntimeConfig& config) : core(config) {}

  static Limits one_slot() {
    Limits limits;
    limits.edge_slots = 1;
    limits.queue_length_max = 1;
    return limits;
  }

  std::vector<Action> tell(const Event& event, TimePoint at = TimePoint{}) {
    std::vector<Action> actions;
    core.step(event, at, actions);
    return actions;
  }

  SchedulerCore core;
};

inline Submitted planned(PlanKind plan, RequestId id, Mask mask = Mask::all(1)) {
  Submitted made{};
  made.id = id;
  made.mask = mask;
  made.plan = plan;
  made.confidence_below = 0.8f;
  made.deadline = milliseconds(200);
  made.idempotent = true;
  return made;
}
inline Submitted cascade(RequestId id, Mask mask = Mask::all(1)) { return planned(PlanKind::kCascade, id, mask); }

inline TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }

template <class T>
const T& only(const std::vector<Action>& actions) {
  const T* found = nullptr;
  for (const auto& action : actions) {
    if (const T* one = std::get_if<T>(&action)) {
      REQUIRE(found == nullptr);
      found = one;
    }
  }
  REQUIRE(found != nullptr);
  return *found;
}

template <class T>
bool none(const std::vector<Action>& actions) {
  for (const auto& action : actions)
    if (std::holds_alternative<T>(action)) return false;
  return true;
}

}  // namespace hearth::test
