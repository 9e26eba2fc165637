#include "runtime/signals/forecasts.h"

#include <algorithm>

namespace hearth::signals {

std::size_t Forecasts::size_of(std::uint64_t bytes) {
  const auto end = kSizeBytes.end() - 1;  // the last takes all that is larger
  return static_cast<std::size_t>(std::find_if(kSizeBytes.begin(), end, [&](auto most) { return bytes <= most; }) -
                                  kSizeBytes.begin());
}

Forecast& Forecasts::of(std::size_t model, std::uint64_t bytes) {
  if (models_.size() <= model) models_.resize(model + 1);
  auto& forecast = models_[model][size_of(bytes)];
  if (!forecast) forecast = std::make_unique<Forecast>(expected_);
  return *forecast;
}

void Forecasts::observe(std::size_t model, std::uint64_t bytes, Duration latency, TimePoint now, bool first) {
  of(model, bytes).observe(latency, now, first);
  link_.observe(bytes, latency);
}

Forecasts::Nearest Forecasts::nearest(std::size_t model, std::uint64_t bytes) const {
  if (models_.size() <= model) return {unknown_, {}};
  const std::size_t size = size_of(bytes);
  for (std::size_t away = 0; away < kSizes; ++away) {
    for (const std::size_t at : {size - away, size + away}) {  // the smaller one first; below zero it wraps
      if (at >= kSizes || !models_[model][at]) continue;
      if (away == 0) return {*models_[model][at], {}};
      return {*models_[model][at],
              link_.cost_of(static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(kSizeBytes[at]))};
    }
  }
  return {unknown_, {}};
}

const QuantileSketch* Forecasts::lasting(std::size_t model, std::size_t size) const {
  const bool seen = model < models_.size() && models_[model][size] && models_[model][size]->samples() > 0;
  return seen ? &models_[model][size]->lasting() : nullptr;
}

bool Forecasts::fresh(std::size_t model, std::uint64_t bytes, TimePoint now) const {
  return nearest(model, bytes).forecast.fresh(now);
}

Forecast::InTime Forecasts::in_time(std::size_t model, std::uint64_t bytes, Duration room) const {
  const auto [forecast, moved_by] = nearest(model, bytes);
  return forecast.in_time(room - moved_by);
}

Duration Forecasts::median(std::size_t model, std::uint64_t bytes) const {
  const auto [forecast, moved_by] = nearest(model, bytes);
  return std::max(Duration(1), forecast.median() + moved_by);
}

Duration Forecasts::tail(std::size_t model, std::uint64_t bytes, double q) const {
  const auto [forecast, moved_by] = nearest(model, bytes);
  return moved_by == Duration{} ? forecast.tail(q) : Duration{};
}

}  // namespace hearth::signals
