/// \file WithoutColumns: messages of bad files for tests that care for the line of a problem and not for its column.
#pragma once

#include <regex>
#include <string>

namespace hearth::test {

/// `file:line: what` for each line of `message` that reads `file:line:column: what`.
inline std::string without_columns(const std::string& message) {
  static const std::regex kPlace("(^|\n)([^:\n]+:[0-9]+):[0-9]+: ");
  return std::regex_replace(message, kPlace, "$1$2: ");
}

}  // namespace hearth::test
