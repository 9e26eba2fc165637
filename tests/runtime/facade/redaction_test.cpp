// Goal: redaction from request to outcome. Method: a pair for text alone, and a server that answers with what it got.
#include <catch2/catch.hpp>

#include "tests/support/notes_world.h"

using namespace hearth;
using namespace hearth::test;

namespace {

std::string answer_of(const Outcome& outcome) {
  const auto& data = outcome.outputs.at(0).data;
  return std::string(reinterpret_cast<const char*>(data.data()) + 4, data.size() - 4);
}

}  // namespace

TEST_CASE("text of a class that leaves redacted leaves with placeholders, and the reply comes back restored",
          "[facade][door]") {
  NotesWorld world;
  world.start();
  const std::string label = GENERATE("public", "personal");  // the detector raises the one, the app said the other
  const std::string text = "ask ann@example.com or \"bob@example.org\", not ann@example.com";
  const auto outcome = world.run(note(text, "visit", label));
  CHECK(outcome.data_class == "personal");
  CHECK(outcome.served_on == "eu-1");
  CHECK(answer_of(outcome) == "You wrote: " + text);
  CHECK(outcome.outputs.at(0).name == "answer");
  REQUIRE(world.transport->seen().size() == 1);
  const std::string& body = world.transport->seen()[0].body;
  CHECK(body.find("example") == std::string::npos);
  CHECK(text_in(world.transport->seen()[0]).starts_with("ask [EMAIL_"));
  for (const auto& line : world.log) CHECK(line.find("example") == std::string::npos);
}

TEST_CASE("the server sees one placeholder for a value within a session, and another in the next", "[facade][door]") {
  NotesWorld world;
  world.start();
  for (const std::string session : {"visit", "visit", "another", "", ""}) {
    CHECK(answer_of(world.run(note("ann@example.com", session))) == "You wrote: ann@example.com");
  }
  std::vector<std::string> texts;
  for (const auto& message : world.transport->seen()) texts.push_back(text_in(message));
  REQUIRE(texts.size() == 5);
  CHECK(texts[0] == texts[1]);
  std::sort(texts.begin(), texts.end());
  CHECK(std::unique(texts.begin(), texts.end()) - texts.begin() == 4);
}

TEST_CASE("text of a class that leaves as it is leaves as it is", "[facade][door]") {
  NotesWorld world;
  world.start();
  const auto outcome = world.run(note("red boots"));
  CHECK(outcome.data_class == "public");
  CHECK(answer_of(outcome) == "You wrote: red boots");
  CHECK(text_in(world.transport->seen().at(0)) == "red boots");
}

TEST_CASE("text that cannot be understood stays, whatever the app calls it", "[facade][door]") {
  NotesWorld world;
  world.start();
  const std::string text = GENERATE(std::string("\xff ann@example.com"), std::string(300'000, 'a'));
  const auto outcome = world.run(note(text, "visit", "personal"));
  CHECK(outcome.served_on == "edge");
  CHECK(answer_of(outcome) == "at home");
  CHECK(world.transport->seen().empty());
}

TEST_CASE("a value that is a word of the protocol keeps its request home, and the message does not quote it",
          "[facade][door]") {
  NotesWorld world;
  world.start();
  world.runtime.reset();
  world.config.models[0].cloud.text_input = "ann@example.com";  // as an encoder might that puts the value elsewhere
  world.start();
  const auto outcome = world.run(note("ann@example.com"));
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.attempts.back().error == "permission_denied");
  CHECK(outcome.message.find("ann") == std::string::npos);
  CHECK(world.transport->seen().empty());
}
