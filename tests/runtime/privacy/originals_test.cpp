// Values looked for in what is about to leave: each form they may have taken, and words that are no leak.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/secret_memory.h"
#include "runtime/privacy/originals.h"

namespace hearth::privacy {
namespace {

struct Searched {
  explicit Searched(std::vector<std::string> values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    originals.emplace(std::vector<std::string_view>(values.begin(), values.end()), &memory);
  }
  SecretMemory memory;
  std::optional<Originals> originals;
};

bool found(const std::vector<std::string>& values, std::string_view body) {
  return Searched(values).originals->in_encoded(body);
}

std::string base64(std::string_view bytes, std::string_view last_two) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + std::string(last_two);
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      three = three << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i) + 1;
    for (std::size_t j = 0; j < count; ++j) out += digits[three >> (18 - 6 * j) & 63];
  }
  return out + std::string((4 - out.size() % 4) % 4, '=');
}

std::string percent(std::string_view bytes, bool all) {
  std::string out;
  for (const char c : bytes) {
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    out += all || std::isalnum(static_cast<unsigned char>(c)) == 0 ? std::string(code) : std::string(1, c);
  }
  return out;
}

/// Every UTF-16 unit as \uXXXX.
std::string unicode_escaped(const std::string& text, bool upper) {
  const std::string ascii = nlohmann::json(text).dump(-1, ' ', true);
  std::string out;
  for (std::size_t i = 1; i + 1 < ascii.size(); ++i) {
    char code[8];
    std::snprintf(code, sizeof code, upper ? "\\u%04X" : "\\u%04x", static_cast<unsigned char>(ascii[i]));
    if (ascii[i] == '\\') {
      out += ascii.substr(i, ascii[i + 1] == 'u' ? 6 : 2);
      i += ascii[i + 1] == 'u' ? 5 : 1;
    } else {
      out += code;
    }
  }
  return out;
}

const std::vector<std::string> kValues = {"ann@example.com",      "+1 202 555 0100", "Müller \"Bo\"",
                                          "\xf0\x9f\x98\x80 Zoë", "C:\\home\\ann/x", "line\nend",
                                          "4111111111111111"};

TEST_CASE("a value is found in every form it may have taken") {
  for (const std::string& value : kValues) {
    INFO(value);
    const std::string json = nlohmann::json(value).dump();
    CHECK(found(kValues, "before" + value + "after"));
    CHECK(found({value}, json));
    CHECK(found({value}, nlohmann::json(value).dump(-1, ' ', true)));
    CHECK(found({value}, unicode_escaped(value, true)));
    CHECK(found({value}, unicode_escaped(value, false)));
    CHECK(found({value}, "q=" + percent(value, true) + "&x=1"));
    CHECK(found({value}, "q=" + percent(value, false)));
    for (const std::string front : {"", "a", "ab"}) {
      for (const std::string back : {"", "y", "yz"}) {
        CHECK(found({value}, "{\"b64\":\"" + base64(front + value + back, "+/") + "\"}"));
        CHECK(found({value}, "x" + base64(front + value + back, "-_")));
      }
    }
    std::string lines = base64(std::string(50, 'q') + value, "+/");
    lines.insert(70, "\r\n");
    CHECK(found({value}, lines));
    std::string hex = hex_of(value);
    CHECK(found({value}, "0" + hex));
    std::transform(hex.begin(), hex.end(), hex.begin(), [](unsigned char c) { return std::toupper(c); });
    CHECK(found({value}, "x" + hex + "y"));
  }
  std::string form = percent("Ann Lee", false);
  form.replace(form.find("%20"), 3, "+");
  CHECK(found({"Ann Lee"}, form));
}

TEST_CASE("a short value is found as a word, not inside one") {
  CHECK(found({"Bo"}, R"({"text":"Bo met"})"));
  CHECK(found({"Bo"}, R"({"text":"\u0042\u006f met"})"));
  CHECK(found({"Zoe", "oe"}, "Zoe"));
  CHECK_FALSE(found({"Bo"}, R"({"text":"Boston, Limbo, Bob, é"})"));
  CHECK_FALSE(found({"Bo"}, "Bo\xc3\xa9"));
  CHECK_FALSE(found({"Bo"}, base64("Bo met", "+/")));
  CHECK(found({"Bost"}, "a Bostonian"));
}

TEST_CASE("nothing is found of nothing, nor in a body without the values") {
  CHECK_FALSE(found({}, "anything at all"));
  CHECK_FALSE(found(kValues, ""));
  CHECK_FALSE(
      found(kValues, R"({"id":"00","inputs":[{"name":"caption","shape":[1],"datatype":"BYTES"}]}\ %zz \uzzzz \)"));
}

TEST_CASE("many values at once are found as each alone would be") {
  REQUIRE(rc::check([] {
    const auto word = rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b', ' ', '\xff')));
    const auto values = *rc::gen::container<std::vector<std::string>>(word);
    const auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'a', 'b', ' ', '\xff'));
    std::vector<char> covered(text.size(), 0), expected(text.size(), 0);
    for (const auto& [begin, end] : Searched(values).originals->all_in(text)) {
      std::fill(covered.begin() + static_cast<std::ptrdiff_t>(begin),
                covered.begin() + static_cast<std::ptrdiff_t>(end), 1);
    }
    for (const auto& value : values) {
      for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value, at + 1)) {
        const auto is_word = [](char c) { return c != ' '; };
        const std::size_t end = at + value.size();
        const bool whole = (at == 0 || !is_word(text[at - 1]) || !is_word(value.front())) &&
                           (end == text.size() || !is_word(text[end]) || !is_word(value.back()));
        if (value.size() < Originals::kShort && !whole) continue;
        std::fill(expected.begin() + static_cast<std::ptrdiff_t>(at),
                  expected.begin() + static_cast<std::ptrdiff_t>(end), 1);
      }
    }
    RC_ASSERT(covered == expected);
  }));
}

}  // namespace
}  // namespace hearth::privacy
