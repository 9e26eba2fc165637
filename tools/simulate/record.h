/// \file What a run gives besides its records: the names in them, and the facts of the whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <hearth/time.h>

#include "runtime/sim/record.h"

namespace hearth::simulate {

/// Names that records hold by index.
struct Names {
  std::vector<std::string> models;
  std::vector<std::string> streams;
  std::vector<std::string> classes;
  std::vector<std::string> endpoints;  ///< `endpoints[i]` is site i + 1.
  std::vector<std::string> rules;      ///< Of the policy; kNoRule (0xffff) is none.
};

using sim::Record;
using sim::RecordSink;
using sim::Road;

/// What a run is besides its records. No figure in it depends on the machine but those of `wall`.
struct RunFacts {
  std::string scenario;
  std::string policy_name;
  std::string policy_sha256;
  std::uint64_t seed = 0;
  Duration length{};
  Duration warm_up{};  ///< Requests that came before it are not counted.
  std::uint64_t devices = 1;
  std::uint64_t requests = 0;
  std::uint64_t events = 0;
  std::uint64_t left_in_flight = 0;  ///< Requests without an outcome at the end: always 0.
  std::uint64_t attempts = 0;
  std::uint64_t permits_denied = 0;  ///< Attempts that the door turned away.
  std::uint64_t leaks = 0;           ///< Attempts whose class may not leave, by the policy's own table: always 0.
  std::string trace_hash;            ///< Over every event and its time, in order: equal runs have equal hashes.
  double wall_s = 0;                 ///< On the machine that ran it. The only figure that is not the same twice.
};

}  // namespace hearth::simulate
