/// \file Outcome: the one answer to a request, with the full story of how it was made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <hearth/mask.h>
#include <hearth/plan.h>
#include <hearth/result.h>
#include <hearth/tensor.h>
#include <hearth/time.h>

namespace hearth {

using RequestId = std::uint64_t;

enum class OutcomeStatus : std::uint8_t {
  kServed,     ///< `outputs` holds an answer.
  kRejected,   ///< Refused before it ran; `reason` says why.
  kFailed,     ///< It ran and nothing could answer.
  kCancelled,  ///< Withdrawn by the caller or by shutdown.
};

/// Why an outcome is what it is. One value per outcome; stable names in traces.
enum class Reason : std::uint8_t {
  kLocalByDefault,      ///< Edge answer: the plan was edge.
  kLocalConfident,      ///< Edge answer: a cascade was planned and the local answer was good enough.
  kLocalOnlyPermitted,  ///< Edge answer: the cloud was wanted but the mask forbids it.
  kNoRoom,              ///< Edge answer: the deadline left no room for the cloud.
  kCloudUnhealthy,      ///< Edge answer: breaker open, device offline, or too many attempts in flight.
  kCloudFailed,         ///< A cloud attempt failed; the edge answered if it was permitted to.
  kCloudAnswered,       ///< Cloud answer.
  kNotWorthIt,          ///< Edge answer: by the policy's objective the cloud would have cost more than it is worth.
  kLocalFaster,         ///< Edge answer: a hedge in which the edge answered first.
  kQueueFull,           ///< Rejected: the bounded queue is full.
  kQueueTooLong,        ///< Rejected: by the time its turn came its deadline would have passed.
  kNoPermittedSite,     ///< Rejected: the mask is empty.
  kInvalidRequest,      ///< Rejected: unknown model, wrong tensors.
  kDeadlinePassed,      ///< Failed: nothing answered in time.
  kEdgeFailed,          ///< Failed: the local model failed and the cloud could not answer.
  kCallerCancelled,
  kShutDown,
};

const char* name_of(OutcomeStatus status);
const char* name_of(Reason reason);

/// One try at one site.
struct Attempt {
  SiteId site = kEdgeSite;
  std::string endpoint;  ///< Endpoint name; empty for the edge.
  Duration began{};      ///< Since the request was submitted.
  Duration took{};
  std::uint64_t bytes_sent = 0;
  std::string error;  ///< Name of the ErrorCode; empty when it answered.
};

/// Exactly one per request.
struct Outcome {
  RequestId id = 0;
  OutcomeStatus status = OutcomeStatus::kFailed;
  Reason reason = Reason::kEdgeFailed;
  std::string
      message;  ///< What went wrong on the way, one line for people; never payload text. Empty when nothing did.
  std::vector<Tensor> outputs;

  std::string model;
  std::string model_sha256;  ///< Of the file that answered; for the cloud the one the pair names.
  std::string served_on;     ///< "edge", an endpoint's name, or empty.
  float confidence = 0;      ///< Of the local answer: its largest softmax probability. 0 when it never ran.
  std::vector<Attempt> attempts;
  std::uint64_t bytes_sent = 0;

  std::string data_class;     ///< After classification.
  std::string classify_rule;  ///< The rule that raised the class; empty when none did.
  Mask mask;                  ///< What was permitted.
  std::string permit_rule;    ///< The rule or class that took sites out; empty when nothing did.
  PlanKind plan = PlanKind::kReject;
  std::string prefer_rule;  ///< The rule that chose the plan; empty for the default.
  std::string policy_sha256;

  Duration queued{};
  Duration latency{};         ///< From submission to this outcome.
  Duration deadline{};        ///< What `latency` was to stay under.
  bool deadline_met = false;  ///< Served, and in time.
};

}  // namespace hearth
