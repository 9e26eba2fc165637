/// \file Random policies and requests for leak tests: what must stay carries marks that the wire must never show.
#pragma once

#include <cstring>
#include <string>

#include <hearth/random.h>

#include "tests/support/notes_world.h"

namespace hearth::test {

/// Stands in every photo that must stay: no other number has these bytes.
inline constexpr float kCanaryPixel = 0.73912347f;
inline constexpr const char* kCanaryAddress = "canary@secret.example";

inline const std::string& consent_rule() {
  static const std::string rule = R"({"id": "no-consent", "when": {"consent": {"ne": "given"}}})";
  return rule;
}

/// Policies that differ in what else they permit, and agree that secret photos and addresses stay.
inline std::string draw_policy(RandomStream& draw) {
  std::string policy = kPolicy;
  const auto swap = [&](const std::string& from, const std::string& to) {
    if (const auto at = policy.find(from); draw.below(2) == 0 && at != std::string::npos)
      policy.replace(at, from.size(), to);
  };
  swap(consent_rule(), R"({"id": "no-consent", "when": {"consent": "revoked"}})");
  swap("\"confidence_below\": 0.8", "\"confidence_below\": 1");
  const char* const kPlans[] = {R"("plan": "cloud")", R"("plan": "safety_net")",
                                R"("plan": "hedge", "attempts_max": 3)"};
  swap("\"plan\": \"cascade\", \"confidence_below\": 0.8", kPlans[draw.below(3)]);
  swap("\"default_class\": \"secret\"", "\"default_class\": \"personal\"");
  swap(", \"taints_session_for_s\": 3600", "");
  return policy;
}

inline Request draw_request(RandomStream& draw) {
  static const char* const kLabels[] = {"public", "public", "regional", "personal", "secret", "", "no-such-class"};
  Request request = photo(static_cast<float>(draw.below(3)), kLabels[draw.below(7)]);
  const bool stays = request.label != "public" && request.label != "regional";
  if (stays) std::memcpy(request.inputs[0].data.data() + sizeof(float), &kCanaryPixel, sizeof(float));
  if (draw.below(3) == 0) request.text = "write to " + std::string(kCanaryAddress) + " today";
  if (draw.below(2) == 0) request.session = "session " + std::to_string(draw.below(5));
  return request;
}

/// Text alone, which leaves redacted.
inline Request draw_note(RandomStream& draw) {
  const std::string label = draw.below(100) == 0 ? "secret" : draw.below(2) == 0 ? "public" : "personal";
  return note("write to " + std::string(kCanaryAddress) + " at " + std::to_string(draw.below(24)),
              "session " + std::to_string(draw.below(50)), label);
}

}  // namespace hearth::test
