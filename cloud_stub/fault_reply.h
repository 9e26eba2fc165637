/// \file Replies gone wrong: what a reply fault makes of the server's good reply, as bytes and waits. Pure.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "cloud_stub/http_head.h"
#include "runtime/sim/fault_timeline.h"

namespace hearth::stub {

struct WireReply {
  HttpHead head;
  std::string body;
};

enum class ReplyEnd : std::uint8_t {
  kKeep,       ///< The connection goes on with its next request.
  kClose,      ///< In the usual way.
  kReset,      ///< With a TCP reset.
  kHang,       ///< Nothing more is said, until the client goes.
  kHalfClose,  ///< Only the sending side closes; what the client sends is still read and never answered.
};

/// What is put on the wire: each step waits, then says its bytes.
struct ReplyScript {
  struct Step {
    Duration wait{};
    std::string bytes;
  };
  std::vector<Step> steps;
  std::uint64_t filler = 0;  ///< So many zero bytes follow the steps.
  ReplyEnd end = ReplyEnd::kKeep;
};

/// The good reply, whole. What kReply faults start from, and what none of them leaves.
ReplyScript script_of(const WireReply& reply);
/// What `spec`, a kReply fault, makes of `reply`. `seed` is for what is random in it.
ReplyScript script_for(const sim::FaultSpec& spec, const WireReply& reply, std::uint64_t seed);

/// The reply that a kRequest fault gives in the server's place: kStatus, kRedirect (to `self`, the stub's own address)
/// and kClockSkew (by the clock `now`).
WireReply canned_reply(const sim::FaultSpec& spec, const std::string& self, std::time_t now);

/// A path that nobody is told but by a redirect.
inline constexpr std::string_view kRedirectPath = "/redirected/";

/// As in RFC 9110, section 5.6.7.
std::string http_date(std::time_t time);

}  // namespace hearth::stub
