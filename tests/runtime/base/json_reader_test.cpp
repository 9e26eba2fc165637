#include "runtime/base/json_reader.h"

#include "runtime/base/digest.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

namespace hearth {
namespace {

std::shared_ptr<const JsonDocument> parsed(const std::string& text) {
  auto document = JsonDocument::parse(text, "f.json");
  INFO((document.ok() ? "" : document.error().message));
  REQUIRE(document.ok());
  return document.value();
}

std::string refusal(const std::string& text) {
  const auto document = JsonDocument::parse(text, "f.json");
  REQUIRE_FALSE(document.ok());
  CHECK(document.error().code == ErrorCode::kInvalidArgument);
  return document.error().message;
}

template <class Read>
std::string problems_of(const std::string& text, Read read) {
  const auto document = parsed(text);
  Problems problems;
  JsonReader reader(*document, document->root(), "", problems);
  read(reader);
  reader.finish();
  return problems.as_error().message;
}

TEST_CASE("bad JSON is refused with file, line and column") {
  CHECK(refusal("") == "f.json:1:1: the file is empty, expected JSON");
  CHECK(refusal(" \n\t") == "f.json:1:1: the file is empty, expected JSON");
  CHECK(refusal("{\n  \"a\": 1,\n  b}") ==
        "f.json:3:3: syntax error while parsing object key - invalid literal; expected string literal");
  CHECK(
      refusal("{\"a\": [1, 2").starts_with("f.json:1:12: syntax error while parsing array - unexpected end of input"));
  CHECK(refusal("{\"a\": 1} x").starts_with("f.json:1:10: syntax error while parsing value"));
  CHECK(refusal("{\"a\": \"\xff\"}").find("ill-formed UTF-8 byte") != std::string::npos);
  CHECK(refusal("{\"a\": 1e999}") == "f.json:1:11: number overflow parsing '1e999'");
  CHECK(refusal("{\"a\": NaN}").starts_with("f.json:1:7: syntax error"));
}

TEST_CASE("keys that stand twice are all named") {
  CHECK(refusal("{\"a\": 1,\n\"b\": {\"c\": 1,\n\"c\": 2},\n\"a\": 3}") ==
        "f.json:3:1: key \"c\" stands twice in one object\nf.json:4:1: key \"a\" stands twice in one object");
}

TEST_CASE("nesting and the number of values are bounded") {
  const std::string at_limit = std::string(64, '[') + std::string(64, ']');
  CHECK(JsonDocument::parse(at_limit, "f.json").ok());
  CHECK(refusal("[" + at_limit + "]") == "f.json:1:65: nested deeper than 64 levels");
  std::string many = "[0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  CHECK(refusal(many + "]") == "f.json:1:2000000: more than 1000000 values in one file");
}

TEST_CASE("a document over the size limit is refused") {
  const auto document = JsonDocument::parse(std::string(JsonDocument::kSizeMaxBytes + 1, ' '), "f.json");
  REQUIRE_FALSE(document.ok());
  CHECK(document.error().message == "f.json: larger than the limit of 16777216 bytes");
}

TEST_CASE("a document knows where each value begins") {
  const auto document = parsed("{\n\"a\": 1\n,\n\"b/~\": [\n  true,\n  {\"c\":\n  \"x\"}]\n}\n");
  CHECK(document->place_of("") == "f.json:1:1");
  CHECK(document->place_of("/a") == "f.json:2:6");  // The parser reads on past a number: the line break must not count.
  CHECK(document->place_of("/b~1~0") == "f.json:4:8");
  CHECK(document->place_of("/b~1~0/0") == "f.json:5:3");
  CHECK(document->place_of("/b~1~0/1") == "f.json:6:3");
  CHECK(document->place_of("/b~1~0/1/c") == "f.json:7:3");
  CHECK(document->place_of("/b~1~0/1/missing") == "f.json:6:3");
}

TEST_CASE("values on one line have their own columns") {
  const auto document = parsed(R"({"n":-1.5e3,"s":"text","o":{"k":null},"a":[12,[],{},[false ,7]],"t":true})");
  CHECK(document->place_of("/n") == "f.json:1:6");
  CHECK(document->place_of("/s") == "f.json:1:17");
  CHECK(document->place_of("/o") == "f.json:1:28");
  CHECK(document->place_of("/o/k") == "f.json:1:33");
  CHECK(document->place_of("/a") == "f.json:1:43");
  CHECK(document->place_of("/a/0") == "f.json:1:44");
  CHECK(document->place_of("/a/1") == "f.json:1:47");
  CHECK(document->place_of("/a/2") == "f.json:1:50");
  CHECK(document->place_of("/a/3") == "f.json:1:53");
  CHECK(document->place_of("/a/3/0") == "f.json:1:54");
  CHECK(document->place_of("/a/3/1") == "f.json:1:61");
  CHECK(document->place_of("/t") == "f.json:1:69");
}

TEST_CASE("what stands inside a string moves no column, and columns count bytes") {
  CHECK(parsed(R"(["a\"b, [1]: {", 2])")->place_of("/1") == "f.json:1:18");
  CHECK(parsed(R"(["\\", "\\\"", 2])")->place_of("/2") == "f.json:1:16");
  CHECK(parsed("[\t\t\"x\",\t7]")->place_of("/1") == "f.json:1:9");
  CHECK(parsed("[\"\u00e9\u20ac\", 7]")->place_of("/1") == "f.json:1:11");
  CHECK(parsed("[\"\u00e9\u20ac\",\r\n 7]")->place_of("/1") == "f.json:2:2");
  CHECK(parsed("\ufeff[7]")->place_of("/0") == "f.json:1:5");  // A byte order mark has three.
  CHECK(parsed("42")->place_of("") == "f.json:1:1");
  CHECK(parsed(" \n  \"x\"")->place_of("") == "f.json:2:3");
}

/// `depth` levels of arrays and objects with every kind of value, and white space from `state`. Notes in `places` where
/// each value begins.
struct RandomText {
  std::uint32_t state;
  std::string text;
  std::vector<std::pair<std::string, std::size_t>> places;

