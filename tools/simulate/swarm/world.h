/// \file SwarmWorld: all that one world of the swarm is made of, as a value: drawn from a seed, or read from a file.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/plan.h>
#include <hearth/request.h>
#include <hearth/result.h>
#include <hearth/time.h>

#include "runtime/sim/fault_timeline.h"
#include "runtime/sim/link.h"
#include "runtime/sim/simulated_transport.h"

namespace hearth::simulate {

struct PolicyVariant {
  PlanKind plan = PlanKind::kEdge;
  unsigned attempts_max = 0;     ///< 0: the configuration's.
  bool objective = false;        ///< Weighs quality, cost and energy.
  bool edge = true;              ///< The mask may hold the edge.
  std::set<std::string> closed;  ///< Endpoints that are forbidden.

  bool operator==(const PolicyVariant&) const = default;
};

/// What an app does besides asking.
enum class ActKind : std::uint8_t {
  kGiveConsent,
  kRevokeConsent,
  kReload,         ///< `policy` comes in force.
  kCancel,         ///< The request that was made `back` requests before the newest.
  kEndSession,     ///< `session`.
  kForgetSession,  ///< `session`.
  kGoOffline,
  kGoOnline,
  kSetClock,  ///< By `clock_s` forward, or back.
};
const char* name_of(ActKind kind);

struct Act {
  Duration at{};
  ActKind kind = ActKind::kGiveConsent;
  PolicyVariant policy;
  std::uint64_t back = 0;
  std::string session;
  std::int64_t clock_s = 0;

  bool operator==(const Act&) const = default;
};

struct SwarmRequest {
  Duration at{};
  Duration deadline = std::chrono::milliseconds(200);
  std::string label = "public";
  double sureness = 0;     ///< The first edge logit against two zeros: from 3 on a cascade is content with it.
  bool mail = false;       ///< Its text holds an address.
  bool malformed = false;  ///< It lacks its tensor.
  std::string session;     ///< Empty: none.
  bool idempotent = true;
  Priority priority = Priority::kNormal;

  bool operator==(const SwarmRequest&) const = default;
};

struct SwarmEndpoint {
  Endpoint endpoint;
  sim::FaultTimeline faults;
};

struct SwarmWorld {
  std::uint64_t seed = 1;  ///< Of the runtime, the network and the local model.
  // The runtime.
  Limits limits;
  CloudTiming cloud;
  bool audit_decisions = false;
  PolicyVariant policy;  ///< In force at the beginning.
  // What is around it.
  sim::LinkModel link;
  sim::ServerModel server;
  Duration look_up{};
  Duration edge_median = std::chrono::milliseconds(5);
  double edge_failing = 0;      ///< Share of local passes.
  Duration journal_write{};     ///< Of a synced record.
  bool written_records = true;  ///< Public data leaves before its record is synced.
  std::vector<SwarmEndpoint> endpoints;
  // What happens.
  Duration trouble = std::chrono::seconds(5);  ///< No fault begins later.
  bool troubled =
      false;  ///< Until then every endpoint is out, browning out, flapping or flaky: amplification is bounded.
  std::vector<Act> acts;               ///< By time.
  std::vector<SwarmRequest> requests;  ///< By time.
  std::optional<Duration> shut_down;   ///< Then there is no recovery.
  bool recovery = true;                ///< After the trouble each endpoint is asked until it has to answer.
};

/// The world that `seed` draws. Each part has a stream of its own, so that a new draw in one moves no other.
SwarmWorld draw_world(std::uint64_t seed);

/// As a file: every value, times in milliseconds.
std::string world_json(const SwarmWorld& world);
/// All problems come in one error, a line each: `origin:line:column: path: what, expected what`.
Result<SwarmWorld> parse_world(std::string_view json, const std::string& origin);

}  // namespace hearth::simulate
