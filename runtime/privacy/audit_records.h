/// \file The audit records of decisions and of what leaves: one JSON line each, without a byte of payload.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/egress_permit.h>
#include <hearth/mask.h>
#include <hearth/outcome.h>
#include <hearth/time.h>

#include "policies/policy.h"
#include "runtime/privacy/detector.h"
#include "runtime/privacy/ledger.h"

namespace hearth::privacy {

/// What a decision came to, cheap to copy out from under a lock; the line is made of it later.
struct Decision {
  RequestId request = 0;
  WallTime at{};
  std::shared_ptr<const policies::Policy> policy;
  bool classified = false;             ///< False: refused before anything was read; the next six say nothing.
  const std::string* label = nullptr;  ///< The class of that name in `policy`.
  bool label_unknown = false;          ///< There was one, and no class has that name. It may be anything: not kept.
  policies::DataClass data_class = 0;
  Detections detections;
  Mask mask;
  PlanKind plan = PlanKind::kReject;
  policies::RuleIndex classify_rule = policies::kNoRule;
  policies::RuleIndex permit_rule = policies::kNoRule;
  policies::RuleIndex prefer_rule = policies::kNoRule;
  OutcomeStatus status = OutcomeStatus::kFailed;
  Reason reason = Reason::kEdgeFailed;
  SiteId served_on = kMaxSites;  ///< kMaxSites: nowhere.
  std::uint64_t bytes_sent = 0;
  std::vector<Attempt> attempts;

  /// Sets `label` and `label_unknown`; `policy` is set.
  void set_label(std::string_view given);
};

/// The pair a request was for, as the configuration names it; an unknown model is empty.
struct ModelFacts {
  std::string_view name;
  std::string_view edge_sha256;
  std::string_view cloud_sha256;
};

std::string decision_record(const Decision& decision, const ModelFacts& model, std::span<const Endpoint> endpoints);

/// That so many decisions found no room on their way to the journal.
std::string gap_record(std::uint64_t decisions, WallTime at);

/// What the guard knows of an egress.
std::string egress_record(const policies::Policy& policy, policies::DataClass data_class, const Detections& detections,
                          std::string_view label, const Endpoint& endpoint, const Spending& spending, WallTime at);

/// Which attempt an egress record belongs to, and what its payload was.
struct EgressAttempt {
  RequestId request = 0;
  std::uint32_t attempt = 0;  ///< The request's first is 1.
  std::string_view model;
  std::string_view model_sha256;  ///< Of the cloud half, as the pair claims it.
  std::string_view payload_hmac;  ///< Journal::keyed_digest() of the body.
};
void add_attempt(std::string& egress_record, const EgressAttempt& attempt);

}  // namespace hearth::privacy
