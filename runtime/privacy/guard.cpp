#include "runtime/privacy/guard.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "runtime/privacy/plain_text.h"

namespace hearth {
namespace {

double payload_kib(const Request& request) {
  std::size_t bytes = request.text.size();
  for (const auto& tensor : request.inputs) bytes += tensor.data.size();
  return static_cast<double>(bytes) / 1024.0;
}

}  // namespace

PrivacyGuard::PrivacyGuard(std::shared_ptr<const policies::Policy> policy, std::vector<Endpoint> endpoints,
                           std::size_t sessions_max)
    : policy_(std::move(policy)),
      endpoints_(std::move(endpoints)),
      detector_(policy_->own_detectors()),
      ledger_(sessions_max) {
  for (const auto& endpoint : endpoints_) endpoint_facts_.push_back({endpoint.name, endpoint.region});
}

policies::Facts PrivacyGuard::facts_of(const Request& request, const privacy::Detections& detections,
                                       const privacy::Moment& moment) const {
  policies::Facts facts;
  facts.label = request.label;
  facts.model = request.model;
  facts.text = request.text;
  facts.text_understood = detections.understood;
  facts.has_tensors = !request.inputs.empty();
  facts.detected = detections.counts;
  facts.payload_kib = payload_kib(request);
  facts.device = moment.device;
  facts.consent = ledger_.consent();
  facts.session_tainted = ledger_.tainted(request.session, moment.steady);
  facts.cloud_mib_today = ledger_.cloud_mib_today(moment.steady);
  facts.utc_hour = static_cast<unsigned>(moment.wall.time_since_epoch().count() / 3600 % 24);
  return facts;
}

privacy::Classification PrivacyGuard::classify(const Request& request) const {
  privacy::Classification content;
  if (!request.text.empty()) content.detections = detector_.detect(request.text);
  policies::Facts facts;
  facts.label = request.label;
  facts.model = request.model;
  facts.text = request.text;
  std::string folded;  // Words hide behind look-alikes as numbers do.
  if (policy_->needs_text() && content.detections.understood && !privacy::is_plain(request.text)) {
    folded = privacy::to_plain_text(request.text).value_or(std::string());
    facts.folded_text = folded;
  }
  facts.text_understood = content.detections.understood;
  facts.has_tensors = !request.inputs.empty();
  facts.detected = content.detections.counts;
  facts.payload_kib = payload_kib(request);
  const auto classified = policy_->classify(facts);
  content.data_class = classified.data_class;
  content.rule = classified.rule;
  return content;
}

privacy::Judgement PrivacyGuard::judge(const Request& request, const privacy::Classification& content,
                                       const privacy::Moment& moment) {
  const auto facts = facts_of(request, content.detections, moment);
  const auto permission = policy_->permit(facts, content.data_class, endpoint_facts_);
  const auto& rule = policy_->classes()[content.data_class];
  if (rule.taints_session_for)
    remember(ledger_.taint(request.session, moment.steady, moment.latest() + *rule.taints_session_for));
  return {content, permission.mask, permission.rule, policy_->prefer(facts, content.data_class)};
}

Status PrivacyGuard::permits(const privacy::Judgement& judgement, const Request& request, SiteId site,
                             std::uint64_t body_bytes, const privacy::Moment& moment) const {
  const auto deny = [](std::string why) { return Status(ErrorCode::kPermissionDenied, std::move(why)); };
  if (site == kEdgeSite || site > endpoints_.size()) return deny("no such endpoint");
  if (!judgement.mask.has(site)) return deny("not in the request's mask");
  auto facts = facts_of(request, judgement.content.detections, moment);
  if (facts.cloud_mib_today) *facts.cloud_mib_today += static_cast<double>(body_bytes) / (1024.0 * 1024.0);
  const auto permission = policy_->permit(facts, judgement.content.data_class, endpoint_facts_);
  if (!permission.mask.has(site)) return deny("denied by " + std::string(policy_->rule_id(permission.rule)));
  return Done{};
}

Result<privacy::Minted> PrivacyGuard::mint(const privacy::Judgement& judgement, const Request& request, SiteId site,
                                           const Encode& encode, const privacy::Moment& moment) {
  if (auto status = permits(judgement, request, site, 0, moment); !status.ok()) return status.error();
  HttpMessage message = encode(request);
  const std::uint64_t bytes = message.body.size();
  if (auto status = permits(judgement, request, site, bytes, moment); !status.ok()) return status.error();
  const auto& endpoint = endpoints_[site - 1];
  const nlohmann::json record = {{"kind", "egress"},
                                 {"at_s", moment.latest().time_since_epoch().count()},
                                 {"class", policy_->classes()[judgement.content.data_class].name},
                                 {"endpoint", endpoint.name},
                                 {"region", endpoint.region},
                                 {"bytes", bytes},
                                 {"policy_sha256", policy_->sha256()}};
  return privacy::Minted{EgressPermit(endpoint, std::move(message)), record.dump(), moment.latest()};
}

Status PrivacyGuard::spend(const privacy::Judgement& judgement, const Request& request, SiteId site,
                           const privacy::Minted& minted, bool wanted, const privacy::Moment& moment) {
  const std::uint64_t bytes = minted.permit.message().body.size();
  const Status status = permits(judgement, request, site, bytes, moment);
  if (wanted && status.ok()) {
    ledger_.charge(bytes, moment.steady);
  } else {
    remember(privacy::Ledger::withheld_record(bytes, minted.at));
  }
  return status;
}

}  // namespace hearth
