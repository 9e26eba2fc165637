/// \file Plan: how a request is to be answered, and what an answer is worth.
#pragma once

#include <cstdint>

namespace hearth {

/// Carried out inside the mask: without the edge only the cloud is left, without the cloud only the edge.
enum class PlanKind : std::uint8_t {
  kEdge,       ///< The local model. The cloud only when it fails.
  kCloud,      ///< The cloud. The local model when that fails or would be late.
  kCascade,    ///< The local model first; the cloud when it is not confident.
  kSafetyNet,  ///< Both at once: the cloud's answer when it is in time, else the local one.
  kHedge,      ///< The cloud, and once more when an answer is late; the first valid answer wins.
  kReject,
};

const char* name_of(PlanKind plan);

/// What the policy weighs, in units of one right answer: an answer that is right is worth `quality`, a US cent `cost`,
/// a joule `energy`. A cloud attempt that only betters an answer is made when it is worth more than it costs, and goes
/// where it is worth most (docs/scheduling.md has the formula).
struct Objective {
  double quality = 1;
  double cost = 0;
  double energy = 0;

  bool operator==(const Objective&) const = default;
};

}  // namespace hearth
