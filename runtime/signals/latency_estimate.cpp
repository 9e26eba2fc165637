#include "runtime/signals/latency_estimate.h"

#include <algorithm>

namespace hearth::signals {

void LatencyEstimate::observe(Duration latency, TimePoint now) {
  if (!observed_) {
    mean_ = latency;
    deviation_ = latency / 4;
  } else {
    const Duration error = latency - mean_;
    mean_ += error / 8;
    deviation_ += (std::max(error, -error) - deviation_) / 4;
  }
  observed_ = true;
  last_ = now;
}

Duration LatencyEstimate::upper(TimePoint now) const {
  const Duration learned = mean_ + 2 * deviation_;
  const auto halvings = std::min<Duration::rep>((now - last_) / kHalfLife, 62);
  return expected_ + (learned - expected_) / (Duration::rep{1} << halvings);
}

}  // namespace hearth::signals
