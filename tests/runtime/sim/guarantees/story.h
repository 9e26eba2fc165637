/// \file Story: what happened in one simulated world, and which guarantees it breaks.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/outcome.h>
#include <hearth/transport.h>

namespace hearth::test {

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
  std::set<std::string> permitted;  ///< Endpoints, by the policy in force and the label. Consent apart.
  bool edge = true;                 ///< The mask may hold the edge.
  std::string proves;               ///< After the recovery: the endpoint that is to answer this.

  int outcomes = 0;
  TimePoint finished{};
  Outcome outcome;
};

struct Story {
  std::vector<Asked> requests;
  std::vector<WireEvent> wire;
  CloudTiming timing;
  Duration write_time{};   ///< Of the journal: this long an attempt that has begun may wait before it is sent.
  bool troubled = false;   ///< Every endpoint was out, browning out or flapping: amplification is bounded.
  bool edge_works = true;  ///< No local pass fails, and one takes at most edge_takes.
  Duration edge_takes{};
  TimePoint healed{};              ///< No faults from here on; zero: the world was shut down before.
  std::size_t left_in_flight = 0;  ///< In the transport, when nothing was left to do.
};

/// The guarantees, docs/faults.md has the list. Each line begins with the one that is broken.
std::vector<std::string> violations(const Story& story);

/// The world that `seed` draws, from its first request to its last.
Story run_world(std::uint64_t seed, bool clock_jumps = true);

}  // namespace hearth::test
