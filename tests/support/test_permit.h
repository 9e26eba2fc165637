/// \file Permits for tests of what stands behind the door: minted by the real guard, from a policy that permits.
#pragma once

#include <stdexcept>
#include <utility>

#include <hearth/egress_permit.h>

#include "policies/policy.h"
#include "runtime/privacy/guard.h"

namespace hearth::test {

/// A permit for exactly `message` to exactly `endpoint`. Throws when the guard refuses, which is then a failed test.
inline EgressPermit permit_for(const Endpoint& endpoint, HttpMessage message) {
  const auto policy = policies::Policy::load(
      R"({"version": 1, "name": "open", "classes": [{"name": "public", "egress": "allow"}],
          "default_class": "public"})",
      "open.json");
  if (!policy.ok()) throw std::runtime_error(policy.error().message);
  PrivacyGuard guard(policy.value(), {endpoint}, 1);
  Request request;
  request.label = "public";
  auto judgement = guard.judge(request, guard.classify(request), {});
  auto minted = guard.mint(judgement, request, 1, [&](const Request&) { return std::move(message); }, {});
  if (!minted.ok()) throw std::runtime_error(minted.error().message);
  return std::move(minted).value().permit;
}

}  // namespace hearth::test
