#include "runtime/signals/latency_estimate.h"

#include <algorithm>

namespace hearth::signals {

void LatencyEstimate::observe(Duration latency, TimePoint now) {
  if (fresh(now)) {
    const Duration error = latency - mean_;
    mean_ += error / 8;
    deviation_ += (std::max(error, -error) - deviation_) / 4;
  } else {
    mean_ = latency;
    deviation_ = latency / 4;
  }
  observed_ = true;
  last_ = now;
}

}  // namespace hearth::signals
