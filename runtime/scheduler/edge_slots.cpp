#include "runtime/scheduler/edge_slots.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace hearth::scheduler {
namespace {

/// Of the local forecast: refusing early needs to know what it says.
constexpr float kSamplesToRefuse = 20;

double ns(Duration duration) { return static_cast<double>(duration.count()); }

}  // namespace

EdgeSlots::EdgeSlots(const RuntimeConfig& config)
    : waiting_max_(config.limits.queue_length_max), passes_(config.limits.edge_slots, Pass{}) {
  for (const auto& pair : config.models) models_.emplace_back(pair.edge);
  if (models_.empty()) models_.emplace_back(EdgeBinding{});
  for (std::size_t slot = passes_.size(); slot-- > 0;) free_.push_back(static_cast<std::uint16_t>(slot));
}

void EdgeSlots::run_alone(std::uint16_t model) { models_[model].batch_max = 1; }

// ---- the lanes ------------------------------------------------------------------------------------------------------

bool EdgeSlots::later(const Waiting& one, const Waiting& other) {
  if (one.deadline != other.deadline) return one.deadline > other.deadline;
  return one.id > other.id;
}

std::size_t EdgeSlots::ahead_of(const Ask& one) const {
  const auto& waiting = lane_of({one.model, one.priority}).waiting;
  const auto at = std::upper_bound(waiting.begin(), waiting.end(), Waiting{one.id, one.deadline, {}}, later);
  return static_cast<std::size_t>(waiting.end() - at);
}

/// Whoever was away begins where the others are: nothing is saved up.
void EdgeSlots::wake(LaneId id) {
  auto& start = lane_of(id).start;
  start = std::max(start, virtual_time_[rank(id.priority)]);
}

TimePoint EdgeSlots::add(const Ask& one, TimePoint now) {
  const LaneId id{one.model, one.priority};
  const Model& model = models_[one.model];
  auto& waiting = lane_of(id).waiting;
  TimePoint ripe = now;
  if (model.batch_max > 1 && model.times.known())
    ripe = std::max(now, std::min(now + model.batch_wait, one.deadline - model.times.at_most(model.batch_max)));
  if (waiting.empty()) {
    wake(id);
    lanes_.push_back(id);
  }
  const Waiting made{one.id, one.deadline, ripe};
  waiting.insert(std::upper_bound(waiting.begin(), waiting.end(), made, later), made);
  ++waiting_;
  return ripe > now ? ripe : kNever;
}

void EdgeSlots::remove(const Ask& one) {
  const LaneId id{one.model, one.priority};
  auto& waiting = lane_of(id).waiting;
  waiting_ -= std::erase_if(waiting, [&](const Waiting& other) { return other.id == one.id; });
  if (waiting.empty()) std::erase(lanes_, id);
}

std::optional<RequestId> EdgeSlots::displaced_by(const Ask& one) const {
  // How crowded a lane is, with so many more in it, for its share.
  const auto crowd = [&](LaneId id, std::ptrdiff_t more) {
    return static_cast<double>(std::ssize(lane_of(id).waiting) + more) / models_[id.model].share;
  };
  const LaneId* victim = nullptr;
  for (const LaneId& id : lanes_) {
    if (victim != nullptr && id.priority > victim->priority) continue;
    const bool better = victim == nullptr || id.priority < victim->priority || crowd(id, 0) > crowd(*victim, 0) ||
                        (crowd(id, 0) == crowd(*victim, 0) && id.model > victim->model);
    if (better) victim = &id;
  }
  if (victim == nullptr || victim->priority > one.priority) return {};
  if (victim->priority == one.priority && crowd(*victim, -1) < crowd({one.model, one.priority}, 1)) return {};
  return lane_of(*victim).waiting.front().id;
}

// ---- who is next ----------------------------------------------------------------------------------------------------

bool EdgeSlots::before(LaneId one, LaneId other) const {
  if (one.priority != other.priority) return one.priority > other.priority;
  const Lane &a = lane_of(one), &b = lane_of(other);
  return a.start != b.start ? a.start < b.start : a.waiting.back().id < b.waiting.back().id;
}

bool EdgeSlots::ripe(LaneId id, TimePoint now) const {
  const auto& waiting = lane_of(id).waiting;
  return waiting.size() >= models_[id.model].batch_max ||
         std::any_of(waiting.begin(), waiting.end(), [now](const Waiting& one) { return one.ripe <= now; });
}

/// How many from the front of a lane share the next pass: as many as leave the first that can still be in time its
/// time.
std::size_t EdgeSlots::company(LaneId id, TimePoint now) const {
  const Model& model = models_[id.model];
  const auto& waiting = lane_of(id).waiting;
  std::size_t most = std::min(waiting.size(), model.batch_max);
  if (most == 1) return most;
  std::size_t lost = 0;  // before the first that can still be in time
  while (lost < most && waiting[waiting.size() - 1 - lost].deadline < now + model.times.usual(1)) ++lost;
  if (lost == most) return most;
  const TimePoint deadline = waiting[waiting.size() - 1 - lost].deadline;
  while (most > lost + 1 && now + model.times.at_most(most) > deadline) --most;
  return most;
}

bool EdgeSlots::open_for(std::uint16_t model) const {
  return !free_.empty() && waiting_ == 0 && (models_[model].batch_max == 1 || full());
}

