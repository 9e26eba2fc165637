#include "runtime/sim/cloud.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/sim/device.h"

namespace hearth::sim {
namespace {

constexpr std::uint64_t kDrawsEach = 4;  ///< Of a named request: room for what a later model may draw.

FaultTimeline seeded(FaultTimeline timeline, std::uint64_t seed, const std::string& name) {
  timeline.seed = RandomStream(timeline.seed ^ seed, "faults of " + name).next();
  return timeline;
}

}  // namespace

Cloud::Cloud(const std::string& name, CloudModel model, std::uint64_t seed)
    : faults(seeded(model.faults, seed, name)),
      model_(std::move(model)),
      service_(seed, "service times of " + name),
      named_(seed, "named service times of " + name),
      servers_(model_.server.servers) {}

Duration Cloud::service_time(double slow_factor, RandomStream& stream) const {
  if (model_.server.service_quantiles.size() > 1) {
    const Duration measured = draw_of(model_.server.service_quantiles, stream);
    return Duration(static_cast<Duration::rep>(static_cast<double>(measured.count()) * slow_factor));
  }
  const auto median = static_cast<double>(model_.server.service_median.count());
  const double sigma = model_.server.service_sigma;
  const double drawn = median > 0 && sigma > 0 ? stream.lognormal(median, sigma) : median;
  return Duration(static_cast<Duration::rep>(drawn * slow_factor));
}

std::optional<Cloud::Service> Cloud::serve(Duration at, double slow_factor, std::uint64_t draw) {
  if (model_.autoscale.servers_max > 0) scale(at);
  if (draw > 0) named_.seek(draw * kDrawsEach);
  Duration takes{};
  const auto whole = queue_.serve(at, servers_, model_.server.queue_max, [&](std::size_t) {
    return takes = service_time(slow_factor, draw > 0 ? named_ : service_);
  });
  if (!whole) return {};
  busy_ += takes;
  return Service{*whole - takes, takes};
}

Cloud::Service Cloud::foresee(Duration at, std::uint64_t draw) const {
  RandomStream stream = named_;
  stream.seek(draw * kDrawsEach);
  return {queue_.wait(at, servers_), service_time(1, stream)};
}

double Cloud::price_factor(Duration at) const {
  double factor = 1;
  for (const auto& step : model_.prices)
    if (step.at <= at) factor = step.factor;
  return factor;
}

void Cloud::scale(Duration at) {
  const Autoscale& rule = model_.autoscale;
  if (starting_ && at >= starting_->ready) servers_ = std::exchange(starting_, std::nullopt)->servers;
  if (at - scaled_at_ < rule.every) return;
  const double busy = static_cast<double>(busy_.count()) / static_cast<double>((at - scaled_at_).count());
  const auto wanted = std::clamp(static_cast<std::size_t>(std::ceil(busy / rule.target_busy)), model_.server.servers,
                                 std::max(rule.servers_max, model_.server.servers));
  scaled_at_ = at;
  busy_ = {};
  if (wanted < servers_) servers_ = wanted;
  starting_ = wanted > servers_ ? std::optional(Starting{at + rule.start, wanted}) : std::nullopt;
}

}  // namespace hearth::sim
