#include "runtime/privacy/entity_tokens.h"

#include <algorithm>

namespace hearth::privacy {
namespace {

struct Point {
  std::uint32_t code = 0;
  std::uint32_t bytes = 1;
};

/// Lenient: what is not UTF-8 is one byte that is no letter.
Point point_at(std::string_view text, std::size_t i) {
  const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char first = at(i);
  if (first < 0x80) return {first, 1};
  const std::uint32_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || i + length > text.size()) return {0x80, 1};
  std::uint32_t code = first & (0xffu >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) {
    if ((at(i + k) & 0xc0) != 0x80) return {0x80, 1};
    code = code << 6 | (at(i + k) & 0x3fu);
  }
  return {code, length};
}

bool in(std::uint32_t code, std::uint32_t first, std::uint32_t last) { return code - first <= last - first; }

enum class Kind : std::uint8_t { kSpace, kLineEnd, kDigit, kUpper, kLower, kNoCase, kMark };

bool is_word(Kind kind) { return kind >= Kind::kDigit && kind <= Kind::kNoCase; }

/// U+00C0 to U+017F without accents, two letters for one where that is usual; '\1' stands for a mark.
constexpr std::string_view kBare[] = {
    "a", "a", "a",  "a", "a", "a", "ae", "c",  "e", "e", "e",  "e",  "i", "i", "i",  "i",  "d", "n", "o",  "o",
    "o", "o", "o",  "",  "o", "u", "u",  "u",  "u", "y", "th", "ss", "a", "a", "a",  "a",  "a", "a", "ae", "c",
    "e", "e", "e",  "e", "i", "i", "i",  "i",  "d", "n", "o",  "o",  "o", "o", "o",  "",   "o", "u", "u",  "u",
    "u", "y", "th", "y", "a", "a", "a",  "a",  "a", "a", "c",  "c",  "c", "c", "c",  "c",  "c", "c", "d",  "d",
    "d", "d", "e",  "e", "e", "e", "e",  "e",  "e", "e", "e",  "e",  "g", "g", "g",  "g",  "g", "g", "g",  "g",
    "h", "h", "h",  "h", "i", "i", "i",  "i",  "i", "i", "i",  "i",  "i", "i", "ij", "ij", "j", "j", "k",  "k",
    "k", "l", "l",  "l", "l", "l", "l",  "l",  "l", "l", "l",  "n",  "n", "n", "n",  "n",  "n", "n", "n",  "n",
    "o", "o", "o",  "o", "o", "o", "oe", "oe", "r", "r", "r",  "r",  "r", "r", "s",  "s",  "s", "s", "s",  "s",
    "s", "s", "t",  "t", "t", "t", "t",  "t",  "u", "u", "u",  "u",  "u", "u", "u",  "u",  "u", "u", "u",  "u",
    "w", "w", "y",  "y", "y", "z", "z",  "z",  "z", "z", "z",  "s"};
static_assert(std::size(kBare) == 0x180 - 0xc0);

/// Upper-case letters of U+0100 to U+017F: the even ones, but the odd ones in three stretches.
bool extended_latin_upper(std::uint32_t code) {
  if (code == 0x178) return true;
  const bool odd = in(code, 0x139, 0x148) || in(code, 0x179, 0x17e);
  return code != 0x138 && code != 0x149 && code != 0x17f && ((code & 1) != 0) == odd;
}

Kind kind_beyond_ascii(std::uint32_t code) {
  if (code < 0xc0) return code == 0xa0 ? Kind::kSpace : code == 0xaa || code == 0xba ? Kind::kNoCase : Kind::kMark;
  if (code < 0x100) return code == 0xd7 || code == 0xf7 ? Kind::kMark : code < 0xdf ? Kind::kUpper : Kind::kLower;
  if (code < 0x180) return extended_latin_upper(code) ? Kind::kUpper : Kind::kLower;
  if (in(code, 0x386, 0x3ab) && code != 0x387 && code != 0x390) return Kind::kUpper;
  if (in(code, 0x390, 0x3ce)) return Kind::kLower;
  if (in(code, 0x400, 0x42f)) return Kind::kUpper;
  if (in(code, 0x430, 0x45f)) return Kind::kLower;
  if (in(code, 0x460, 0x4ff) || in(code, 0x1e00, 0x1eff)) return (code & 1) != 0 ? Kind::kLower : Kind::kUpper;
  if (in(code, 0x2000, 0x200a) || code == 0x202f || code == 0x205f || code == 0x3000) return Kind::kSpace;
  if (in(code, 0x200b, 0x200d) || code == 0xfeff) return Kind::kNoCase;
  const bool mark = in(code, 0x2000, 0x2bff) || in(code, 0x3000, 0x303f) || in(code, 0xe000, 0xf8ff) ||
                    in(code, 0xfe10, 0xfe6f) || in(code, 0xff00, 0xff20) || in(code, 0x1f000, 0x1faff);
  return mark ? Kind::kMark : Kind::kNoCase;
}

Kind kind_of(std::uint32_t code) {
  if (code >= 0x80) return kind_beyond_ascii(code);
  if (in(code, 'a', 'z')) return Kind::kLower;
  if (in(code, 'A', 'Z')) return Kind::kUpper;
  if (in(code, '0', '9')) return Kind::kDigit;
  if (code == '\n' || code == '\r') return Kind::kLineEnd;
  return code == ' ' || code == '\t' ? Kind::kSpace : Kind::kMark;
}

constexpr std::uint64_t kHashStart = 0xcbf29ce484222325, kHashStep = 0x100000001b3;

std::uint64_t mixed(std::uint64_t hash) {
  hash ^= hash >> 32;
  hash *= 0x9e3779b97f4a7c15;
  return hash ^ hash >> 29;
}

/// FNV-1a (Fowler, Noll, Vo), mixed so that its upper bits serve as well as the lower.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = kHashStart;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * kHashStep;
  return mixed(hash);
}

