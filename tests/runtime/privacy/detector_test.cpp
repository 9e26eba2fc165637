#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "runtime/privacy/detector.h"

namespace hearth::privacy {
namespace {

using policies::Detected;

struct Case {
  std::string text;
  unsigned email;
  unsigned phone;
  unsigned card;
};

unsigned count(const Detections& found, Detected type) { return found.counts[static_cast<std::size_t>(type)]; }

void check(const TextDetector& detector, const Case& expected) {
  INFO(expected.text);
  const Detections found = detector.detect(expected.text);
  CHECK(found.understood);
  CHECK(count(found, Detected::kEmail) == expected.email);
  CHECK(count(found, Detected::kPhone) == expected.phone);
  CHECK(count(found, Detected::kCreditCard) == expected.card);
}

// 4111111111111111, 378282246310005, 5555555555554444, 6011111111111117 and 30569309025904 are the networks' published
// test numbers; numbers with 555-01xx are reserved for fiction.
TEST_CASE("the detector counts e-mail addresses, phone numbers and cards") {
  const TextDetector detector;
  const std::vector<Case> cases = {
      {"write to jane.doe+shop@mail.example.co.uk today", 1, 0, 0},
      {"a@b.de, c@d.org;e@f.net", 3, 0, 0},
      {"O'Brien@example.com", 1, 0, 0},
      {"jörg@müller.example", 1, 0, 0},
      {"call 555-0134", 0, 1, 0},
      {"Phone: (555) 010-0199", 0, 1, 0},
      {"212-555-0134 or 212.555.0135 or 2125550136", 0, 3, 0},
      {"+49 30 901820 and +1 (212) 555-0134", 0, 2, 0},
      {"0049 30 901820", 0, 1, 0},
      {"030 12345678", 0, 1, 0},
      {"0171/123 45 67", 0, 1, 0},
      {"card 4111 1111 1111 1111", 0, 0, 1},
      {"4111-1111-1111-1111 12/26", 0, 0, 1},
      {"4111111111111111 12 26", 0, 0, 1},
      {"378282246310005 5555555555554444", 0, 0, 2},
      {"6011111111111117, 30569309025904", 0, 0, 2},
  };
  for (const Case& expected : cases) check(detector, expected);
}

TEST_CASE("the detector sees through look-alikes") {
  const TextDetector detector;
  const std::vector<Case> cases = {
      {"jane＠example．com", 1, 0, 0},                  // full-width @ and dot
      {"jane\u200b@exam\u00adple.com", 1, 0, 0},        // zero-width space, soft hyphen
      {"call ５５５‑０１３４", 0, 1, 0},                // full-width digits, non-breaking hyphen
      {"4111\u00a01111\u00a01111\u00a01111", 0, 0, 1},  // no-break spaces
      {"+٤٩ ٣٠ ٩٠١٨٢٠", 0, 1, 0},                       // Arabic-Indic digits
  };
  for (const Case& expected : cases) check(detector, expected);
}

TEST_CASE("the detector finds nothing in prices, dates, sizes and article numbers") {
  const TextDetector detector;
  for (const std::string text : {
           "",
           "red boots, size 42, $59.99 instead of $79.99",
           "from 01.02.2023 to 28.02.2023",
           "on 2023-11-23 10:45:30",
           "01/02/2023 10:30",
           "EAN 4006381333931",
           "UPC 036000291452",
           "order 12345678",
           "ratio 16:9, 1920x1080",
           "1,299,000.00 EUR",
           "follow @shop",
           "a@b",
           "4111 1111 1111 1112",
           "1234 5678 9012 3456",
           "SKU A0123456789",
           "3.14159265358979",
           "text size 12",
       }) {
    check(detector, {text, 0, 0, 0});
  }
}

TEST_CASE("phone numbers are found next to other digits") {
  const TextDetector detector;
  const std::vector<Case> cases = {
      {"0171 1234567 0172 7654321", 0, 2, 0},
      {"030 1234567 030 7654321", 0, 2, 0},
      {"0171 1234567 12.05.2020", 0, 1, 0},
      {"12.05.2020 0171 1234567", 0, 1, 0},
      {"01.02.2020 0171 1234567", 0, 1, 0},
      {"2020-01-02 0171 1234567", 0, 1, 0},
      {"0151 23456789 12", 0, 1, 0},
      {"015123456789", 0, 1, 0},
      {"(030) 1234567", 0, 1, 0},
      {"0171 1234567abends", 0, 1, 0},
      {"phone_0171 1234567", 0, 1, 0},
      {"Tel5550134", 0, 1, 0},
      {"036000291452 030 1234567", 0, 1, 0},
  };
  for (const Case& expected : cases) check(detector, expected);
}

TEST_CASE("cards are found next to letters and whatever stands between their groups") {
  const TextDetector detector;
  for (const std::string text : {
           "Visa4111111111111111",
           "card_4111111111111111",
           "4111111111111111EUR",
           "4111.1111.1111.1111",
           "4111  1111  1111  1111",
           "4111\t1111\t1111\t1111",
           "4111 - 1111 - 1111 - 1111",
           "4111\n1111\n1111\n1111",
           "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
       }) {
    check(detector, {text, 0, 0, 1});
  }
}

TEST_CASE("neighbouring dates and long fractions are no numbers") {
  const TextDetector detector;
  for (const std::string text : {
           "28.02.2023 01.03.2023",
           "01.02.2023 10.30",
           "28.02.2023 10.30",
           "2023-01-05 2023-01-06",
           "2023-01-05 10-30-00",
           "4.111111111111111",
       }) {
    check(detector, {text, 0, 0, 0});
  }
}

TEST_CASE("text that is not UTF-8 is not understood") {
  const TextDetector detector;
  for (const std::string text :
       {"\xff", "caf\xe9", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "ab\xe2\x82"}) {
    CHECK_FALSE(detector.detect(text).understood);
  }
  CHECK(detector.detect("caf\xc3\xa9 \xf0\x9f\x91\xa2").understood);
}

TEST_CASE("text over the size limit is not understood") {
  const TextDetector detector;
  CHECK(detector.detect(std::string(TextDetector::kTextBytesMax, 'a')).understood);
  CHECK_FALSE(detector.detect(std::string(TextDetector::kTextBytesMax + 1, 'a')).understood);
}

TEST_CASE("every address in a long text is counted") {
  const TextDetector detector;
  std::string text;
  for (int i = 0; i < 35000; ++i) text += "a@b.cc ";
  const Detections found = detector.detect(text);
  CHECK(found.understood);
  CHECK(count(found, Detected::kEmail) == 35000);
}

TEST_CASE("a hostile text of the longest size is read to its end") {
  const TextDetector detector;
  for (const std::string piece :
       {"a@", "0 ", "1", "+1(", "4 ", "a.", "@a.", "01", "01 ", "01.01.2020 ", "tel ", "036000291452 ", "4111  "}) {
    std::string text;
    while (text.size() + piece.size() <= TextDetector::kTextBytesMax) text += piece;
    INFO(piece);
    CHECK(detector.detect(text).understood);
  }
}

}  // namespace
}  // namespace hearth::privacy
