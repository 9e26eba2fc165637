#include "runtime/sim/device.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/portable_math.h"

namespace hearth::sim {
namespace {

constexpr double kJoulesPerWh = 3600;

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

template <class Value>
Value value_at(const std::vector<Step<Value>>& steps, TimePoint now) {
  Value value = steps.front().value;
  for (const auto& step : steps)
    if (step.at <= now.time_since_epoch()) value = step.value;
  return value;
}

}  // namespace

Duration draw_of(const std::vector<Duration>& quantiles, RandomStream& stream) {
  const double at = stream.uniform() * static_cast<double>(quantiles.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const Duration step = quantiles[low + 1] - quantiles[low];
  return quantiles[low] +
         Duration(static_cast<Duration::rep>(static_cast<double>(step.count()) * (at - std::floor(at))));
}

Duration TimeModel::draw(RandomStream& stream) const {
  if (quantiles.size() > 1) return draw_of(quantiles, stream);
  if (sigma <= 0 || median <= Duration{}) return median;
  return Duration(static_cast<Duration::rep>(stream.lognormal(static_cast<double>(median.count()), sigma)));
}

Answer PairModel::answer(std::uint64_t sample, std::uint64_t seed) const {
  if (answers && !answers->empty()) return (*answers)[sample % answers->size()];
  constexpr std::uint64_t kDraws = 3;
  RandomStream draw(seed, "answers");
  draw.seek(sample * kDraws);
  // 1 - c is (1 - accuracy) times a variable of mean 1 with most of its mass near 0, (k + 1) u^k with u uniform: what
  // small classifiers show, most answers sure and a few not at all. k: as steep as leaves c above 0.
  constexpr double kSteepest = 6;
  const double steep = std::floor(std::min(kSteepest, edge_accuracy / std::max(1e-9, 1 - edge_accuracy)));
  const double u = draw.uniform();
  double power = 1;
  for (double k = 0; k < steep; ++k) power *= u;
  const double confidence = std::max(0.0, 1 - (1 - edge_accuracy) * (steep + 1) * power);
  Answer answer;
  answer.confidence = static_cast<float>(confidence);
  answer.edge_correct = draw.uniform() < confidence;
  answer.cloud_correct = draw.uniform() < cloud_accuracy;
  return answer;
}

Body::Body(const DeviceModel& model, std::size_t slots, double edge_watts, std::uint64_t seed)
    : model_(model),
      slots_(static_cast<double>(slots)),
      edge_watts_(edge_watts),
      records_(seed, "record times"),
      background_(seed, "background load"),
      stored_joules_(model.battery.capacity_wh * kJoulesPerWh * model.battery.start_percent / 100) {
  known_ = read(TimePoint{});
}

/// By what ran since the last time, at the supply of that moment.
void Body::drain(TimePoint now) {
  const Battery& battery = model_.battery;
  const double supply = value_at(model_.charging, drained_at_) ? battery.charge_watts : 0;
  const double load = battery.idle_watts + edge_watts_ * static_cast<double>(passes_);
  stored_joules_ += (supply - load) * seconds_of(now - drained_at_);
  stored_joules_ = std::clamp(stored_joules_, 0.0, battery.capacity_wh * kJoulesPerWh);
  drained_at_ = now;
}

DeviceState Body::read(TimePoint now) {
  DeviceState state;
  state.network = value_at(model_.network, now);
  if (model_.battery.capacity_wh > 0) {
    drain(now);
    state.battery_percent = 100 * stored_joules_ / (model_.battery.capacity_wh * kJoulesPerWh);
    state.charging = value_at(model_.charging, now);
  }
  return state;
}

void Body::look_when_old(TimePoint now) {
  if (now - known_at_ < model_.probe_every) return;
  known_at_ = now;
  known_ = read(now);
}

bool Body::online(TimePoint now) const { return value_at(model_.network, now) != NetworkKind::kOffline; }

/// Heat follows the busy share as a first-order filter does.
void Body::warm(TimePoint now) {
  const double passed = seconds_of(now - warmed_at_) / seconds_of(model_.thermal.time_constant);
  const double busy = std::min(1.0, static_cast<double>(passes_) / slots_);
  heat_ = busy + (heat_ - busy) * portable_exp(-passed);
  warmed_at_ = now;
}

double Body::slow_factor(TimePoint now) {
  double factor = 1;
  if (model_.thermal.time_constant > Duration{}) {
    warm(now);
    const double over = std::max(0.0, heat_ - model_.thermal.from) / (1 - model_.thermal.from);
    factor += over * (model_.thermal.slow_factor - 1);
  }
  const Background& background = model_.background;
  if (background.busy_share > 0) {
    const double busy_ns = static_cast<double>(background.busy_mean.count());
    const double idle_ns = busy_ns * (1 - background.busy_share) / background.busy_share;
    while (background_until_ <= now) {
      background_busy_ = !background_busy_;
      const double mean = background_busy_ ? busy_ns : idle_ns;
      background_until_ += Duration(static_cast<Duration::rep>(std::max(1.0, background_.exponential(mean))));
    }
    if (background_busy_) factor *= background.slow_factor;
  }
  return factor;
}

void Body::pass_began(TimePoint now) {
  if (model_.battery.capacity_wh > 0) drain(now);
  if (model_.thermal.time_constant > Duration{}) warm(now);
  ++passes_;
}

void Body::pass_ended(TimePoint now) {
  if (model_.battery.capacity_wh > 0) drain(now);
  if (model_.thermal.time_constant > Duration{}) warm(now);
  --passes_;
}

}  // namespace hearth::sim
