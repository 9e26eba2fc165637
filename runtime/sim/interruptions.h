/// \file Interruptions: when nothing passes a link in either direction, though it stays connected: handovers, captive
/// portals, tunnels.
#pragma once

#include <cstdint>
#include <vector>

#include <hearth/time.h>

namespace hearth::sim {

/// Once in each `every`, at a random moment of it, the radio is without a cell. 3GPP TR 36.881 gives LTE's handover
/// about 50 ms; what fails and is set up anew takes far longer, which is what the spread is for.
struct Handovers {
  Duration every{};  ///< 0: none.
  Duration gap_median = std::chrono::milliseconds(50);
  double gap_sigma = 0.5;  ///< Of the logarithm. No gap is longer than half of `every`.
};

/// From `at` on nothing passes for so long.
struct Outage {
  Duration at{};
  Duration length{};
};

/// The n-th handover is a function of the seed and n alone. Threads: one owner.
class Interruptions {
 public:
  struct Window {
    TimePoint begin = TimePoint::max();
    TimePoint end = TimePoint::max();
  };

  /// `outages` must outlive it.
  Interruptions(const Handovers& handovers, const std::vector<Outage>& outages, std::uint64_t seed)
      : handovers_(handovers),
        outages_(outages),
        seed_(seed),
        never_(handovers.every <= Duration{} && outages.empty()) {}

  bool never() const { return never_; }
  /// Of the windows that end after `moment`, the one that begins first; one at the end of time when there is none.
  Window next(TimePoint moment) const {
    if (never_) return {};
    if (moment < known_from_ || moment >= known_.end) {
      known_ = find(moment);
      known_from_ = moment;
    }
    return known_;
  }

 private:
  Window find(TimePoint moment) const;
  Window handover(std::uint64_t n) const;

  Handovers handovers_;
  const std::vector<Outage>& outages_;
  std::uint64_t seed_;
  bool never_;
  mutable Window known_{TimePoint{}, TimePoint{}};  ///< The answer to moments from known_from_ up to its end.
  mutable TimePoint known_from_{};
};

}  // namespace hearth::sim
