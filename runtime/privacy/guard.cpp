#include "runtime/privacy/guard.h"

#include <algorithm>

#include <nlohmann/json.hpp>

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
    : policy_(std::move(policy)), endpoints_(std::move(endpoints)), ledger_(sessions_max) {
  for (const auto& endpoint : endpoints_) endpoint_facts_.push_back({endpoint.name, endpoint.region});
}

policies::Facts PrivacyGuard::facts_of(const Request& request, const privacy::Detections& detections,
                                       const DeviceState& device, WallTime now) const {
  policies::Facts facts;
  facts.label = request.label;
  facts.model = request.model;
  facts.text = request.text;
  facts.text_understood = detections.understood;
  facts.has_tensors = !request.inputs.empty();
  facts.detected = detections.counts;
  facts.payload_kib = payload_kib(request);
  facts.device = device;
  facts.consent = ledger_.consent();
  facts.session_tainted = ledger_.tainted(request.session, now);
  facts.cloud_mib_today = ledger_.cloud_mib_today(now);
  facts.utc_hour = static_cast<unsigned>(now.time_since_epoch().count() / 3600 % 24);
  return facts;
}

privacy::Classification PrivacyGuard::classify(const Request& request) const {
  privacy::Classification content;
  if (!request.text.empty()) content.detections = detector_.detect(request.text);
  policies::Facts facts;
  facts.label = request.label;
  facts.model = request.model;
  facts.text = request.text;
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
                                       const DeviceState& device, WallTime now) {
  const auto facts = facts_of(request, content.detections, device, now);
  const auto permission = policy_->permit(facts, content.data_class, endpoint_facts_);
  const auto& rule = policy_->classes()[content.data_class];
  if (rule.taints_session_for) remember(ledger_.taint(request.session, now, *rule.taints_session_for));
  return {content, permission.mask, permission.rule, policy_->prefer(facts, content.data_class)};
}

Status PrivacyGuard::still_permits(const privacy::Judgement& judgement, const Request& request, SiteId site,
                                   const DeviceState& device, WallTime now) const {
  const auto deny = [](std::string why) { return Status(ErrorCode::kPermissionDenied, std::move(why)); };
  if (site == kEdgeSite || site > endpoints_.size()) return deny("no such endpoint");
  if (!judgement.mask.has(site)) return deny("not in the request's mask");
  const auto facts = facts_of(request, judgement.content.detections, device, now);
  const auto permission = policy_->permit(facts, judgement.content.data_class, endpoint_facts_);
  if (!permission.mask.has(site)) return deny("denied by " + std::string(policy_->rule_id(permission.rule)));
  return Done{};
}

Result<privacy::Minted> PrivacyGuard::mint(const privacy::Judgement& judgement, const Request& request, SiteId site,
                                           const Encode& encode, const DeviceState& device, WallTime now) {
  if (auto status = still_permits(judgement, request, site, device, now); !status.ok()) return status.error();
  HttpMessage message = encode(request);
  const auto& endpoint = endpoints_[site - 1];
  const std::uint64_t bytes = message.body.size();
  ledger_.charge(bytes, now);
  const nlohmann::json record = {{"kind", "egress"},
                                 {"at_s", now.time_since_epoch().count()},
                                 {"class", policy_->classes()[judgement.content.data_class].name},
                                 {"endpoint", endpoint.name},
                                 {"region", endpoint.region},
                                 {"bytes", bytes},
                                 {"policy_sha256", policy_->sha256()}};
  return privacy::Minted{EgressPermit(endpoint, std::move(message)), record.dump()};
}

}  // namespace hearth
