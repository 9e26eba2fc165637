/// \file Story: what happened in one simulated world, and which guarantees it breaks.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <hearth/config.h>
#include <hearth/outcome.h>
#include <hearth/transport.h>

#include "tools/simulate/swarm/world.h"

namespace hearth::simulate {

/// One thing that happened at the door to the network.
struct WireEvent {
  enum class Kind : std::uint8_t { kSend, kDone, kCancel };
  Kind kind = Kind::kSend;
  TimePoint at{};
  AttemptId attempt = 0;
  std::string endpoint;
  // Of kSend:
  std::size_t request = 0;  ///< Which of the story's.
  TimePoint deadline{};     ///< What the transport was given.
  bool canary = false;      ///< The message holds what must stay.
  // Of kDone:
  int status = 0;  ///< None: an error.
  bool unreachable = false;
  Duration retry_after{};
};

/// What the app asked for, and what it got.
struct Asked {
  TimePoint at{};
  Duration deadline{};
  bool idempotent = true;
  unsigned attempts_max = 0;        ///< Of the policy in force.
  std::set<std::string> permitted;  ///< Endpoints, by the policy in force and the label. Consent and taint apart.
  bool regional = false;            ///< Its class may only go to the EU.
  bool edge = true;                 ///< The mask may hold the edge, and it can do this.
  bool offline = false;             ///< The device had no network.
  std::string session;
  bool taints = false;  ///< Its class taints its session.
  float sureness = 0;   ///< The local answer is this and two zeros.
  std::string proves;   ///< After the recovery: the endpoint that is to answer this.

  int outcomes = 0;
  TimePoint finished{};
  Outcome outcome;
};

/// What the app's settings permit from a moment on.
struct InForce {
  std::size_t wire_before = 0;  ///< Wire events that came earlier.
  bool consent = true;
  std::set<std::string> open;   ///< Endpoints that public data may go to.
  std::set<std::string> in_eu;  ///< Those that regional data may go to.
};

struct Story {
  std::vector<Asked> requests;
  std::vector<WireEvent> wire;
  std::vector<InForce> in_force;                             ///< None: everything is permitted all the time.
  std::vector<std::pair<TimePoint, std::string>> forgotten;  ///< Sessions, and when.
  CloudTiming timing;
  Duration write_time{};   ///< Of the journal: this long an attempt that has begun may wait before it is sent.
  bool troubled = false;   ///< Every endpoint was out, browning out, flapping or flaky: amplification is bounded.
  bool edge_works = true;  ///< No local pass fails, and one takes at most edge_takes.
  Duration edge_takes{};
  std::size_t edge_slots = 0;      ///< 0: not known.
  std::size_t in_flight_max = 0;   ///< Cloud attempts at a time. 0: not known.
  TimePoint healed{};              ///< No faults from here on; zero: that time never came.
  std::size_t left_in_flight = 0;  ///< In the transport, when nothing was left to do.
};

inline constexpr Duration kTaint = std::chrono::seconds(2);  ///< Of a session, by each world's policy.
/// From this confidence on a cascade is content with the local answer, by each world's policy.
inline constexpr float kConfident = 0.9f;

/// What a test puts between the runtime and the wire tap, to see that the judge notices.
using Meddler = std::function<std::shared_ptr<Transport>(std::shared_ptr<Transport>)>;

/// From its first request to its last. Threads: any number of worlds side by side.
Story run_world(const SwarmWorld& world, const Meddler& meddler = {});

/// The guarantees, docs/faults.md has the list. Each line begins with the one that is broken.
std::vector<std::string> violations(const Story& story);

/// SHA-256 over everything that happened and when: equal stories have equal ones.
std::string sha256_of(const Story& story);

}  // namespace hearth::simulate
