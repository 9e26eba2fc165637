#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "tools/hearth/mode_policy.h"

using namespace hearth;
using namespace hearth::tool;

TEST_CASE("the threshold goes into every cascade rule of the shipped policy, and the file still compiles") {
  const auto filled = load_mode_policy("configs/policies/demo.json", 0.37);
  REQUIRE(filled);
  CHECK(filled.value().name == "demo");
  CHECK(filled.value().threshold == 0.37);
  const auto rules = nlohmann::json::parse(filled.value().json)["prefer"];
  REQUIRE(rules.size() == 1);
  CHECK(rules[0]["confidence_below"] == 0.37);
  CHECK(policies::Policy::load(filled.value().json, "filled"));
}

TEST_CASE("without a threshold a policy file stays as it is, byte for byte") {
  const auto plain = load_mode_policy("configs/policies/demo.json", -1);
  REQUIRE(plain);
  std::ifstream in("configs/policies/demo.json");
  CHECK(plain.value().json == std::string(std::istreambuf_iterator<char>(in), {}));
  CHECK(plain.value().threshold == 0.82);  // what the file says
}

TEST_CASE("a missing or broken policy file is named") {
  CHECK(load_mode_policy("/nowhere.json", -1).error().message.find("/nowhere.json") == 0);
}

TEST_CASE("edge-only permits no site but this one, cloud-only permits and plans the cloud for every class") {
  const auto edge = policies::Policy::load(edge_only_policy(), "edge-only");
  const auto cloud = policies::Policy::load(cloud_only_policy(), "cloud-only");
  REQUIRE(edge);
  REQUIRE(cloud);
  const policies::EndpointFacts endpoints[] = {{"cloud", "eu"}};
  policies::Facts facts;
  facts.consent = Consent::kGiven;
  facts.session_tainted = false;
  for (const char* label : {"public", "personal", "sensitive", ""}) {
    INFO(label);
    facts.label = label;
    const auto stays = edge.value()->classify(facts).data_class;
    CHECK(edge.value()->permit(facts, stays, endpoints).mask == Mask::edge_only());
    CHECK(edge.value()->prefer(facts, stays).plan == PlanKind::kEdge);
    const auto leaves = cloud.value()->classify(facts).data_class;
    CHECK(cloud.value()->permit(facts, leaves, endpoints).mask.has(1));
    CHECK(cloud.value()->prefer(facts, leaves).plan == PlanKind::kCloud);
  }
}
