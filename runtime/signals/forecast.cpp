#include "runtime/signals/forecast.h"

#include <algorithm>
#include <cmath>

namespace hearth::signals {

void Forecast::observe(Duration latency, TimePoint now, bool first) {
  if (!fresh(now)) recent_.fade_to(0);
  recent_.observe(latency);
  if (first) lasting_.observe(latency);
  observed_ = true;
  last_ = now;
}

Forecast::InTime Forecast::in_time(Duration room) const {
  const double prior = std::max(0.0f, kPriorSamples - lasting_.weight());
  const double samples = prior + double{recent_.weight()};
  const double expected_in_time = room >= expected_ + expected_ / 2 ? prior : 0;
  const double in_time = std::min(samples, double{recent_.weight_up_to(room)} + expected_in_time);
  const double smoothed = (in_time + 0.5) / (samples + 1);
  return {samples > 0 ? in_time / samples : 0, std::sqrt(smoothed * (1 - smoothed) / (samples + 2))};
}

Duration Forecast::tail(double q) const {
  return lasting_.weight() * static_cast<float>(1 - q) >= 1 && lasting_.weight() >= 20 ? lasting_.quantile(q)
                                                                                       : Duration{};
}

void Forecast::start_from(const QuantileSketch& profile) {
  QuantileSketch known = profile;
  known.fade_to(kProfileSamples);
  recent_.merge(known);
  lasting_.merge(known);
}

}  // namespace hearth::signals
