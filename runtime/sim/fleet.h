/// \file Fleet: simulated devices that share their clouds: the deciding code that ships, in a world of sizes and times.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <hearth/config.h>

#include "policies/policy.h"
#include "runtime/sim/cloud.h"
#include "runtime/sim/device.h"
#include "runtime/sim/link.h"
#include "runtime/sim/record.h"
#include "runtime/sim/workload.h"

namespace hearth::sim {

struct FleetModel {
  RuntimeConfig runtime;  ///< Of each device; its models as `pairs`, its endpoints as `clouds`.
  std::shared_ptr<const policies::Policy> policy;
  std::vector<PairModel> pairs;
  DeviceModel device;
  LinkModel link;
  Duration look_up{};  ///< Of a name, with each new connection.
  std::vector<Stream> streams;
  std::vector<CloudModel> clouds;
  Consent consent = Consent::kGiven;
  std::uint64_t devices = 1;  ///< Alike, each with its own draws and its own link.
  std::uint64_t seed = 1;
  Duration length = std::chrono::seconds(60);  ///< The last request comes before it.
  bool roads = true;                           ///< Whether records tell the roads, taken or not.
};

/// Counts of a whole run.
struct FleetFacts {
  std::uint64_t requests = 0;
  std::uint64_t events = 0;
  std::uint64_t attempts = 0;        ///< On the wire.
  std::uint64_t permits_denied = 0;  ///< Attempts that the door turned away.
  std::uint64_t leaks = 0;  ///< Attempts on the wire whose class may not go there, by the policy's own classes.
  std::uint64_t left_in_flight = 0;  ///< Requests without an outcome, or on the wire, when nothing was left to do.
  std::uint64_t hash = 0;            ///< Over every event, its time and its device, in order.
};

/// Told how far the simulated time has come, now and then.
using Progress = std::function<void(Duration)>;

/// Runs until every request has its outcome; hands each record to `sink` as the request ends. In every run it is
/// checked that time does not go back, that each request ends once, after it came and after what it waited for, and
/// that nothing goes where its class may not; the first two throw std::logic_error, the last is counted.
///
/// The same model gives the same records and the same hash on every machine. Threads: one; fleets side by side share
/// nothing that changes.
FleetFacts run_fleet(const FleetModel& model, RecordSink& sink, const Progress& progress = {});

}  // namespace hearth::sim
