#include "cloud_stub/openai.h"

#include <algorithm>
#include <exception>

#include <nlohmann/json.hpp>

#include "cloud_stub/oip.h"

namespace hearth::stub {
namespace {

using nlohmann::json;

void refuse(TextRequest& request, std::string message, std::string code = "invalid_value") {
  if (!request.error) request.error = OpenaiError{400, std::move(code), std::move(message)};
}

std::string string_in(TextRequest& request, const json& object, const char* key) {
  const auto found = object.find(key);
  if (found != object.end() && found->is_string()) return found->get<std::string>();
  refuse(request, std::string(key) + " is not a string");
  return {};
}

void read_messages(TextRequest& request, const json& root) {
  const auto messages = root.find("messages");
  if (messages == root.end() || !messages->is_array() || messages->empty()) {
    return refuse(request, "messages is not an array of at least one message");
  }
  for (const json& message : *messages) {
    if (!message.is_object()) return refuse(request, "a message is not an object");
    const std::string role = string_in(request, message, "role");
    const std::string content = string_in(request, message, "content");
    if (role == "user") {
      request.text = content;
    } else if (role != "system" && role != "assistant") {
      refuse(request, "a role is none of system, user and assistant");
    }
  }
}

void read(TextRequest& request, Call call, const json& root) {
  request.model = string_in(request, root, "model");
  if (call == Call::kChat) read_messages(request, root);
  if (call == Call::kCompletions) request.text = string_in(request, root, "prompt");
  if (call == Call::kEmbeddings) request.text = string_in(request, root, "input");
  if (const auto most = root.find("max_tokens"); most != root.end()) {
    if (!most->is_number_unsigned() || *most == 0) return refuse(request, "max_tokens is not a number from 1");
    request.tokens_max = most->get<std::size_t>();
  }
  if (const auto stream = root.find("stream"); stream != root.end()) {
    if (!stream->is_boolean()) return refuse(request, "stream is not a boolean");
    request.stream = stream->get<bool>() && call != Call::kEmbeddings;
  }
}

json heading(Call call, const TextRequest& request, bool chunk) {
  const char* chat = chunk ? "chat.completion.chunk" : "chat.completion";
  return {{"id", "cmpl-0"},
          {"object", call == Call::kChat ? chat : "text_completion"},
          {"created", 0},
          {"model", request.model}};
}

std::string event(const json& data) {
  return "data: " + data.dump(-1, ' ', false, json::error_handler_t::replace) + "\n\n";
}

json choice(Call call, const char* key, json content, json finish) {
  json one{{"index", 0}, {"finish_reason", std::move(finish)}};
  if (call == Call::kChat) {
    one[key] = std::move(content);
  } else {
    one["text"] = content.is_object() ? content.value("content", "") : std::string();
  }
  return json::array({std::move(one)});
}

const char* finish_of(const TextRequest& request, std::size_t pieces) {
  return request.tokens_max > 0 && pieces >= request.tokens_max ? "length" : "stop";
}

}  // namespace

TextRequest parse_text_request(Call call, std::string_view body) {
  TextRequest request;
  try {
    const auto deep = [&] {
      std::size_t depth = 0, deepest = 0;
      for (const char c : body) {  // a bracket in a string counts too: what matters is that no bomb is parsed
        if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
        if ((c == ']' || c == '}') && depth > 0) --depth;
      }
      return deepest > 10'000;
    };
    const json root = deep() ? json() : json::parse(body, nullptr, false);
    if (!root.is_object()) {
      refuse(request, "the body is not a JSON object", "invalid_json");
    } else {
      read(request, call, root);
    }
  } catch (const std::exception&) { request.error = OpenaiError{500, "server_error", "the request could not be read"}; }
  return request;
}

std::string openai_error_json(const OpenaiError& error) {
  const char* type = error.status >= 500 ? "server_error" : "invalid_request_error";
  return json{{"error", {{"message", error.message}, {"type", type}, {"param", nullptr}, {"code", error.code}}}}.dump();
}

std::string text_reply(Call call, const TextRequest& request, const TextModel& model) {
  const auto dumped = [](const json& root) { return root.dump(-1, ' ', false, json::error_handler_t::replace); };
  if (call == Call::kEmbeddings) {
    const json entry{{"object", "embedding"}, {"index", 0}, {"embedding", model.embedding(request.text)}};
    return dumped({{"object", "list"}, {"model", request.model}, {"data", json::array({entry})}});
  }
  const auto pieces = model.answer(request.text, request.tokens_max);
  std::string text;
  for (const auto& piece : pieces) text += piece;
  json root = heading(call, request, false);
  root["choices"] =
      choice(call, "message", {{"role", "assistant"}, {"content", text}}, finish_of(request, pieces.size()));
  root["usage"] = {{"completion_tokens", pieces.size()}};
  return dumped(root);
}

std::vector<std::string> text_events(Call call, const TextRequest& request, const TextModel& model) {
  std::vector<std::string> events;
  const auto add = [&](json content, json finish) {
    json root = heading(call, request, true);
    root["choices"] = choice(call, "delta", std::move(content), std::move(finish));
    events.push_back(event(root));
  };
  const auto pieces = model.answer(request.text, request.tokens_max);
  if (call == Call::kChat) add({{"role", "assistant"}, {"content", ""}}, nullptr);
  for (const auto& piece : pieces) add({{"content", piece}}, nullptr);
  add(json::object(), finish_of(request, pieces.size()));
  events.emplace_back("data: [DONE]\n\n");
  return events;
}

}  // namespace hearth::stub
