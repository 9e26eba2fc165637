/// \file `hearth calibrate cascade`: from labelled answers to the threshold that a policy names.
#pragma once

namespace hearth::tool {

/// argv[0] is "calibrate". Returns an exit code: 0 written, 1 the target needs more of the cloud than
/// --cloud-share-max, 2 bad input, 3 failed.
int calibrate_main(int argc, char** argv);

}  // namespace hearth::tool