void EdgeSlots::begin(const Ask& one, TimePoint now) {
  const LaneId id{one.model, one.priority};
  wake(id);
  slot_of_.emplace(one.id, begin_pass(id, 1, now));
}

std::span<const RequestId> EdgeSlots::next(TimePoint now) {
  chosen_.clear();
  if (lanes_.empty() || free_.empty()) return {};
  const bool contended = lanes_.size() > free_.size() || full();
  const LaneId* best = nullptr;
  for (const LaneId& id : lanes_)
    if ((contended || ripe(id, now)) && (best == nullptr || before(id, *best))) best = &id;
  if (best == nullptr) return {};
  const LaneId id = *best;
  auto& waiting = lane_of(id).waiting;
  const std::size_t size = company(id, now);
  const std::uint16_t slot = begin_pass(id, size, now);
  for (std::size_t i = 0; i < size; ++i) {
    chosen_.push_back(waiting.back().id);
    slot_of_.emplace(waiting.back().id, slot);
    waiting.pop_back();
  }
  waiting_ -= size;
  if (waiting.empty()) std::erase(lanes_, id);
  return chosen_;
}

// ---- passes ---------------------------------------------------------------------------------------------------------

std::uint16_t EdgeSlots::begin_pass(LaneId id, std::size_t size, TimePoint now) {
  const std::uint16_t slot = free_.back();
  free_.pop_back();
  const Model& model = models_[id.model];
  const Duration expected = model.times.usual(size);
  const auto requests = static_cast<std::uint16_t>(size);
  passes_[slot] = {id, requests, requests, now, expected};
  auto& start = lane_of(id).start;
  auto& virtual_time = virtual_time_[rank(id.priority)];
  virtual_time = std::max(virtual_time, start);
  start += ns(expected) / model.share;
  return slot;
}

std::uint16_t EdgeSlots::end(RequestId id, TimePoint now) {
  const auto found = slot_of_.find(id);
  assert(found != slot_of_.end());
  const std::uint16_t slot = found->second;
  slot_of_.erase(found);
  Pass& pass = passes_[slot];
  if (--pass.left > 0) return pass.lane.model;
  Model& model = models_[pass.lane.model];
  const Duration took = now - pass.began;
  model.times.observe(pass.size, took, now);
  lane_of(pass.lane).start += ns(took - pass.expected) / model.share;
  free_.push_back(slot);
  return pass.lane.model;
}

// ---- what it will take ----------------------------------------------------------------------------------------------

/// Of one pass for so many.
Duration EdgeSlots::usual(const Model& model, std::size_t requests) const {
  return model.batch_max == 1 ? model.times.forecast().median() : model.times.usual(requests);
}

/// Slot time for all that wait in a lane.
double EdgeSlots::backlog_ns(LaneId id) const {
  const Model& model = models_[id.model];
  const std::size_t waiting = lane_of(id).waiting.size(), rest = waiting % model.batch_max;
  const double full_passes = static_cast<double>(waiting / model.batch_max) * ns(usual(model, model.batch_max));
  return full_passes + (rest > 0 ? ns(usual(model, rest)) : 0);
}

/// Slot time that goes to other lanes before `one` has its turn, when its own lane needs `own_ns` first.
double EdgeSlots::ahead_elsewhere_ns(const Ask& one, double own_ns) const {
  const LaneId mine{one.model, one.priority};
  const Lane& lane = lane_of(mine);
  double start = lane.start + own_ns / models_[one.model].share;
  if (lane.waiting.empty()) start = std::max(start, virtual_time_[rank(one.priority)] + own_ns);
  double ahead = 0;
  for (const LaneId& id : lanes_) {
    if (id == mine || id.priority < one.priority) continue;
    const double backlog = backlog_ns(id);
    if (id.priority == one.priority) {
      const Model& model = models_[id.model];
      const double lead = start - lane_of(id).start;  // passes of this lane that begin no later in virtual time
      const double pass = ns(usual(model, std::min(lane_of(id).waiting.size(), model.batch_max)));
      if (lead < 0 || pass <= 0) continue;
      ahead += std::min(backlog, (std::floor(lead * model.share / pass) + 1) * pass);
    } else {
      ahead += backlog;
    }
  }
  return ahead;
}

Duration EdgeSlots::wait(const Ask& one, TimePoint now) const {
  if (!free_.empty()) return {};
  // Of the slots: when the first is free, and what they have to do together.
  Duration soonest = Duration::max(), running{};
  for (const Pass& pass : passes_) {
    const Duration left = std::max(Duration{}, pass.began + pass.expected - now);
    soonest = std::min(soonest, left);
    running += left;
  }
  const Model& model = models_[one.model];
  const auto full_passes = static_cast<double>(ahead_of(one) / model.batch_max);
  const double own = full_passes * ns(usual(model, model.batch_max));
  const double ahead = own + ahead_elsewhere_ns(one, own);
  if (ahead <= 0) return soonest;
  return std::max(soonest,
                  Duration(static_cast<Duration::rep>((ns(running) + ahead) / static_cast<double>(passes_.size()))));
}

bool EdgeSlots::hopeless(const Ask& one, TimePoint now) const {
  const Model& model = models_[one.model];
  if (!free_.empty() || model.times.forecast().samples() < kSamplesToRefuse) return false;
  const std::size_t size = ahead_of(one) % model.batch_max + 1;
  return now + wait(one, now) + usual(model, size) > one.deadline;
}

}  // namespace hearth::scheduler
