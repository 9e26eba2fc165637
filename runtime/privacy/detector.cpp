#include "runtime/privacy/detector.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <re2/re2.h>

#include "runtime/privacy/plain_text.h"

namespace hearth::privacy {
namespace {

using policies::Detected;

constexpr unsigned kCountMax = 65535;

constexpr const char* kEmail = R"([\pL\pN._%+'\-]+@[\pL\pN\-]+(?:\.[\pL\pN\-]+)*\.\pL{2,})";

// Numbers that announce themselves stand anywhere; the others not right behind a letter, as article numbers do. None
// ends before another digit. A leading zero, then groups: 030 1234567, 0171/123 45 67; what only looks so is sorted out
// by code.
constexpr const char* kPhone = R"((?:(\+[1-9](?:[ \t.\-/()]{0,2}\d){7,14}|\(\d{3}\)[ \t]{0,2}\d{3}[\-. \t]{1,2}\d{4}))"
                               R"(|(?:^|[^\pL\pN])(00[1-9](?:[ \t.\-/()]{0,2}\d){7,14})"
                               R"(|\d{3}[\-. \t]{1,2}\d{3}[\-. \t]{1,2}\d{4})"
                               R"(|[2-9]\d{2}[2-9]\d{6})"
                               R"(|0[1-9](?:[ \t.\-/()]{0,2}\d){7,10})"
                               R"(|(?i:tel|phone|telephone|call|text|mobile|cell|fax|whatsapp|ring|sms)[^\pL\d]{0,6})"
                               R"((?:\d[ \t.\-/()]{0,2}){6,14}\d))(?:\D|$))";

constexpr const char* kDate =
    R"((\d{1,2}[./\-]\d{1,2}[./\-](?:19|20)\d{2}|(?:19|20)\d{2}[./\-]\d{1,2}[./\-]\d{1,2})(?:\D|$))";
constexpr const char* kDigits = R"((\d(?:[\s.\-]{0,3}\d)+))";

RE2::Options options() {
  RE2::Options result;
  result.set_log_errors(false);
  return result;
}

std::uint16_t counted(unsigned count) { return static_cast<std::uint16_t>(std::min(count, kCountMax)); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digit_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_digit));
}

/// ISO/IEC 7812-1: from the right every second digit is doubled, digit sums add up to a multiple of ten.
bool passes_luhn(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, doubled = !doubled) {
    const int value = (*digit - '0') * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

/// First digits and lengths of the card networks; a 13-digit article number would often pass Luhn alone.
bool is_card(std::string_view digits) {
  const char first = digits[0];
  const char second = digits[1];
  bool known = false;
  switch (digits.size()) {
    case 13:
      known = first == '4';
      break;
    case 14:
      known = first == '3' && (second == '0' || second == '6' || second == '8' || second == '9');
      break;
    case 15:
      known = first == '3' && (second == '4' || second == '7');
      break;
    case 16:
      known = first >= '2' && first <= '6';
      break;
    case 17:
    case 18:
    case 19:
      known = first >= '4' && first <= '6';
      break;
    default:
      break;
  }
  return known && passes_luhn(digits);
}

/// Cards in a run of digit groups: "4111 1111 1111 1111 12 26" holds one and an expiry date.
unsigned cards_in(std::string_view run) {
  std::string digits;
  std::vector<std::size_t> bounds;  ///< Where groups begin, and the end.
  std::vector<bool> dotted;         ///< A dot is right before the group.
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (!is_digit(run[i])) continue;
    if (i == 0 || !is_digit(run[i - 1])) {
      bounds.push_back(digits.size());
      dotted.push_back(i > 0 && run[i - 1] == '.');
    }
    digits += run[i];
  }
  bounds.push_back(digits.size());
  // Fractions, prices and dates: with dots, groups as short as these are no card's.
  const auto is_amounts = [&](std::size_t begin, std::size_t end) {
    bool dots = false;
    bool is_short = false;
    for (std::size_t i = begin; i < end; ++i) {
      dots = dots || (i > begin && dotted[i]);
      is_short = is_short || bounds[i + 1] - bounds[i] < 3;
    }
    return dots && is_short;
  };
  unsigned found = 0;
  for (std::size_t begin = 0; begin + 1 < bounds.size(); ++begin) {
    for (std::size_t end = begin + 1; end < bounds.size() && bounds[end] - bounds[begin] <= 19; ++end) {
      if (bounds[end] - bounds[begin] < 13) continue;
      if (!is_card(std::string_view(digits).substr(bounds[begin], bounds[end] - bounds[begin]))) continue;
      if (is_amounts(begin, end)) continue;
      ++found;
      begin = end - 1;
      break;
    }
  }
  return found;
}

}  // namespace

