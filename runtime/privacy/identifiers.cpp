// EMAIL, IBAN and IPv6.
#include <array>

#include "runtime/privacy/finders.h"
#include "runtime/privacy/plain_text.h"

namespace hearth::privacy {
namespace {

using policies::Detected;

/// Length of the character at `at` if it is a letter or digit of any script, else 0.
std::size_t word_length(std::string_view text, std::size_t at) {
  if (is_ascii(text[at])) return is_alnum(text[at]) ? 1 : 0;
  std::uint32_t point = 0;
  const std::size_t length = decode_utf8(text.substr(at), point);
  return is_word_point(point) ? length : 0;
}

std::size_t local_part(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0) {
    const char c = text[begin - 1];
    if (is_alnum(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '\'' || c == '-')
      --begin;
    else if (!is_ascii(c) && foreign_word_before(text, begin))
      while ((static_cast<unsigned char>(text[--begin]) & 0xc0) == 0x80) {}
    else
      break;
  }
  while (begin < at && (text[begin] == '\'' || text[begin] == '.' || text[begin] == '-')) ++begin;
  return begin;
}

/// Where the host that begins at `at` ends: behind the last label that begins with letters, the first not counted.
std::size_t host_end(std::string_view text, std::size_t at) {
  std::size_t end = 0;
  for (bool first = true;; first = false) {
    const std::size_t label = at;
    std::size_t letters = 0;
    std::size_t letters_end = at;
    while (at < text.size()) {
      const std::size_t length = text[at] == '-' ? 1 : word_length(text, at);
      if (length == 0) break;
      if (letters_end == at && text[at] != '-' && !is_digit(text[at])) ++letters, letters_end += length;
      at += length;
    }
    if (at == label) break;
    if (!first && stands_at(text, label, "xn--"))
      end = at;
    else if (!first && letters >= 2)
      end = letters_end;
    if (at == text.size() || text[at] != '.') break;
    ++at;
  }
  return end;
}

struct Country {
  char code[3];
  std::uint8_t length;
};

// The IBAN registry, release 99.
constexpr Country kCountries[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
    {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28},
    {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28},
    {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22},
    {"MK", 19}, {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
    {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
    {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30}};

constexpr std::array<std::uint8_t, 26 * 26> kIbanLengths = [] {
  std::array<std::uint8_t, 26 * 26> lengths{};
  for (const Country& country : kCountries)
    lengths[static_cast<std::size_t>((country.code[0] - 'A') * 26 + country.code[1] - 'A')] = country.length;
  return lengths;
}();

std::size_t iban_length(char first, char second) {
  return kIbanLengths[static_cast<std::size_t>(((first | 0x20) - 'a') * 26 + (second | 0x20) - 'a')];
}

/// Where the IBAN that begins at `begin` ends; 0 for none.
std::size_t iban_end(std::string_view text, std::size_t begin) {
  const std::size_t length = iban_length(text[begin], text[begin + 1]);
  if (length == 0 || word_before(text, begin)) return 0;
  char characters[34];
  std::size_t count = 0;
  std::size_t at = begin;
  int gap = 0;
  for (; at < text.size() && count < length; ++at) {
    if (is_alnum(text[at]))
      characters[count++] = text[at], gap = 0;
    else if (++gap > 2 || (!is_space(text[at]) && text[at] != '-' && text[at] != '.' && text[at] != '_'))
      return 0;
  }
  if (count < length || word_behind(text, at) || !is_digit(characters[2]) || !is_digit(characters[3])) return 0;
  std::uint64_t rest = 0;  // ISO 7064: the first four at the end, letters as 10 to 35.
  for (std::size_t i = 0; i < length; ++i) {
    const char c = characters[i + 4 < length ? i + 4 : i + 4 - length];
    rest = is_digit(c) ? rest * 10 + static_cast<unsigned>(c - '0')
                       : rest * 100 + static_cast<unsigned>((c | 0x20) - 'a' + 10);
    if (rest > 1'000'000'000'000'000) rest %= 97;  // Seldom: a division takes longer than all else here.
  }
  return rest % 97 == 1 ? at : 0;
}

/// Four decimal numbers up to 255 at `at`; where they end, 0 for none.
std::size_t ipv4_end(std::string_view text, std::size_t at) {
  for (int i = 0; i < 4; ++i) {
    unsigned value = 0;
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at]) && at - begin < 3)
      value = value * 10 + static_cast<unsigned>(text[at++] - '0');
    if (at == begin || value > 255) return 0;
    if (i < 3 && (at == text.size() || text[at++] != '.')) return 0;
  }
  return at;
}

struct Address {
  std::size_t end;  ///< Of what was read, an address or not.
  bool valid;
};

/// RFC 4291, 2.2: eight groups of hex digits, or fewer around one "::", the last two perhaps as version 4.
Address read_ipv6(std::string_view text, std::size_t at) {
  int groups = 0;
  bool gap = false;
  bool digits = false;
  bool open = false;  // Behind a single colon: a group must follow.
  if (text[at] == ':') gap = true, at += 2;
  while (groups < 8) {
    const std::size_t begin = at;
    while (at < text.size() && is_hex(text[at]) && at - begin < 5) digits |= is_digit(text[at++]);
    if (at - begin > 4) return {at, false};
    if (at == begin) break;
    if (at < text.size() && text[at] == '.') {
      if (const std::size_t end = ipv4_end(text, begin); end != 0 && (gap ? groups <= 5 : groups == 6))
        return {end, !word_behind(text, end)};
    }
    ++groups;
    open = false;
    if (at + 1 >= text.size() || text[at] != ':') break;
    if (text[at + 1] == ':') {
      if (gap) return {at + 2, false};
      gap = true;
      at += 2;
    } else if (is_hex(text[at + 1]) && groups < 8) {
      open = true;
      ++at;
    } else {
      break;
    }
  }
  const bool complete = gap ? groups >= 1 && groups < 8 && digits : groups == 8;
  return {at, complete && !open && !word_behind(text, at) &&
                  !(at + 1 < text.size() && text[at] == ':' && is_hex(text[at + 1]))};
}

}  // namespace

void find_emails(const Marks& marks, Spans& found) {
  std::size_t from = 0;  // Where the last address ended: none begins before.
  for (const std::size_t at : marks.ats) {
    const std::size_t begin = local_part(marks.text, at);
    if (begin == at || begin < from) continue;
    const std::size_t end = host_end(marks.text, at + 1);
    if (end == 0) continue;
    found.push_back(span_of(begin, end, Detected::kEmail));
    from = end;
  }
}

void find_ibans(const Marks& marks, Spans& found) {
  std::size_t from = 0;
  for (const std::size_t begin : marks.countries) {
    if (begin < from) continue;
    if (const std::size_t end = iban_end(marks.text, begin)) {
      found.push_back(span_of(begin, end, Detected::kIban));
      from = end;
    }
  }
}

void find_ipv6(const Marks& marks, Spans& found) {
  std::size_t from = 0;
  for (const std::size_t colon : marks.colons) {
    if (colon < from) continue;
    std::size_t begin = colon;
    while (begin > from && colon - begin < 5 && is_hex(marks.text[begin - 1])) --begin;
    const bool apart = !word_before(marks.text, begin) && (begin == 0 || marks.text[begin - 1] != ':');
    if (!apart || (begin == colon && marks.text[colon + 1] != ':')) continue;
    const Address address = read_ipv6(marks.text, begin);
    if (address.valid) found.push_back(span_of(begin, address.end, Detected::kIp));
    if (address.end > colon) from = address.end;
  }
}

}  // namespace hearth::privacy
