#include "runtime/privacy/plain_text.h"

#include <algorithm>

#include "runtime/privacy/lexer.h"
#include "runtime/privacy/look_alikes.h"

namespace hearth::privacy {
namespace {

bool in(std::uint32_t point, std::uint32_t first, std::uint32_t last) { return point >= first && point <= last; }

/// One word of the original: where it ends, and whether its Cyrillic and Greek letters are read as Latin ones.
struct Word {
  std::size_t end;
  bool mixed;
};

Word read_word(std::string_view text, std::size_t at) {
  bool latin = false;
  bool digits = false;
  bool cyrillic = false;
  bool greek = false;
  bool only_look_alikes = true;
  while (at < text.size()) {
    if (is_alnum(text[at])) {
      (is_digit(text[at]) ? digits : latin) = true;
      ++at;
      continue;
    }
    std::uint32_t point = 0;
    const std::size_t length = decode_utf8(text.substr(at), point);
    if (length == 0) break;
    if (const char ascii = ascii_of(point)) point = static_cast<unsigned char>(ascii);
    if (!is_unseen(point)) {
      if (!is_word_point(point)) break;
      const Script script = script_of(point);
      cyrillic = cyrillic || script == Script::kCyrillic;
      greek = greek || script == Script::kGreek;
      digits = digits || in(point, '0', '9');
      latin = latin || (point < 0x250 && !in(point, '0', '9'));
      only_look_alikes = only_look_alikes && (script == Script::kOther || latin_of(point) != 0);
    }
    at += length;
  }
  return {at, (cyrillic || greek) && (latin || (cyrillic && greek) || (digits && only_look_alikes))};
}

/// Whether it may hold Greek or Cyrillic, U+0340 to U+053F: the first byte of such a letter occurs nowhere else.
bool may_mix_scripts(std::string_view text) {
  unsigned found = 0;  // Without a way out of the loop it runs many bytes at a time.
  for (const char c : text) found |= static_cast<unsigned>(static_cast<unsigned char>(c - 0xcd) < 8);
  return found != 0;
}

/// What looks like itself: ASCII that is seen.
bool is_itself(char c) { return (c >= 0x20 && c < 0x7f) || (c >= '\t' && c <= '\r'); }

/// Writes the folded text, and tells `shift(plain size, original position)` before each part that moved.
template <typename Shifted>
bool fold_into(std::string_view text, std::string& plain, Shifted&& shifted) {
  const bool words = may_mix_scripts(text);  // Else no word can be mixed.
  Word word = {0, false};
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;  // Most of it stays as it is.
    while (end < text.size() && is_itself(text[end]) && (!words || end < word.end || !is_alnum(text[end]))) ++end;
    plain.append(text, at, end - at);
    at = end;
    if (at == text.size()) break;
    std::uint32_t point = 0;
    const std::size_t length = decode_utf8(text.substr(at), point);
    if (length == 0) return false;
    const bool unseen = is_unseen(point);
    char ascii = point < 0x80 && !unseen ? static_cast<char>(point) : ascii_of(point);
    if (words && at >= word.end && !unseen && is_word_point(ascii ? static_cast<unsigned char>(ascii) : point))
      word = read_word(text, at);
    if (!ascii && word.mixed && at < word.end) ascii = latin_of(point);
    if (ascii) {
      plain += ascii;
      if (length > 1) shifted(plain.size(), at + length);
    } else if (unseen) {
      shifted(plain.size(), at + length);
    } else {
      plain.append(text, at, length);
    }
    at += length;
  }
  return true;
}

}  // namespace

std::size_t decode_utf8(std::string_view text, std::uint32_t& point) {  // Table 3-7 of Unicode 15.
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

bool is_word_point(std::uint32_t point) {
  if (point < 0x80) return in(point, '0', '9') || in(point | 0x20, 'a', 'z');
  if (point < 0xc0) return point == 0xaa || point == 0xb5 || point == 0xba;
  return point != 0xd7 && point != 0xf7 && !in(point, 0x2000, 0x2bff) && !in(point, 0x2e00, 0x2e7f) &&
         !in(point, 0x3000, 0x3004) && !in(point, 0x3008, 0x3020) && point != 0x3030 && !in(point, 0xfd3e, 0xfd3f) &&
         !in(point, 0xfe10, 0xfe6f) && !in(point, 0xff00, 0xff0f) && !in(point, 0xff5b, 0xff65) &&
         !in(point, 0xffe0, 0xffff) && !in(point, 0x1f000, 0x1faff);
}

std::size_t PlainText::origin(std::size_t at) const {
  const auto after = std::upper_bound(shifts.begin(), shifts.end(), at,
                                      [](std::size_t value, const Shift& shift) { return value < shift.plain; });
  const Shift& last = *(after - 1);
  return last.original + (at - last.plain);
}

bool is_plain(std::string_view text) {
  unsigned odd = 0;  // Without a way out of the loop it runs many bytes at a time.
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    odd |= static_cast<unsigned>(static_cast<unsigned char>(byte - 0x20) > 0x5e) &
           static_cast<unsigned>(static_cast<unsigned char>(byte - 0x09) > 0x04);
  }
  return odd == 0;
}

std::optional<PlainText> fold(std::string_view text) {
  PlainText result;
  result.text.reserve(text.size());
  result.shifts.push_back({0, 0});
  const bool valid = fold_into(text, result.text, [&](std::size_t plain, std::size_t original) {
    if (result.shifts.back().plain == plain)
      result.shifts.back().original = original;
    else
      result.shifts.push_back({plain, original});
  });
  if (!valid) return {};
  return result;
}

std::optional<std::string> to_plain_text(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  if (!fold_into(text, plain, [](std::size_t, std::size_t) {})) return {};
  return plain;
}

}  // namespace hearth::privacy
