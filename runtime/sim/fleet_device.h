/// \file FleetDevice: one device of a fleet: carries out what its Decider says, in a world it cannot see into.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/sim/decider.h"
#include "runtime/sim/fleet.h"
#include "runtime/sim/simulated_transport.h"
#include "runtime/sim/virtual_loop.h"

namespace hearth::sim {

/// What the devices of a fleet have in common.
struct Commons {
  const FleetModel& model;
  VirtualLoop& loop;
  RecordSink& sink;
  FleetFacts facts;
  std::shared_ptr<const Rulebook> book;
  std::vector<std::shared_ptr<Cloud>> clouds;      ///< By endpoint.
  std::vector<std::vector<std::string>> sessions;  ///< By stream: the names, from 1.
  std::vector<scheduler::Action> actions;          ///< Of the step that is being carried out.

  /// One event of the run's hash.
  void note(std::uint64_t what, std::uint64_t of) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    const auto now = static_cast<std::uint64_t>(loop.now().time_since_epoch().count());
    facts.hash = (facts.hash ^ (what + of * 16)) * kOdd;
    facts.hash = (facts.hash ^ (facts.hash >> 29) ^ now) * kOdd;
  }
};

class FleetDevice {
 public:
  FleetDevice(Commons& commons, std::uint32_t index);

  /// Sets the first arrivals of every stream.
  void start();
  std::size_t unfinished() const { return decider_.unfinished() + transport_.in_flight(); }

 private:
  /// An attempt under way.
  struct OnItsWay {
    AttemptId attempt = 0;
    SiteId site = 0;
    TimePoint began{};
  };
  /// One request on its way. `id` is 0 while the slot is free.
  struct Flying {
    RequestId id = 0;
    Arriving arriving;
    Answer truth;  ///< Never shown to the decider but for what a pass or an answer brings.
    privacy::Judgement judgement;
    Record record;
    std::vector<OnItsWay> on_cloud;
    TimerId timer = 0;
    bool wrong = false;  ///< The cloud's answer was falsified.
  };

  void schedule(std::size_t source);
  void arrive(std::size_t source, const Arriving& arriving);
  Flying& take_slot(const Arriving& arriving);
  Flying* find(RequestId id);
  privacy::Subject subject_of(const Arriving& arriving) const;
  const Stream& stream_of(const Arriving& arriving) const { return commons_.model.streams[arriving.stream]; }
  TimePoint now() const { return commons_.loop.now(); }

  void tell(const scheduler::Event& event);
  void carry_out();
  void on(const scheduler::RunEdge& action);
  void on(const scheduler::StartCloud& action);
  void on(const scheduler::CancelCloud& action);
  void on(const scheduler::ProbeCloud& action);
  void on(const scheduler::SetTimer& action);
  void on(const scheduler::Finish& action);

  void begin_pass();
  void pass_ended(std::span<const RequestId> requests);
  void begin_attempt(const scheduler::StartCloud& action);
  void spend(const scheduler::StartCloud& action);
  void attempt_ended(RequestId id, AttemptId attempt, const Delivered& delivered);
  bool may_go(const Flying& flying, SiteId site) const;
  void charge(Flying& flying, SiteId site, std::uint64_t body_bytes);
  std::uint64_t body_bytes(const Flying& flying) const;
  Duration pass_time(const Flying& flying);
  void look_down_the_roads(Flying& flying);
  Road cloud_road(const Flying& flying, SiteId site);

  Commons& commons_;
  std::uint32_t index_;
  std::uint64_t seed_;
  Body body_;
  Decider decider_;
  SimulatedTransport transport_;
  std::vector<RequestId> together_;  ///< Of the pass that is about to begin.
  std::size_t pass_members_ = 0;
  RandomStream passes_;  ///< By the request's place in its stream.
  struct Waiting {
    Source source;
    std::optional<Arriving> next;
  };
  std::vector<Waiting> sources_;
  std::vector<Flying> flying_;
  std::vector<std::uint32_t> free_;
};

}  // namespace hearth::sim
