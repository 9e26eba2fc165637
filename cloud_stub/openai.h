/// \file The server's own reading of the OpenAI API for text. It shares no code with runtime/cloud/openai_codec. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud_stub/routes.h"
#include "cloud_stub/text_model.h"

namespace hearth::stub {

/// A refusal, in the API's words.
struct OpenaiError {
  int status = 400;
  std::string code;
  std::string message;
};

struct TextRequest {
  std::string model;
  std::string text;  ///< What the user says last, the prompt, or the input.
  std::size_t tokens_max = 0;
  bool stream = false;
  std::optional<OpenaiError> error;
};

/// Reads the body of kChat, kCompletions or kEmbeddings. Any bytes are safe; nothing is thrown.
TextRequest parse_text_request(Call call, std::string_view body);

/// {"error": {"message", "type", "param", "code"}}
std::string openai_error_json(const OpenaiError& error);

/// The whole reply.
std::string text_reply(Call call, const TextRequest& request, const TextModel& model);

/// The reply as server-sent events, each whole with its empty line; "[DONE]" is the last. Not for kEmbeddings.
std::vector<std::string> text_events(Call call, const TextRequest& request, const TextModel& model);

}  // namespace hearth::stub
