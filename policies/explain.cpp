#include "policies/explain.h"

#include <algorithm>
#include <functional>

#include <nlohmann/json.hpp>

#include "policies/compiled.h"
#include "policies/space.h"
#include "policies/tests.h"

namespace hearth::policies {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTriesMax = 300'000;
constexpr std::size_t kChangesMax = 3;

const char* word_of(Truth truth) { return truth == Truth::kYes ? "yes" : truth == Truth::kNo ? "no" : "unknown"; }

Json traced(const Conditions& when, const View& view) {
  Json list = Json::array();
  for (const Condition& condition : when.all())
    list.push_back({{"condition", condition.source}, {"holds", word_of(evaluate(condition, view))}});
  return list;
}

std::vector<EndpointFacts> endpoints_of(const TestCase& request) {
  std::vector<EndpointFacts> endpoints;
  for (const auto& [name, region] : request.endpoints) endpoints.push_back({name, region});
  return endpoints;
}

/// One request under one policy.
class Explainer {
 public:
  Explainer(const Policy& policy, const TestCase& request)
      : policy_(policy),
        compiled_(policy.compiled()),
        request_(request),
        facts_(facts_of(request)),
        endpoints_(endpoints_of(request)) {}

  Json run() {
    Classified classified = policy_.classify(facts_);
    if (request_.data_class) classified = {*request_.data_class, kNoRule};
    const Permission permission = policy_.permit(facts_, classified.data_class, endpoints_);
    const Preference preference = policy_.prefer(facts_, classified.data_class);
    Json out;
    out["class"] = compiled_.classes[classified.data_class].name;
    out["classify_rule"] = policy_.rule_id(classified.rule);
    out["mask"] = site_names(permission.mask);
    out["rule"] = policy_.rule_id(permission.rule);
    out["plan"] = name_of(preference.plan);
    out["prefer_rule"] = policy_.rule_id(preference.rule);
    const View view{facts_, classified.data_class, compiled_.find_class(facts_.label)};
    out["stages"] = {
        {"classify", classify_trace(view)}, {"permit", permit_trace(view)}, {"prefer", prefer_trace(view)}};
    out["nearest_change"] = nearest_change(permission.mask.has_cloud());
    return out;
  }

 private:
  Json site_names(Mask mask) const {
    Json sites = Json::array();
    if (mask.has(kEdgeSite)) sites.push_back("edge");
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
      if (mask.has(static_cast<SiteId>(i + 1))) sites.push_back("cloud:" + std::string(endpoints_[i].name));
    return sites;
  }

  Json classify_trace(const View& view) const {
    Json list = Json::array();
    const auto start = [&](const std::string& why, DataClass to) {
      list.push_back(
          {{"rule", why}, {"class", compiled_.classes[to].name}, {"matches", "yes"}, {"when", Json::array()}});
    };
    if (request_.data_class) {
      start("the request states its class", *request_.data_class);
      return list;
    }
    if (view.label) start("label", *view.label);
    if (facts_.label.empty()) start("default_class", compiled_.default_class);
    if (!view.label && !facts_.label.empty()) start("unknown-label", compiled_.most_restrictive());
    if (!facts_.text_understood) start("text-not-understood", compiled_.most_restrictive());
    for (const ClassifyRule& rule : compiled_.classify) {
      list.push_back({{"rule", policy_.rule_id(rule.id)},
                      {"class", compiled_.classes[rule.data_class].name},
                      {"matches", rule.when.surely_hold(view) ? "yes"
                                  : rule.when.may_hold(view)  ? "unknown"
                                                              : "no"},
                      {"when", traced(rule.when, view)}});
    }
    return list;
  }

  Json permit_trace(const View& view) const {
    Json list = Json::array();
    for (const auto& step : policy_.permit_steps(facts_, view.data_class, endpoints_)) {
      Json line = {{"rule", policy_.rule_id(step.rule)}, {"takes_out", site_names(step.takes_out)}};
      if (step.when != nullptr) line["when"] = traced(*step.when, view);
      list.push_back(std::move(line));
    }
    return list;
  }

