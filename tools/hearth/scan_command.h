/// \file `hearth scan` and `hearth redact`: personal data found or replaced in JSON lines.
#pragma once

namespace hearth::tool {

/// Lines `{"id", "text"}` in; `{"id", "spans": [{"start", "end", "type"}]}` out, in code points. Returns an exit code.
int scan_main(int argc, char** argv);
/// Lines `{"id", "text"}` in; the same with placeholders out. The same value has the same placeholder within one run.
int redact_main(int argc, char** argv);

}  // namespace hearth::tool
