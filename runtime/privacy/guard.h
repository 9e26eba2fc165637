/// \file PrivacyGuard: judges requests by the policy and is the only maker of permits.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <hearth/device.h>
#include <hearth/egress_permit.h>
#include <hearth/journal.h>
#include <hearth/mask.h>
#include <hearth/request.h>
#include <hearth/result.h>
#include <hearth/time.h>

#include "policies/policy.h"
#include "policies/table.h"
#include "runtime/privacy/detector.h"
#include "runtime/privacy/ledger.h"
#include "runtime/privacy/redactor.h"

namespace hearth {

namespace privacy {

/// A policy and what finds and hides what it asks for. Never changes: a new policy comes with its own.
struct Rules {
  Rules(std::shared_ptr<const policies::Policy> with_policy, std::span<const policies::EndpointFacts> endpoints,
        std::string_view redaction_secret);

  std::shared_ptr<const policies::Policy> policy;
  policies::Table table;  ///< What decides, as the policy would.
  TextDetector detector;
  std::optional<Redactor> redactor;  ///< None without a secret: then what must be redacted stays.
};

/// What a policy may ask about one request. A view: what it names must outlive it.
struct Subject {
  Subject() = default;
  Subject(const Request& request);  // NOLINT: every request is one

  std::string_view model;
  std::string_view label;
  std::string_view text;
  std::string_view session;
  bool has_tensors = false;
  std::uint64_t payload_bytes = 0;  ///< Of tensors and text.
};

/// What is known of the content of one request: a data class and how it came about.
struct Classification {
  std::shared_ptr<const Rules> rules;  ///< Those it was judged by.
  policies::DataClass data_class = 0;
  policies::RuleIndex rule = policies::kNoRule;
  policies::Words words;  ///< Of the rules' table.
  Detections detections;
};

/// What the guard will hold one request to for the rest of its life. A later policy can only narrow it.
struct Judgement {
  Classification content;
  Mask mask;  ///< From here on it can only be narrowed.
  policies::RuleIndex permit_rule = policies::kNoRule;
  policies::Preference preference;
  bool redacted = false;  ///< Once true, the text never leaves as it is, whatever the policy says later.

  const policies::Policy& policy() const { return *content.rules->policy; }
};

/// What a judgement depends on besides the request.
struct Moment {
  DeviceState device;
  WallTime wall;    ///< The calendar, for rules about the hour.
  WallTime steady;  ///< A calendar that no setting of the clock moves, for taint and budgets.

  /// What a record is dated: a restart begins at the calendar, which may be ahead, and must not find it expired.
  WallTime latest() const { return std::max(wall, steady); }
};

/// A permit, and the record that must be durable before it is spent.
struct Minted {
  EgressPermit permit;
  std::string record;
  WallTime at;                                  ///< Of the record.
  Durability durability = Durability::kSynced;  ///< What the record must reach first.
  std::shared_ptr<const Redaction> redaction;   ///< What the reply is restored with; null when nothing was redacted.
  std::uint64_t request = 0;                    ///< This and the next: set by the caller, for the withheld record.
  std::uint32_t attempt = 0;
};

}  // namespace privacy

/// Threads: classify() from any thread, also while the policy is replaced: it waits for no more than the copy of a
/// pointer. Everything else under one lock of the owner's.
class PrivacyGuard {
 public:
  /// Encodes the very request that was judged, or its redacted copy; the guard calls it, so a permit cannot carry
  /// another one's bytes.
  using Encode = std::function<HttpMessage(const Request&)>;

  /// `endpoints[i]` is site i + 1; at most 31. Without a `redaction_secret` nothing is redacted: such classes stay.
  PrivacyGuard(std::shared_ptr<const policies::Policy> policy, std::vector<Endpoint> endpoints,
               std::size_t sessions_max, std::string_view redaction_secret = {});
  /// The same by rules that several guards share; they were made for these endpoints.
  PrivacyGuard(std::shared_ptr<const privacy::Rules> rules, std::vector<Endpoint> endpoints, std::size_t sessions_max);

  /// Reads label and text. Linear in the text; no lock needed.
  privacy::Classification classify(const privacy::Subject& subject) const;

  /// From now on judges by `policy`, and what is in flight too, before its next attempt: narrowed, never widened.
  void replace_policy(std::shared_ptr<const policies::Policy> policy);

