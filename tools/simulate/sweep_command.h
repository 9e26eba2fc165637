/// \file `hearth simulate sweep`: a scenario with some of its keys set to every combination of values.
#pragma once

namespace hearth::simulate {

/// Returns an exit code; 1 when something left that may not leave.
int sweep_main(int argc, char** argv);

}  // namespace hearth::simulate
