/// \file Lexer: one pass over folded text that notes the few places where a detector has to look more closely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <vector>

namespace hearth::privacy {

/// What a keyword makes likely nearby.
enum class Topic : std::uint8_t {
  kPhone,       ///< "call", "fax": before a number, over filler words only
  kPhoneAfter,  ///< "office": right behind a number only
  kSsn,
  kMrn,
  kNpi,
  kBirth,
  kPassword,  ///< Before `=` or `:` and a value.
  kBearer,
  kKeyBlock,  ///< The BEGIN of "-----BEGIN".
  kCount
};

using Position = std::uint32_t;  ///< A byte of the text. Hostile texts are all marks, so that marks are small.
inline constexpr std::size_t kTextBytesBound = 0xffffffff;

struct Keyword {
  Position begin;
  Position end;
  Topic topic;
};

/// What stands between two groups of digits, one bit for each kind of character.
enum Between : std::uint16_t {
  kSpaceBetween = 1,
  kTabBetween = 2,
  kLineEndBetween = 4,  ///< And what else is white space.
  kDotBetween = 8,
  kDashBetween = 16,
  kSlashBetween = 32,
  kUnderscoreBetween = 64,
  kParenthesisBetween = 128,
  kOtherBetween = 256,
  kMuchBetween = 512  ///< More than three characters, or there is no next group.
};

/// A maximal run of digits. The sums are for Luhn's check over whole groups (see numbers.cpp).
struct Group {
  Position begin;
  Position end;
  std::uint32_t digits_before;           ///< Digits in the groups before it.
  std::uint16_t between = kMuchBetween;  ///< Before the next group.
  std::uint8_t luhn_before[2];           ///< Luhn sums of those, with every even or every odd digit doubled, modulo 10.
  bool phone_before;                     ///< A phone keyword stands before it, with nothing but filler words between.
  bool taken = false;                    ///< Belongs to something found already.

  std::size_t size() const { return end - begin; }
  bool only_between(unsigned marks) const { return (between & ~marks) == 0; }
};

/// All in ascending order. Space is linear in what is there, none in clean text.
struct Marks {
  Marks(std::string_view text_of, std::pmr::memory_resource* memory);

  std::string_view text;
  std::pmr::vector<Keyword> keywords;
  std::pmr::vector<Group> groups;        ///< One more at the end, empty, for the sums.
  std::pmr::vector<Position> ats;        ///< Each '@'.
  std::pmr::vector<Position> colons;     ///< Each ':' before another or before a hex digit.
  std::pmr::vector<Position> countries;  ///< Where two letters stand that two digits follow, perhaps after a space.
  std::pmr::vector<Position> blobs;      ///< Begin and end of each run of kBlobMin and more blob characters.
};
inline constexpr std::size_t kBlobMin = 20;

/// A message's marks fit in so much memory; those of longer texts take more from the heap.
inline constexpr std::size_t kMarksBytes = 4096;

/// The marks keep no copy of the text, but where things are in it. `memory` must outlive them; at most kTextBytesBound.
Marks read_marks(std::string_view text, std::pmr::memory_resource* memory);

// Characters, read without a locale.
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
inline bool is_alnum(char c) { return is_digit(c) || is_letter(c); }
inline bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// Some ASCII characters.
class CharSet {
 public:
  constexpr explicit CharSet(std::string_view characters) {
    for (const char c : characters) bits_[c >> 6 & 1] |= std::uint64_t{1} << (c & 63);
  }
  constexpr bool has(char c) const {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && (bits_[byte >> 6] >> (byte & 63) & 1u) != 0;
  }

 private:
  std::uint64_t bits_[2] = {0, 0};
};

inline bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
/// Of keys and tokens: letters, digits and +/=_-.
inline bool is_blob(char c) { return is_alnum(c) || c == '+' || c == '/' || c == '_' || c == '-' || c == '='; }

/// Whether a letter or digit that is not ASCII stands right before or right behind position `at`.
bool foreign_word_before(std::string_view text, std::size_t at);
bool foreign_word_behind(std::string_view text, std::size_t at);

/// Whether a letter or digit of any script does.
inline bool word_before(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  return is_ascii(text[at - 1]) ? is_alnum(text[at - 1]) : foreign_word_before(text, at);
}
inline bool word_behind(std::string_view text, std::size_t at) {
  if (at >= text.size()) return false;
  return is_ascii(text[at]) ? is_alnum(text[at]) : foreign_word_behind(text, at);
}

/// Whether `word`, in lower case, stands at `at`, in any case.
inline bool stands_at(std::string_view text, std::size_t at, std::string_view word) {
  if (at > text.size() || text.size() - at < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i)
    if (lower(text[at + i]) != word[i]) return false;
  return true;
}

}  // namespace hearth::privacy
