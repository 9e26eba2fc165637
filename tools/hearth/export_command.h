/// \file `hearth export triton`: a pair's cloud half as a Triton model repository, with a KServe manifest.
#pragma once

namespace hearth::tool {

/// argv[0] is "export". Returns an exit code: 0 written, 2 bad input or a folder that is there already, 3 failed.
/// Written whole or not at all.
int export_main(int argc, char** argv);

}  // namespace hearth::tool
