#include "runtime/cloud/text_stream.h"

#include <exception>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/cloud/reply_json.h"

namespace hearth::cloud {
namespace {

using nlohmann::json;

constexpr std::string_view kDone = "[DONE]";

}  // namespace

std::string TextStream::put(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (error_) break;
    const bool second_half = std::exchange(after_cr_, c == '\r') && c == '\n';  // of a line end that was seen
    if (second_half) continue;
    if (c == '\n' || c == '\r') {
      take_line(text);
    } else if (line_.size() + data_.size() < kEventBytesMax) {
      line_ += c;
    } else {
      fail(corrupt("an event over " + std::to_string(kEventBytesMax) + " bytes"));
    }
  }
  return text;
}

void TextStream::take_line(std::string& text) {
  const std::string line = std::exchange(line_, {});
  if (line.empty()) return take_event(text);
  std::string_view value = line;
  if (!value.starts_with("data:")) return;  // a comment, or a field that says nothing here
  value.remove_prefix(5);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += value;
  has_data_ = true;
}

void TextStream::take_event(std::string& text) {
  if (!std::exchange(has_data_, false)) return;
  has_events_ = true;
  const std::string data = std::exchange(data_, {});
  if (data == kDone) {
    ended_ = true;
    return;
  }
  try {
    const auto root = parse_object(data);
    if (!root.ok()) return fail(root.error());
    if (const auto error = root->find("error"); error != root->end() && !error->is_null()) {
      return fail({ErrorCode::kUnavailable, "the server sent an error in place of more of its answer"});
    }
    const auto choices = root->find("choices");
    if (choices == root->end() || !choices->is_array()) return fail(corrupt("an event without choices"));
    if (choices->empty()) return;  // counts of tokens
    const json& choice = choices->front();
    if (!choice.is_object()) return fail(corrupt("an event whose choice is no object"));
    const std::string* finish = string_at(choice, "finish_reason");
    const std::string* piece = string_at(choice, "text");
    if (api_ == CloudApi::kChat) {
      const auto delta = choice.find("delta");
      const bool there = delta != choice.end() && delta->is_object();
      piece = there ? string_at(*delta, "content") : nullptr;
      if (there && string_at(*delta, "refusal") != nullptr) return fail(refused_by_model());
    }
    if (finish != nullptr && *finish == "content_filter") return fail(refused_by_model());
    if (piece != nullptr) text += *piece;
    ended_ = ended_ || finish != nullptr;
  } catch (const std::exception&) { fail(corrupt("an event that cannot be read")); }
}

Status TextStream::finish() const {
  if (error_) return *error_;
  if (!ended_) return corrupt("it ended before the answer did");
  return Done{};
}

}  // namespace hearth::cloud
