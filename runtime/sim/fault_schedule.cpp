#include "runtime/sim/fault_schedule.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "runtime/base/portable_math.h"

namespace hearth::sim {
namespace {

using enum FaultKind;

constexpr double kDelayNsMax = 1e6 * kFaultMsMax;

Duration scaled(Duration delay, double factor) {
  return Duration(
      static_cast<Duration::rep>(std::clamp(static_cast<double>(delay.count()) * factor, 0.0, kDelayNsMax)));
}

bool covers(Direction spec, Direction asked) { return spec == Direction::kBoth || spec == asked; }

}  // namespace

bool is_active(const FaultSpec& spec, Duration at, Duration* into) {
  if (at < spec.at) return false;
  Duration offset = at - spec.at;
  if (spec.every > Duration{}) offset %= spec.every;
  if (into != nullptr) *into = offset;
  return offset < spec.length;
}

FaultSchedule::FaultSchedule(FaultTimeline timeline) : timeline_(std::move(timeline)) {
  for (std::size_t i = 0; i < timeline_.faults.size(); ++i) {
    const std::string name = "fault." + std::to_string(i);
    states_.push_back({.gate = RandomStream(timeline_.seed, name + ".gate"),
                       .values = RandomStream(timeline_.seed, name + ".values"),
                       .queue = {},
                       .last = {}});
    states_.back().tokens = static_cast<double>(timeline_.faults[i].burst);
  }
  hits_.resize(states_.size());
}

bool FaultSchedule::hit(std::size_t entry, Duration at) {
  const FaultSpec& spec = timeline_.faults[entry];
  State& state = states_[entry];
  if (!is_active(spec, at)) return false;
  if (++state.seen <= spec.after) return false;
  if (spec.times != 0 && hits_[entry] >= spec.times) return false;
  return spec.probability >= 1 || state.gate.uniform() < spec.probability;
}

std::optional<FaultSpec> FaultSchedule::on_connect(Duration at) {
  std::optional<FaultSpec> found;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const FaultSpec& spec = timeline_.faults[i];
    if (facts_of(spec.kind).stage != FaultStage::kConnect || !hit(i, at) || found) continue;
    ++hits_[i];
    found = spec;
  }
  return found;
}

FaultDecision FaultSchedule::on_request(Duration at, bool infer) {
  FaultDecision decision;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const FaultSpec& spec = timeline_.faults[i];
    const FaultStage stage = facts_of(spec.kind).stage;
    if (stage != FaultStage::kLoad && stage != FaultStage::kRequest && stage != FaultStage::kReply) continue;
    if ((spec.route == FaultRoute::kInfer && !infer) || !hit(i, at)) continue;
    if (stage == FaultStage::kLoad) {
      load(i, at, decision);
    } else if (!decision.fault) {
      ++hits_[i];
      decision.fault = spec;
    }
  }
  return decision;
}

bool FaultSchedule::refuses(Duration at) const {
  return std::any_of(timeline_.faults.begin(), timeline_.faults.end(),
                     [&](const FaultSpec& spec) { return spec.kind == kRefuse && is_active(spec, at); });
}

bool FaultSchedule::fails_look_up(Duration at) const {
  return std::any_of(timeline_.faults.begin(), timeline_.faults.end(),
                     [&](const FaultSpec& spec) { return spec.kind == kDnsFailure && is_active(spec, at); });
}

std::uint64_t FaultSchedule::address(Duration at) const {
  std::uint64_t changes = 0;
  for (const FaultSpec& spec : timeline_.faults) {
    if (spec.kind != kAddressChange || at < spec.at) continue;
    changes += 1 + (spec.every > Duration{} ? static_cast<std::uint64_t>((at - spec.at) / spec.every) : 0);
  }
  return changes;
}

std::optional<Duration> FaultSchedule::cut_until(Duration at, Direction direction) const {
  std::optional<Duration> until;
  for (const FaultSpec& spec : timeline_.faults) {
    Duration into{};
    if (spec.kind != kPartition || !covers(spec.direction, direction) || !is_active(spec, at, &into)) continue;
    const Duration end = spec.length == kForever ? kForever : at - into + spec.length;
    until = std::max(until.value_or(end), end);
  }
  return until;
}

