/// \file Shrink: a world that breaks a guarantee made small: what is not needed for the same breach goes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tools/simulate/swarm/world.h"

namespace hearth::simulate {

/// What a world breaks, a line each; the first part of judging it.
using JudgeWorld = std::function<std::vector<std::string>(const SwarmWorld&)>;

struct Shrunk {
  SwarmWorld world;
  std::string broken;    ///< Its first line of that breach.
  std::size_t runs = 0;  ///< Worlds that were tried.
};

/// The guarantee and the words of a line without its numbers: equal ones are the same breach.
std::string breach_of(const std::string& line);

/// Smaller and smaller worlds that still break what `line`, one of the judge's for `world`, says: less time, no
/// recovery, fewer requests, acts, endpoints and faults (delta debugging: Zeller, Hildebrandt, "Simplifying and
/// isolating failure-inducing input", TSE 2002), then plainer values. Ends when nothing more can go, or after
/// `runs_max` worlds.
Shrunk shrink(const SwarmWorld& world, const std::string& line, const JudgeWorld& judge, std::size_t runs_max);

}  // namespace hearth::simulate