/// A word without case and accents, up to its bound.
class FoldedWord {
 public:
  void add(std::uint32_t code, Kind kind) {
    if (code < 0x80) {
      push(static_cast<char>(kind == Kind::kUpper ? code + 32 : code));
    } else if (in(code, 0xc0, 0x17f)) {
      for (const char c : kBare[code - 0xc0]) push(c);
    } else if (!in(code, 0x300, 0x36f) && !in(code, 0x200b, 0x200d) && code != 0xfeff) {
      push_point(kind == Kind::kUpper ? lowered(code) : toneless(code));
    }
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  static std::uint32_t toneless(std::uint32_t code) {  // Greek vowels without accents
    constexpr std::uint32_t kAccented[][2] = {{0x3ac, 0x3b1}, {0x3ad, 0x3b5}, {0x3ae, 0x3b7}, {0x3af, 0x3b9},
                                              {0x3cc, 0x3bf}, {0x3cd, 0x3c5}, {0x3ce, 0x3c9}, {0x3c2, 0x3c3}};
    if (in(code, 0x3ac, 0x3ce)) {
      for (const auto& pair : kAccented) {
        if (pair[0] == code) return pair[1];
      }
    }
    return code;
  }
  static std::uint32_t lowered(std::uint32_t code) {
    if (in(code, 0x391, 0x3ab) || in(code, 0x410, 0x42f)) return code + 32;
    if (in(code, 0x400, 0x40f)) return code + 80;
    constexpr std::uint32_t kAccented[][2] = {{0x386, 0x3b1}, {0x388, 0x3b5}, {0x389, 0x3b7}, {0x38a, 0x3b9},
                                              {0x38c, 0x3bf}, {0x38e, 0x3c5}, {0x38f, 0x3c9}};
    for (const auto& pair : kAccented) {
      if (pair[0] == code) return pair[1];
    }
    return code + 1;
  }
  void push(char c) {
    if (size_ < bytes_.size()) bytes_[size_++] = c;
  }
  void push_point(std::uint32_t code) {
    if (code >= 0x10000)
      push(static_cast<char>(0xf0 | code >> 18)), push(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    else if (code >= 0x800)
      push(static_cast<char>(0xe0 | code >> 12));
    if (code >= 0x800)
      push(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    else
      push(static_cast<char>(0xc0 | code >> 6));
    push(static_cast<char>(0x80 | (code & 0x3f)));
  }

  std::array<char, kWordBytesMax> bytes_;
  std::size_t size_ = 0;
};

struct LetterCounts {
  std::uint32_t upper = 0, lower = 0, no_case = 0, digits = 0;
  bool first_upper = false;
};

Shape shape_of(const LetterCounts& n) {
  const std::uint32_t letters = n.upper + n.lower + n.no_case;
  if (n.digits > 0) {
    if (letters > 0) return Shape::kCode;
    return static_cast<Shape>(static_cast<std::uint32_t>(Shape::kNumber1) + std::min(n.digits, 6u) - 1);
  }
  if (n.no_case > n.upper + n.lower) return Shape::kNoCase;
  if (n.upper == 0) return Shape::kLower;
  if (n.upper == 1 && letters == 1) return Shape::kInitial;
  if (n.upper == letters) return Shape::kUpper;
  return n.first_upper && n.upper == 1 ? Shape::kTitle : Shape::kMixed;
}

/// O'Brien, D'Angelo are one word; John's, don't are several.
bool joins(std::string_view text, std::size_t i, std::uint32_t letters_before) {
  const Point mark = point_at(text, i);
  if ((mark.code != '\'' && mark.code != 0x2019) || letters_before > 2) return false;
  if (i + mark.bytes >= text.size()) return false;
  const Kind next = kind_of(point_at(text, i + mark.bytes).code);
  return is_word(next) && next != Kind::kDigit && i + mark.bytes + 2 < text.size();
}

/// Reads the word at `i` and returns where it ends.
std::size_t read_word(std::string_view text, std::size_t i, Token& token, FoldedWord& folded, LetterCounts& counts) {
  const std::size_t begin = i;
  while (i < text.size()) {
    const Point point = point_at(text, i);
    const Kind kind = kind_of(point.code);
    if (!is_word(kind)) {
      if (counts.digits > 0 || i == begin || !joins(text, i, counts.upper + counts.lower)) break;
      i += point.bytes;
      continue;
    }
    counts.first_upper |= i == begin && kind == Kind::kUpper;
    ++(kind == Kind::kDigit   ? counts.digits
       : kind == Kind::kUpper ? counts.upper
       : kind == Kind::kLower ? counts.lower
                              : counts.no_case);
    folded.add(point.code, kind);
    i += point.bytes;
  }
  token.shape = shape_of(counts);
  return i;
}

bool ends_sentence(const Token& token, std::string_view text) {
  return token.shape == Shape::kLineEnd || (token.shape == Shape::kMark && token.end == token.begin + 1 &&
                                            std::string_view(".?!").find(text[token.begin]) != std::string_view::npos);
}

std::uint32_t part_hash(std::string_view part) { return static_cast<std::uint32_t>(hash_of(part) >> 8); }

}  // namespace

std::uint8_t WordLists::find(std::uint64_t hash) const {
  if (buckets_ == 0) return 0;
  const std::uint16_t wanted = fingerprint_of(hash);
  std::size_t bucket = bucket_of(hash, buckets_);
  for (std::size_t probed = 0; probed < kProbesMax; ++probed) {  // The trainer refuses to build longer chains.
    const auto* at = reinterpret_cast<const unsigned char*>(slots_.data()) + bucket * 2 * kBucketSlots;
    for (std::size_t k = 0; k < kBucketSlots; ++k) {
      const unsigned slot = at[2 * k] | at[2 * k + 1] << 8;
      if (slot == 0) return 0;
      if (slot >> 4 == wanted) return slot & 0xf;
    }
    bucket = bucket + 1 == buckets_ ? 0 : bucket + 1;
  }
  return 0;
}

std::uint64_t word_hash(std::string_view word) {
  FoldedWord folded;
  for (std::size_t i = 0; i < word.size();) {
    const Point point = point_at(word, i);
    const Kind kind = kind_of(point.code);
    if (is_word(kind)) folded.add(point.code, kind);
    i += point.bytes;
  }
  return hash_of(folded.view());
}

std::uint64_t pair_hash(std::uint64_t first, std::uint64_t second) { return mixed(first * 3 + second); }

Stretch read_stretch(std::string_view text, std::size_t from, const WordLists& lists, std::span<Token> tokens) {
  Stretch stretch{.end = text.size()};
  std::uint64_t previous = 0;  // The hash of the word right before, 0 for none.
  std::uint32_t upper = 0, lower = 0;
  std::uint8_t gap = 0;
  for (std::size_t i = from; i < text.size();) {
    const Point point = point_at(text, i);
    const Kind kind = kind_of(point.code);
    if (kind == Kind::kSpace) {
      i += point.bytes;
      gap = 0;
      continue;
    }
    if (stretch.count == tokens.size()) {
      stretch.end = i;
      for (std::size_t k = stretch.count; k > stretch.count / 2; --k) {
        if (!ends_sentence(tokens[k - 1], text)) continue;
        stretch.count = k;
        stretch.end = tokens[k - 1].end;
        break;
      }
      break;
    }
    Token& token = tokens[stretch.count++];
    token = Token{.begin = static_cast<std::uint32_t>(i), .gap = gap};
    gap = 1;
    if (!is_word(kind)) {
      i += point.bytes;
      token.shape = kind == Kind::kLineEnd ? Shape::kLineEnd : Shape::kMark;
      token.word = kind == Kind::kLineEnd ? 1 : point.code * 0x9e3779b1u;
      previous = 0;
    } else {
      FoldedWord folded;
      LetterCounts counts;
      i = read_word(text, i, token, folded, counts);
      upper += counts.upper;
      lower += counts.lower;
      const std::string_view word = folded.view();
      const std::uint64_t hash = hash_of(word);
      token.word = static_cast<std::uint32_t>(hash);
      token.head = part_hash(word.substr(0, 3));
      token.tail2 = part_hash(word.substr(word.size() - std::min<std::size_t>(2, word.size())));
      token.tail3 = part_hash(word.substr(word.size() - std::min<std::size_t>(3, word.size())));
      if (token.shape < Shape::kCode) {
        token.listed = lists.find(hash);
        if (previous != 0 && (lists.find(pair_hash(previous, hash)) & kPlace) != 0) {
          tokens[stretch.count - 2].listed |= kPlacePair;
          token.listed |= kPlacePairEnd;
        }
      }
      previous = token.shape < Shape::kCode ? hash : 0;
    }
    token.end = static_cast<std::uint32_t>(i);
  }
  stretch.letter_case = upper == 0 ? Case::kAllLower : lower == 0 ? Case::kAllUpper : Case::kMixed;
  return stretch;
}

void feature_rows(std::span<const Token> tokens, std::size_t i, Case letter_case, unsigned row_bits,
                  FeatureRows& rows) {
  static constexpr Token kNone;
  const auto at = [&](std::ptrdiff_t offset) -> const Token& {
    const std::size_t k = i + static_cast<std::size_t>(offset);
    return k < tokens.size() ? tokens[k] : kNone;
  };
  const auto shape = [&](const Token& t) { return static_cast<std::uint64_t>(t.shape); };
  // What kind of word: shape, lists and the case of the text around it, 12 bits.
  const auto sort = [&](const Token& t) {
    return shape(t) | std::uint64_t{t.listed} << 4 | std::uint64_t{static_cast<std::uint8_t>(letter_case)} << 10;
  };
  const Token &b3 = at(-3), &b2 = at(-2), &b = at(-1), &t = at(0), &a = at(1), &a2 = at(2), &a3 = at(3);
  const std::uint64_t s = sort(t), sb = sort(b), sa = sort(a), sb2 = sort(b2), sa2 = sort(a2);
  std::size_t n = 0;
  const auto add = [&](std::uint64_t x, std::uint64_t y = 0) {
    std::uint64_t h = (x + 0x9e3779b97f4a7c15 * (n + 1)) * 0xff51afd7ed558ccd;
    h ^= h >> 31;
    h = (h + y) * 0xc4ceb9fe1a85ec53;
    rows[n++] = static_cast<std::uint32_t>(h >> (64 - row_bits));
  };
  add(0);
  add(t.word);
  add(b.word);
  add(a.word);
  add(b2.word);
  add(a2.word);
  add(b3.word, shape(t));
  add(a3.word, shape(t));
  add(b.word, t.word);
  add(t.word, a.word);
  add(b2.word, std::uint64_t{b.word} << 12 | s);
  add(std::uint64_t{a.word} << 12 | s, a2.word);
  add(b.word, s);
  add(a.word, s);
  add(b2.word, s);
  add(a2.word, s);
  add(std::uint64_t{b.word} << 32 | a.word, s);
  add(t.word, shape(t));
  add(t.head, shape(t));
  add(t.tail2, shape(t));
  add(t.tail3);
  add(t.tail3, s);
  add(s);
  add(sb, s);
  add(s, sa);
  add(sb << 12 | s, sa);
  add(sb2 << 12 | sb, s);
  add(s, sa << 12 | sa2);
  add(shape(b2) << 8 | shape(b), shape(t) << 8 | shape(a) | std::uint64_t{t.gap} << 16 | std::uint64_t{a.gap} << 17);
  add(shape(b3) << 16 | shape(b2) << 8 | shape(b), shape(t));
  add(shape(t) << 16 | shape(a) << 8 | shape(a2), shape(a3));
  add(b.tail3, s);
  add(a.tail3, s);
  add(std::uint64_t{a.word} << 12 | s, a.gap | 2);
  static_assert(kEntityFeatures == 34);
}

}  // namespace hearth::privacy
