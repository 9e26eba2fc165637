// `hearth scan` and `hearth redact` as they are run: lines in, lines out, and what is said of bad ones.
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/hearth_command.h"

namespace {

namespace fs = std::filesystem;
using hearth::test::Ran;
using nlohmann::json;
using Folder = hearth::test::CommandFolder;
using hearth::test::text_of;

std::string line_of(const json& id, const std::string& text) { return json{{"id", id}, {"text", text}}.dump() + "\n"; }

}  // namespace

TEST_CASE("scan tells where personal data stands, in code points") {
  const Folder folder;
  const auto ran = folder.run("scan", line_of("a", "\xc3\xa9\xf0\x9f\x98\x80 ann@example.com") + "\n" +
                                          R"({"text": "nothing here", "id": 7, "extra": [1, {"x": 2}]})");
  INFO(ran.err);
  CHECK(ran.code == 0);
  const auto lines = ran.lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == json::parse(R"({"id": "a", "spans": [{"start": 3, "end": 18, "type": "EMAIL"}]})"));
  CHECK(lines[1] == json::parse(R"({"id": 7, "spans": []})"));
  CHECK(ran.err == "hearth scan: 2 lines, 0 bad, EMAIL 1\n");
}

TEST_CASE("redact leaves no value, and one value has one placeholder in all lines of a run") {
  const Folder folder;
  const std::string input = line_of(1, "ann@example.com and bob@example.org") + line_of(2, "again ann@example.com");
  const auto ran = folder.run("redact --json", input);
  CHECK(ran.code == 0);
  const auto lines = ran.lines();
  REQUIRE(lines.size() == 2);
  CHECK(ran.out.find("example") == std::string::npos);
  const auto first = lines[0]["text"].get<std::string>(), second = lines[1]["text"].get<std::string>();
  CHECK(first.starts_with("[EMAIL_"));
  CHECK(second == "again " + first.substr(0, first.find(']') + 1));
  CHECK(json::parse(ran.err) == json::parse(R"({"lines": 2, "bad_lines": 0, "found": {"placeholders": 3}})"));
  CHECK(folder.run("redact", input).out != ran.out);  // another run, another key
}

TEST_CASE("bad lines are named without their text, and the others are worked off") {
  const Folder folder;
  const std::string good = line_of("good", "ann@example.com");
  const std::string file =
      folder.write("in.jsonl", "SECRET not json\n" + good + R"({"id": 1})" + "\n" + R"({"id": 1, "text": ["SECRET"]})" +
                                   "\n[\"SECRET\"]\n" + "{\"id\": 1, \"text\": \"SECRET \xff\"}\n" +
                                   R"({"id": {"SECRET": 1}, "text": "x"})" + "\n" + good);
  const std::string command = GENERATE("scan", "redact");
  const auto ran = folder.run(command + " in.jsonl");
  CHECK(ran.code == 2);
  CHECK(ran.lines().size() == 2);
  CHECK(ran.err.find("SECRET") == std::string::npos);
  for (const std::string expected :
       {"in.jsonl:1: is not JSON", "in.jsonl:3: \"text\" is missing",
        "in.jsonl:4: \"text\" is array, expected a string",
        "in.jsonl:5: expected an object such as {\"id\": \"1\", \"text\": \"...\"}", "in.jsonl:6: is not UTF-8",
        "in.jsonl:7: \"id\" is an array or an object, expected a string or a number", "8 lines, 6 bad"}) {
    INFO(ran.err);
    CHECK(ran.err.find("hearth " + command + ": " + expected) != std::string::npos);
  }
}

TEST_CASE("an output file is there whole, or as it was") {
  const Folder folder;
  folder.write("out.jsonl", "before\n");
  CHECK(folder.run("scan --out out.jsonl absent.jsonl").err == "hearth scan: absent.jsonl: no such file\n");
  CHECK(text_of(folder.at("out.jsonl")) == "before\n");
  const auto ran = folder.run("scan --out out.jsonl - ", line_of(1, "x") + "bad\n" + line_of(2, "y"));
  CHECK(ran.code == 2);
  CHECK(ran.out.empty());
  CHECK(text_of(folder.at("out.jsonl")) == "{\"id\":1,\"spans\":[]}\n{\"id\":2,\"spans\":[]}\n");
  for (const auto& entry : fs::directory_iterator(folder.temp.path())) {
    CHECK(entry.path().filename().string().find("out.jsonl.") == std::string::npos);
  }
}

TEST_CASE("types are chosen by name, a policy's own among them, and a misspelt one is refused") {
  const Folder folder;
  folder.write("policy.json", R"({"version": 1, "name": "p", "classes": [{"name": "a", "egress": "allow"}],
                                  "detectors": [{"type": "WARD", "words": ["ward"]}]})");
  const std::string input = line_of(1, "ann@example.com, call +1 202 555 0100");
  CHECK(folder.run("scan --types PHONE,IBAN", input).err.find("EMAIL") == std::string::npos);
  CHECK(folder.run("scan --types EMAIL", input).err == "hearth scan: 1 lines, 0 bad, EMAIL 1\n");
  CHECK(folder.run("scan --policy policy.json --types WARD,EMAIL", input).code == 0);
  const auto ran = folder.run("scan --types EMIAL", input);
  CHECK(ran.code == 2);
  CHECK(ran.err.find("got \"EMIAL\" (did you mean \"EMAIL\"?)") != std::string::npos);
  CHECK(ran.out.empty());
  CHECK(folder.run("scan --policy absent.json", input).code == 2);
}

TEST_CASE("a long line is worked off, a line beyond the limit is refused, and the next line is not lost") {
  const Folder folder;
  const std::string file = folder.at("long.jsonl");
  {
    std::ofstream out(file, std::ios::binary);
    out << line_of(1, std::string(3'000'000, 'a') + " ann@example.com");
    const std::string part(1024 * 1024, 'b');
    for (int i = 0; i < 129; ++i) out << part;
    out << "\n" << line_of(3, "bob@example.org");
  }
  const auto ran = folder.run("scan --types EMAIL long.jsonl");
  CHECK(ran.code == 2);
  CHECK(ran.err ==
        "hearth scan: long.jsonl:2: longer than the limit of 128 MiB\n"
        "hearth scan: 3 lines, 1 bad, EMAIL 2\n");
  CHECK(ran.lines().size() == 2);
}

TEST_CASE("help shows an example, and it works as shown") {
  const Folder folder;
  for (const std::string command : {"scan", "redact"}) {
    const auto help = folder.run(command + " --help");
    CHECK(help.code == 0);
    CHECK(help.out.find("Example: echo '{\"id\": 1, \"text\": \"write to ann@example.com\"}' | hearth " + command) !=
          std::string::npos);
    CHECK(folder.run(command, "{\"id\": 1, \"text\": \"write to ann@example.com\"}\n").code == 0);
    CHECK(folder.run(command + " --tpyes EMAIL").code == 2);
  }
}
