#include "random_policy.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace hearth::policies {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

struct NumberKind {
  const char* name;
  std::vector<double> thresholds;
  double max;
  bool whole = false;
};
const NumberKind kPayload{"payload_kib", {3, 200, 300.5}, 1e9};
const NumberKind kBattery{"device.battery_percent", {5, 20.5, 80}, 100};
const NumberKind kMib{"cloud_mib_today", {1, 10, 20}, 1e9};
const NumberKind kUsd{"cloud_usd_today", {0.25, 1, 2}, 1e9};
const NumberKind kHour{"utc_hour", {3, 8, 22}, 23, true};
const NumberKind kCount{"detected.", {0, 1, 2}, 65535, true};

const Words kModels = {"tagger", "other", "chat-1"};
const Words kFound = {"EMAIL", "PHONE", "MRN", "SECRET"};  // And the policy's own.
const Words kNeedles = {"mrn", "MRN7", "rn", "n7", "case", "ASE", "seven", "eve", "mrn 7"};
const Words kPieces = {"boots", "MRN", "7", "Case", "eve", "seven", " ", "rn"};
const Words kNetworks = {"metered", "unmetered", "offline", "unknown"};
const Words kConsents = {"given", "revoked", "absent"};
const std::vector<std::pair<std::string, std::string>> kEndpoints = {
    {"main", "eu"}, {"second", "us"}, {"third", ""}, {"fourth", "ap"}};

Words names_in(const json& policy, const char* list, const char* key) {
  Words names;
  for (const json& one : policy.value(list, json::array())) names.push_back(one[key]);
  return names;
}

Words class_names(const json& policy) { return names_in(policy, "classes", "name"); }

std::string draw_type(Draw& in, const json& policy) {
  Words types = kFound;
  for (const std::string& own : names_in(policy, "detectors", "type")) types.insert(types.begin(), own);
  return in.of(types);
}

/// A test of a number that some facts pass and some do not: one operator, or two that make a range or a list with a
/// hole.
json number_test(Draw& in, const NumberKind& kind) {
  const double value = in.of(kind.thresholds);
  switch (in.below(9)) {
    case 0:
      return value;
    case 1:
      return {{"ne", value}};
    case 2:
      return {{"gt", value}};
    case 3:
      return {{"ge", value}};
    case 4:
      return {{"lt", value}};
    case 5:
      return {{"le", value}};
    case 6:
      return json::array({value, kind.thresholds.front()});
    case 7:
      return {{in.one_in(2) ? "ge" : "gt", kind.thresholds.front()}, {in.one_in(2) ? "le" : "lt", value}};
    default:
      return {{"ge", value}, {"ne", kind.thresholds.back()}};
  }
}

json word_test(Draw& in, const Words& words) {
  switch (in.below(4)) {
    case 0:
      return in.of(words);
    case 1:
      return {{"ne", in.of(words)}};
    case 2:
      return {{"eq", in.of(words)}};
    default:
      return json::array({in.of(words), in.of(words)});
  }
}

json class_test(Draw& in, const Words& classes) {
  const unsigned kind = in.below(8);
  if (kind < 4) return {{"ge", in.of(classes)}};
  if (kind == 4) return {{"gt", in.of(classes)}};
  if (kind == 5) return {{in.one_in(2) ? "lt" : "le", in.of(classes)}};
  return word_test(in, classes);
}

json flag_test(Draw& in) {
  if (in.one_in(4)) return json::array({true, false});
  return in.one_in(2) ? json(in.one_in(2)) : json{{"ne", in.one_in(2)}};
}

std::pair<std::string, json> content_test(Draw& in, const json& policy) {
  switch (in.below(5)) {
    case 0:
      return {"label", class_test(in, class_names(policy))};
    case 1:
      return {"model", in.one_in(5) ? json{{"in", kModels}, {"ne", in.of(kModels)}} : word_test(in, kModels)};
    case 2:
      return {"payload", in.one_in(4) ? json::array({"tensor", "text"}) : json(in.one_in(2) ? "text" : "tensor")};
    case 3:
      return {kPayload.name, number_test(in, kPayload)};
    default:
      return {kCount.name + draw_type(in, policy), number_test(in, kCount)};
  }
}

std::pair<std::string, json> moment_test(Draw& in) {
  switch (in.below(8)) {
    case 0:
      return {"device.network", word_test(in, kNetworks)};
    case 1:
      return {kBattery.name, number_test(in, kBattery)};
    case 2:
      return {"device.charging", flag_test(in)};
    case 3:
      return {"session.tainted", flag_test(in)};
    case 4:
      return {"consent", word_test(in, kConsents)};
    case 5:
      return {kMib.name, number_test(in, kMib)};
    case 6:
      return {kUsd.name, number_test(in, kUsd)};
    default:
      return {kHour.name, number_test(in, kHour)};
  }
}

