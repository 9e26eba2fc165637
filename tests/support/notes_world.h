/// \file NotesWorld: a SimWorld whose pair is for text alone, with a server that answers with what it got.
#pragma once

#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/sim_world.h"

namespace hearth::test {

inline ModelPair notes_pair() {
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
inline std::string text_in(const HttpMessage& message) {
  std::size_t head = 0;
  for (const auto& [name, value] : message.headers) {
    if (name == "Inference-Header-Content-Length") std::from_chars(value.data(), value.data() + value.size(), head);
  }
  return message.body.substr(head + 4);
}

struct NotesWorld : SimWorld {
  explicit NotesWorld(sim::Network network = {}, RuntimeConfig with = sim_config())
      : SimWorld(network, with_notes(std::move(with))) {
    const auto echo = [binding = config.models[0].cloud](const HttpMessage& message) {
      const auto answer = [&](const std::vector<std::string>&) {
        return std::vector<Tensor>{Tensor::of_text("", "You wrote: " + text_in(message))};
      };
      return sim::oip_server(binding, answer)(message);
    };
    transport = std::make_shared<sim::SimulatedTransport>(loop, std::move(network), echo, config.seed);
    const auto at_home = [](std::span<const Tensor>) {
      return std::vector<Tensor>{Tensor::of_text("answer", "at home")};
    };
    model = std::make_shared<sim::SimulatedModel>(loop, at_home, std::chrono::milliseconds(2), 0.1, config.seed);
  }

  static RuntimeConfig with_notes(RuntimeConfig config) {
    config.models = {notes_pair()};
    return config;
  }
};

inline Request note(std::string text, std::string session = "visit", std::string label = "public") {
  Request request;
  request.model = "tagger";
  request.text = std::move(text);
  request.session = std::move(session);
  request.label = std::move(label);
  return request;
}

}  // namespace hearth::test
