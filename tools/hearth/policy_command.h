/// \file `hearth policy`: check, test, explain, compare and prove policy files.
#pragma once

namespace hearth::tool {

/// argv[0] is "policy". Answers on standard output, problems on standard error, a line each. Returns an exit code: 0 it
/// holds, 1 it does not (a lint, a failed test, a difference, a refuted or undecided property), 2 bad input, 3 failed.
int policy_main(int argc, char** argv);

}  // namespace hearth::tool
