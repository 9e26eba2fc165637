/// \file EdgeSlots: who computes on this device: who waits, who is next and in whose company, and what runs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <hearth/config.h>
#include <hearth/outcome.h>
#include <hearth/request.h>
#include <hearth/time.h>

#include "runtime/base/recycling_map.h"
#include "runtime/scheduler/pass_times.h"

namespace hearth::scheduler {

/// Requests wait in lanes, one for each model and priority; in a lane the nearest deadline is first (Liu and Layland,
/// 1973), of equal ones the first come. Of the lanes the more urgent is served first; among lanes of one priority, time
/// is shared by `edge.share`, by start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996; for several servers Jin,
/// Chase, Kaur, SIGMETRICS 2004): a pass is charged with its time over the share, first by forecast, then as measured.
/// A full queue gives its places the same way (McKenney, "Stochastic fairness queueing", INFOCOM 1990).
///
/// A pass takes up to `edge.batch_max` requests from the front of one lane, so few that its first is in time. One that
/// cannot be in time any more lets those behind it go first; and when a small pass for the first would make those
/// behind it late, it is given up for a full one (as Nexus drops early, Shen and others, SOSP 2019). A lane that has
/// fewer waits for company while slots are free for all that wait: until its oldest has waited `edge.batch_wait`, or
/// until one of them would be late in a full pass. No pass measured yet, a full queue, or more lanes than free slots:
/// nobody waits for company.
///
/// Threads: none of its own. Bounds: `queue_length_max` over all lanes, `edge_slots`. Allocates nothing once it has
/// been as full before.
class EdgeSlots {
 public:
  static constexpr TimePoint kNever = TimePoint::max();

  explicit EdgeSlots(const RuntimeConfig& config);

  /// A request as this class sees it.
  struct Ask {
    RequestId id;
    std::uint16_t model;
    Priority priority;
    TimePoint deadline;
  };

  /// Its passes take one request each, whatever is configured.
  void run_alone(std::uint16_t model);

  /// Whether a request that comes now runs at once, with nobody to wait for: begin() it.
  bool open_for(std::uint16_t model) const;
  void begin(const Ask& one, TimePoint now);

  /// How long `one` would wait for its turn, with what is known now. Zero while nothing is.
  Duration wait(const Ask& one, TimePoint now);
  /// Whether nine of ten such requests would come too late or just so. Never claimed while a slot is free or before 20
  /// passes of its model are known.
  bool hopeless(const Ask& one, TimePoint now);
  bool full() const { return waiting_ >= waiting_max_; }
  /// With a full queue: who has to leave its place to `one`. None: `one` finds no place.
  std::optional<RequestId> displaced_by(const Ask& one) const;
  /// Until when it waits for company at most; kNever when it waits for nothing but a slot.
  TimePoint add(const Ask& one, TimePoint now);
  void remove(const Ask& one);
  /// Begins the next pass, if one is due and has a slot: those it takes, the first in line first. Valid until the next
  /// call.
  std::span<const RequestId> next(TimePoint now);
  /// `id` is done with its pass. The slot is free when all of the pass are. Returns the model.
  std::uint16_t end(RequestId id, TimePoint now);

  std::size_t waiting() const { return waiting_; }
  std::size_t busy() const { return passes_.size() - free_.size(); }
  /// Before the model's first pass.
  void start_from(std::uint16_t model, const signals::QuantileSketch& profile) {
    models_.at(model).times.start_from(profile);
  }
  const signals::Forecast& forecast(std::uint16_t model) const { return models_[model].times.forecast(); }

 private:
  static constexpr std::size_t kPriorities = 3;

  struct Waiting {
    RequestId id;
    TimePoint deadline;
    TimePoint ripe;  ///< From then on it waits for no company.
  };
  /// How much of a slot is used: of the second that runs and, for what is missing of it, of the one before.
  class Usage {
   public:
    void add(Duration took, TimePoint now);
    double rate(TimePoint now) const;

   private:
    static constexpr Duration kSecond = std::chrono::seconds(1);
    TimePoint end_{};  ///< Of the second that runs.
    Duration this_s_{}, last_s_{};
  };
  struct Lane {
    std::vector<Waiting> waiting;  ///< The first in line last.
    double start = 0;              ///< Virtual time at which its next pass begins: nanoseconds over the share.
    Usage usage;
    bool known = false;  ///< One of known_lanes_.
  };
  struct Model {
    explicit Model(const EdgeBinding& binding)
        : share(binding.share), batch_max(binding.batch_max), batch_wait(binding.batch_wait), times(batch_max) {}
    double share;
    std::size_t batch_max;
    Duration batch_wait;
    PassTimes times;
    std::array<Lane, kPriorities> lanes;
  };
  struct LaneId {
    std::uint16_t model;
    Priority priority;
    bool operator==(const LaneId&) const = default;
  };
  struct Pass {
    LaneId lane;
    std::uint16_t size, left;  ///< Requests that began it, and that have not ended it. No request left: a free slot.
    TimePoint began;
    Duration expected;
  };

  static std::size_t rank(Priority priority) { return static_cast<std::size_t>(priority); }
  static bool later(const Waiting& one, const Waiting& other);
  Lane& lane_of(LaneId id) { return models_[id.model].lanes[rank(id.priority)]; }
  const Lane& lane_of(LaneId id) const { return models_[id.model].lanes[rank(id.priority)]; }
  void wake(LaneId id);
  bool before(LaneId one, LaneId other) const;
  bool ripe(LaneId id, TimePoint now) const;
  /// Of a lane: so many from the first-th in line on.
  struct Share {
    std::size_t first, size;
  };
  Share next_share(LaneId id, TimePoint now) const;
  std::size_t ahead_of(const Ask& one) const;
  std::uint16_t begin_pass(LaneId lane, std::size_t size, TimePoint now);
  /// What another lane does before a certain request's turn, which is in `t`: backlog + rate * t, but no more than
  /// most.
  struct Other {
    double backlog, rate, most;
  };
  double backlog_ns(LaneId id) const;
  void look_at_others(const Ask& one, double own_ns, TimePoint now);

  std::size_t waiting_max_;
  std::size_t waiting_ = 0;
  std::vector<Model> models_;
  std::vector<LaneId> lanes_;                       ///< In which somebody waits.
  std::vector<LaneId> known_lanes_;                 ///< That ever had a pass.
  std::array<double, kPriorities> virtual_time_{};  ///< Start of the pass begun last.
  std::vector<Pass> passes_;                        ///< One for each slot.
  std::vector<std::uint16_t> free_;                 ///< Slots.
  RecyclingMap<RequestId, std::uint16_t> slot_of_;  ///< Also of requests that are gone: their slot stays charged.
  std::vector<RequestId> chosen_;
  std::vector<Other> others_;
};

}  // namespace hearth::scheduler
