// A table decides as the policy does: same class, mask, plan, and the same rules named.
#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "policies/table.h"
#include "random_policy.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

const EndpointFacts kEndpoints[] = {{"main", "eu"}, {"second", "us"}, {"third", ""}, {"fourth", "ap"}};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What the two decide differently; empty when nothing. Each class is permitted, not only the one that is right.
std::string difference(const Policy& policy, const Table& table, const Facts& facts,
                       std::span<const EndpointFacts> endpoints = kEndpoints) {
  const Words words = table.words_of(facts);
  const Classified classified = policy.classify(facts);
  const Classified looked_up = table.classify(facts, words);
  if (classified.data_class != looked_up.data_class) return "class";
  if (classified.rule != looked_up.rule) return "rule of the class";
  for (DataClass data_class = 0; data_class < policy.classes().size(); ++data_class) {
    const Permission permission = policy.permit(facts, data_class, endpoints);
    const Permission permitted = table.permit(facts, words, data_class);
    if (permission.mask != permitted.mask) return "mask";
    if (permission.rule != permitted.rule) return "rule of the mask";
    if (!(policy.prefer(facts, data_class) == table.prefer(facts, words, data_class))) return "plan";
  }
  return "";
}

/// The same for `requests` drawn requests.
std::string difference(const Policy& policy, const Table& table, Draw& in, int requests,
                       std::span<const EndpointFacts> endpoints = kEndpoints) {
  for (int i = 0; i < requests; ++i) {
    const DrawnRequest request = draw_request(in);
    const std::string what = difference(policy, table, request.facts_of(), endpoints);
    if (!what.empty()) return what + " of request " + std::to_string(i);
  }
  return "";
}

std::shared_ptr<const Policy> loaded(const json& policy) {
  auto result = Policy::load(policy.dump(), "table_test");
  INFO((result.ok() ? "" : result.error().message));
  REQUIRE(result.ok());
  return result.value();
}

json two_classes() {
  return {{"version", 1},
          {"name", "two"},
          {"classes", {{{"name", "c0"}, {"egress", "allow"}}, {{"name", "c1"}, {"egress", "allow"}}}}};
}

TEST_CASE("table and policy decide the same of any request under any policy") {
  REQUIRE(rc::check([] {
    Draw in(*rc::gen::container<std::vector<std::uint8_t>>(600, rc::gen::arbitrary<std::uint8_t>()));
    const json text = draw_policy(in);
    const auto policy = load_drawn(text);
    RC_PRE(static_cast<bool>(policy));
    const DrawnRequest request = draw_request(in);
    const auto endpoints = request.endpoints_of();
    const Table table(policy, endpoints);
    const std::string what = difference(*policy, table, request.facts_of(), endpoints);
    if (!what.empty()) RC_FAIL(what + "\n" + text.dump(1));
    Draw more(*rc::gen::arbitrary<std::uint64_t>());
    const std::string then = difference(*policy, table, more, 20, endpoints);
    if (!then.empty()) RC_FAIL(then + "\n" + text.dump(1));
  }));
}

TEST_CASE("table and policy decide the same with hundreds of rules, whose bits fill many words") {
  std::size_t most = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Draw in(seed);
    json text = draw_policy(in);
    std::size_t rules = 0;
    for (const std::string list : {"classify", "forbid", "prefer"}) {
      for (unsigned i = 0, count = 40 + in.below(200); i < count; ++i) {
        json more = two_classes();  // Rules that can never hold are refused: each is tried by itself.
        more["classes"] = text["classes"];
        if (text.contains("detectors")) more["detectors"] = text["detectors"];
        const json rule = draw_rule(in, text, list, "more-" + list + std::to_string(i));
        more[list].push_back(rule);
        if (load_drawn(more) == nullptr) continue;
        text[list].push_back(rule);
        ++rules;
      }
    }
    most = std::max(most, rules);
    const auto policy = load_drawn(text);
    if (policy == nullptr) continue;
    const Table table(policy, kEndpoints);
    INFO("seed " << seed << ", " << rules << " rules");
    CHECK(difference(*policy, table, in, 200) == "");
  }
  CHECK(most > 300);
}

TEST_CASE("a number on a threshold, beside it, far off, absent or no number lies in the cell that the policy sees") {
  json text = two_classes();
  const json tests = {
      {{"gt", 200}}, {{"ge", 200}}, {{"lt", 200}}, {{"le", 300.5}}, 200, {{"ne", 300.5}}, {{"gt", 3}, {"lt", 200}},
      {3, 4}};
  for (const json& test : tests)
    text["prefer"].push_back({{"id", "p" + std::to_string(text["prefer"].size())}, {"when", {{"payload_kib", test}}}});
  for (std::size_t first = 0; first < tests.size(); ++first) {
    std::rotate(text["prefer"].begin(), text["prefer"].begin() + 1, text["prefer"].end());  // each may win once
    const auto policy = loaded(text);
    const Table table(policy, kEndpoints);
    std::vector<std::optional<double>> numbers = {std::nullopt, std::nan(""), kInfinity, -kInfinity,
                                                  -0.0,         0.0,          -1,        1e9};
    for (const double cut : {3.0, 4.0, 200.0, 300.5})
      numbers.insert(numbers.end(), {cut, std::nextafter(cut, 0), std::nextafter(cut, kInfinity)});
    for (const auto& number : numbers) {
      Facts facts;
      facts.payload_kib = number;
      INFO(first << ": " << (number ? *number : -2));
      CHECK(difference(*policy, table, facts) == "");
    }
  }
}

