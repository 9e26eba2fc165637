// Values of every structured type, valid ones drawn at random, in random text and behind random disguises, are found
// where they stand.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/privacy/detector.h"

namespace hearth::privacy {
namespace {

using policies::Detected;

int number(int least, int most) { return *rc::gen::inRange(least, most + 1); }
char digit(char least = '0') { return static_cast<char>(number(least, '9')); }
bool toss() { return number(0, 1) == 1; }

template <typename T, std::size_t N>
const T& one_of(const std::array<T, N>& choices) {
  return choices[static_cast<std::size_t>(number(0, static_cast<int>(N) - 1))];
}

std::string drawn(int count, std::string_view alphabet) {
  std::string text;
  for (; count > 0; --count)
    text += alphabet[static_cast<std::size_t>(number(0, static_cast<int>(alphabet.size()) - 1))];
  return text;
}

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kSmall = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kCapitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kCapitalsAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

std::string two_digits(int value) { return {static_cast<char>('0' + value / 10), static_cast<char>('0' + value % 10)}; }

/// `digits` and the one that makes Luhn's sum, with `start` added, a multiple of ten.
std::string with_luhn(std::string digits, int start) {
  int sum = start;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int value = digits[digits.size() - 1 - i] - '0';
    sum += i % 2 == 1 ? value : value < 5 ? 2 * value : 2 * value - 9;
  }
  return digits + static_cast<char>('0' + (10 - sum % 10) % 10);
}

/// In groups of these sizes, with the same mark between them, or nothing.
std::string grouped(const std::string& text, const std::vector<std::size_t>& sizes, std::string_view mark) {
  std::string result;
  std::size_t at = 0;
  for (const std::size_t size : sizes) {
    if (at >= text.size()) break;
    if (at > 0) result += mark;
    result += text.substr(at, size);
    at += size;
  }
  return result;
}

struct Planted {
  Detected type;
  std::string announced;  ///< What must stand before the value.
  std::string value;
};

constexpr std::array<std::string_view, 3> kGaps = {"", " ", "-"};

Planted email() {
  std::string local = drawn(number(2, 9), kSmall);
  if (toss()) local += one_of(std::array{".", "_", "+", "-"}) + drawn(number(1, 5), "abcdef0123456789");
  const std::string host = drawn(number(2, 9), kSmall) + (toss() ? "-" + drawn(3, kSmall) : "");
  return {Detected::kEmail, "",
          local + "@" + host + (toss() ? "." + drawn(3, kSmall) : "") + "." + drawn(number(2, 4), kSmall)};
}

Planted phone() {
  const std::string area = std::string{digit('2')} + drawn(1, "012345678") + digit();
  const std::string line = std::string{digit('2')} + drawn(2, kDigits) + "-" + drawn(4, kDigits);
  switch (number(0, 4)) {
    case 0:
      return {Detected::kPhone, "", "(" + area + ") " + line};
    case 1:
      return {Detected::kPhone, "", area + "-" + line};
    case 2:
      return {Detected::kPhone, "", "+1 " + area + " " + line};
    case 3:
      return {Detected::kPhone, "", "+49 " + std::string{digit('1')} + digit() + " " + drawn(number(5, 8), kDigits)};
    default:
      return {Detected::kPhone, one_of(std::array{"call ", "tel: ", "my number is ", "fax "}), line};
  }
}

Planted card() {
  const std::string gap(one_of(kGaps));
  if (toss()) {
    const std::string digits = with_luhn((toss() ? "34" : "37") + drawn(12, kDigits), 0);
    return {Detected::kCreditCard, "", grouped(digits, {4, 6, 5}, gap)};
  }
  const std::string digits = with_luhn(one_of(std::array{"4", "51", "55", "6011", "2221"}) + drawn(11, kDigits), 0);
  const std::string whole = digits.size() == 16 ? digits : with_luhn("4" + drawn(14, kDigits), 0);
  return {Detected::kCreditCard, "", grouped(whole, {4, 4, 4, 4}, gap)};
}

Planted iban() {
  struct Country {
    std::string_view code;
    int length;
  };
  const Country country =
      one_of(std::array<Country, 6>{{{"DE", 22}, {"GB", 22}, {"FR", 27}, {"NO", 15}, {"MT", 31}, {"CH", 21}}});
  const std::string rest = drawn(country.length - 4, toss() ? kDigits : kCapitalsAndDigits);
  int left = 0;  // ISO 7064: with check digits of 00, 98 minus the remainder.
  for (const char c : rest + std::string(country.code) + "00") {
    if (c >= 'A') left = (left * 10 + (c - 'A' + 10) / 10) % 97;
    left = (left * 10 + (c >= 'A' ? (c - 'A' + 10) % 10 : c - '0')) % 97;
  }
  const std::string all = std::string(country.code) + two_digits(98 - left) + rest;
  return {Detected::kIban, "", grouped(all, {4, 4, 4, 4, 4, 4, 4, 4}, toss() ? " " : "")};
}

Planted social_security() {
  const int area = number(1, 898);
  const std::string digits = std::to_string(1000 + (area == 666 ? 1 : area)).substr(1) + two_digits(number(1, 99)) +
                             std::to_string(10000 + number(1, 9999)).substr(1);
  if (toss()) return {Detected::kSsn, "", grouped(digits, {3, 2, 4}, "-")};
  return {Detected::kSsn, one_of(std::array{"SSN ", "social security number: "}),
          grouped(digits, {3, 2, 4}, one_of(kGaps))};
}

Planted ip() {
  std::string value;
  if (toss()) {
    for (int i = 0; i < 4; ++i) value += (i > 0 ? "." : "") + std::to_string(number(0, 255));
    return {Detected::kIp, "", value};
  }
  const bool is_short = toss();
  for (int i = 0; i < (is_short ? 3 : 8); ++i) value += (i > 0 ? ":" : "") + drawn(number(1, 4), "0123456789abcdef");
  return {Detected::kIp, "", is_short ? "2001:" + value + "::" + drawn(2, kDigits) : value};
}

Planted record() {
  const std::string value = (toss() ? drawn(number(1, 2), kCapitals) : "") + drawn(number(5, 8), kDigits);
  return {Detected::kMrn, one_of(std::array{"MRN ", "mrn: ", "medical record number ", "chart no. "}), value};
}

Planted provider() {
  if (toss()) return {Detected::kNpi, "", with_luhn("1" + drawn(8, kDigits), 24)};  // 24: the prefix 80840.
  return {Detected::kNpi, one_of(std::array{"NPI ", "npi: ", "NPI number "}),
          std::string{digit('1')} + drawn(9, kDigits)};
}

Planted secret() {
  const std::string some = drawn(16, kCapitalsAndDigits);
  switch (number(0, 2)) {
    case 0:
      return {Detected::kSecret, "", "AKIA" + some};
    case 1:
      return {Detected::kSecret, "", "ghp_" + some + some + "x1Y2"};
    default:
      return {Detected::kSecret, one_of(std::array{"password=", "api_key: ", "pwd == "}),
              drawn(6, kSmall) + digit() + digit()};
  }
}

Planted birth() {
  const std::string year = std::to_string(number(1920, 2019));
  const std::string day = two_digits(number(1, 28));
  const std::string month = two_digits(number(1, 12));
  const std::string name(one_of(std::array{"January", "Feb", "March", "jun", "October", "Dec"}));
  const std::array<std::string, 6> forms = {month + "/" + day + "/" + year, year + "-" + month + "-" + day,
                                            day + "." + month + "." + year, name + " " + day + ", " + year,
                                            day + " " + name + " " + year,  month + "/" + day + "/" + year.substr(2)};
  return {Detected::kDateOfBirth, one_of(std::array{"born on ", "DOB: ", "date of birth ", "birthday: "}),
          one_of(forms)};
}

std::string utf8(char32_t point) {
  std::string bytes;
  if (point < 0x80) return {static_cast<char>(point)};
  if (point >= 0x800) {
    bytes += static_cast<char>(0xe0 | point >> 12);
    bytes += static_cast<char>(0x80 | (point >> 6 & 0x3f));
  } else {
    bytes += static_cast<char>(0xc0 | point >> 6);
  }
  return bytes + static_cast<char>(0x80 | (point & 0x3f));
}

/// Cyrillic for some letters, never for a word's first, so that each word still has a Latin one or a digit.
std::string look_alike(char c, bool first) {
  constexpr std::string_view kLatin = "aeopcxyABEKMHOPCTX";
  constexpr std::u32string_view kCyrillic = U"аеорсхуАВЕКМНОРСТХ";
  const std::size_t at = kLatin.find(c);
  return first || at == std::string_view::npos || toss() ? std::string(1, c) : utf8(kCyrillic[at]);
}

/// The same value to a reader's eye.
std::string disguised(const Planted& planted) {
  constexpr std::u32string_view kUnseen = U"\u200b\u200d\u2060\u00ad\ufeff";
  constexpr std::u32string_view kSpaces = U"\u00a0\u2009\u202f\u3000";
  constexpr std::u32string_view kDashes = U"\u2010\u2011\u2012\u2013\u2212";
  const auto of = [](std::u32string_view points) {
    return utf8(points[static_cast<std::size_t>(number(0, static_cast<int>(points.size()) - 1))]);
  };
  const bool wide = toss(), unseen = toss(), marks = toss(), letters = toss();
  std::string result;
  bool first = true;
  for (const char c : planted.value) {
    if (unseen && !result.empty() && number(0, 3) == 0) result += of(kUnseen);
    const bool is_digit = c >= '0' && c <= '9';
    if (is_digit && wide && toss())
      result += utf8(U'\uff10' + static_cast<char32_t>(c - '0'));
    else if (c == ' ' && marks)
      result += of(kSpaces);
    else if (c == '-' && marks)
      result += of(kDashes);
    else
      result += letters ? look_alike(c, first) : std::string(1, c);
    first = !is_digit && (c | 0x20) < 'a';
  }
  return result;
}

/// Text without personal data and without a word that announces some, longer than any keyword reaches.
std::string carrier() {
  constexpr std::array<std::string_view, 24> kWords = {"garden", "winter", "the",    "quietly", "roof",    "naïve",
                                                       "Straße", "東京",   "Привет", "мир",     "😀",       "yellow",
                                                       "tea",    "books",  "and",    "Ωmega",   "déjà vu", "rain",
                                                       "votes",  "ship.",  "(well)", "\"so\"",  "sugar;",  "river?"};
  std::string text;
  while (text.size() < 90) text += std::string(one_of(kWords)) + one_of(std::array{" ", " ", "  ", "\n", ", "});
  return text + "lamps";
}

TEST_CASE("valid values of every structured type are found in any text, whole, through any disguise", "[planted]") {
  const TextDetector detector({}, TextDetector::kTextBytesMax, false);
  constexpr std::array kMakers = {email, phone, card, iban, social_security, ip, record, provider, secret, birth};
  constexpr std::array<std::string_view, 7> kBefore = {" ", "\n", " (", " \"", ", ", ": ", " “"};
  constexpr std::array<std::string_view, 9> kAfter = {" ", "\n", ") ", "\" ", ", ", ". ", "! ", "? ", "” "};
  REQUIRE(rc::check([&] {
    struct Place {
      Planted planted;
      std::size_t begin, end;
    };
    std::vector<Place> places;
    std::string text = toss() ? carrier() : "";
    for (int left = number(1, 3); left > 0; --left) {
      const Planted planted = one_of(kMakers)();
      if (!text.empty()) text += one_of(kBefore);
      text += planted.announced;
      const std::size_t begin = text.size();
      text += toss() ? disguised(planted) : planted.value;
      places.push_back({planted, begin, text.size()});
      if (left > 1 || toss()) text += std::string(one_of(kAfter)) + carrier();
    }
    const Findings findings = detector.find(text);
    RC_LOG() << text << "\n";
    for (const Span& span : findings.spans)
      RC_LOG() << int{span.slot} << ": " << text.substr(span.begin, span.end - span.begin) << "\n";
    RC_ASSERT(findings.understood);
    RC_ASSERT(findings.spans.size() == places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      RC_ASSERT(findings.spans[i] ==
                (Span{places[i].begin, places[i].end, static_cast<std::uint8_t>(places[i].planted.type)}));
    }
  }));
}

}  // namespace
}  // namespace hearth::privacy
