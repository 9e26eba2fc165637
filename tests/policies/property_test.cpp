// What must hold for every policy, not only for those in the tables.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "random_policy.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

const EndpointFacts kEndpoints[] = {{"main", "eu"}, {"second", "us"}, {"third", ""}};

Draw draw() { return Draw(*rc::gen::container<std::vector<std::uint8_t>>(400, rc::gen::arbitrary<std::uint8_t>())); }

Mask mask_of(const Policy& policy, const Facts& facts, std::span<const EndpointFacts> endpoints = kEndpoints) {
  return policy.permit(facts, policy.classify(facts).data_class, endpoints).mask;
}

bool within(Mask inner, Mask outer) { return (inner & outer) == inner; }

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
      {"money", [](Facts& f) { f.cloud_usd_today.reset(); }},
      {"hour", [](Facts& f) { f.utc_hour.reset(); }},
  };
  REQUIRE(rc::check([&] {
    Draw in = draw();
    const json text = draw_policy(in);
    const auto policy = load_drawn(text);
    RC_PRE(static_cast<bool>(policy));
    const DrawnRequest request = draw_request(in);
    const Facts facts = request.facts_of();
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
    const json text = draw_policy(in);
    const DrawnRequest request = draw_request(in);
    json added = text;
    added["forbid"].push_back(draw_forbid(in, text, "added"));
    const auto less = load_drawn(text);
    const auto more = load_drawn(added);
    const bool drawn = less && more;  // RapidCheck would show a null pointer by what it points to
    RC_PRE(drawn);
    RC_ASSERT(within(mask_of(*more, request.facts_of()), mask_of(*less, request.facts_of())));
  }));
}

TEST_CASE("the order of rules changes neither class nor mask") {
  REQUIRE(rc::check([] {
    Draw in = draw();
    const json text = draw_policy(in);
    const auto one = load_drawn(text);
    RC_PRE(static_cast<bool>(one));
    const DrawnRequest request = draw_request(in);
    const Facts facts = request.facts_of();
    json shuffled = text;
    for (const char* list : {"classify", "forbid"}) {
      if (!shuffled.contains(list)) continue;
      for (std::size_t i = shuffled[list].size(); i > 1; --i) {
        std::swap(shuffled[list][i - 1], shuffled[list][in.below(static_cast<unsigned>(i))]);
      }
    }
    const auto other = load_drawn(shuffled);
    RC_ASSERT(one->classify(facts).data_class == other->classify(facts).data_class);
    RC_ASSERT(mask_of(*one, facts) == mask_of(*other, facts));
  }));
}

TEST_CASE("raising the class never widens the mask") {
  REQUIRE(rc::check([] {
    Draw in = draw();
    const json text = draw_policy(in);
    const auto policy = load_drawn(text);
    RC_PRE(static_cast<bool>(policy));
    const DrawnRequest request = draw_request(in);
    const Facts facts = request.facts_of();
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
    const auto policy = load_drawn(text);
    RC_PRE(static_cast<bool>(policy));
    const DrawnRequest request = draw_request(in);
    const Facts facts = request.facts_of();
    const Permission permission = policy->permit(facts, policy->classify(facts).data_class, kEndpoints);
    RC_ASSERT((permission.rule == kNoRule) == (permission.mask == Mask::all(3)));
    RC_ASSERT(permission.rule == kNoRule || !policy->rule_id(permission.rule).empty());
  }));
}

}  // namespace
}  // namespace hearth::policies
