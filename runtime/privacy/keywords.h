/// \file Keywords: the words that say what the number or value next to them is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/privacy/lexer.h"

namespace hearth::privacy {

inline constexpr std::size_t kKeywordMax = 15;  ///< Letters.

struct WordKind {
  bool is_topic = false;
  bool is_filler = false;  ///< May stand between a phone keyword and its number: "call me at".
  Topic topic = Topic::kCount;
};

/// By the first letter of a topic's words: which lengths they have (bit n), and which second letters (bit 16 + n).
extern const std::array<std::uint64_t, 26> kTopicWords;

/// False for most words: that the run of ASCII letters [begin, end) is no topic, whatever stands next to it.
inline bool may_be_topic(std::string_view text, std::size_t begin, std::size_t end) {
  const auto letter = [&](std::size_t at) { return static_cast<std::size_t>((text[at] | 0x20) - 'a'); };
  const std::uint64_t words = kTopicWords[letter(begin)];
  return (words >> (end - begin) & words >> (16 + letter(end - begin > 1 ? begin + 1 : begin)) & 1u) != 0;
}

/// What the run of ASCII letters [begin, end) of `text`, at most kKeywordMax, is; looks at its neighbours for phrases.
WordKind kind_of(std::string_view text, std::size_t begin, std::size_t end);

}  // namespace hearth::privacy
