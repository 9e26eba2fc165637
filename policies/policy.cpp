#include "policies/policy.h"

#include <algorithm>
#include <cmath>

#include "policies/compiled.h"
#include "runtime/base/json_reader.h"

namespace hearth::policies {
namespace {

bool listed(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Mask kept_by(const ClassRule& rule, bool can_redact, Mask mask, std::span<const EndpointFacts> endpoints) {
  if (rule.egress == Egress::kNever || (rule.egress == Egress::kRedacted && !can_redact)) return mask.without_cloud();
  if (rule.regions.empty() && rule.endpoints.empty()) return mask;
  for (std::size_t i = 0; i < endpoints.size() && i + 1 < kMaxSites; ++i) {
    const auto& where = endpoints[i].region;  // Unknown is in no region.
    const bool region = rule.regions.empty() || (!where.empty() && listed(rule.regions, where));
    const bool name = rule.endpoints.empty() || listed(rule.endpoints, endpoints[i].name);
    if (!region || !name) mask = mask.without(static_cast<SiteId>(i + 1));
  }
  return mask;
}

Mask kept_by(const Sites& sites, Mask mask, std::span<const EndpointFacts> endpoints) {
  if (sites.edge) mask = mask.without(kEdgeSite);
  if (sites.cloud) return mask.without_cloud();
  if (sites.endpoints.empty() && sites.regions.empty()) return mask;
  for (std::size_t i = 0; i < endpoints.size() && i + 1 < kMaxSites; ++i) {
    const bool region =
        !sites.regions.empty() && (endpoints[i].region.empty() || listed(sites.regions, endpoints[i].region));
    if (region || listed(sites.endpoints, endpoints[i].name)) mask = mask.without(static_cast<SiteId>(i + 1));
  }
  return mask;
}

std::optional<DataClass> Compiled::find_class(std::string_view wanted) const {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].name == wanted) return static_cast<DataClass>(i);
  }
  return {};
}

std::string type_of(const Compiled& policy, std::size_t slot) {
  if (slot >= kDetectedCount) return policy.own_detectors[slot - kDetectedCount].type;
  return std::string(name_of(static_cast<Detected>(slot)));
}

