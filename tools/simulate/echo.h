/// \file Echo: every value that a scenario settles, and where it came from.
#pragma once

#include <string>
#include <vector>

namespace hearth::simulate {

struct EchoLine {
  std::string path;   ///< JSON pointer of the key.
  std::string value;  ///< As JSON.
  std::string from;   ///< "file:line:column", or "default".
};

/// In the order in which the keys were read.
using Echo = std::vector<EchoLine>;

}  // namespace hearth::simulate