  /// Stages 1 and 2 of the policy for this moment. A class that taints its session does so here.
  privacy::Judgement judge(const privacy::Subject& subject, const privacy::Classification& content,
                           const privacy::Moment& moment);

  /// The door. Intersects the judgement's mask with what policy, consent, taint, budget and device say at this moment;
  /// only when `site` is in what is left is the request encoded and a permit made for these bytes and that endpoint.
  /// Of a class that leaves redacted it is a redacted copy, and the encoded bytes are searched for what was redacted.
  /// Errors: kPermissionDenied names the rule, or what stood in the way of redaction.
  Result<privacy::Minted> mint(privacy::Judgement& judgement, const Request& request, SiteId site, const Encode& encode,
                               const privacy::Moment& moment);

  /// Asked right before a permit is used, once its record is durable: whether it would still be made. Then its bytes
  /// are charged to the budget; otherwise, or when it is no longer `wanted`, a record says that they were withheld.
  Status spend(privacy::Judgement& judgement, const Request& request, SiteId site, const privacy::Minted& minted,
               bool wanted, const privacy::Moment& moment);

  /// A permit for constant bytes that ask whether an endpoint is there; nothing of the request is in it. It may go
  /// where the request itself might go at this moment.
  Result<EgressPermit> mint_probe(privacy::Judgement& judgement, const privacy::Subject& subject, SiteId site,
                                  const privacy::Moment& moment);

  /// What mint() would come to at this moment for a body of so many bytes, or with `spends` what spend() would. For
  /// simulations in which a payload is but a size: nothing is encoded, and there is no permit to send anything with.
  Status rehearse(privacy::Judgement& judgement, const privacy::Subject& subject, SiteId site, std::uint64_t body_bytes,
                  bool spends, const privacy::Moment& moment);

  privacy::Ledger& ledger() { return ledger_; }
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }
  /// The policy in force. What a request was judged by stands in its judgement.
  const policies::Policy& policy() const { return *rules_->policy; }
  std::shared_ptr<const policies::Policy> shared_policy() const { return rules_->policy; }
  /// Journal lines that changes have produced since the last call (taint, consent, forgetting).
  std::vector<std::string> take_records() { return std::exchange(records_, {}); }

  void set_consent(Consent consent) { remember(ledger_.set_consent(consent)); }
  void forget_session(std::string_view session) { remember(ledger_.forget(session)); }

 private:
  policies::Facts facts_of(const privacy::Subject& subject, const privacy::Detections& detections,
                           const privacy::Moment& moment) const;
  std::shared_ptr<const privacy::Rules> make_rules(std::shared_ptr<const policies::Policy> policy) const;
  std::shared_ptr<const privacy::Rules> rules() const;
  privacy::Classification classify_by(std::shared_ptr<const privacy::Rules> rules,
                                      const privacy::Subject& subject) const;
  void taint_by(const privacy::Classification& content, const privacy::Subject& subject, const privacy::Moment& moment);
  /// Brings a judgement by a former policy under the one in force.
  void narrow(privacy::Judgement& judgement, const privacy::Subject& subject, const privacy::Moment& moment);
  privacy::Spending cost(SiteId site, std::uint64_t body_bytes) const;
  /// Whether the site may have this request now, with `body_bytes` more against the budget.
  Status permits(const privacy::Judgement& judgement, const privacy::Subject& subject, SiteId site,
                 std::uint64_t body_bytes, const privacy::Moment& moment) const;
  static bool must_redact(const privacy::Judgement& judgement);
  /// What may leave of the request's text: redacted until the detector finds nothing more in it.
  static Result<std::shared_ptr<const privacy::Redaction>> redact(const privacy::Rules& rules,
                                                                  const privacy::Subject& subject);
  void remember(std::string record) {
    if (!record.empty()) records_.push_back(std::move(record));
  }

  const std::string redaction_secret_;
  mutable std::mutex rules_mutex_;  ///< Of the pointer: classify() reads it from any thread.
  std::shared_ptr<const privacy::Rules> rules_;
  std::vector<Endpoint> endpoints_;
  std::vector<policies::EndpointFacts> endpoint_facts_;  ///< Views into endpoints_.
  privacy::Ledger ledger_;
  std::vector<std::string> records_;
};

}  // namespace hearth
