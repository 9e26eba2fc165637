/// \file What every codec asks of a reply: its status, and JSON that is bounded before it is parsed. Pure.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <hearth/result.h>
#include <hearth/transport.h>

namespace hearth::cloud {

/// kCorrupt, "reply: " and what is wrong with it, without quoting it.
Error corrupt(std::string what);

/// By status: 400-499 kInvalidArgument (429 and 408 kUnavailable), 500-599 kUnavailable, anything else kCorrupt (3xx
/// too: redirects are refused). 401 and 403 say that it is about the credential.
Error status_error(int status);

/// What a content filter or a model that declines comes to.
Error refused_by_model();

/// The object that `text` is, nested at most 32 deep. Errors: kCorrupt. May throw when there is no memory.
Result<nlohmann::json> parse_object(std::string_view text);

/// The string at `key` of an object; null when there is none.
const std::string* string_at(const nlohmann::json& object, const char* key);

}  // namespace hearth::cloud
