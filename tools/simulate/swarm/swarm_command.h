/// \file `hearth simulate swarm`: worlds drawn from seeds and judged; one that fails is made small and kept as a file.
#pragma once

#include "tools/simulate/swarm/swarm.h"

namespace hearth::simulate {

/// Returns an exit code: 0 no guarantee was broken, 1 one was.
int swarm_main(int argc, char** argv);
/// The same with another way to run a world.
int swarm_main(int argc, char** argv, const RunWorld& run);

}  // namespace hearth::simulate
