#include "runtime/privacy/audit_records.h"

#include <nlohmann/json.hpp>

#include "runtime/base/json_text.h"

namespace hearth::privacy {
namespace {

using Json = nlohmann::ordered_json;

/// No class can be called that.
constexpr const char* kUnknownLabelText = "(unknown)";

std::int64_t seconds(WallTime time) { return time.time_since_epoch().count(); }

const std::string* find_label(const policies::Policy& policy, std::string_view label) {
  for (const auto& rule : policy.classes())
    if (rule.name == label) return &rule.name;
  return nullptr;
}

Json label_json(const std::string* known, bool unknown) {
  if (known) return *known;
  return unknown ? Json(kUnknownLabelText) : Json();
}

/// Tells the types that were found, and how often.
template <class Tell>
void each_detected(const policies::Policy& policy, const Detections& detections, const Tell& tell) {
  for (std::size_t i = 0; i < detections.counts.size(); ++i) {
    if (detections.counts[i] == 0) continue;
    const auto own = i - policies::kDetectedCount;
    if (i < policies::kDetectedCount) {
      tell(policies::name_of(static_cast<policies::Detected>(i)), detections.counts[i]);
    } else if (own < policy.own_detectors().size()) {
      tell(policy.own_detectors()[own].type, detections.counts[i]);
    }
  }
}

/// Null when the text was not understood.
Json detected_json(const policies::Policy& policy, const Detections& detections) {
  if (!detections.understood) return {};
  Json counts = Json::object();
  each_detected(policy, detections,
                [&](std::string_view type, std::uint16_t count) { counts[std::string(type)] = count; });
  return counts;
}

std::string site_name(SiteId site, std::span<const Endpoint> endpoints) {
  if (site == kEdgeSite) return "edge";
  return site <= endpoints.size() ? endpoints[site - 1].name : std::string();
}

Json attempts_json(const Decision& decision) {
  Json attempts = Json::array();
  for (const auto& attempt : decision.attempts) {
    Json one = {{"site", attempt.site == kEdgeSite ? "edge" : attempt.endpoint}, {"took_ms", to_ms(attempt.took)}};
    if (attempt.bytes_sent > 0) one["bytes"] = attempt.bytes_sent;
    if (!attempt.error.empty()) one["error"] = attempt.error;
    attempts.push_back(std::move(one));
  }
  return attempts;
}

void add_classification(Json& record, const Decision& decision, std::span<const Endpoint> endpoints) {
  const auto& policy = *decision.policy;
  record["class"] = policy.classes()[decision.data_class].name;
  record["label"] = label_json(decision.label, decision.label_unknown);
  record["detected"] = detected_json(policy, decision.detections);
  Json mask = Json::array();
  for (SiteId site = 0; site < kMaxSites; ++site)
    if (decision.mask.has(site)) mask.push_back(site_name(site, endpoints));
  record["mask"] = std::move(mask);
  Json rules = Json::object();
  const auto rule = [&](const char* step, policies::RuleIndex index) {
    if (const auto id = policy.rule_id(index); !id.empty()) rules[step] = std::string(id);
  };
  rule("classify", decision.classify_rule);
  rule("permit", decision.permit_rule);
  rule("prefer", decision.prefer_rule);
  record["rules"] = std::move(rules);
  record["plan"] = name_of(decision.plan);
}

}  // namespace

void Decision::set_label(std::string_view given) {
  label = find_label(*policy, given);
  label_unknown = !label && !given.empty();
}

std::string decision_record(const Decision& decision, const ModelFacts& model, std::span<const Endpoint> endpoints) {
  Json record = {{"kind", "decision"}, {"at_s", seconds(decision.at)}, {"request", decision.request}};
  record["model"] = model.name.empty() ? Json() : Json(std::string(model.name));
  if (!model.edge_sha256.empty()) record["edge_sha256"] = std::string(model.edge_sha256);
  if (!model.cloud_sha256.empty()) record["cloud_sha256"] = std::string(model.cloud_sha256);
  record["policy_sha256"] = decision.policy->sha256();
  if (decision.classified) add_classification(record, decision, endpoints);
  record["status"] = name_of(decision.status);
  record["reason"] = name_of(decision.reason);
  if (decision.served_on < kMaxSites) record["served_on"] = site_name(decision.served_on, endpoints);
  if (decision.served_on != kEdgeSite && decision.served_on <= endpoints.size())
    record["region"] = endpoints[decision.served_on - 1].region;
  record["bytes"] = decision.bytes_sent;
  record["attempts"] = attempts_json(decision);
  return record.dump();
}

std::string gap_record(std::uint64_t decisions, WallTime at) {
  return Json{{"kind", "gap"}, {"at_s", seconds(at)}, {"decisions", decisions}}.dump();
}

std::string egress_record(const policies::Policy& policy, policies::DataClass data_class, const Detections& detections,
                          std::string_view label, const Endpoint& endpoint, const Spending& spending, WallTime at) {
  JsonObjectText record(512);
  record.add("kind", "egress").add("at_s", seconds(at)).add("class", policy.classes()[data_class].name);
  if (label.empty()) {
    record.add_json("label", "null");
  } else {
    const std::string* known = find_label(policy, label);
    record.add("label", known ? *known : kUnknownLabelText);
  }
  JsonObjectText counts;
  each_detected(policy, detections, [&](std::string_view type, std::uint16_t count) { counts.add(type, count); });
  record.add_json("detected", detections.understood ? counts.take() : "null");
  record.add("endpoint", endpoint.name).add("region", endpoint.region);
  record.add("bytes", spending.bytes).add("micro_usd", spending.micro_usd);
  return record.add("policy_sha256", policy.sha256()).take();
}

void add_attempt(std::string& egress_record, const EgressAttempt& attempt) {
  JsonObjectText facts(256);
  facts.add("request", attempt.request).add("attempt", attempt.attempt).add("model", attempt.model);
  if (!attempt.model_sha256.empty()) facts.add("model_sha256", attempt.model_sha256);
  if (!attempt.payload_hmac.empty()) facts.add("payload_hmac", attempt.payload_hmac);
  egress_record.back() = ',';
  egress_record.append(facts.take(), 1);
}

}  // namespace hearth::privacy
