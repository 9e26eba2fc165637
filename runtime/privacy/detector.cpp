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

// A leading zero, then groups: 030 1234567, 0171/123 45 67. Dates look alike and are sorted out by code.
constexpr const char* kPhone =
    R"((?:\+|\b00)[1-9](?:[ .\-/()]{0,2}\d){7,14}\b)"
    R"(|(?:\(\d{3}\) ?|\b\d{3}[-. ])\d{3}[-. ]\d{4}\b)"
    R"(|\b[2-9]\d{2}[2-9]\d{6}\b)"
    R"(|\b0[1-9](?:[ .\-/]?\d){7,}\b)"
    R"(|(?i:\b(?:tel|phone|telephone|call|text|mobile|cell|fax|whatsapp|ring|sms)\b)[^\pL\d]{0,6}(?:\d[ .\-/()]{0,2}){6,14}\d\b)";

constexpr const char* kDate = R"(\d{1,2}([./\-])\d{1,2}[./\-]\d{4}(?:\D.*)?)";
constexpr const char* kDigits = R"(\b\d(?:[ \-]?\d)+\b)";

RE2::Options options() {
  RE2::Options result;
  result.set_log_errors(false);
  return result;
}

std::uint16_t counted(unsigned count) { return static_cast<std::uint16_t>(std::min(count, kCountMax)); }

std::size_t digit_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }));
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
  std::vector<std::size_t> bounds{0};  ///< Where groups begin, and the end.
  for (const char c : run) {
    if (c >= '0' && c <= '9') {
      digits += c;
    } else {
      bounds.push_back(digits.size());
    }
  }
  bounds.push_back(digits.size());
  unsigned found = 0;
  for (std::size_t begin = 0; begin + 1 < bounds.size(); ++begin) {
    for (std::size_t end = begin + 1; end < bounds.size() && bounds[end] - bounds[begin] <= 19; ++end) {
      if (bounds[end] - bounds[begin] < 13) continue;
      if (!is_card(std::string_view(digits).substr(bounds[begin], bounds[end] - bounds[begin]))) continue;
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
  RE2 phone{std::string("(") + kPhone + ")", options()};
  RE2 date{kDate, options()};
  RE2 digits{std::string("(") + kDigits + ")", options()};

  bool ok() const { return email.ok() && phone.ok() && date.ok() && digits.ok(); }

  unsigned emails(re2::StringPiece text) const {
    unsigned found = 0;
    while (found < kCountMax && RE2::FindAndConsume(&text, email)) ++found;
    return found;
  }

  unsigned phones(re2::StringPiece text) const {
    unsigned found = 0;
    re2::StringPiece hit;
    while (found < kCountMax && RE2::FindAndConsume(&text, phone, &hit)) {
      const bool trunk = hit[0] == '0' && hit[1] != '0';
      const std::size_t digit = digit_count(std::string_view(hit.data(), hit.size()));
      if (trunk && (digit > 11 || RE2::FullMatch(hit, date))) continue;
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

TextDetector::TextDetector() : patterns_(std::make_unique<Patterns>()) {}
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

}  // namespace hearth::privacy
