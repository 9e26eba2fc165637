/// \file Swarm: many worlds judged side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/simulate/swarm/reach.h"
#include "tools/simulate/swarm/story.h"
#include "tools/simulate/swarm/world.h"

namespace hearth::simulate {

/// run_world(), or with a meddler in it.
using RunWorld = std::function<Story(const SwarmWorld&)>;

struct Judged {
  std::uint64_t seed = 0;
  std::size_t requests = 0;
  std::size_t attempts = 0;  ///< On the wire.
  std::string sha256;        ///< Of the story.
  Reach reached;
  std::vector<std::string> broken;  ///< The judge's lines; a world that throws breaks a guarantee too.
};

Judged judge_world(const SwarmWorld& world, const RunWorld& run);

struct Seeds {
  std::uint64_t from = 1;
  std::uint64_t count = 1;
};

/// The worlds of `seeds`, `jobs` at a time, in the order of the seeds: nothing depends on how many run side by side.
/// `progress` is told now and then, on this thread, how many are done and how many of them broke a guarantee.
/// When a world aborts the program, its seed goes to standard error first.
std::vector<Judged> judge_seeds(Seeds seeds, unsigned jobs, const RunWorld& run,
                                const std::function<void(std::size_t done, std::size_t broken)>& progress = {});

}  // namespace hearth::simulate