  std::uint32_t next(std::uint32_t bound) {
    state = state * 1'664'525u + 1'013'904'223u;
    return (state >> 16) % bound;
  }
  void space() {
    for (std::uint32_t i = next(3); i > 0; --i) text += " \t\n\r"[next(4)];
  }
  void value(const std::string& pointer, int depth) {
    space();
    places.emplace_back(pointer, text.size());
    const std::uint32_t kind = next(depth > 0 ? 12 : 8);
    static const char* const kPlain[] = {"0",    "-12.5E+3",   "true",          "null",
                                         "\"\"", "\"\u00e9\"", "\"\\\"]\\\\\"", "\"{ ,:\\n\\u00e9\""};
    if (kind < 8) {
      text += kPlain[kind];
    } else {
      const bool object = kind < 10;
      text += object ? '{' : '[';
      const std::uint32_t count = next(4);
      for (std::uint32_t i = 0; i < count; ++i) {
        if (i > 0) text += ',';
        space();
        if (object) text += "\"" + std::to_string(i) + "\"";
        space();
        if (object) text += ':';
        value(pointer + "/" + std::to_string(i), depth - 1);
        space();
      }
      text += object ? '}' : ']';
    }
  }
};

TEST_CASE("every value of a random text is found where it was written") {
  std::size_t checked = 0;
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    RandomText random{seed, "", {}};
    random.value("", 4);
    random.space();
    INFO(random.text);
    const auto document = parsed(random.text);
    for (const auto& [pointer, at] : random.places) {
      const auto begin = random.text.begin();
      const auto line = 1 + std::count(begin, begin + static_cast<std::ptrdiff_t>(at), '\n');
      const std::size_t column = at - (random.text.rfind('\n', at) + 1) + 1;  // npos + 1 is 0.
      REQUIRE(document->place_of(pointer) == "f.json:" + std::to_string(line) + ":" + std::to_string(column));
      ++checked;
    }
  }
  CHECK(checked > 1000);
}

TEST_CASE("values of the wrong type or out of range leave the target alone") {
  std::string text = "before";
  bool flag = true;
  double real = 0.5;
  std::uint64_t count = 7;
  std::vector<std::string> list{"before"};
  std::size_t choice = 2;
  const std::string message = problems_of(
      "{\"text\": 1,\n\"flag\": \"yes\",\n\"real\": 1.5,\n\"count\": -1,\n\"list\": [\"a\",\n 2],\n\"choice\": "
      "\"alow\"}",
      [&](JsonReader& reader) {
        reader.read("text", text);
        reader.read("flag", flag);
        reader.read("real", real, 0, 1);
        reader.read("count", count, 1, 9);
        reader.read("list", list);
        reader.read_choice("choice", choice, {"never", "redacted", "allow"});
      });
  CHECK(message ==
        "f.json:1:10: /text: expected a string, got 1\n"
        "f.json:2:9: /flag: expected true or false, got \"yes\"\n"
        "f.json:3:9: /real: expected a number from 0 to 1, got 1.5\n"
        "f.json:4:10: /count: expected a whole number from 1 to 9, got -1\n"
        "f.json:6:2: /list/1: expected a string, got 2\n"
        "f.json:7:11: /choice: expected one of never, redacted, allow; got \"alow\" (did you mean \"allow\"?)");
  CHECK(text == "before");
  CHECK(flag);
  CHECK(real == 0.5);
  CHECK(count == 7);
  CHECK(list == std::vector<std::string>{"before"});
  CHECK(choice == 2);
}