json needle_test(Draw& in) {
  return in.one_in(3) ? json::array({in.of(kNeedles), in.of(kNeedles)}) : json(in.of(kNeedles));
}

json draw_when(Draw& in, const json& policy, bool class_known) {
  json when = json::object();
  const unsigned entries = in.one_in(8) ? 0 : 1 + in.below(3);
  for (unsigned i = 0; i < entries; ++i) {
    const unsigned kind = in.below(class_known ? 6 : 2);
    std::pair<std::string, json> test;
    if (!class_known && kind == 1) {
      test = {"text.contains", needle_test(in)};
    } else if (kind <= 1 || !class_known) {
      test = content_test(in, policy);
    } else if (kind == 2) {
      test = {"class", class_test(in, class_names(policy))};
    } else {
      test = moment_test(in);
    }
    when[test.first] = test.second;
  }
  return when;
}

json draw_classes(Draw& in) {
  json classes = json::array();
  unsigned egress = 0;
  unsigned regions = 0;
  unsigned endpoints = 0;
  for (unsigned i = 0, count = 1 + in.below(5); i < count; ++i) {
    egress = std::min(egress + (in.one_in(3) ? 1u : 0u), 2u);
    regions = std::min(regions + (in.one_in(4) ? 1u : 0u), 2u);
    endpoints = std::min(endpoints + (in.one_in(5) ? 1u : 0u), 2u);
    json rule = {{"name", "c" + std::to_string(i)}, {"egress", Words{"allow", "redacted", "never"}[egress]}};
    if (egress < 2 && regions > 0) rule["regions"] = regions == 1 ? Words{"eu", "us"} : Words{"eu"};
    if (egress < 2 && endpoints > 0) {
      rule["endpoints"] = endpoints == 1 ? Words{"main", "second", "third"} : Words{"main", "third"};
    }
    if (in.one_in(4)) rule["taints_session_for_s"] = 60;
    if (in.one_in(4)) rule["egress_record"] = "written";
    classes.push_back(rule);
  }
  return classes;
}

json draw_classify(Draw& in, const json& policy, const std::string& id) {
  return {{"id", id}, {"when", draw_when(in, policy, false)}, {"class", in.of(class_names(policy))}};
}

json draw_prefer(Draw& in, const json& policy, const std::string& id) {
  json rule = {
      {"id", id}, {"when", draw_when(in, policy, true)}, {"plan", in.of<std::string>({"edge", "cloud", "cascade"})}};
  if (rule["plan"] == "cascade") rule["confidence_below"] = in.of<double>({0.5, 0.8});
  if (in.one_in(3)) rule["deadline_ms"] = in.of<double>({100, 250});
  return rule;
}

double draw_number(Draw& in, const NumberKind& kind) {
  const double value = in.of(kind.thresholds);
  const double step = kind.whole ? 1 : 0.125;
  const unsigned where = in.below(8);
  if (where < 4) return value;
  if (where == 4) return std::min(value + step, kind.max);
  if (where == 5) return std::max(value - step, 0.0);
  return where == 6 ? 0 : kind.max;
}

template <class T>
void draw_known(Draw& in, const NumberKind& kind, std::optional<T>& out) {
  if (!in.one_in(12)) out = static_cast<T>(draw_number(in, kind));
}

std::optional<bool> draw_flag(Draw& in, unsigned true_in, unsigned unknown_in) {
  if (in.one_in(unknown_in)) return {};
  return in.one_in(true_in);
}

/// The same as `hearth policy prove` reads it: an entry for each operator.
std::string query_entries(const std::string& attribute, const json& test) {
  const auto word = [](const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
  if (test.is_array()) {
    std::string list;
    for (const json& value : test) list += (list.empty() ? "" : "|") + word(value);
    return attribute + "=" + list;
  }
  if (!test.is_object()) return attribute + "=" + word(test);
  const std::map<std::string, std::string> signs = {{"ne", "!="}, {"gt", ">"}, {"ge", ">="}, {"lt", "<"}, {"le", "<="}};
  std::string entries;
  for (const auto& [op, value] : test.items()) {
    const auto sign = signs.find(op);
    const std::string entry =
        sign == signs.end() ? query_entries(attribute, value) : attribute + sign->second + word(value);
    entries += (entries.empty() ? "" : " & ") + entry;
  }
  return entries;
}

std::vector<json*> numbers_in(json& value) {
  std::vector<json*> found;
  if (value.is_number()) found.push_back(&value);
  if (value.is_structured()) {
    for (json& inner : value) {
      for (json* number : numbers_in(inner)) found.push_back(number);
    }
  }
  return found;
}

}  // namespace