TEST_CASE("an attribute of which rules tell very many values apart is asked rule by rule, and decides the same") {
  json text = two_classes();
  for (unsigned i = 0; i < 700; ++i) {
    json when = {{"payload_kib", {{"ge", 2 * i}, {"lt", 2 * i + 1}}}, {"model", "m" + std::to_string(i % 3)}};
    text["forbid"].push_back({{"id", "f" + std::to_string(i)}, {"when", when}, {"sites", {"cloud:second"}}});
  }
  const auto policy = loaded(text);
  const Table table(policy, kEndpoints);
  std::size_t denied = 0;
  for (unsigned i = 0; i < 1500; ++i) {
    Facts facts;
    const std::string model = i % 7 == 0 ? "stranger" : "m" + std::to_string(i / 2 % 3);
    facts.model = model;
    facts.payload_kib = i;
    facts.session_tainted = false;
    INFO(i);
    CHECK(difference(*policy, table, facts) == "");
    denied += table.permit(facts, table.words_of(facts), 0).mask == Mask::all(4).without(2);
  }
  CHECK(denied == 600);  // The even ones under 1,400 but for every seventh.
}

TEST_CASE("counts and hours on a threshold, beside it and above all lie in the cell that the policy sees") {
  json text = two_classes();
  for (const unsigned count : {0, 1, 7, 5000, 65535}) {
    const json when = {{"detected.EMAIL", count}, {"detected.PHONE", {{"gt", count % 65535}}}};
    text["classify"].push_back({{"id", "c" + std::to_string(count)}, {"when", when}, {"class", "c1"}});
    text["prefer"].push_back({{"id", "p" + std::to_string(count)}, {"when", {{"utc_hour", {{"le", count % 24}}}}}});
  }
  text["default_class"] = "c0";
  const auto policy = loaded(text);
  const Table table(policy, kEndpoints);
  std::size_t raised = 0;
  for (const unsigned count : {0, 1, 2, 6, 7, 8, 15, 23, 24, 4999, 5000, 5001, 65534, 65535}) {
    for (const unsigned other : {0, 1, 2, 8, 65535}) {
      Facts facts;
      facts.detected[static_cast<std::size_t>(Detected::kEmail)] = static_cast<std::uint16_t>(count);
      facts.detected[static_cast<std::size_t>(Detected::kPhone)] = static_cast<std::uint16_t>(other);
      facts.utc_hour = count;
      INFO(count << ", " << other);
      CHECK(difference(*policy, table, facts) == "");
      raised += table.classify(facts, table.words_of(facts)).data_class;
    }
  }
  CHECK(raised == 4 + 3 + 2 + 1 + 4);  // PHONE above 0, 1, 7, 5000, and for 65535 above 0.
}

TEST_CASE("words that are not the request's restrict, and never read past a table") {
  json text = two_classes();
  text["default_class"] = "c0";
  text["classify"].push_back({{"id", "on-label"}, {"when", {{"label", "c0"}, {"model", "m"}}}, {"class", "c1"}});
  const auto policy = loaded(text);
  const Table table(policy, kEndpoints);
  Facts facts;
  CHECK(table.classify(facts, Words{}).data_class == 1);
  CHECK(policy->rule_id(table.classify(facts, Words{}).rule) == "unknown-label");
  CHECK(table.classify(facts, Words{4'000'000, 4'000'000}).data_class == 1);
}

TEST_CASE("a planted difference between table and policy is seen") {
  const auto with = [](const json& when) {
    json text = two_classes();
    text["forbid"].push_back({{"id", "f"}, {"when", when}});
    return loaded(text);
  };
  Draw in(std::uint64_t{7});
  const json when = {{"payload_kib", {{"gt", 200}}}, {"device.network", {{"ne", "unmetered"}}}};
  CHECK(difference(*with(when), Table(with(when), kEndpoints), in, 2000) == "");
  json planted = when;
  planted["payload_kib"] = {{"ge", 200}};
  CHECK(difference(*with(when), Table(with(planted), kEndpoints), in, 2000).starts_with("mask"));
  planted = when;
  planted["device.network"] = {"metered", "offline"};  // "not known" may be either: the same
  CHECK(difference(*with(when), Table(with(planted), kEndpoints), in, 2000) == "");
  planted["device.network"] = "metered";
  CHECK(difference(*with(when), Table(with(planted), kEndpoints), in, 2000).starts_with("mask"));
}

}  // namespace
}  // namespace hearth::policies
