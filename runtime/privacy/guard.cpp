#include "runtime/privacy/guard.h"

#include <algorithm>
#include <cmath>

#include "runtime/privacy/audit_records.h"
#include "runtime/privacy/plain_text.h"
#include "runtime/privacy/redact_text.h"

namespace hearth {
namespace {

double mib_of(std::uint64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }

Error deny(std::string why) { return {ErrorCode::kPermissionDenied, std::move(why)}; }

/// The rule of that name; none when the policy has no such rule.
policies::RuleIndex find_rule(const policies::Policy& policy, std::string_view id) {
  for (policies::RuleIndex i = 0; !policy.rule_id(i).empty() && !id.empty(); ++i)
    if (policy.rule_id(i) == id) return i;
  return policies::kNoRule;
}

/// Target and headers are the configuration's, but nothing vouches for the encoder.
bool leaks(const HttpMessage& message, const privacy::Redaction& redaction) {
  const auto leak = [&](std::string_view bytes) { return privacy::find_originals(bytes, redaction); };
  return leak(message.body) || leak(message.target) ||
         std::any_of(message.headers.begin(), message.headers.end(),
                     [&](const auto& header) { return leak(header.first) || leak(header.second); });
}

}  // namespace

privacy::Subject::Subject(const Request& request)
    : model(request.model),
      label(request.label),
      text(request.text),
      session(request.session),
      has_tensors(!request.inputs.empty()),
      payload_bytes(request.text.size()) {
  for (const auto& tensor : request.inputs) payload_bytes += tensor.data.size();
}

privacy::Rules::Rules(std::shared_ptr<const policies::Policy> with_policy,
                      std::span<const policies::EndpointFacts> endpoints, std::string_view redaction_secret)
    : policy(std::move(with_policy)), table(policy, endpoints), detector(policy->own_detectors()) {
  if (!redaction_secret.empty()) redactor.emplace(redaction_secret, policy->own_detectors());
}

PrivacyGuard::PrivacyGuard(std::shared_ptr<const policies::Policy> policy, std::vector<Endpoint> endpoints,
                           std::size_t sessions_max, std::string_view redaction_secret)
    : redaction_secret_(redaction_secret), endpoints_(std::move(endpoints)), ledger_(sessions_max) {
  for (const auto& endpoint : endpoints_) endpoint_facts_.push_back({endpoint.name, endpoint.region});
  rules_ = make_rules(std::move(policy));
}

PrivacyGuard::PrivacyGuard(std::shared_ptr<const privacy::Rules> rules, std::vector<Endpoint> endpoints,
                           std::size_t sessions_max)
    : rules_(std::move(rules)), endpoints_(std::move(endpoints)), ledger_(sessions_max) {
  for (const auto& endpoint : endpoints_) endpoint_facts_.push_back({endpoint.name, endpoint.region});
}

std::shared_ptr<const privacy::Rules> PrivacyGuard::make_rules(std::shared_ptr<const policies::Policy> policy) const {
  return std::make_shared<privacy::Rules>(std::move(policy), endpoint_facts_, redaction_secret_);
}

std::shared_ptr<const privacy::Rules> PrivacyGuard::rules() const {
  std::lock_guard lock(rules_mutex_);
  return rules_;
}

void PrivacyGuard::replace_policy(std::shared_ptr<const policies::Policy> policy) {
  auto rules = make_rules(std::move(policy));
  std::lock_guard lock(rules_mutex_);
  rules_.swap(rules);
}

policies::Facts PrivacyGuard::facts_of(const privacy::Subject& subject, const privacy::Detections& detections,
                                       const privacy::Moment& moment) const {
  policies::Facts facts;
  facts.label = subject.label;
  facts.model = subject.model;
  facts.text = subject.text;
  facts.text_understood = detections.understood;
  facts.has_tensors = subject.has_tensors;
  facts.detected = detections.counts;
  facts.payload_kib = static_cast<double>(subject.payload_bytes) / 1024.0;
  facts.device = moment.device;
  facts.consent = ledger_.consent();
  facts.session_tainted = ledger_.tainted(subject.session, moment.steady);
  facts.cloud_mib_today = ledger_.cloud_mib_today(moment.steady);
  facts.cloud_usd_today = ledger_.cloud_usd_today(moment.steady);
  facts.utc_hour = static_cast<unsigned>(moment.wall.time_since_epoch().count() / 3600 % 24);
  return facts;
}

privacy::Classification PrivacyGuard::classify(const privacy::Subject& subject) const {
  return classify_by(rules(), subject);
}

privacy::Classification PrivacyGuard::classify_by(std::shared_ptr<const privacy::Rules> rules,
                                                  const privacy::Subject& subject) const {
  privacy::Classification content;
  const policies::Policy& policy = *rules->policy;
  if (!subject.text.empty()) content.detections = rules->detector.detect(subject.text);
  policies::Facts facts;
  facts.label = subject.label;
  facts.model = subject.model;
  facts.text = subject.text;
  std::string folded;  // Words hide behind look-alikes as numbers do.
  if (policy.needs_text() && content.detections.understood && !privacy::is_plain(subject.text)) {
    folded = privacy::to_plain_text(subject.text).value_or(std::string());
    facts.folded_text = folded;
  }
  facts.text_understood = content.detections.understood;
  facts.has_tensors = subject.has_tensors;
  facts.detected = content.detections.counts;
  facts.payload_kib = static_cast<double>(subject.payload_bytes) / 1024.0;
  content.words = rules->table.words_of(facts);
  const auto classified = rules->table.classify(facts, content.words);
  content.data_class = classified.data_class;
  content.rule = classified.rule;
  content.rules = std::move(rules);
  return content;
}

void PrivacyGuard::taint_by(const privacy::Classification& content, const privacy::Subject& subject,
                            const privacy::Moment& moment) {
  const auto& rule = content.rules->policy->classes()[content.data_class];
  // Calendars count whole seconds: the one that has begun does not shorten it.
  if (rule.taints_session_for)
    remember(ledger_.taint(subject.session, moment.steady,
                           moment.latest() + *rule.taints_session_for + std::chrono::seconds(1)));
}

privacy::Judgement PrivacyGuard::judge(const privacy::Subject& subject, const privacy::Classification& content,
                                       const privacy::Moment& moment) {
  // Classified before the lock: by now another policy may be in force.
  if (content.rules != rules_) return judge(subject, classify_by(rules_, subject), moment);
  const auto& table = rules_->table;
  const auto facts = facts_of(subject, content.detections, moment);
  const auto permission = table.permit(facts, content.words, content.data_class);
  taint_by(content, subject, moment);
  return {content, permission.mask, permission.rule, table.prefer(facts, content.words, content.data_class),
          rules_->policy->classes()[content.data_class].egress == policies::Egress::kRedacted};
}

void PrivacyGuard::narrow(privacy::Judgement& judgement, const privacy::Subject& subject,
                          const privacy::Moment& moment) {
  if (judgement.content.rules == rules_) return;
  const auto now = judge(subject, judgement.content, moment);
  const auto chosen_by = judgement.policy().rule_id(judgement.preference.rule);
  judgement.preference.rule = find_rule(now.policy(), chosen_by);  // the plan stays as it was chosen
  judgement.content = now.content;
  judgement.mask = judgement.mask & now.mask;
  judgement.permit_rule = now.permit_rule;
  judgement.redacted = judgement.redacted || now.redacted;
}

privacy::Spending PrivacyGuard::cost(SiteId site, std::uint64_t body_bytes) const {
  const Endpoint& endpoint = endpoints_[site - 1];
  const double usd = endpoint.usd_per_request + endpoint.usd_per_mib * mib_of(body_bytes);
  return {body_bytes, static_cast<std::uint64_t>(std::ceil(usd * 1e6))};
}

Status PrivacyGuard::permits(const privacy::Judgement& judgement, const privacy::Subject& subject, SiteId site,
                             std::uint64_t body_bytes, const privacy::Moment& moment) const {
  if (site == kEdgeSite || site > endpoints_.size()) return deny("no such endpoint");
  if (!judgement.mask.has(site)) return deny("not in the request's mask");
  auto facts = facts_of(subject, judgement.content.detections, moment);
  if (facts.cloud_mib_today) *facts.cloud_mib_today += mib_of(body_bytes);
  if (facts.cloud_usd_today) *facts.cloud_usd_today += static_cast<double>(cost(site, body_bytes).micro_usd) / 1e6;
  const auto& content = judgement.content;
  const auto permission = content.rules->table.permit(facts, content.words, content.data_class);
  if (!permission.mask.has(site)) return deny("denied by " + std::string(judgement.policy().rule_id(permission.rule)));
  return Done{};
}

bool PrivacyGuard::must_redact(const privacy::Judgement& judgement) {
  const auto& rule = judgement.policy().classes()[judgement.content.data_class];
  return judgement.redacted || rule.egress != policies::Egress::kAllow;
}

Result<std::shared_ptr<const privacy::Redaction>> PrivacyGuard::redact(const privacy::Rules& rules,
                                                                       const privacy::Subject& subject) {
  if (!rules.redactor) return deny("there is no secret to redact with");
  if (subject.has_tensors) return deny("tensors cannot be redacted");
  auto redaction = privacy::redact_text(rules.detector, *rules.redactor, subject.text, subject.session);
  if (!redaction.ok()) return deny(redaction.error().message);
  return redaction;
}

Result<privacy::Minted> PrivacyGuard::mint(privacy::Judgement& judgement, const Request& request, SiteId site,
                                           const Encode& encode, const privacy::Moment& moment) {
  narrow(judgement, request, moment);
  if (auto status = permits(judgement, request, site, 0, moment); !status.ok()) return status.error();
  std::shared_ptr<const privacy::Redaction> redaction;
  HttpMessage message;
  if (must_redact(judgement)) {
    auto redacted = redact(*judgement.content.rules, request);
    if (!redacted.ok()) return redacted.error();
    redaction = std::move(redacted).value();
    Request copy = request;
    copy.text = redaction->text();
    message = encode(copy);
    if (leaks(message, *redaction)) return deny("what was redacted stands in the encoded request");
  } else {
    message = encode(request);
  }
  const std::uint64_t bytes = message.body.size();
  if (auto status = permits(judgement, request, site, bytes, moment); !status.ok()) return status.error();
  const auto& endpoint = endpoints_[site - 1];
  const auto& content = judgement.content;
  auto record = privacy::egress_record(judgement.policy(), content.data_class, content.detections, request.label,
                                       endpoint, cost(site, bytes), moment.latest());
  const bool synced = judgement.policy().classes()[content.data_class].synced_record;
  return privacy::Minted{EgressPermit(endpoint, std::move(message)), std::move(record), moment.latest(),
                         synced ? Durability::kSynced : Durability::kWritten, std::move(redaction)};
}

Status PrivacyGuard::spend(privacy::Judgement& judgement, const Request& request, SiteId site,
                           const privacy::Minted& minted, bool wanted, const privacy::Moment& moment) {
  const std::uint64_t bytes = minted.permit.message().body.size();
  const bool by_former = judgement.content.rules != rules_;  // whose detectors may have looked for less
  narrow(judgement, request, moment);
  Status status = permits(judgement, request, site, bytes, moment);
  if (status.ok() && must_redact(judgement) && (by_former || !minted.redaction))
    status = deny("a new policy asks for redaction");
  if (wanted && status.ok()) {
    ledger_.charge(cost(site, bytes), moment.steady);
  } else {
    remember(privacy::Ledger::withheld_record(cost(site, bytes), minted.at, minted.request, minted.attempt));
  }
  return status;
}

Result<EgressPermit> PrivacyGuard::mint_probe(privacy::Judgement& judgement, const privacy::Subject& subject,
                                              SiteId site, const privacy::Moment& moment) {
  narrow(judgement, subject, moment);
  if (auto status = permits(judgement, subject, site, 0, moment); !status.ok()) return status.error();
  const Endpoint& endpoint = endpoints_[site - 1];
  // The OpenAI API has no health route: the list of models is what each of its servers answers without a body.
  return EgressPermit(endpoint,
                      {"GET", endpoint.protocol == Protocol::kOpenai ? "/models" : "/v2/health/ready", {}, {}});
}

Status PrivacyGuard::rehearse(privacy::Judgement& judgement, const privacy::Subject& subject, SiteId site,
                              std::uint64_t body_bytes, bool spends, const privacy::Moment& moment) {
  narrow(judgement, subject, moment);
  if (auto status = permits(judgement, subject, site, body_bytes, moment); !status.ok()) return status;
  if (must_redact(judgement)) {
    if (auto redacted = redact(*judgement.content.rules, subject); !redacted.ok()) return redacted.error();
  }
  if (spends) ledger_.charge(cost(site, body_bytes), moment.steady);
  return Done{};
}

}  // namespace hearth
