#include "runtime/privacy/plain_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace hearth::privacy {
namespace {

/// Length of the well-formed sequence at the front, 0 for none; `point` is its code point. Table 3-7 of Unicode 15.
std::size_t decode(std::string_view text, std::uint32_t& point) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) {
    point = first;
    return 1;
  }
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  point = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (at(i) & 0x3fu);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return overlong || surrogate || point > 0x10ffff ? 0 : length;
}

bool in(std::uint32_t point, std::uint32_t first, std::uint32_t last) { return point >= first && point <= last; }

/// Soft hyphen, zero-width characters, direction marks, variation selectors, tags: what a reader does not see
/// (Default_Ignorable_Code_Point of Unicode 15).
bool invisible(std::uint32_t point) {
  return point == 0xad || point == 0x34f || point == 0x61c || in(point, 0x115f, 0x1160) || in(point, 0x17b4, 0x17b5) ||
         in(point, 0x180b, 0x180f) || in(point, 0x200b, 0x200f) || in(point, 0x202a, 0x202e) ||
         in(point, 0x2060, 0x206f) || point == 0x3164 || in(point, 0xfe00, 0xfe0f) || point == 0xfeff ||
         point == 0xffa0 || in(point, 0xfff0, 0xfff8) || in(point, 0x1bca0, 0x1bca3) || in(point, 0x1d173, 0x1d17a) ||
         in(point, 0xe0000, 0xe0fff);
}

/// The ASCII character that `point` looks like; 0 for none.
char look_alike(std::uint32_t point) {
  if (in(point, 0xff01, 0xff5e)) return static_cast<char>(point - 0xfee0);  // Full-width forms.
  if (point == 0xfe6b) return '@';
  if (point == 0xa0 || in(point, 0x2000, 0x200a) || point == 0x202f || point == 0x205f || point == 0x3000) return ' ';
  if (in(point, 0x2010, 0x2015) || point == 0x2212 || point == 0xfe63) return '-';
  for (const std::uint32_t zero :
       {0x660u, 0x6f0u, 0x966u, 0x9e6u, 0xe50u, 0x1d7ceu, 0x1d7d8u, 0x1d7e2u, 0x1d7ecu, 0x1d7f6u}) {
    if (in(point, zero, zero + 9)) return static_cast<char>('0' + (point - zero));
  }
  return 0;
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::optional<std::string> to_plain_text(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    std::uint32_t point = 0;
    const std::size_t length = decode(text, point);
    if (length == 0) return {};
    if (const char ascii = look_alike(point)) {
      plain += ascii;
    } else if (!invisible(point)) {
      plain += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return plain;
}

}  // namespace hearth::privacy
