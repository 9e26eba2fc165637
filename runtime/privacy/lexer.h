/// \file Lexer: one pass over folded text that notes the few places where a detector has to look more closely.
#pragma once

#include <cstddef>
#include <cstdint>
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

struct Keyword {
  std::size_t begin;
  std::size_t end;
  Topic topic;
};

/// A maximal run of digits. The sums are for Luhn's check over whole groups (see digits.h).
struct Group {
  std::size_t begin;
  std::size_t end;
  std::size_t digits_before;     ///< Digits in the groups before it.
  std::uint32_t luhn_before[2];  ///< Luhn sums of those, with every even or every odd digit doubled.
  bool phone_before;             ///< A phone keyword stands before it, with nothing but filler words between.
  bool taken = false;            ///< Belongs to something found already.

  std::size_t size() const { return end - begin; }
};

/// All in ascending order. Space is linear in what is there, none in clean text.
struct Marks {
  std::string_view text;
  std::vector<Keyword> keywords;
  std::vector<Group> groups;           ///< One more at the end, empty, for the sums.
  std::vector<std::size_t> ats;        ///< Each '@'.
  std::vector<std::size_t> colons;     ///< Each ':' before another or before a hex digit.
  std::vector<std::size_t> countries;  ///< Where two letters stand that two digits follow, perhaps after a space.
  std::vector<std::size_t> blobs;      ///< Begin and end of each run of kBlobMin and more letters, digits and +/=_-.
};
inline constexpr std::size_t kBlobMin = 20;

Marks read_marks(std::string_view text);

// Characters, read without a locale.
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
inline bool is_alnum(char c) { return is_digit(c) || is_letter(c); }
inline bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// Whether a letter or digit of any script stands right before or right behind position `at`.
bool word_before(std::string_view text, std::size_t at);
bool word_behind(std::string_view text, std::size_t at);

/// Whether `word`, in lower case, stands at `at`, in any case.
bool stands_at(std::string_view text, std::size_t at, std::string_view word);

}  // namespace hearth::privacy
