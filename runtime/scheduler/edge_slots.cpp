#include "runtime/scheduler/edge_slots.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

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

EdgeSlots::Share EdgeSlots::next_share(LaneId id, TimePoint now) const {
  const Model& model = models_[id.model];
  const auto& times = model.times;
  const auto& waiting = lane_of(id).waiting;
  const std::size_t count = waiting.size();
  const auto deadline = [&](std::size_t i) { return waiting[count - 1 - i].deadline; };
  const auto full = [&](std::size_t i) { return std::min(count - i, model.batch_max); };

  std::size_t first = 0;
  while (first < count && deadline(first) < now + times.usual(1)) ++first;
  if (first == count) return {0, full(0)};  // nobody can be in time
  std::size_t size = full(first);
  while (size > 1 && now + times.at_most(size) > deadline(first)) --size;
  if (size == full(first)) return {first, size};

  const std::size_t behind = first + size;
  if (now + times.usual(size) + times.at_most(full(behind)) <= deadline(behind)) return {first, size};
  for (std::size_t i = first + 1; i < count && full(i) > size; ++i)
    if (now + times.at_most(full(i)) <= deadline(i)) return {i, full(i)};
  return {first, size};
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
  const auto [first, size] = next_share(id, now);
  const std::uint16_t slot = begin_pass(id, size, now);
  const auto end = waiting.end() - static_cast<std::ptrdiff_t>(first), begin = end - static_cast<std::ptrdiff_t>(size);
  for (auto one = end; one-- != begin;) {
    chosen_.push_back(one->id);
    slot_of_.emplace(one->id, slot);
  }
  waiting.erase(begin, end);
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
  Lane& lane = lane_of(id);
  auto& virtual_time = virtual_time_[rank(id.priority)];
  virtual_time = std::max(virtual_time, lane.start);
  lane.start += ns(expected) / model.share;
  if (!std::exchange(lane.known, true)) known_lanes_.push_back(id);
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
  Lane& lane = model.lanes[rank(pass.lane.priority)];
  lane.start += ns(took - pass.expected) / model.share;
  lane.usage.add(took, now);
  free_.push_back(slot);
  return pass.lane.model;
}

// ---- what it will take ----------------------------------------------------------------------------------------------

void EdgeSlots::Usage::add(Duration took, TimePoint now) {
  if (now >= end_) {
    const bool next = now < end_ + kSecond;
    last_s_ = next ? this_s_ : Duration{};
    end_ = next ? end_ + kSecond : now + kSecond;
    this_s_ = {};
  }
  this_s_ += std::min(took, kSecond);
}

double EdgeSlots::Usage::rate(TimePoint now) const {
  const double missing = ns(end_ - now) / ns(kSecond);  // below 0: so much of the second after it is over
  if (missing >= 0) return (ns(this_s_) + ns(last_s_) * missing) / ns(kSecond);
  return ns(this_s_) / ns(kSecond) * std::max(0.0, 1 + missing);
}

/// Slot time for all that wait in a lane.
double EdgeSlots::backlog_ns(LaneId id) const {
  const Model& model = models_[id.model];
  const std::size_t waiting = lane_of(id).waiting.size(), rest = waiting % model.batch_max;
  const double full_passes = static_cast<double>(waiting / model.batch_max) * ns(model.times.usual(model.batch_max));
  return full_passes + (rest > 0 ? ns(model.times.usual(rest)) : 0);
}

/// When the lane of `one` needs `own_ns` first: what others do meanwhile, by what waits there and what has come lately.
void EdgeSlots::look_at_others(const Ask& one, double own_ns, TimePoint now) {
  const LaneId mine{one.model, one.priority};
  const auto next_start = [this](LaneId id) {
    const Lane& lane = lane_of(id);
    return lane.waiting.empty() ? std::max(lane.start, virtual_time_[rank(id.priority)]) : lane.start;
  };
  const double start = next_start(mine) + own_ns / models_[one.model].share;
  others_.clear();
  for (const LaneId& id : known_lanes_) {
    if (id == mine || id.priority < one.priority) continue;
    const Model& model = models_[id.model];
    const double backlog = backlog_ns(id), rate = lane_of(id).usage.rate(now);
    if (backlog <= 0 && rate <= 0) continue;
    double most = std::numeric_limits<double>::infinity();
    if (id.priority == one.priority) {  // its passes that begin no later in virtual time
      const std::size_t size = std::clamp<std::size_t>(lane_of(id).waiting.size(), 1, model.batch_max);
      const double pass = ns(model.times.usual(size)), lead = start - next_start(id);
      if (lead < 0) continue;
      most = pass > 0 ? (std::floor(lead * model.share / pass) + 1) * pass : 0;
    }
    others_.push_back({backlog, rate, most});
  }
}

/// The time t at which the slots have done what is before `one`: slots * t = running + own + what others do until t.
/// The right side is concave in t, so Newton's method from above ends there. When `one` begins, the other slots are on
/// average in the middle of a pass.
Duration EdgeSlots::wait(const Ask& one, TimePoint now) {
  if (!free_.empty()) return {};
  const auto slots = static_cast<double>(passes_.size());
  Duration soonest = Duration::max(), running{};
  for (const Pass& pass : passes_) {
    const Duration left = std::max(Duration{}, pass.began + pass.expected - now);
    soonest = std::min(soonest, left);
    running += left;
  }
  const Model& model = models_[one.model];
  const double full_pass = ns(model.times.usual(model.batch_max));
  const double own = static_cast<double>(ahead_of(one) / model.batch_max) * full_pass;
  look_at_others(one, own, now);
  double t = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 8; ++round) {
    double work = ns(running) + own - (slots - 1) * ns(model.times.usual(1)) / 2, rate = 0;
    for (const Other& other : others_) {
      const bool bounded = std::isfinite(other.most) && other.backlog + other.rate * t >= other.most;
      work += bounded ? other.most : other.backlog;
      rate += bounded ? 0 : other.rate;
    }
    const double before = std::exchange(t, work / std::max(slots - rate, slots / 10));
    if (t >= before) break;
  }
  return std::max(soonest, Duration(std::llround(t)));
}

bool EdgeSlots::hopeless(const Ask& one, TimePoint now) {
  const Model& model = models_[one.model];
  if (!free_.empty() || model.times.forecast().samples() < kSamplesToRefuse) return false;
  // Those behind it will fill its pass, as full as passes have been.
  const std::size_t size = model.times.largest();
  const Duration waits = wait(one, now), takes = model.times.usual(size);
  // 1.28 standard deviations of a sum of so many passes (each 1.25 mean deviations), and of where in theirs the other
  // slots are.
  const double passes = 1 + ns(waits) / std::max(1.0, ns(takes)), slots = static_cast<double>(passes_.size());
  const double deviation = 1.25 * ns(model.times.at_most(size) - takes) / 4, pass = ns(model.times.usual(1));
  const double spread =
      1.28 * std::sqrt(deviation * deviation * passes + pass * pass * (slots - 1) / (12 * slots * slots));
  return now + waits + takes + Duration(std::llround(spread)) > one.deadline;
}

}  // namespace hearth::scheduler
