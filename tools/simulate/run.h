/// \file run: one scenario, once, with one seed.
#pragma once

#include "runtime/sim/fleet.h"
#include "tools/simulate/record.h"
#include "tools/simulate/scenario.h"

namespace hearth::simulate {

/// Every record goes to `sink`, those of the warm-up too. The wall clock is read for RunFacts::wall_s alone.
RunFacts run(const Scenario& scenario, RecordSink& sink, const sim::Progress& progress = {});

/// What the indices in its records mean.
Names names_of(const Scenario& scenario);

/// The same world with other draws.
Scenario with_seed(Scenario scenario, std::uint64_t seed);

}  // namespace hearth::simulate
