// Detection takes time linear in the text, whatever the text: shown by counting steps, not by a clock. The detectors
// are compiled into this program with a call at each branch (-fsanitize-coverage=trace-pc), which counts.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/privacy/detector.h"

namespace {
std::uint64_t steps_so_far = 0;
}
extern "C" void __sanitizer_cov_trace_pc() { ++steps_so_far; }

namespace hearth::privacy {
namespace {

constexpr std::size_t kShort = 4'000;  ///< Bytes; longer than all that one mark makes a detector read.
constexpr std::size_t kTimes = 8;

std::string repeated(const std::string& piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

std::uint64_t steps_of(const TextDetector& detector, const std::string& text) {
  const std::uint64_t before = steps_so_far;
  CHECK(detector.find(text).understood);
  return steps_so_far - before;
}

/// How much longer the text that is kTimes as long takes: kTimes when linear, its square when not.
double growth(const TextDetector& detector, const std::string& piece) {
  const std::string text = repeated(piece, kShort);
  return static_cast<double>(steps_of(detector, repeated(piece, kTimes * text.size()))) /
         static_cast<double>(steps_of(detector, text));
}

const std::vector<std::string> kPieces = {" ",
                                          "-",
                                          ".",
                                          "/",
                                          "@",
                                          ":",
                                          "::",
                                          "+",
                                          "(",
                                          ")",
                                          "=",
                                          "_",
                                          "#",
                                          "\"",
                                          "<",
                                          "\n",
                                          ",",
                                          "0",
                                          "1",
                                          "5",
                                          "12",
                                          "019",
                                          "2024",
                                          "4111",
                                          "a",
                                          "S",
                                          "x",
                                          "ff",
                                          "DE89",
                                          "de ",
                                          "é",
                                          "東",
                                          "\u0435",
                                          "\u200b",
                                          "\u00ad",
                                          "１",
                                          "–",
                                          "mrn ",
                                          "MRN",
                                          "ssn ",
                                          "npi ",
                                          "born ",
                                          "tel ",
                                          "call ",
                                          "office ",
                                          "my number ",
                                          "patient id ",
                                          "password=",
                                          "pwd:",
                                          "key",
                                          "api_key",
                                          "bearer ",
                                          "Bearer",
                                          "Bearer-",
                                          "-----BEGIN ",
                                          "PRIVATE KEY-----",
                                          "-----END ",
                                          "eyJ",
                                          "AKIA",
                                          "sk-",
                                          "services/T",
                                          "https://",
                                          "xn--",
                                          "a@b.cc",
                                          "10.0.0.1",
                                          "fe80::1",
                                          "01/02/1980",
                                          "March 3, ",
                                          "st ",
                                          "of ",
                                          "'",
                                          "O'Brien ",
                                          "Ingrid ",
                                          "Paris ",
                                          "221B Baker Street ",
                                          "aB3"};

TEST_CASE("steps are counted", "[work]") {
  const TextDetector detector({}, 1 << 20, false);
  CHECK(steps_of(detector, repeated("4111 ", kShort)) > kShort);
}

TEST_CASE("a text eight times as long takes about eight times the steps, of whatever pieces it is made", "[work]") {
  const TextDetector detector({}, 1 << 20, false);
  for (const std::string& piece : kPieces) {
    INFO(piece);
    CHECK(growth(detector, piece) < 1.5 * kTimes);
  }
  REQUIRE(rc::check([&] {
    const auto parts = *rc::gen::resize(
        6, rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces))));
    std::string piece;
    for (const std::string& part : parts) piece += part;
    RC_LOG() << piece << "\n";
    RC_ASSERT(growth(detector, piece) < 1.5 * kTimes);
  }));
}

TEST_CASE("so it does with names and places", "[work]") {
  const TextDetector detector({}, 1 << 20);
  for (const std::string piece : {"a", "Ingrid ", "O'", "é", "1 ", ". ", "\n", "Paris, ", "221B Baker Street "}) {
    INFO(piece);
    CHECK(growth(detector, piece) < 1.5 * kTimes);
  }
}

}  // namespace
}  // namespace hearth::privacy
