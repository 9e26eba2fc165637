/// \file PacketLoss: losses that come in bursts, and what they cost.
#pragma once

#include <algorithm>
#include <cstdint>

#include <hearth/random.h>
#include <hearth/time.h>

#include "runtime/base/portable_math.h"

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
  /// one counts. `bad` is the state. Takes time by the losses, not by the packets.
  Duration delay(std::uint64_t packets, bool& bad, RandomStream& random) const {
    Duration slowest{};
    for (int events = 0; packets > 0 && events < kEventsMax; ++events) {
      bool lost = false;
      if (bad) {
        step(bad, lost, random);
      } else {  // over all that nothing happens to, at once: their number is geometric
        const double quiet = (1 - enter_bad) * (1 - loss_good);
        if (quiet >= 1) break;
        const double over = quiet <= 0 ? 0 : portable_log(1 - random.uniform()) / portable_log(quiet);
        if (over >= static_cast<double>(packets)) break;
        packets -= static_cast<std::uint64_t>(over);
        bad = random.uniform() * (1 - quiet) < enter_bad;
        lost = !bad || random.uniform() < loss_bad;
      }
      --packets;
      Duration late{};
      for (int tries = 0; lost && tries < kBackoffsMax; ++tries) {
        late += retransmit * (1 << tries);
        step(bad, lost, random);
      }
      slowest = std::max(slowest, late);
    }
    return slowest;
  }

 private:
  static constexpr int kEventsMax = 1000;  ///< A message that loses so many packets has met the worst.

  void step(bool& bad, bool& lost, RandomStream& random) const {
    bad = random.uniform() < (bad ? 1 - leave_bad : enter_bad);
    lost = random.uniform() < (bad ? loss_bad : loss_good);
  }
};

}  // namespace hearth::sim
