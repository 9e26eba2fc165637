/// \file Dates: days of the calendar in the forms that people write.
#pragma once

#include <cstddef>

#include "runtime/privacy/lexer.h"

namespace hearth::privacy {

struct Date {
  std::size_t begin = 0;
  std::size_t end = 0;   ///< 0: none.
  std::size_t next = 0;  ///< The group behind it.
  bool sure = false;     ///< A date even where nothing announces one: with dots, dashes or slashes and a full year.
};

/// False for most groups: that a date begins here that nothing announces.
inline bool may_be_date(const Marks& marks, std::size_t i) {
  return i + 3 < marks.groups.size() && (marks.groups[i].size() == 4 || marks.groups[i + 2].size() == 4);
}

/// The date that begins with group `i` (or with the month before it). `announced`: also 3/4/85, 19850304, March 3,
/// 1985, 3 March, 3. Mai 1985.
Date date_at(const Marks& marks, std::size_t i, bool announced);

}  // namespace hearth::privacy
