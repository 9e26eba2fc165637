#include "runtime/cloud/openai_codec.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

#include "runtime/base/json_text.h"
#include "runtime/cloud/reply_json.h"

namespace hearth::cloud {
namespace {

using nlohmann::json;

/// A reply that is an error: its status says what kind. Some servers send the error with a status of 200.
Error error_of(const HttpReply& reply) {
  if (reply.status == 404) return {ErrorCode::kNotFound, "the server does not have the model, or not this API (404)"};
  if (reply.status < 400 || reply.status > 499) return status_error(reply.status);
  // Azure and others refuse by filter with a 400 that names it. Only this one word is looked for, never shown.
  const auto parsed = parse_object(reply.body);
  const auto error = parsed.ok() ? parsed->find("error") : json::const_iterator();
  const bool named = parsed.ok() && error != parsed->end() && error->is_object();
  const std::string* code = named ? string_at(*error, "code") : nullptr;
  return code != nullptr && *code == "content_filter" ? refused_by_model() : status_error(reply.status);
}

const json* first_of(const json& root, const char* key) {
  const auto list = root.find(key);
  if (list == root.end() || !list->is_array() || list->empty() || !list->front().is_object()) return nullptr;
  return &list->front();
}

Result<Tensor> text_of(const json& root, const CloudBinding& binding) {
  const json* choice = first_of(root, "choices");
  if (choice == nullptr) return corrupt("no choice in it");
  const std::string* finish = string_at(*choice, "finish_reason");
  if (finish != nullptr && *finish == "content_filter") return refused_by_model();
  const std::string* text = nullptr;
  if (binding.api == CloudApi::kChat) {
    const auto message = choice->find("message");
    if (message == choice->end() || !message->is_object()) return corrupt("no message in it");
    if (string_at(*message, "refusal") != nullptr) return refused_by_model();
    text = string_at(*message, "content");
  } else {
    text = string_at(*choice, "text");
  }
  if (text == nullptr) return corrupt("no text in it");
  Tensor tensor = Tensor::of_text(binding.outputs[0].name, *text);
  tensor.shape.assign(binding.outputs[0].shape.size(), 1);
  return tensor;
}

Result<Tensor> embedding_of(const json& root, const CloudBinding& binding) {
  const json* entry = first_of(root, "data");
  const auto list = entry == nullptr ? json::const_iterator() : entry->find("embedding");
  if (entry == nullptr || list == entry->end() || !list->is_array()) return corrupt("no embedding in it");
  std::vector<float> values;
  values.reserve(list->size());
  for (const json& value : *list) {
    const double wide = value.is_number() ? value.get<double>() : std::numeric_limits<double>::infinity();
    if (!(std::fabs(wide) <= static_cast<double>(std::numeric_limits<float>::max()))) {
      return corrupt("an embedding with something other than numbers");
    }
    values.push_back(static_cast<float>(wide));
  }
  std::vector<std::int64_t> shape = binding.outputs[0].shape;
  const auto open = std::find(shape.begin(), shape.end(), -1);
  if (open != shape.end()) {
    *open = 1;
    const auto others = element_count(shape);
    if (others && *others > 0) *open = static_cast<std::int64_t>(values.size() / *others);
  }
  if (element_count(shape) != values.size()) return corrupt("an embedding of another length");
  return Tensor::of_floats(binding.outputs[0].name, shape, values);
}

Result<std::vector<Tensor>> decode_body(const CloudBinding& binding, const HttpReply& reply) {
  if (reply.status != 200) return error_of(reply);
  const auto root = parse_object(reply.body);
  if (!root.ok()) return root.error();
  if (const auto error = root->find("error"); error != root->end() && !error->is_null()) {
    return Error{ErrorCode::kUnavailable, "the server answered with an error in place of a reply"};
  }
  auto output = binding.api == CloudApi::kEmbeddings ? embedding_of(*root, binding) : text_of(*root, binding);
  if (!output.ok()) return output.error();
  std::vector<Tensor> outputs;
  outputs.push_back(std::move(output).value());
  return outputs;
}

void append_message(std::string& body, std::string_view role, std::string_view text) {
  body.append(R"({"role":")").append(role).append(R"(","content":)");
  append_json_string(body, text);
  body += '}';
}

}  // namespace

HttpMessage encode_openai(const CloudBinding& binding, std::string_view text, bool stream) {
  HttpMessage message;
  message.headers = {{"Content-Type", "application/json"}};
  if (!stream) message.headers.emplace_back("Accept-Encoding", "gzip");  // packing would hold pieces back
  std::string& body = message.body;
  body += R"({"model":)";
  append_json_string(body, binding.model);
  if (binding.api == CloudApi::kChat) {
    message.target = "/chat/completions";
    body += R"(,"messages":[)";
    if (!binding.system_prompt.empty()) {
      append_message(body, "system", binding.system_prompt);
      body += ',';
    }
    append_message(body, "user", text);
    body += ']';
  } else if (binding.api == CloudApi::kCompletions) {
    message.target = "/completions";
    append_json_string(body += R"(,"prompt":)", text);
  } else {
    message.target = "/embeddings";
    append_json_string(body += R"(,"input":)", text);
    body += R"(,"encoding_format":"float")";
  }
  if (binding.tokens_max > 0) body.append(R"(,"max_tokens":)").append(std::to_string(binding.tokens_max));
  if (stream) body += R"(,"stream":true)";
  body += '}';
  return message;
}

Result<std::vector<Tensor>> decode_openai(const CloudBinding& binding, const HttpReply& reply) {
  try {
    return decode_body(binding, reply);
  } catch (const std::exception&) { return Error{ErrorCode::kCorrupt, "reply: cannot be read"}; }
}

}  // namespace hearth::cloud
