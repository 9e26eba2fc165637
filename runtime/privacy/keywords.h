/// \file Keywords: the words that say what the number or value next to them is.
#pragma once

#include <cstddef>
#include <string_view>

#include "runtime/privacy/lexer.h"

namespace hearth::privacy {

inline constexpr std::size_t kKeywordMax = 15;  ///< Letters.

struct WordKind {
  bool is_topic = false;
  bool is_filler = false;  ///< May stand between a phone keyword and its number: "call me at".
  Topic topic = Topic::kCount;
};

/// What the run of ASCII letters [begin, end) of `text`, at most kKeywordMax, is; looks at its neighbours for phrases.
WordKind kind_of(std::string_view text, std::size_t begin, std::size_t end);

}  // namespace hearth::privacy