Policy::Policy(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
Policy::~Policy() = default;

Classified Policy::classify(const Facts& facts) const {
  const DataClass most = compiled_->most_restrictive();
  const auto label = compiled_->find_class(facts.label);
  Classified result{label.value_or(facts.label.empty() ? compiled_->default_class : most), kNoRule};
  if (!label && !facts.label.empty()) result.rule = kUnknownLabel;
  if (!facts.text_understood && result.data_class < most) result = {most, kTextNotUnderstood};
  const View view{facts, result.data_class, label};
  for (const ClassifyRule& rule : compiled_->classify) {
    if (rule.data_class > result.data_class && rule.when.may_hold(view)) result = {rule.data_class, rule.id};
  }
  return result;
}

template <class Visit>
Mask Policy::each_permit_step(const Facts& facts, DataClass data_class, std::span<const EndpointFacts> endpoints,
                              const Visit& visit) const {
  const Mask all = Mask::all(static_cast<unsigned>(endpoints.size()));
  Mask mask = all;
  const auto keep = [&](Mask kept, RuleIndex rule, const Conditions* when) {
    visit(rule, mask, mask & kept, when);
    mask = mask & kept;
  };
  keep(kept_by(compiled_->classes[data_class], can_redact(facts), all, endpoints), rule_of_class(data_class), nullptr);
  const auto when_cloudless = [&](bool applies, RuleIndex rule) {
    if (applies) keep(all.without_cloud(), rule, nullptr);
  };
  when_cloudless(facts.session_tainted.value_or(true), kSessionTaint);
  when_cloudless(spent(compiled_->cloud_mib_per_day, facts.cloud_mib_today), kCloudBudget);
  when_cloudless(spent(compiled_->cloud_usd_per_day, facts.cloud_usd_today), kMoneyBudget);
  const View view{facts, data_class, compiled_->find_class(facts.label)};
  for (const ForbidRule& rule : compiled_->forbid) {
    const Mask kept = kept_by(rule.sites, all, endpoints);
    const bool narrows = (mask & kept) != mask;
    keep(narrows && rule.when.may_hold(view) ? kept : all, rule.id, &rule.when);
  }
  return mask;
}

Permission Policy::permit(const Facts& facts, DataClass data_class, std::span<const EndpointFacts> endpoints) const {
  Narrowing narrowing(Mask::all(static_cast<unsigned>(endpoints.size())));
  const auto visit = [&](RuleIndex rule, Mask, Mask after, const Conditions*) { narrowing.keep(after, rule); };
  each_permit_step(facts, std::min(data_class, compiled_->most_restrictive()), endpoints, visit);
  return narrowing.permission();
}

std::vector<Policy::Step> Policy::permit_steps(const Facts& facts, DataClass data_class,
                                               std::span<const EndpointFacts> endpoints) const {
  std::vector<Step> steps;
  const auto visit = [&](RuleIndex rule, Mask before, Mask after, const Conditions* when) {
    Mask taken = before;
    for (SiteId site = 0; site < kMaxSites; ++site)
      if (after.has(site)) taken = taken.without(site);
    steps.push_back({rule, taken, when});
  };
  each_permit_step(facts, std::min(data_class, compiled_->most_restrictive()), endpoints, visit);
  return steps;
}

Preference Policy::prefer(const Facts& facts, DataClass data_class) const {
  data_class = std::min(data_class, compiled_->most_restrictive());
  const View view{facts, data_class, compiled_->find_class(facts.label)};
  for (const PreferRule& rule : compiled_->prefer) {
    if (rule.when.surely_hold(view)) return rule.preference;
  }
  return {};
}

std::span<const ClassRule> Policy::classes() const { return compiled_->classes; }
std::span<const OwnDetector> Policy::own_detectors() const { return compiled_->own_detectors; }

std::string_view Policy::rule_id(RuleIndex rule) const {
  return rule < compiled_->rule_ids.size() ? std::string_view(compiled_->rule_ids[rule]) : std::string_view();
}

const std::string& Policy::name() const { return compiled_->name; }
const std::string& Policy::sha256() const { return compiled_->sha256; }
bool Policy::needs_text() const { return compiled_->needs_text; }
std::size_t Policy::test_count() const { return compiled_->tests.size(); }

Status Policy::check_names(std::span<const EndpointFacts> endpoints, std::span<const std::string> models) const {
  std::vector<std::string> names;
  std::vector<std::string> regions;
  bool unknown_region = false;  // which counts as every region, so that a rule on any region is in force
  for (const EndpointFacts& endpoint : endpoints) {
    names.emplace_back(endpoint.name);
    unknown_region = unknown_region || endpoint.region.empty();
    if (!endpoint.region.empty() && !listed(regions, endpoint.region)) regions.emplace_back(endpoint.region);
  }
  const std::vector<std::string> model_names(models.begin(), models.end());
  Problems problems;
  const auto check = [&](const NameUse& use, const char* what, const std::vector<std::string>& known) {
    if (known.empty() || listed(known, use.name)) return;
    problems.add_line(use.place + ": " + what + " \"" + use.name + "\" in the configuration" +
                      suggestion(use.name, known));
  };
  for (const NameUse& use : compiled_->names) {
    switch (use.kind) {
      case NameUse::Kind::kEndpoint:
        check(use, "no endpoint is called", names);
        break;
      case NameUse::Kind::kRegion:
        if (!unknown_region) check(use, "no endpoint is in region", regions);
        break;
      case NameUse::Kind::kModel:
        check(use, "no model is called", model_names);
        break;
    }
  }
  if (!problems.empty()) return problems.as_error();
  return Done{};
}

std::string_view name_of(Detected type) {
  constexpr std::array<std::string_view, kDetectedCount> kNames = {
      "EMAIL", "PHONE",         "CREDIT_CARD", "IBAN",   "SSN",      "IP",    "MRN",
      "NPI",   "DATE_OF_BIRTH", "ADDRESS",     "PERSON", "LOCATION", "SECRET"};
  return type < Detected::kCount ? kNames[static_cast<std::size_t>(type)] : std::string_view();
}

}  // namespace hearth::policies
