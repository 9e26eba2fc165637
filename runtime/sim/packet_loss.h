/// \file PacketLoss: losses that come in bursts, and what they cost.
#pragma once

#include <algorithm>
#include <cstdint>

#include <hearth/random.h>
#include <hearth/time.h>

namespace hearth::sim {

inline constexpr int kBackoffsMax = 6;  ///< TCP doubles its timeout with each loss in a row.

/// Gilbert-Elliott: two states with a loss share each, one step a packet.
struct PacketLoss {
  double enter_bad = 0;  ///< From the good state to the bad one.
  double leave_bad = 0.3;
  double loss_good = 0;  ///< Share of packets lost in the good state.
  double loss_bad = 1;
  Duration retransmit = std::chrono::milliseconds(200);  ///< Linux's smallest retransmission timeout.

  /// How much later the last of `packets` arrives: they wait for their retransmissions side by side, so the slowest
  /// one counts. `bad` is the state.
  Duration delay(std::uint64_t packets, bool& bad, RandomStream& random) const {
    Duration slowest{};
    for (std::uint64_t packet = 0; packet < packets; ++packet) {
      Duration late{};
      for (int tries = 0; tries < kBackoffsMax; ++tries) {
        bad = random.uniform() < (bad ? 1 - leave_bad : enter_bad);
        if (random.uniform() >= (bad ? loss_bad : loss_good)) break;
        late += retransmit * (1 << tries);
      }
      slowest = std::max(slowest, late);
    }
    return slowest;
  }
};

}  // namespace hearth::sim
