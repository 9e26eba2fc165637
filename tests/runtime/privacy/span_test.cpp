// Where the detectors say that they found something, of every type, through every disguise.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "runtime/privacy/detector.h"
#include "runtime/privacy/own_detectors.h"

namespace hearth::privacy {
namespace {

using policies::Detected;

std::string found(const TextDetector& detector, const std::string& text, std::uint8_t slot) {
  const Findings findings = detector.find(text);
  CHECK(findings.understood);
  for (const Span& span : findings.spans)
    if (span.slot == slot) return text.substr(span.begin, span.end - span.begin);
  return {};
}

struct Planted {
  Detected type;
  std::string before;
  std::string value;
  std::string after;
};

// Published examples: the IBAN registry's, RFC 5737 and 3849 addresses, 555-01xx numbers, the SSN of the 1938 wallet
// insert, the NPI of the standard's own example, AWS's and jwt.io's keys.
const std::vector<Planted> kPlanted = {
    {Detected::kEmail, "write to ", "jane@example.com", "."},
    {Detected::kPhone, "it is ", "(212) 555-0134 x12", " in the morning"},
    {Detected::kPhone, "They're not answering at ", "785 8949", ""},
    {Detected::kPhone, "", "61 51 81", " office"},
    {Detected::kPhone, "ring ", "+49 30 901820", "!"},
    {Detected::kPhone, "", "1-800-555-0134", ""},
    {Detected::kCreditCard, "card ", "4111 1111 1111 1111", " please"},
    {Detected::kIban, "to ", "DE89 3704 0044 0532 0130 00", ", thanks"},
    {Detected::kIban, "iban ", "gb82west12345698765432", ""},
    {Detected::kSsn, "", "078-05-1120", ""},
    {Detected::kSsn, "my ssn is ", "078051120", ""},
    {Detected::kIp, "from ", "192.0.2.17", " port 80"},
    {Detected::kIp, "from ", "2001:db8::8a2e:370:7334", " today"},
    {Detected::kIp, "from ", "::ffff:192.0.2.17", ""},
    {Detected::kMrn, "MRN: ", "A1234567", ""},
    {Detected::kMrn, "medical record number ", "00-123-456", " was closed"},
    {Detected::kMrn, "chart no. ", "884213", ""},
    {Detected::kMrn, "MRN ", "PH1234567", ""},  // Whose letters are also a word for phones.
    {Detected::kNpi, "seen by ", "1234567893", ""},
    {Detected::kNpi, "NPI ", "9876543210", ""},
    {Detected::kDateOfBirth, "born on ", "March 3, 1985", " in Bern"},
    {Detected::kDateOfBirth, "DOB ", "03/04/85", ""},
    {Detected::kDateOfBirth, "date of birth: ", "1985-03-04", ""},
    {Detected::kSecret, "use ", "AKIAIOSFODNN7EXAMPLE", " for now"},
    {Detected::kSecret, "password=", "correct-horse", ""},
    {Detected::kSecret, "", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N", ""},
};

TEST_CASE("every type is found where it stands, whole", "[detector]") {
  const TextDetector detector({}, TextDetector::kTextBytesMax, false);
  for (const Planted& planted : kPlanted) {
    INFO(planted.before << planted.value << planted.after);
    CHECK(found(detector, planted.before + planted.value + planted.after, static_cast<std::uint8_t>(planted.type)) ==
          planted.value);
  }
}

TEST_CASE("a password behind more than one mark is found: reading once did not end there", "[detector]") {
  const TextDetector detector({}, TextDetector::kTextBytesMax, false);
  for (const std::string marks : {"==", "=:", "=>", ":=", "===", "=> "}) {
    INFO(marks);
    CHECK(found(detector, "password" + marks + "hunter22", static_cast<std::uint8_t>(Detected::kSecret)) == "hunter22");
  }
}

TEST_CASE("what only looks similar is not found", "[detector]") {
  const TextDetector detector({}, TextDetector::kTextBytesMax, false);
  for (const std::string text :
       {"000-12-3456", "666-12-3456", "900-12-3456", "GB83 WEST 1234 5698 7654 32", "256.1.1.1", "1.2.3.4.5",
        "version 1.2.3.4", "at 10:45:30", "aa:bb:cc:dd:ee:ff", "std::abs", "1234567890", "on 03/04/1985",
        "I lost my password", "password: please", "the chart shows 12345", "internationalization_of_things"}) {
    INFO(text);
    const Findings findings = detector.find(text);
    CHECK(findings.understood);
    CHECK(findings.spans.empty());
  }
}

TEST_CASE("a disguise hides nothing, and the span covers it in the text as sent", "[detector]") {
  const TextDetector detector({}, TextDetector::kTextBytesMax, false);
  const std::vector<Planted> cases = {
      {Detected::kCreditCard, "é ", "4111\u200b1111\u200b1111\u200b1111", " é"},
      {Detected::kCreditCard, "é ", "４１１１１１１１１１１１１１１１", "。"},
      {Detected::kSsn, "ü ", "078\u201105\u20111120", ""},
      {Detected::kSsn, "", std::string("078-05\0-1120", 12), ""},
      {Detected::kIban, "", "D\u0415\u20608937\u00a00400440532013000", ""},
      {Detected::kEmail, "", "j\u0430ne@ex\u0430mple.com", ""},
  };
  for (const Planted& planted : cases) {
    INFO(planted.value);
    CHECK(found(detector, planted.before + planted.value + planted.after, static_cast<std::uint8_t>(planted.type)) ==
          planted.value);
  }
}

TEST_CASE("a policy's own words and patterns are found, whole and in any script", "[detector]") {
  const std::vector<policies::OwnDetector> own = {{"BADGE", "B-[0-9]{4}", {}},
                                                  {"PROJECT", "", {"New York", "Falke", "Москва"}}};
  REQUIRE(check(own).ok());
  const TextDetector detector(own, TextDetector::kTextBytesMax, false);
  const auto badge = static_cast<std::uint8_t>(policies::kDetectedCount);
  const auto project = static_cast<std::uint8_t>(policies::kDetectedCount + 1);
  CHECK(found(detector, "badge B-1234.", badge) == "B-1234");
  CHECK(found(detector, "in new\n york", project) == "new\n york");
  CHECK(found(detector, "F\u0430lk\u0435!", project) == "F\u0430lk\u0435");
  CHECK(found(detector, "в москва", project) == "москва");
  CHECK(found(detector, "Falken", project).empty());
  CHECK(detector.detect("Falke Falke B-0001").counts[project] == 2);
}

TEST_CASE("an own detector that cannot be compiled is refused, and without the check nothing is understood",
          "[detector]") {
  for (const std::string pattern : {"(", "x*", "((a{100}){100}){100}"}) {
    const std::vector<policies::OwnDetector> own = {{"BAD", pattern, {}}};
    const Status status = check(own);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().message.find("BAD") != std::string::npos);
    CHECK_FALSE(TextDetector(own).detect("a").understood);
    CHECK_FALSE(TextDetector(own).find("a").understood);
  }
}

TEST_CASE("spans of any bytes are in order, apart and on the bounds of characters", "[detector]") {
  const std::vector<policies::OwnDetector> own = {{"ANY", "[a-f]+", {"é"}}};
  const TextDetector detector(own);
  REQUIRE(rc::check([&] {
    const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::oneOf(
        rc::gen::string<std::string>(),
        rc::gen::element<std::string>("4111 1111 ", "\u200b", "é", "\u0430", "a@b.cc", "::", "tel ", "+49 ", "DE89",
                                      "MRN ", "born ", "0171 123", "password=", "１", "-")));
    std::string text;
    for (const auto& piece : pieces) text += piece;
    const Findings findings = detector.find(text);
    std::size_t end = 0;
    for (const Span& span : findings.spans) {
      RC_ASSERT(span.begin >= end);
      RC_ASSERT(span.end > span.begin);
      RC_ASSERT(span.end <= text.size());
      RC_ASSERT((static_cast<unsigned char>(text[span.begin]) & 0xc0) != 0x80);
      RC_ASSERT(span.end == text.size() || (static_cast<unsigned char>(text[span.end]) & 0xc0) != 0x80);
      RC_ASSERT(span.slot < policies::kDetectedCount + own.size());
      end = span.end;
    }
    RC_ASSERT(detector.detect(text).understood == findings.understood);
  }));
}

TEST_CASE("hostile texts of a megabyte are read to their end", "[detector]") {
  const TextDetector detector({}, 1 << 21);
  for (const std::string piece :
       {"1",      "4 ",     "01 ",         "+1(",   "a@",        "@a.", "a:",      "1:",       "::",      "DE89",
        "mrn 1-", "tel 1 ", "-----BEGIN ", "AKIA-", "password:", "s-",  "born 1 ", "\u0435x ", "\u200b1", "é"}) {
    std::string text;
    while (text.size() < 1'000'000) text += piece;
    INFO(piece);
    CHECK(detector.find(text).understood);
  }
}

}  // namespace
}  // namespace hearth::privacy
