#include "tools/simulate/timeline.h"

namespace hearth::simulate {

Placed placed(const Record& record) {
  if (record.status != OutcomeStatus::kServed) return Placed::kNotServed;
  if (record.answered_by != kEdgeSite) return Placed::kCloud;
  switch (record.reason) {
    case Reason::kNoRoom:
    case Reason::kCloudUnhealthy:
    case Reason::kCloudFailed:
      return Placed::kFellBack;
    default:
      return record.mask.has_cloud() ? Placed::kLocal : Placed::kAtHome;
  }
}

Timeline::Timeline(Duration length)
    : length_(length),
      bin_length_(std::max(Duration(1), (length + Duration(kBins - 1)) / static_cast<Duration::rep>(kBins))),
      bins_(kBins) {}

void Timeline::take(const Record& record) {
  const Duration came = record.arrived.time_since_epoch(), ended = came + record.latency;
  auto index = std::min(static_cast<std::size_t>(came / bin_length_), kBins - 1);
  ++bins_[index].came[static_cast<std::size_t>(placed(record))];
  if (record.status == OutcomeStatus::kServed) bins_[index].latency.observe(record.latency);
  Duration begin = bin_length_ * static_cast<Duration::rep>(index);
  for (; index < kBins && begin < ended; ++index, begin += bin_length_)
    bins_[index].in_flight += std::min(ended, begin + bin_length_) - std::max(came, begin);
}

}  // namespace hearth::simulate
