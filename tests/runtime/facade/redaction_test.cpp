// Goal: redaction from request to outcome. Method: a pair for text alone, and a server that answers with what it got.
#include <charconv>

#include <catch2/catch.hpp>

#include "tests/support/sim_world.h"

using namespace hearth;
using namespace hearth::test;

namespace {

ModelPair notes_pair() {
  ModelPair pair;
  pair.name = "tagger";
  pair.edge.file = "simulated";
  pair.edge.outputs = {{"answer", Datatype::kBytes, {1}}};
  pair.cloud.model = "notes-large";
  pair.cloud.outputs = {{"reply", Datatype::kBytes, {1}}};
  pair.cloud.text_input = "text";
  return pair;
}

/// The text tensor, which is all that follows the JSON.
std::string text_in(const HttpMessage& message) {
  std::size_t head = 0;
  for (const auto& [name, value] : message.headers) {
    if (name == "Inference-Header-Content-Length") std::from_chars(value.data(), value.data() + value.size(), head);
  }
  return message.body.substr(head + 4);
}

struct NotesWorld : SimWorld {
  NotesWorld() : SimWorld(quiet_link(), config_with(notes_pair())) {
    const auto echo = [binding = config.models[0].cloud](const HttpMessage& message) {
      const auto answer = [&](const std::vector<std::string>&) {
        return std::vector<Tensor>{Tensor::of_text("", "You wrote: " + text_in(message))};
      };
      return sim::oip_server(binding, answer)(message);
    };
    transport = std::make_shared<sim::SimulatedTransport>(loop, quiet_link(), echo, config.seed);
    const auto at_home = [](std::span<const Tensor>) {
      return std::vector<Tensor>{Tensor::of_text("answer", "at home")};
    };
    model = std::make_shared<sim::SimulatedModel>(loop, at_home, std::chrono::milliseconds(2), 0.1, config.seed);
    start();
  }

  static RuntimeConfig config_with(ModelPair pair) {
    auto config = sim_config();
    config.models = {std::move(pair)};
    return config;
  }
};

Request note(std::string text, std::string session = "visit", std::string label = "public") {
  Request request;
  request.model = "tagger";
  request.text = std::move(text);
  request.session = std::move(session);
  request.label = std::move(label);
  return request;
}

std::string answer_of(const Outcome& outcome) {
  const auto& data = outcome.outputs.at(0).data;
  return std::string(reinterpret_cast<const char*>(data.data()) + 4, data.size() - 4);
}

}  // namespace

TEST_CASE("text of a class that leaves redacted leaves with placeholders, and the reply comes back restored",
          "[facade][door]") {
  NotesWorld world;
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
  const auto outcome = world.run(note("red boots"));
  CHECK(outcome.data_class == "public");
  CHECK(answer_of(outcome) == "You wrote: red boots");
  CHECK(text_in(world.transport->seen().at(0)) == "red boots");
}

TEST_CASE("text that cannot be understood stays, whatever the app calls it", "[facade][door]") {
  NotesWorld world;
  const std::string text = GENERATE(std::string("\xff ann@example.com"), std::string(300'000, 'a'));
  const auto outcome = world.run(note(text, "visit", "personal"));
  CHECK(outcome.served_on == "edge");
  CHECK(answer_of(outcome) == "at home");
  CHECK(world.transport->seen().empty());
}

TEST_CASE("a value that is a word of the protocol keeps its request home, and the message does not quote it",
          "[facade][door]") {
  NotesWorld world;
  world.runtime.reset();
  world.config.models[0].cloud.text_input = "ann@example.com";  // as an encoder might that puts the value elsewhere
  world.start();
  const auto outcome = world.run(note("ann@example.com"));
  CHECK(outcome.served_on == "edge");
  CHECK(outcome.attempts.back().error == "permission_denied");
  CHECK(outcome.message.find("ann") == std::string::npos);
  CHECK(world.transport->seen().empty());
}
