// What must hold for every policy, not only for those in the tables.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include <nlohmann/json.hpp>

#include "policies/policy.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

const EndpointFacts kEndpoints[] = {{"main", "eu"}, {"second", "us"}, {"third", ""}};

/// Draws that RapidCheck can shrink: towards zero, which is everywhere the plainest choice.
class Draw {
 public:
  explicit Draw(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  unsigned below(unsigned bound) { return next() % bound; }
  template <class T>
  const T& of(const std::vector<T>& choices) {
    return choices[below(static_cast<unsigned>(choices.size()))];
  }

 private:
  unsigned next() { return at_ < bytes_.size() ? bytes_[at_++] : 0u; }
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

Draw draw() { return Draw(*rc::gen::container<std::vector<std::uint8_t>>(300, rc::gen::arbitrary<std::uint8_t>())); }

/// A test of a number that some of the facts below pass and some do not.
json number_test(Draw& in, const std::vector<double>& values) {
  const double value = in.of(values);
  switch (in.below(5)) {
    case 0:
      return value;
    case 1:
      return {{"ne", value}};
    case 2:
      return {{"ge", value}};
    case 3:
      return {{"le", value}};
    default:
      return json::array({value, values.front()});
  }
}

json word_test(Draw& in, const std::vector<std::string>& words) {
  switch (in.below(3)) {
    case 0:
      return in.of(words);
    case 1:
      return {{"ne", in.of(words)}};
    default:
      return json::array({in.of(words), in.of(words)});
  }
}

json flag_test(Draw& in) { return in.below(2) == 0 ? json(in.below(2) == 0) : json{{"ne", in.below(2) == 0}}; }

json content_test(Draw& in, const std::vector<std::string>& classes, std::string& attribute) {
  switch (in.below(5)) {
    case 0:
      attribute = "label";
      return word_test(in, classes);
    case 1:
      attribute = "model";
      return word_test(in, {"tagger", "other"});
    case 2:
      attribute = "payload";
      return in.of<std::string>({"tensor", "text"});
    case 3:
      attribute = "payload_kib";
      return number_test(in, {3, 300});
    default:
      attribute = "detected." + in.of<std::string>({"EMAIL", "PHONE", "CREDIT_CARD"});
      return number_test(in, {0, 1, 2});
  }
}

json moment_test(Draw& in, std::string& attribute) {
  switch (in.below(7)) {
    case 0:
      attribute = "device.network";
      return word_test(in, {"metered", "unmetered", "offline", "unknown"});
    case 1:
      attribute = "device.battery_percent";
      return number_test(in, {5, 80});
    case 2:
      attribute = "device.charging";
      return flag_test(in);
    case 3:
      attribute = "session.tainted";
      return flag_test(in);
    case 4:
      attribute = "consent";
      return word_test(in, {"given", "revoked", "absent"});
    case 5:
      attribute = "cloud_mib_today";
      return number_test(in, {1, 20});
    default:
      attribute = "utc_hour";
      return number_test(in, {3, 22});
  }
}

json draw_when(Draw& in, const std::vector<std::string>& classes, bool class_known) {
  json when = json::object();
  for (unsigned i = in.below(4); i > 0; --i) {
    std::string attribute;
    json test;
    const unsigned kind = in.below(class_known ? 5 : 2);
    if (!class_known && kind == 1) {
      attribute = "text.contains";
      test = in.of<std::string>({"mrn", "case"});
    } else if (kind == 0 || !class_known) {
      test = content_test(in, classes, attribute);
    } else if (kind == 1) {
      attribute = "class";
      test = in.below(3) < 2 ? json{{"ge", in.of(classes)}} : json(in.of(classes));
    } else {
      test = moment_test(in, attribute);
    }
    when[attribute] = test;
  }
  return when;
}

json draw_forbid(Draw& in, const std::vector<std::string>& classes, const std::string& id) {
  json rule = {{"id", id}, {"when", draw_when(in, classes, true)}};
  if (in.below(2) == 1) {
    rule["sites"] = json::array({in.of<std::string>({"cloud", "edge", "cloud:main", "cloud:second", "region:eu"}),
                                 in.of<std::string>({"cloud:third", "region:us", "edge"})});
  }
  return rule;
}

json draw_policy(Draw& in) {
  json policy = {{"version", 1}, {"name", "drawn"}};
  std::vector<std::string> classes;
  const unsigned count = 1 + in.below(4);
  unsigned strictness = 0;
  for (unsigned i = 0; i < count; ++i) {
    classes.push_back("c" + std::to_string(i));
    strictness = std::min(strictness + in.below(3), 5u);
    json rule = {{"name", classes.back()},
                 {"egress", strictness < 3   ? "allow"
                            : strictness < 4 ? "redacted"
                                             : "never"}};
    if (strictness == 1) rule["regions"] = {"eu", "us"};
    if (strictness == 2 || strictness == 3) rule["regions"] = {"eu"}, rule["endpoints"] = {"main", "third"};
    policy["classes"].push_back(rule);
  }
  policy["default_class"] = in.of(classes);
  if (in.below(3) == 1) policy["budgets"] = {{"cloud_mib_per_day", 10}};
  for (unsigned i = 0, rules = in.below(4); i < rules; ++i) {
    policy["classify"].push_back(
        {{"id", "raise" + std::to_string(i)}, {"when", draw_when(in, classes, false)}, {"class", in.of(classes)}});
  }
  for (unsigned i = 0, rules = in.below(5); i < rules; ++i) {
    policy["forbid"].push_back(draw_forbid(in, classes, "forbid" + std::to_string(i)));
  }
  return policy;
}

Facts draw_facts(Draw& in) {
  Facts facts;
  facts.label = in.of<std::string_view>({"c0", "c1", "c2", "c3", "", "c0"});
  facts.model = in.of<std::string_view>({"tagger", "other"});
  facts.text = in.of<std::string_view>({"", "boots", "MRN 7", "case"});
  facts.has_tensors = in.below(3) != 1;
  for (auto& count : facts.detected) count = static_cast<std::uint16_t>(in.below(6) < 4 ? 0 : in.below(3));
  facts.payload_kib = in.of<double>({3, 300});
  facts.device.network = in.of<NetworkKind>({NetworkKind::kUnmetered, NetworkKind::kMetered, NetworkKind::kOffline});
  facts.device.battery_percent = in.of<double>({80, 5});
  facts.device.charging = in.below(2) == 0;
  facts.consent = in.of<Consent>({Consent::kGiven, Consent::kRevoked});
  facts.session_tainted = in.below(8) == 7;
  facts.cloud_mib_today = in.of<double>({1, 20});
  facts.utc_hour = in.of<unsigned>({3, 22});
  return facts;
}

std::shared_ptr<const Policy> load(const json& policy) {
  auto loaded = Policy::load(policy.dump(1), "drawn.json");
  if (!loaded.ok()) RC_FAIL(loaded.error().message + "\n" + policy.dump(1));
  return loaded.value();
}

Mask mask_of(const Policy& policy, const Facts& facts, std::span<const EndpointFacts> endpoints = kEndpoints) {
  return policy.permit(facts, policy.classify(facts).data_class, endpoints).mask;
}

bool within(Mask inner, Mask outer) { return (inner & outer) == inner; }

/// False when the draw made a policy that is rightly refused: a rule that never holds, or that frees a higher class.
bool drawable(const json& policy) {
  const auto loaded = Policy::load(policy.dump(), "drawn.json");
  if (loaded.ok()) return true;
  const std::string& why = loaded.error().message;
  return why.find("can never hold") == std::string::npos && why.find("which is more restrictive") == std::string::npos;
}

TEST_CASE("forgetting any fact never widens the mask") {
  struct Forget {
    const char* what;
    std::function<void(Facts&)> forget;
  };
  const std::vector<Forget> all = {
      {"label", [](Facts& f) { f.label = "nobody knows this one"; }},
      {"model", [](Facts& f) { f.model = ""; }},
      {"text", [](Facts& f) { f.text_understood = false; }},
      {"payload_kib", [](Facts& f) { f.payload_kib.reset(); }},
      {"payload_kib not a number", [](Facts& f) { f.payload_kib = std::nan(""); }},
      {"network", [](Facts& f) { f.device.network = NetworkKind::kUnknown; }},
      {"battery", [](Facts& f) { f.device.battery_percent.reset(); }},
      {"charging", [](Facts& f) { f.device.charging.reset(); }},
      {"taint", [](Facts& f) { f.session_tainted.reset(); }},
      {"consent", [](Facts& f) { f.consent = Consent::kAbsent; }},
      {"budget", [](Facts& f) { f.cloud_mib_today.reset(); }},
      {"hour", [](Facts& f) { f.utc_hour.reset(); }},
  };
  REQUIRE(rc::check([&] {
    Draw in = draw();
    const json text = draw_policy(in);
    RC_PRE(drawable(text));
    const auto policy = load(text);
    const Facts facts = draw_facts(in);
    const Mask known = mask_of(*policy, facts);
    for (const Forget& one : all) {
      Facts less = facts;
      one.forget(less);
      if (!within(mask_of(*policy, less), known)) RC_FAIL(std::string(one.what) + "\n" + text.dump(1));
    }
    std::vector<EndpointFacts> nowhere(std::begin(kEndpoints), std::end(kEndpoints));
    for (EndpointFacts& endpoint : nowhere) endpoint.region = "";
    RC_ASSERT(within(mask_of(*policy, facts, nowhere), known));
  }));
}

TEST_CASE("adding any forbid rule never widens the mask") {
  REQUIRE(rc::check([] {
    Draw in = draw();
    json text = draw_policy(in);
    const Facts facts = draw_facts(in);
    json more = text;
    more["forbid"].push_back(draw_forbid(in, {"c0"}, "added"));
    RC_PRE(drawable(text) && drawable(more));
    RC_ASSERT(within(mask_of(*load(more), facts), mask_of(*load(text), facts)));
  }));
}

TEST_CASE("the order of rules changes neither class nor mask") {
  REQUIRE(rc::check([] {
    Draw in = draw();
    const json text = draw_policy(in);
    RC_PRE(drawable(text));
    const Facts facts = draw_facts(in);
    json shuffled = text;
    for (const char* list : {"classify", "forbid"}) {
      if (!shuffled.contains(list)) continue;
      for (std::size_t i = shuffled[list].size(); i > 1; --i) {
        std::swap(shuffled[list][i - 1], shuffled[list][in.below(static_cast<unsigned>(i))]);
      }
    }
    const auto one = load(text);
    const auto other = load(shuffled);
    RC_ASSERT(one->classify(facts).data_class == other->classify(facts).data_class);
    RC_ASSERT(mask_of(*one, facts) == mask_of(*other, facts));
  }));
}

TEST_CASE("raising the class never widens the mask") {
  REQUIRE(rc::check([] {
    Draw in = draw();
    const json text = draw_policy(in);
    RC_PRE(drawable(text));
    const auto policy = load(text);
    const Facts facts = draw_facts(in);
    for (std::size_t i = 0; i + 1 < policy->classes().size(); ++i) {
      const auto low = static_cast<DataClass>(i);
      const auto high = static_cast<DataClass>(i + 1);
      RC_ASSERT(within(policy->permit(facts, high, kEndpoints).mask, policy->permit(facts, low, kEndpoints).mask));
    }
  }));
}

TEST_CASE("a rule is named exactly when something was taken out") {
  REQUIRE(rc::check([] {
    Draw in = draw();
    const json text = draw_policy(in);
    RC_PRE(drawable(text));
    const auto policy = load(text);
    const Facts facts = draw_facts(in);
    const Permission permission = policy->permit(facts, policy->classify(facts).data_class, kEndpoints);
    RC_ASSERT((permission.rule == kNoRule) == (permission.mask == Mask::all(3)));
    RC_ASSERT(permission.rule == kNoRule || !policy->rule_id(permission.rule).empty());
  }));
}

}  // namespace
}  // namespace hearth::policies
