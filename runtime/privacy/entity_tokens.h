/// \file Entity tokens: a text as words, and the rows of a model's table that speak about each word.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hearth::privacy {

/// What the word lists know about a word, without case and accents.
enum Listed : std::uint8_t {
  kFirstName = 1,
  kLastName = 2,
  kPlace = 4,
  kPlainWord = 8,     ///< A dictionary has it in lower case.
  kPlacePair = 16,    ///< This word and the next are one place: "New York". Not stored; set on tokens.
  kPlacePairEnd = 32  ///< This word and the one before are.
};

enum class Shape : std::uint8_t {
  kOutside,  ///< Before the first or after the last token.
  kLineEnd,
  kMark,
  kLower,
  kTitle,
  kUpper,
  kInitial,  ///< One upper-case letter.
  kMixed,
  kNoCase,  ///< Letters of a script without case.
  kCode,    ///< Letters and digits.
  kNumber1,
  kNumber2,
  kNumber3,
  kNumber4,
  kNumber5,
  kNumberLong
};

struct Token {
  std::uint32_t begin = 0, end = 0;  ///< Bytes.
  std::uint32_t word = 0;            ///< Hashes of the word without case and accents, and of parts of it.
  std::uint32_t head = 0, tail2 = 0, tail3 = 0;
  Shape shape = Shape::kOutside;
  std::uint8_t listed = 0;
  std::uint8_t gap = 0;  ///< 1: no space before it.
};

/// A set of hashed words: buckets of four 16-bit slots, each a fingerprint of 12 bits and a Listed of 4; a full bucket
/// continues in the next. About one unlisted word in a thousand is taken for a listed one. Bytes are little-endian and
/// must outlive it.
class WordLists {
 public:
  static constexpr std::size_t kBucketSlots = 4, kProbesMax = 32;
  WordLists() = default;
  explicit WordLists(std::string_view slots) : slots_(slots), buckets_(slots.size() / (2 * kBucketSlots)) {}

  std::uint8_t find(std::uint64_t hash) const;
  static std::size_t bucket_of(std::uint64_t hash, std::size_t buckets) { return (hash >> 32) * buckets >> 32; }
  static std::uint16_t fingerprint_of(std::uint64_t hash) { return hash & 0xfff; }

 private:
  std::string_view slots_;
  std::size_t buckets_ = 0;
};

/// Hash of a word (of letters and digits only), and of two words that stand together.
std::uint64_t word_hash(std::string_view word);
std::uint64_t pair_hash(std::uint64_t first, std::uint64_t second);

/// The letter case of a stretch of text: with all of one case it says nothing about names.
enum class Case : std::uint8_t { kMixed, kAllLower, kAllUpper };

/// A stretch of text as tokens.
struct Stretch {
  std::size_t count = 0;
  std::size_t end = 0;  ///< Where in the text the next stretch begins.
  Case letter_case = Case::kMixed;
};

/// Fills `tokens` from `text[from..]`. When they do not hold it all, the stretch ends behind a sentence or a line if
/// one ends in its second half. Words longer than kWordBytesMax are hashed by their beginning. Invalid UTF-8 reads as
/// marks. Precondition: the text is shorter than 4 GiB.
inline constexpr std::size_t kWordBytesMax = 48;
Stretch read_stretch(std::string_view text, std::size_t from, const WordLists& lists, std::span<Token> tokens);

/// The rows, out of 2^row_bits, that speak about token `i`.
inline constexpr std::size_t kEntityFeatures = 34;
using FeatureRows = std::array<std::uint32_t, kEntityFeatures>;
void feature_rows(std::span<const Token> tokens, std::size_t i, Case letter_case, unsigned row_bits, FeatureRows& rows);

}  // namespace hearth::privacy