unsigned Draw::next() {
  if (at_ < bytes_.size()) return bytes_[at_++];
  if (!endless_) return 0;
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);  // splitmix64, Steele et al. 2014.
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<unsigned>((z ^ (z >> 31)) >> 33);
}

Facts DrawnRequest::facts_of() const {
  Facts with = facts;
  with.label = label;
  with.model = model;
  with.text = text;
  with.folded_text = folded_text;
  return with;
}

std::vector<EndpointFacts> DrawnRequest::endpoints_of() const {
  std::vector<EndpointFacts> list;
  for (const auto& [name, region] : endpoints) list.push_back({name, region});
  return list;
}

json draw_forbid(Draw& in, const json& policy, const std::string& id) {
  json rule = {{"id", id}, {"when", draw_when(in, policy, true)}};
  if (in.one_in(2)) {
    const Words sites = {"cloud", "edge", "cloud:main", "cloud:second", "region:eu", "region:us", "cloud:third"};
    rule["sites"] = json::array({in.of(sites)});
    if (in.one_in(3)) rule["sites"].push_back(in.of(sites));
  }
  return rule;
}

json draw_rule(Draw& in, const json& policy, const std::string& list, const std::string& id) {
  return list == "forbid"     ? draw_forbid(in, policy, id)
         : list == "classify" ? draw_classify(in, policy, id)
                              : draw_prefer(in, policy, id);
}

json draw_policy(Draw& in) {
  json policy = {{"version", 1}, {"name", "drawn"}, {"classes", draw_classes(in)}};
  if (in.one_in(3)) policy["detectors"].push_back({{"type", "BADGE"}, {"pattern", "B[0-9]{4}"}});
  if (in.one_in(4)) policy["detectors"].push_back({{"type", "WARD"}, {"words", {"north ward"}}});
  const Words classes = class_names(policy);
  policy["default_class"] = classes[in.below(2) % classes.size()];
  if (in.one_in(4)) policy.erase("default_class");
  if (in.one_in(4)) policy["budgets"]["cloud_mib_per_day"] = in.of(kMib.thresholds);
  if (in.one_in(5)) policy["budgets"]["cloud_usd_per_day"] = in.of(kUsd.thresholds);
  if (in.one_in(4)) policy["min_class"][in.of(kModels)] = in.of(classes);
  for (unsigned i = 0, rules = in.below(5); i < rules; ++i) {
    policy["classify"].push_back(draw_classify(in, policy, "raise" + std::to_string(i)));
  }
  for (unsigned i = 0, rules = in.below(5); i < rules; ++i) {
    policy["forbid"].push_back(draw_forbid(in, policy, "forbid" + std::to_string(i)));
  }
  for (unsigned i = 0, rules = in.below(3); i < rules; ++i) {
    policy["prefer"].push_back(draw_prefer(in, policy, "prefer" + std::to_string(i)));
  }
  return policy;
}

json draw_change(Draw& in, const json& policy) {
  json changed = policy;
  const std::string list = in.of<std::string>({"forbid", "classify", "prefer"});
  json& rules = changed[list];
  const unsigned kind = in.below(6);
  if (kind <= 1 && !rules.empty()) {
    rules.erase(in.below(static_cast<unsigned>(rules.size())));
  } else if (kind == 2 && !rules.empty()) {
    json& rule = rules[in.below(static_cast<unsigned>(rules.size()))];
    const std::vector<json*> numbers = numbers_in(rule["when"]);
    if (!numbers.empty()) *in.of(numbers) = 2;
  } else if (kind == 3) {
    changed["default_class"] = in.of(class_names(policy));
  } else if (kind == 4) {
    if (in.one_in(2)) changed["budgets"]["cloud_mib_per_day"] = in.of(kMib.thresholds);
    if (in.one_in(2)) changed["classes"].back() = {{"name", changed["classes"].back()["name"]}, {"egress", "never"}};
  } else {
    const std::string id = "added-" + list + std::to_string(rules.size());
    rules.push_back(draw_rule(in, policy, list, id));
  }
  if (rules.empty()) changed.erase(list);
  return changed;
}

