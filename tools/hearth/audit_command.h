/// \file `hearth audit`: checks an audit log, signs its head, and answers questions from it.
#pragma once

namespace hearth::tool {

/// `argv[0]` is "audit". Exit codes as exit_codes.h.
int audit_main(int argc, char** argv);

}  // namespace hearth::tool
