/// \file Where the command's own files are, whatever folder it is called from; and what machine this is.
#pragma once

#include <string>

namespace hearth::tool {

/// Folder of the running program, without a trailing slash.
std::string program_folder();

/// A file that ships with hearth, as "configs/policies/demo.json": from the working directory, else from where the
/// program was installed, else from the source tree it was built in. Comes back as asked when it is nowhere.
std::string shipped_file(const std::string& relative);

/// "Intel(R) Xeon(R) CPU @ 2.20GHz".
std::string processor_name();

/// "Intel(R) Xeon(R) CPU @ 2.20GHz, 2 cores, Debian GNU/Linux 12 (bookworm)".
std::string machine_line();

}  // namespace hearth::tool