struct TextDetector::Patterns {
  RE2 email{kEmail, options()};
  RE2 phone{kPhone, options()};
  RE2 date{kDate, options()};
  RE2 digits{kDigits, options()};

  bool ok() const { return email.ok() && phone.ok() && date.ok() && digits.ok(); }

  unsigned emails(re2::StringPiece text) const {
    unsigned found = 0;
    while (found < kCountMax && RE2::FindAndConsume(&text, email)) ++found;
    return found;
  }

  /// Where the date that holds position `at` ends; 0 when there is none.
  std::size_t date_end(re2::StringPiece text, std::size_t at) const {
    constexpr std::size_t kBackMax = 8;  // "2023-11-" before the day.
    for (std::size_t back = 0; back <= std::min(at, kBackMax); ++back) {
      const std::size_t begin = at - back;
      if (!is_digit(text[begin]) || (begin > 0 && is_digit(text[begin - 1]))) continue;
      re2::StringPiece parts[2];
      if (!date.Match(text, begin, text.size(), RE2::ANCHOR_START, parts, 2)) continue;
      if (const std::size_t end = begin + parts[1].size(); end > at) return end;
    }
    return 0;
  }

  /// 12 digits without a gap are an article number (UPC), except behind Germany's mobile prefixes.
  static bool is_article(std::string_view hit) {
    if (hit.size() != 12 || digit_count(hit) != 12) return false;
    return hit[1] != '1' || hit[2] < '5' || hit[2] > '7';
  }

  unsigned phones(re2::StringPiece text) const {
    unsigned found = 0;
    re2::StringPiece parts[3];
    std::size_t from = 0;
    while (found < kCountMax && phone.Match(text, from, text.size(), RE2::UNANCHORED, parts, 3)) {
      const re2::StringPiece hit = parts[1].data() != nullptr ? parts[1] : parts[2];
      const auto begin = static_cast<std::size_t>(hit.data() - text.data());
      from = begin + hit.size();
      if (hit[0] == '0' && hit[1] != '0') {
        if (is_article({hit.data(), hit.size()})) continue;
        if (const std::size_t end = date_end(text, begin)) {  // A number may follow the date.
          from = end;
          continue;
        }
      }
      ++found;
    }
    return found;
  }

  unsigned cards(re2::StringPiece text) const {
    unsigned found = 0;
    re2::StringPiece hit;
    while (found < kCountMax && RE2::FindAndConsume(&text, digits, &hit)) {
      found += cards_in(std::string_view(hit.data(), hit.size()));
    }
    return found;
  }
};

TextDetector::TextDetector(std::span<const policies::OwnDetector>, std::size_t text_bytes_max)
    : text_bytes_max_(text_bytes_max), patterns_(std::make_unique<Patterns>()) {}
TextDetector::~TextDetector() = default;
TextDetector::TextDetector(TextDetector&&) noexcept = default;
TextDetector& TextDetector::operator=(TextDetector&&) noexcept = default;

Detections TextDetector::detect(std::string_view text) const noexcept try {
  Detections result;
  result.understood = false;
  if (text.size() > kTextBytesMax || !patterns_ || !patterns_->ok()) return result;
  std::string plain;
  if (!is_ascii(text)) {
    auto read = to_plain_text(text);
    if (!read) return result;
    plain = std::move(*read);
    text = plain;
  }
  const re2::StringPiece piece(text.data(), text.size());
  const auto count = [&](Detected type) -> std::uint16_t& { return result.counts[static_cast<std::size_t>(type)]; };
  if (text.find('@') != std::string_view::npos) count(Detected::kEmail) = counted(patterns_->emails(piece));
  const std::size_t digits = digit_count(text);
  if (digits >= 7) count(Detected::kPhone) = counted(patterns_->phones(piece));
  if (digits >= 13) count(Detected::kCreditCard) = counted(patterns_->cards(piece));
  result.understood = true;
  return result;
} catch (...) { return {{}, false}; }

Findings TextDetector::find(std::string_view text) const noexcept try {
  Findings result;
  if (text.size() > text_bytes_max_ || !to_plain_text(text)) return {{}, false};
  re2::StringPiece rest(text.data(), text.size()), hit;
  while (patterns_->email.Match(rest, 0, rest.size(), RE2::UNANCHORED, &hit, 1)) {
    const auto begin = static_cast<std::size_t>(hit.data() - text.data());
    result.spans.push_back({begin, begin + hit.size(), 0});
    rest.remove_prefix(static_cast<std::size_t>(hit.data() + hit.size() - rest.data()));
  }
  return result;
} catch (...) { return {{}, false}; }

}  // namespace hearth::privacy
