/// \file Observed: what a live run showed, and the folder that `hearth simulate` and `hearth calibrate simulator` read:
/// scenario.json, arrivals.jsonl, answers.jsonl, policy.json, faults.json, live.jsonl.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/result.h>

#include "runtime/sim/device.h"
#include "runtime/sim/link.h"
#include "runtime/sim/workload.h"
#include "tools/simulate/record.h"

namespace hearth::simulate {

inline constexpr const char* kScenarioFile = "scenario.json";
inline constexpr const char* kLiveFile = "live.jsonl";

struct ObservedRequest {
  Record record;  ///< `arrived` counts from the run's start; ids from 1, in the order of arrival.
  sim::Answer answer;
  std::uint64_t payload_bytes = 0;
  std::uint64_t reply_bytes = 0;
  std::uint32_t kind = 0;  ///< Index into `kinds`.
};

/// One device, one model, one cloud.
struct Observed {
  std::string name;
  std::string story;
  std::string policy_json;
  Names names;
  Endpoint endpoint;
  Limits limits;
  DeviceState device;
  std::vector<sim::RequestKind> kinds;  ///< Their shares are counted from the requests.
  sim::LinkModel link;                  ///< As it is known or was measured; the server is what it leaves of an answer.
  double error_rate = 0;                ///< Of infer requests: 500 and 503, half each.
  sim::TimeModel service;               ///< Where fewer than kAnswersMin answers came from the cloud.
  std::vector<ObservedRequest> requests;

  static constexpr std::size_t kAnswersMin = 20;
};

/// Fills in what the client cannot see, up_time and server_time, of the requests that the cloud answered: the link's
/// share is computed, requests going up one after the other as at the stub; the server is the rest.
void split_cloud_times(Observed& observed);

/// Fits and writes the folder, each file whole. Errors: kInvalidArgument where it cannot be written, kInternal.
Status write_observed(const std::string& folder, const Observed& observed);

/// One line of arrivals.jsonl.
std::string arrival_line(const sim::Arriving& arriving);

/// At 0, 1/n, ... 1, at most 1001 of them, of values in any order. Two equal ones of a single value; of none, nothing.
std::vector<double> quantiles_ms(std::vector<Duration> values);

}  // namespace hearth::simulate
