/// \file Plain text: UTF-8 checked strictly, look-alikes folded to ASCII, so that patterns see what a reader sees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::privacy {

/// A folded text that remembers where each of its bytes came from.
struct PlainText {
  struct Shift {
    std::size_t plain;
    std::size_t original;
  };
  std::string text;
  std::vector<Shift> shifts;  ///< Ascending; between two, both texts advance alike. Begins with {0, 0}.

  /// The byte of the original where byte `at` of `text` comes from. Logarithmic in the number of shifts.
  std::size_t origin(std::size_t at) const;
};

/// Whether folding changes nothing: ASCII without control characters other than white space.
bool is_plain(std::string_view text);

/// Nothing when `text` is not UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF). Invisible
/// characters, control characters and combining marks (Latin's) are dropped; digits of any script, full-width and
/// mathematical letters, odd spaces, dots, dashes and quotes become ASCII. Cyrillic and Greek letters that look Latin
/// do so only in a word that mixes scripts or holds digits, so that real Russian and Greek stay as they are.
std::optional<PlainText> fold(std::string_view text);

/// fold() without the way back.
std::optional<std::string> to_plain_text(std::string_view text);

/// Length of the well-formed UTF-8 sequence at the front of a text that is not empty, 0 for none.
std::size_t decode_utf8(std::string_view text, std::uint32_t& point);

/// Letters and digits of any script; wrong only for rare symbols, which count as letters.
bool is_word_point(std::uint32_t point);

}  // namespace hearth::privacy
