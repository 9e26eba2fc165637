/// \file TextStream: an answer of the OpenAI API that comes in pieces, as server-sent events. Pure.
/// Events: html.spec.whatwg.org, section 9.2.6; their data: platform.openai.com/docs/api-reference/chat-streaming.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <hearth/config.h>
#include <hearth/result.h>

namespace hearth::cloud {

/// Threads: a plain value. Bounds: one event may hold kEventBytesMax; all of them what a reply may.
class TextStream {
 public:
  static constexpr std::size_t kEventBytesMax = 1 << 20;

  explicit TextStream(CloudApi api) : api_(api) {}

  /// What these bytes add to the answer. Nothing any more once something was wrong.
  std::string put(std::string_view bytes);

  /// Whether events came. Otherwise the server answered in one, and the reply is to be read as a whole.
  bool has_events() const { return has_events_; }

  /// Told that no more bytes come: whether the answer is whole. Errors, which quote nothing: kCorrupt for what is no
  /// event of the API's, or an end before the answer's own; kInvalidArgument when the content filter or the model
  /// refused; kUnavailable when the server sent an error.
  Status finish() const;

 private:
  void take_line(std::string& text);
  void take_event(std::string& text);
  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  CloudApi api_;
  std::string line_;
  bool after_cr_ = false;
  std::string data_;
  bool has_data_ = false;
  bool has_events_ = false;
  bool ended_ = false;  ///< The answer said so.
  std::optional<Error> error_;
};

}  // namespace hearth::cloud
