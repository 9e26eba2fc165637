#include "cloud_stub/routes.h"

#include <array>
#include <utility>

namespace hearth::stub {
namespace {

constexpr std::size_t kPartsMax = 8;

/// Parts of a path between slashes. More than kPartsMax: no route has so many.
std::size_t split(std::string_view path, std::array<std::string_view, kPartsMax>& parts) {
  std::size_t count = 0;
  while (!path.empty() && path.front() == '/') {
    path.remove_prefix(1);
    if (count == kPartsMax) return kPartsMax + 1;
    const auto slash = path.find('/');
    parts[count++] = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
  }
  return path.empty() ? count : 0;
}

Route only(std::string_view wanted, std::string_view method, Route found) {
  if (method != wanted && !(wanted == "GET" && method == "HEAD")) return {Call::kWrongMethod, {}, {}};
  return found;
}

Route route_admin(std::string_view method, std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Call>, 4> kPosts{
      {{"tripwire", Call::kTripwire}, {"shaping", Call::kShaping}, {"ready", Call::kReady}, {"quit", Call::kQuit}}};
  for (const auto& [word, call] : kPosts) {
    if (name == word) return only("POST", method, {call, {}, {}});
  }
  if (name == "stats") return only("GET", method, {Call::kStats, {}, {}});
  if (name == "verdict") return only("GET", method, {Call::kVerdict, {}, {}});
  if (name == "faults") {
    if (method == "POST") return {Call::kSetFaults, {}, {}};
    if (method == "DELETE") return {Call::kClearFaults, {}, {}};
    return only("GET", method, {Call::kFaults, {}, {}});
  }
  return {};
}

Route route_openai(std::string_view method, std::string_view name, std::string_view rest) {
  if (name == "chat" && rest == "completions") return only("POST", method, {Call::kChat, {}, {}});
  if (!rest.empty()) return {};
  if (name == "completions") return only("POST", method, {Call::kCompletions, {}, {}});
  if (name == "embeddings") return only("POST", method, {Call::kEmbeddings, {}, {}});
  if (name == "models") return only("GET", method, {Call::kTextModels, {}, {}});
  return {};
}

}  // namespace

Route route(std::string_view method, std::string_view path) {
  std::array<std::string_view, kPartsMax> parts;
  const std::size_t count = split(path, parts);
  if (count == 2 && parts[0] == "admin") return route_admin(method, parts[1]);
  if ((count == 2 || count == 3) && parts[0] == "v1") return route_openai(method, parts[1], parts[2]);
  if (count == 0 || count > kPartsMax || parts[0] != "v2") return {};
  if (count == 1 || (count == 2 && parts[1].empty())) return only("GET", method, {Call::kServerMetadata, {}, {}});
  if (parts[1] == "health" && count == 3) {
    if (parts[2] == "live") return only("GET", method, {Call::kServerLive, {}, {}});
    if (parts[2] == "ready") return only("GET", method, {Call::kServerReady, {}, {}});
    return {};
  }
  if (parts[1] != "models" || count < 3 || parts[2].empty()) return {};
  Route found{Call::kModelMetadata, parts[2], {}};
  std::size_t next = 3;
  if (count >= 5 && parts[3] == "versions" && !parts[4].empty()) {
    found.version = parts[4];
    next = 5;
  }
  if (count == next) return only("GET", method, found);
  if (count != next + 1) return {};
  if (parts[next] == "ready") {
    found.call = Call::kModelReady;
    return only("GET", method, found);
  }
  if (parts[next] == "infer") {
    found.call = Call::kInfer;
    return only("POST", method, found);
  }
  return {};
}

bool is_admin(std::string_view path) { return path == "/admin" || path.substr(0, 7) == "/admin/"; }

}  // namespace hearth::stub
