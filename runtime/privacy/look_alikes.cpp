#include "runtime/privacy/look_alikes.h"

#include <algorithm>
#include <iterator>

namespace hearth::privacy {
namespace {

bool in(std::uint32_t point, std::uint32_t first, std::uint32_t last) { return point >= first && point <= last; }

/// Most of what is written beyond ASCII, quickly told from look-alikes: Latin letters, Greek, Cyrillic, Hebrew; Chinese
/// and Japanese; Korean.
bool is_own_letter(std::uint32_t point) {
  if (point < 0x610) return in(point, 0xc0, 0x250) || in(point, 0x370, 0x482) || in(point, 0x48a, 0x60f);
  return in(point, 0x3165, 0xa61f) || in(point, 0xac00, 0xfdff);
}

/// The zeros of the decimal digits (General_Category Nd), ascending.
constexpr std::uint32_t kZeros[] = {
    0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,   0xc66,   0xce6,   0xd66,
    0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,  0x1810,  0x1946,  0x19d0,  0x1a80,  0x1a90,
    0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,  0xa8d0,  0xa900,  0xa9d0,  0xa9f0,  0xaa50,  0xabf0,  0x104a0,
    0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x1d7ce,
    0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0};

char digit_of(std::uint32_t point) {
  const auto* after = std::upper_bound(std::begin(kZeros), std::end(kZeros), point);
  if (after != std::begin(kZeros) && point - after[-1] < 10) return static_cast<char>('0' + (point - after[-1]));
  if (in(point, 0x2460, 0x2468)) return static_cast<char>('1' + (point - 0x2460));  // circled
  if (in(point, 0x2776, 0x277e)) return static_cast<char>('1' + (point - 0x2776));
  if (point == 0x24ea || point == 0x2070) return '0';
  if (point == 0xb9) return '1';
  if (point == 0xb2 || point == 0xb3) return static_cast<char>('0' + (point - 0xb0));
  if (in(point, 0x2074, 0x2079)) return static_cast<char>('0' + (point - 0x2070));
  if (in(point, 0x2080, 0x2089)) return static_cast<char>('0' + (point - 0x2080));
  return 0;
}

char mark_of(std::uint32_t point) {
  switch (point) {
    case 0xfe6b:
      return '@';
    case 0xa0:
    case 0x1680:
    case 0x202f:
    case 0x205f:
    case 0x2800:
    case 0x3000:
      return ' ';
    case 0x85:
    case 0x2028:
    case 0x2029:
      return '\n';
    case 0x2043:
    case 0x2212:
    case 0xfe58:
    case 0xfe63:
      return '-';
    case 0xb7:
    case 0x2024:
    case 0x2027:
    case 0x22c5:
    case 0x3002:
    case 0xfe52:
    case 0xff61:
      return '.';
    case 0x2044:
    case 0x2215:
      return '/';
    case 0x2236:
    case 0xa789:
    case 0xfe55:
      return ':';
    default:
      break;
  }
  if (in(point, 0x2000, 0x200a)) return ' ';
  if (in(point, 0x2010, 0x2015)) return '-';
  if (in(point, 0x2018, 0x201b)) return '\'';
  if (in(point, 0x201c, 0x201f)) return '"';
  return 0;
}

}  // namespace

bool is_unseen(std::uint32_t point) {
  if (is_own_letter(point)) return false;
  if (point < 0xa0) return (point < 0x20 && !in(point, 0x09, 0x0d)) || (point >= 0x7f && point != 0x85);
  return point == 0xad || in(point, 0x300, 0x36f) || in(point, 0x483, 0x489) || point == 0x61c ||
         in(point, 0x115f, 0x1160) || in(point, 0x17b4, 0x17b5) || in(point, 0x180b, 0x180f) ||
         in(point, 0x1ab0, 0x1aff) || in(point, 0x1dc0, 0x1dff) || in(point, 0x200b, 0x200f) ||
         in(point, 0x202a, 0x202e) || in(point, 0x2060, 0x206f) || in(point, 0x20d0, 0x20ff) || point == 0x3164 ||
         in(point, 0xfe00, 0xfe0f) || in(point, 0xfe20, 0xfe2f) || point == 0xfeff || point == 0xffa0 ||
         in(point, 0xfff0, 0xfff8) || in(point, 0x1bca0, 0x1bca3) || in(point, 0x1d173, 0x1d17a) ||
         in(point, 0xe0000, 0xe0fff);
}

char ascii_of(std::uint32_t point) {
  if (is_own_letter(point)) return 0;
  if (in(point, 0x2000, 0x206f)) return mark_of(point);                     // quotes and dashes, the most frequent
  if (in(point, 0xff01, 0xff5e)) return static_cast<char>(point - 0xfee0);  // full-width
  if (in(point, 0x1d400, 0x1d6a3)) {                                        // mathematical, 13 alphabets
    const std::uint32_t letter = (point - 0x1d400) % 52;
    return static_cast<char>(letter < 26 ? 'A' + letter : 'a' + (letter - 26));
  }
  if (in(point, 0x24b6, 0x24cf)) return static_cast<char>('A' + (point - 0x24b6));  // circled
  if (in(point, 0x24d0, 0x24e9)) return static_cast<char>('a' + (point - 0x24d0));
  if (point == 0x251) return 'a';
  if (point == 0x261) return 'g';
  if (point == 0x212a) return 'K';
  if (const char digit = digit_of(point)) return digit;
  return mark_of(point);
}

Script script_of(std::uint32_t point) {
  if (in(point, 0x370, 0x3ff)) return Script::kGreek;
  if (in(point, 0x400, 0x52f)) return Script::kCyrillic;
  return Script::kOther;
}

char latin_of(std::uint32_t point) {
  struct Pair {
    std::uint16_t point;
    char latin;
  };
  static constexpr Pair kPairs[] = {
      {0x37f, 'J'}, {0x391, 'A'}, {0x392, 'B'}, {0x395, 'E'}, {0x396, 'Z'}, {0x397, 'H'}, {0x399, 'I'}, {0x39a, 'K'},
      {0x39c, 'M'}, {0x39d, 'N'}, {0x39f, 'O'}, {0x3a1, 'P'}, {0x3a4, 'T'}, {0x3a5, 'Y'}, {0x3a7, 'X'}, {0x3b1, 'a'},
      {0x3b3, 'y'}, {0x3b7, 'n'}, {0x3b9, 'i'}, {0x3ba, 'k'}, {0x3bd, 'v'}, {0x3bf, 'o'}, {0x3c1, 'p'}, {0x3c4, 't'},
      {0x3c5, 'u'}, {0x3c7, 'x'}, {0x3f2, 'c'}, {0x3f3, 'j'}, {0x3f9, 'C'}, {0x405, 'S'}, {0x406, 'I'}, {0x408, 'J'},
      {0x410, 'A'}, {0x412, 'B'}, {0x415, 'E'}, {0x41a, 'K'}, {0x41c, 'M'}, {0x41d, 'H'}, {0x41e, 'O'}, {0x420, 'P'},
      {0x421, 'C'}, {0x422, 'T'}, {0x423, 'Y'}, {0x425, 'X'}, {0x430, 'a'}, {0x432, 'b'}, {0x433, 'r'}, {0x435, 'e'},
      {0x43a, 'k'}, {0x43c, 'm'}, {0x43d, 'h'}, {0x43e, 'o'}, {0x43f, 'n'}, {0x440, 'p'}, {0x441, 'c'}, {0x442, 't'},
      {0x443, 'y'}, {0x445, 'x'}, {0x44c, 'b'}, {0x455, 's'}, {0x456, 'i'}, {0x458, 'j'}, {0x4ae, 'Y'}, {0x4af, 'y'},
      {0x4ba, 'h'}, {0x4bb, 'h'}, {0x4c0, 'I'}, {0x4cf, 'l'}, {0x501, 'd'}, {0x50c, 'G'}, {0x51a, 'Q'}, {0x51b, 'q'},
      {0x51c, 'W'}, {0x51d, 'w'}};
  const auto* found = std::lower_bound(std::begin(kPairs), std::end(kPairs), point,
                                       [](const Pair& pair, std::uint32_t value) { return pair.point < value; });
  return found != std::end(kPairs) && found->point == point ? found->latin : '\0';
}

}  // namespace hearth::privacy
