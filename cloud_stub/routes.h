/// \file What a method and a path ask for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::stub {

enum class Call : std::uint8_t {
  kUnknown,      ///< 404
  kWrongMethod,  ///< 405
  kServerLive,
  kServerReady,
  kServerMetadata,
  kModelMetadata,
  kModelReady,
  kInfer,
  kChat,  ///< This and the next three: the OpenAI API.
  kCompletions,
  kEmbeddings,
  kTextModels,
  kTripwire,
  kStats,
  kShaping,
  kReady,
  kFaults,
  kSetFaults,
  kClearFaults,
  kVerdict,
  kQuit,
};

struct Route {
  Call call = Call::kUnknown;
  std::string_view model;
  std::string_view version;  ///< Empty: not given.
};

/// `path` is decoded; views point into it.
Route route(std::string_view method, std::string_view path);

/// Does it run a model?
constexpr bool is_inference(Call call) {
  return call == Call::kInfer || call == Call::kChat || call == Call::kCompletions || call == Call::kEmbeddings;
}

/// Is this path under /admin, known or not?
bool is_admin(std::string_view path);

}  // namespace hearth::stub
