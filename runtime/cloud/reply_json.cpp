#include "runtime/cloud/reply_json.h"

#include <utility>

namespace hearth::cloud {
namespace {

using nlohmann::json;

constexpr std::size_t kNestingMax = 32;  // far more than any tensor's rank

/// Whether brackets nest no deeper than kNestingMax. A parser that has not seen the text yet could be made to.
bool shallow(std::string_view text) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kNestingMax) return false;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return true;
}

}  // namespace

Error corrupt(std::string what) { return {ErrorCode::kCorrupt, "reply: " + std::move(what)}; }

Error status_error(int status) {
  ErrorCode code = ErrorCode::kCorrupt;
  if (status >= 400 && status <= 499) code = ErrorCode::kInvalidArgument;
  if (status == 408 || status == 429 || (status >= 500 && status <= 599)) code = ErrorCode::kUnavailable;
  const char* about = status == 401 || status == 403 ? ": it does not take the credential" : "";
  return {code, "the server answered with status " + std::to_string(status) + about};
}

Error refused_by_model() {
  return {ErrorCode::kInvalidArgument, "the server's model or its content filter refused to answer"};
}

Result<json> parse_object(std::string_view text) {
  if (!shallow(text)) return corrupt("JSON nested too deep");
  json root = json::parse(text, nullptr, false);
  if (!root.is_object()) return corrupt("not a JSON object");
  return root;
}

const std::string* string_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

}  // namespace hearth::cloud
