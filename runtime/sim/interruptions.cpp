#include "runtime/sim/interruptions.h"

#include <algorithm>

#include <hearth/random.h>

namespace hearth::sim {

Interruptions::Window Interruptions::handover(std::uint64_t n) const {
  RandomStream draws(seed_ + n, "handover");
  const auto every = static_cast<double>(handovers_.every.count());
  const double at = draws.uniform() * every;
  const double gap = draws.lognormal(static_cast<double>(handovers_.gap_median.count()), handovers_.gap_sigma);
  const TimePoint begin(handovers_.every * static_cast<Duration::rep>(n) + Duration(static_cast<Duration::rep>(at)));
  return {begin, begin + Duration(static_cast<Duration::rep>(std::min(gap, every / 2)))};
}

Interruptions::Window Interruptions::find(TimePoint moment) const {
  Window first;
  const auto consider = [&](const Window& window) {
    if (window.end > moment && window.begin < first.begin) first = window;
  };
  if (handovers_.every > Duration{}) {
    const auto n = static_cast<std::uint64_t>(moment.time_since_epoch() / handovers_.every);
    if (n > 0) consider(handover(n - 1));  // it may last into this one's time
    consider(handover(n));
    consider(handover(n + 1));
  }
  for (const Outage& outage : outages_) consider({TimePoint(outage.at), TimePoint(outage.at + outage.length)});
  return first;
}

}  // namespace hearth::sim