  Json prefer_trace(const View& view) const {
    Json list = Json::array();
    bool chosen = false;
    for (const PreferRule& rule : compiled_.prefer) {
      const bool holds = rule.when.surely_hold(view);
      list.push_back({{"rule", policy_.rule_id(rule.preference.rule)},
                      {"plan", name_of(rule.preference.plan)},
                      {"chosen", holds && !chosen},
                      {"when", traced(rule.when, view)}});
      chosen = chosen || holds;
    }
    return list;
  }

  /// One change: what is then said of an attribute, and how it is told.
  struct Change {
    std::uint16_t dimension;
    unsigned cell;
  };

  bool cloud_after(const Space& space, const std::vector<Change>& changes) {
    Witness changed = start_;
    for (const Change& change : changes) space.put(change.dimension, change.cell, changed);
    const Facts facts = changed.facts_of(policy_);
    const bool keeps_class = request_.data_class.has_value();
    const DataClass data_class = keeps_class ? *request_.data_class : policy_.classify(facts).data_class;
    return policy_.permit(facts, data_class, endpoints_).mask.has_cloud();
  }

  Json nearest_change(bool permitted) {
    const Compiled* compiled = &compiled_;
    const Space space({&compiled, 1}, {});
    start_ = {request_.label, request_.model, request_.text, {}, request_.facts, "", ""};
    for (std::size_t slot = 0; slot < kDetectedCount + compiled_.own_detectors.size(); ++slot)
      start_.detected[type_of(compiled_, slot)] = request_.facts.detected[slot];
    std::size_t tries = 0;
    for (std::size_t count = 1; count <= kChangesMax; ++count) {
      std::vector<Change> changes;
      if (extend(space, 0, count, changes, permitted, tries)) return told(space, changes, !permitted);
      if (tries > kTriesMax) break;
    }
    return nullptr;
  }

  bool extend(const Space& space, std::uint16_t from, std::size_t count, std::vector<Change>& changes, bool permitted,
              std::size_t& tries) {
    if (count == 0) return ++tries <= kTriesMax && cloud_after(space, changes) != permitted;
    for (std::uint16_t dimension = from; dimension < space.dimensions() && tries <= kTriesMax; ++dimension) {
      if (!space.is_request(dimension)) continue;
      for (const unsigned cell : space.plainest_first(dimension)) {
        changes.push_back({dimension, cell});
        if (extend(space, static_cast<std::uint16_t>(dimension + 1), count - 1, changes, permitted, tries)) return true;
        changes.pop_back();
      }
    }
    return false;
  }

  Json told(const Space& space, const std::vector<Change>& changes, bool cloud) {
    Witness changed = start_;
    Json which = Json::array();
    for (const Change& change : changes) {
      space.put(change.dimension, change.cell, changed);
      which.push_back(space.name_of(change.dimension));
    }
    const Json request = Json::parse(changed.as_json())["request"];
    Json set = Json::object();
    for (const auto& name : which) {
      const std::string key = name.get<std::string>();
      set[key] = request.contains(key) ? request[key] : Json(nullptr);
    }
    return {{"set", set}, {"then_cloud_is", cloud ? "permitted" : "not permitted"}};
  }

  const Policy& policy_;
  const Compiled& compiled_;
  const TestCase& request_;
  const Facts facts_;
  const std::vector<EndpointFacts> endpoints_;
  Witness start_;
};

}  // namespace

Result<std::string> explain(const Policy& policy, std::string_view request_json, const std::string& origin) {
  const auto request = read_case(request_json, origin, policy.compiled());
  if (!request.ok()) return request.error();
  return Explainer(policy, request.value()).run().dump();
}

}  // namespace hearth::policies