void FaultSchedule::load(std::size_t entry, Duration at, FaultDecision& decision) {
  const FaultSpec& spec = timeline_.faults[entry];
  State& state = states_[entry];
  const auto refuse = [&](int status, std::string retry_after) {
    if (decision.fault) return;
    decision.fault = FaultSpec{};
    decision.fault->kind = kStatus;
    decision.fault->status = status;
    decision.fault->has_retry_after = !retry_after.empty();
    decision.fault->retry_after = std::move(retry_after);
  };
  ++hits_[entry];
  Duration into{};
  switch (spec.kind) {
    case kLatency:
      decision.wait += draw(spec, state);
      break;
    case kLoss:
      decision.wait += PacketLoss{spec.enter_bad, spec.leave_bad, spec.loss_good, spec.loss_bad, spec.delay}.delay(
          spec.packets, state.bad, state.values);
      break;
    case kQueue:
      if (!queue(spec, state, at, decision.wait)) refuse(503, "");
      break;
    case kColdStart:
      decision.wait += cold_start(spec, state, at);
      break;
    case kDegraded:
      decision.slow_factor *= spec.factor;
      break;
    case kRateLimit:
      if (!take_token(spec, state, at)) {
        refuse(429, std::to_string(static_cast<long>(std::ceil((1 - state.tokens) / spec.per_s))));
      }
      break;
    case kBrownOut:
      is_active(spec, at, &into);
      decision.wait += scaled(spec.delay, static_cast<double>(into.count()) / static_cast<double>(spec.length.count()));
      break;
    default:
      break;
  }
}

Duration FaultSchedule::draw(const FaultSpec& spec, State& state) {
  const auto jitter = static_cast<double>(spec.jitter.count());
  const auto base = static_cast<double>(spec.delay.count());
  const auto clamped = [](double ns) { return Duration(static_cast<Duration::rep>(std::clamp(ns, 0.0, kDelayNsMax))); };
  switch (spec.spread) {
    case Spread::kConstant:
      return spec.delay;
    case Spread::kUniform:
      return clamped(base + jitter * (2 * state.values.uniform() - 1));
    case Spread::kNormal:
      return clamped(base + jitter * state.values.normal());
    case Spread::kLognormal:
      return base > 0 ? clamped(state.values.lognormal(base, spec.sigma)) : Duration{};
    case Spread::kPareto:  // The inverse of its distribution function: x_min * U^(-1/alpha).
      return clamped(base * portable_exp(state.values.exponential(1 / spec.alpha)));
    case Spread::kTrace:
      return spec.trace[state.traced++ % spec.trace.size()];
  }
  return {};
}

/// False: no room.
bool FaultSchedule::queue(const FaultSpec& spec, State& state, Duration at, Duration& wait) {
  const auto service = [&](std::size_t waiting) {
    return scaled(draw(spec, state), 1 + spec.growth * static_cast<double>(waiting));
  };
  const auto takes = state.queue.serve(at, spec.servers, spec.queue_max, service);
  if (takes) wait += *takes;
  return takes.has_value();
}

Duration FaultSchedule::cold_start(const FaultSpec& spec, State& state, Duration at) {
  const bool cold = !state.last || (spec.idle > Duration{} && at - *state.last > spec.idle);
  if (cold) state.warm_at = at + spec.delay;
  state.last = std::max(at, state.warm_at);
  return std::max(state.warm_at - at, Duration{});
}

bool FaultSchedule::take_token(const FaultSpec& spec, State& state, Duration at) {
  const double earned = static_cast<double>((at - state.filled_at).count()) * 1e-9 * spec.per_s;
  state.tokens = std::min(static_cast<double>(spec.burst), state.tokens + std::max(earned, 0.0));
  state.filled_at = at;
  if (state.tokens < 1) return false;
  state.tokens -= 1;
  return true;
}

}  // namespace hearth::sim