TEST_CASE("whole numbers are read exactly or refused") {
  const auto read = [](const std::string& number) {
    std::uint64_t out = 0;
    const std::string message = problems_of("{\"n\": " + number + "}",
                                            [&](JsonReader& reader) { reader.read("n", out, 0, ~std::uint64_t{0}); });
    return message.empty() ? std::to_string(out) : message.substr(message.rfind("got "));
  };
  CHECK(read("18446744073709551615") == "18446744073709551615");
  CHECK(read("1e3") == "1000");
  CHECK(read("2.0") == "2");
  CHECK(read("2.5") == "got 2.5");
  CHECK(read("18446744073709551616").starts_with("got 1.8446744073709552e+19"));
  CHECK(read("null") == "got null");
  CHECK(read("\"3\"") == "got \"3\"");
}

TEST_CASE("unknown and missing keys are named, with the nearest valid one") {
  const auto read = [](JsonReader& reader) {
    std::string out;
    reader.require({"egress"});
    reader.read("egress", out);
    reader.read("regions", out);
  };
  CHECK(problems_of("{\"egres\":\n1, \"wholly_different\": 2}", read) ==
        "f.json:1:1: \"egress\" is missing\n"
        "f.json:2:1: /egres: unknown key (did you mean \"egress\"?)\n"
        "f.json:2:24: /wholly_different: unknown key; valid keys: egress, regions");
}

TEST_CASE("objects and arrays of objects are visited and finished") {
  int visits = 0;
  const std::string message =
      problems_of("{\"o\": {\"x\": 1},\n\"list\": [{\"y\": 2}, 3],\n\"bad\": 4}", [&](JsonReader& reader) {
        reader.object("o", [&](JsonReader&) { ++visits; });
        reader.objects("list", [&](JsonReader&, std::size_t) { ++visits; });
        reader.object("bad", [&](JsonReader&) { ++visits; });
        reader.objects("absent", [&](JsonReader&, std::size_t) { ++visits; });
      });
  CHECK(visits == 2);
  CHECK(message ==
        "f.json:1:13: /o/x: unknown key\n"
        "f.json:2:16: /list/0/y: unknown key\n"
        "f.json:2:20: /list/1: expected an object, got 3\n"
        "f.json:3:8: /bad: expected an object, got 4");
}

TEST_CASE("a hundred problems are listed and the rest counted") {
  std::string text = "{\"a0\": 0";
  for (int i = 1; i < 130; ++i) text += ", \"a" + std::to_string(i) + "\": 0";
  const std::string message = problems_of(text + "}", [](JsonReader&) {});
  CHECK(message.ends_with("\nand 30 more problems"));
  CHECK(std::count(message.begin(), message.end(), '\n') == 100);
}

TEST_CASE("the nearest word is one that may have been meant") {
  const std::vector<std::string> words = {"never", "redacted", "allow"};
  CHECK(nearest("alow", words) == "allow");
  CHECK(nearest("nevre", words) == "never");
  CHECK(nearest("ALLOW", words) == "allow");
  CHECK(nearest("sometimes", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest(std::string(1000, 'a'), words).empty());
}

TEST_CASE("a file is read whole or not at all") {
  const auto folder = std::filesystem::temp_directory_path() / "hearth_json_reader_test";
  std::filesystem::create_directories(folder);
  const std::string file = (folder / "ten.bin").string();
  std::ofstream(file, std::ios::binary) << std::string("0123\0\n6789", 10);
  const auto bytes = read_whole_file(file, 10);
  REQUIRE(bytes.ok());
  CHECK(bytes.value() == std::string("0123\0\n6789", 10));
  CHECK(read_whole_file(file, 9).error().message == file + ": larger than the limit of 9 bytes");
  CHECK(read_whole_file(file, 9).error().code == ErrorCode::kResourceExhausted);
  CHECK(read_whole_file(folder.string(), 9).error().message == folder.string() + ": is a folder, not a file");
  CHECK(read_whole_file(file + "x", 9).error().code == ErrorCode::kNotFound);
  CHECK(JsonDocument::read_file(file + "x").error().message == file + "x: no such file");
  std::filesystem::remove_all(folder);
}

// The digests are the examples of FIPS 180-4 (NIST, SHA-256).
TEST_CASE("SHA-256 gives the standard's digests") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, test case 2.
  const auto keyed = hmac_sha256("Jefe", "what do ya want for nothing?");
  REQUIRE(keyed);
  CHECK(hex_of(*keyed) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace hearth
