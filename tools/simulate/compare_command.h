/// \file `hearth simulate compare`: which of several policies is better in a scenario, by how much, and how sure that
/// is.
#pragma once

namespace hearth::simulate {

/// Returns an exit code; 0 whatever the verdicts are.
int compare_main(int argc, char** argv);

}  // namespace hearth::simulate
