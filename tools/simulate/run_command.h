/// \file `hearth simulate FILE`: one scenario, under one seed or several, and everything that came of it.
#pragma once

namespace hearth::simulate {

/// Returns an exit code; 1 when something left that may not leave.
int run_main(int argc, char** argv);

}  // namespace hearth::simulate