DrawnRequest draw_request(Draw& in) {
  DrawnRequest request;
  request.label = in.of<std::string>({"c0", "c1", "", "c0", "c2", "c3", "c4", "nobody"});
  request.model = in.of<std::string>({"tagger", "other", "chat-1", "stranger", ""});
  for (unsigned i = in.below(4); i > 0; --i) request.text += in.of(kPieces);
  if (!request.text.empty() && in.one_in(8)) request.folded_text = request.text + in.of(kPieces);
  Facts& facts = request.facts;
  facts.text_understood = !in.one_in(10);
  facts.has_tensors = in.one_in(request.text.empty() ? 2 : 3);
  for (auto& count : facts.detected) {
    if (in.one_in(4)) count = static_cast<std::uint16_t>(draw_number(in, kCount));
  }
  draw_known(in, kPayload, facts.payload_kib);
  facts.device.network = in.of<NetworkKind>(
      {NetworkKind::kUnmetered, NetworkKind::kMetered, NetworkKind::kOffline, NetworkKind::kUnknown});
  draw_known(in, kBattery, facts.device.battery_percent);
  facts.device.charging = draw_flag(in, 2, 8);
  facts.consent = in.of<Consent>({Consent::kGiven, Consent::kGiven, Consent::kRevoked, Consent::kAbsent});
  facts.session_tainted = draw_flag(in, 8, 10);
  draw_known(in, kMib, facts.cloud_mib_today);
  draw_known(in, kUsd, facts.cloud_usd_today);
  draw_known(in, kHour, facts.utc_hour);
  for (const auto& endpoint : kEndpoints) {
    if (!in.one_in(4)) request.endpoints.push_back(endpoint);
  }
  return request;
}

DrawnQuery draw_query(Draw& in, const json& policy) {
  DrawnQuery query{json::object(), "", ""};
  for (unsigned i = in.below(4); i > 0; --i) {
    const unsigned kind = in.below(6);
    std::pair<std::string, json> test = kind == 0
                                            ? std::pair<std::string, json>("class", class_test(in, class_names(policy)))
                                        : kind <= 2 ? content_test(in, policy)
                                        : kind == 3 ? std::pair<std::string, json>("text.contains", needle_test(in))
                                                    : moment_test(in);
    if (query.when.contains(test.first)) continue;
    query.text += (query.text.empty() ? "" : " & ") + query_entries(test.first, test.second);
    query.when[test.first] = test.second;
  }
  query.target = in.of<std::string>(
      {"cloud", "cloud:main", "cloud:second", "region:eu", "region:us", "cloud:third", "edge", "cloud"});
  query.text += (query.text.empty() ? "-> " : " -> ") + query.target;
  return query;
}

std::shared_ptr<const Policy> load_drawn(const json& policy) {
  auto loaded = Policy::load(policy.dump(), "drawn.json");
  if (loaded.ok()) return loaded.value();
  std::istringstream lines(loaded.error().message);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("can never hold") == std::string::npos &&
        line.find("which is more restrictive") == std::string::npos) {
      throw std::runtime_error(line + "\n" + policy.dump(1));
    }
  }
  return nullptr;
}

void Coverage::add_policy(const json& policy) {
  add("policies");
  for (const json& rule : policy["classes"]) {
    add("class egress " + rule["egress"].get<std::string>());
    for (const char* key : {"regions", "endpoints"}) {
      if (rule.contains(key)) add(std::string("class with ") + key);
    }
  }
  for (const char* key : {"detectors", "min_class", "default_class"}) {
    if (policy.contains(key)) add(key);
  }
  const json budgets = policy.value("budgets", json::object());
  for (const auto& budget : budgets.items()) add("budget " + budget.key());
  for (const char* list : {"classify", "forbid", "prefer"}) {
    for (const json& rule : policy.value(list, json::array())) {
      add(std::string(list) + " rules");
      if (rule["when"].empty()) add(std::string(list) + " on {}");
      for (const auto& [attribute, test] : rule["when"].items()) {
        const std::string on = std::string(list) + " on " + attribute;
        if (test.is_object()) {
          for (const auto& op : test.items()) add(on + " " + op.key());
        } else {
          add(on + (test.is_array() ? " in" : " eq"));
        }
      }
      for (const json& site : rule.value("sites", json::array())) add("forbid sites " + site.get<std::string>());
    }
  }
}

void Coverage::add_decision(const Policy& policy, const Classified& classified, const Permission& permission,
                            unsigned endpoints) {
  const auto kind_of = [&](RuleIndex rule) {
    std::string id(policy.rule_id(rule));
    if (id.starts_with("class:") || id.starts_with("min_class:")) id.resize(id.find(':'));
    return id.starts_with("raise") ? "classify" : id.starts_with("forbid") ? "forbid" : id;
  };
  add("requests");
  if (classified.rule != kNoRule) add("class raised by " + kind_of(classified.rule));
  if (permission.rule != kNoRule) add("site taken out first by " + kind_of(permission.rule));
  if (!permission.mask.has(kEdgeSite)) add("edge denied");
  for (unsigned i = 1; i <= endpoints; ++i)
    add(permission.mask.has(static_cast<SiteId>(i)) ? "endpoint permitted" : "endpoint denied");
}

std::uint64_t Coverage::of(const std::string& what) const {
  const auto found = counts_.find(what);
  return found == counts_.end() ? 0 : found->second;
}

std::string Coverage::text() const {
  std::string lines;
  for (const auto& [what, count] : counts_) lines += "  " + what + ": " + std::to_string(count) + "\n";
  return lines;
}

}  // namespace hearth::policies
