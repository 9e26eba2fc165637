/// \file `hearth simulate`: policies tried on simulated worlds.
#pragma once

namespace hearth::simulate {

/// Hands the rest of the line to the subcommand that was asked for. Returns an exit code.
int simulate_main(int argc, char** argv);

}  // namespace hearth::simulate
