/// \file Reply faults: what a lying server makes of a good inference reply, and what a client sees of a broken one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <hearth/result.h>
#include <hearth/time.h>
#include <hearth/transport.h>

#include "runtime/sim/fault_timeline.h"

namespace hearth::sim {

/// Changes the tensors, names or id in an inference reply as `kind` says. `json_bytes` is the size of the JSON part,
/// which may change; none: all of the body. A body that is no inference reply stays as it is.
void falsify(FaultKind kind, std::string& body, std::optional<std::size_t>& json_bytes);
/// Cuts the JSON part in the middle.
void break_json(std::string& body, std::optional<std::size_t>& json_bytes);
/// As in RFC 9110, section 5.6.7.
std::string http_date(WallTime time);

/// What arrives of a reply at a client that speaks HTTP as runtime/net does.
struct Arrival {
  Result<HttpReply> reply;
  std::uint64_t bytes = 0;  ///< Of body that crosses the link before the client knows.
  Duration late{};          ///< After that.
  bool never = false;       ///< The client waits until it gives up.
  bool closes = false;      ///< The connection is of no further use.
};

/// What the client's own bounds are.
struct ReplyBounds {
  std::uint64_t body_bytes_max = 16 << 20;
  std::uint64_t head_bytes_max = 16 << 10;
};

/// Of the server's good `reply`, under `spec`, a kReply fault; without one, as it is.
Arrival arrival_of(const FaultSpec* spec, HttpReply reply, const ReplyBounds& bounds);

/// The reply that a kRequest fault gives in the server's place: kStatus, kRedirect and kClockSkew, by the clock `now`.
HttpReply canned_reply(const FaultSpec& spec, WallTime now);

}  // namespace hearth::sim
