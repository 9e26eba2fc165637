/// \file Scenario: one simulated world as a file tells it: devices, models, policy, network, workload, clouds, faults.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/device.h>
#include <hearth/result.h>
#include <hearth/time.h>

#include "policies/policy.h"
#include "runtime/sim/cloud.h"
#include "runtime/sim/device.h"
#include "runtime/sim/link.h"
#include "runtime/sim/workload.h"
#include "tools/simulate/echo.h"

namespace hearth::simulate {

struct Scenario {
  std::string name;
  std::string story;  ///< For people.
  std::uint64_t seed = 1;
  Duration length = std::chrono::seconds(60);  ///< The last request comes before it.
  Duration warm_up{};                          ///< Requests that come before it are not counted.
  std::uint64_t devices = 1;                   ///< Alike, each with its own draws, on the same clouds.
  RuntimeConfig runtime;  ///< Of each device. Its models are the scenario's, its endpoints the clouds'.
  std::shared_ptr<const policies::Policy> policy;
  std::vector<sim::PairModel> pairs;  ///< As runtime.models, in time and truth.
  sim::DeviceModel device;
  sim::LinkModel link;
  std::vector<sim::Stream> streams;
  std::vector<sim::CloudModel> clouds;  ///< As runtime.endpoints.
  Consent consent = Consent::kGiven;
  Echo echo;  ///< Every value, and where it came from.
};

/// Reads a scenario (configs/schema/scenario.schema.json) and everything that it names, relative to its own folder.
/// All problems come in one error, a line each: `file:line:column: path: what, expected what`.
Result<Scenario> load_scenario(const std::string& file);

}  // namespace hearth::simulate
