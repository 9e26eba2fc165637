/// \file Reach: which kinds of fault, reasons, plans, acts and errors a world's story came to.
#pragma once

#include <bitset>
#include <cstddef>
#include <span>
#include <string>

#include "tools/simulate/swarm/story.h"

namespace hearth::simulate {

inline constexpr std::size_t kThingsMax = 128;
using Reach = std::bitset<kThingsMax>;

/// One that can be reached: `"fault"` and `"refuse"`.
struct Thing {
  std::string kind;
  std::string name;
};

/// All of them; a Reach's bits stand in this order.
std::span<const Thing> all_things();

/// A fault counts as reached when an attempt at its endpoint was under way while it was active.
Reach reach_of(const SwarmWorld& world, const Story& story);

}  // namespace hearth::simulate
