// Every ```json block in the pages about policies is a policy, or an addition to the one before it; its tests hold and
// its properties are proved.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "policies/prove.h"
#include "runtime/base/json_reader.h"

namespace hearth {
namespace {

using nlohmann::json;

constexpr std::size_t kPageMaxBytes = 1 << 20;

/// What stands between ```json and ```, in order.
std::vector<std::string> json_blocks(const std::string& page) {
  const auto text = read_whole_file(page, kPageMaxBytes);
  INFO((text.ok() ? "" : text.error().message));
  REQUIRE(text.ok());
  const std::string open = "\n```json\n";
  const std::string close = "\n```\n";
  std::vector<std::string> blocks;
  for (std::size_t at = 0; (at = text.value().find(open, at)) != std::string::npos;) {
    const auto begin = at + open.size();
    at = text.value().find(close, begin);
    REQUIRE(at != std::string::npos);
    blocks.push_back(text.value().substr(begin, at - begin));
  }
  return blocks;
}

/// As the tutorial says it: at the end of the lists that are there already.
void add(json& policy, const json& addition) {
  for (const auto& [key, value] : addition.items()) {
    if (!policy.contains(key)) {
      policy[key] = value;
    } else if (value.is_array()) {
      policy[key].insert(policy[key].end(), value.begin(), value.end());
    } else {
      policy[key] = value;
    }
  }
}

void check(const std::string& text, const std::string& origin) {
  INFO(text);
  const auto policy = policies::Policy::load(text, origin);
  INFO((policy.ok() ? "" : policy.error().message));
  REQUIRE(policy.ok());
  CHECK(policy.value()->run_tests() == std::vector<std::string>{});
  const json properties = json::parse(text).value("properties", json::array());
  for (const json& property : properties) {
    INFO(property.dump());
    const auto proof = property.contains("never")
                           ? policies::prove_never(*policy.value(), property.at("never").get<std::string>())
                           : policies::prove_always(*policy.value(), property.at("always").get<std::string>());
    REQUIRE(proof.ok());
    CHECK(proof->verdict == policies::Verdict::kProved);
  }
}

/// The policy after each block of the page.
std::vector<json> steps_of(const std::string& page) {
  std::vector<json> steps;
  for (const std::string& block : json_blocks(page)) {
    INFO(block);
    const json part = json::parse(block, nullptr, false);
    REQUIRE(part.is_object());
    if (part.contains("version")) {
      check(block, page);
      steps.push_back(part);
    } else {
      REQUIRE_FALSE(steps.empty());
      json whole = steps.back();
      add(whole, part);
      check(whole.dump(2), page);
      steps.push_back(std::move(whole));
    }
  }
  return steps;
}

TEST_CASE("every policy in the reference loads, its tests hold and its properties are proved") {
  CHECK(steps_of("docs/policy.md").size() >= 1);
}

TEST_CASE(
    "each step of the tutorial loads, its tests hold, and the whole file at its end is what the steps add up to") {
  const auto steps = steps_of("docs/policy-tutorial.md");
  REQUIRE(steps.size() >= 8);
  CHECK(steps.back() == steps[steps.size() - 2]);
}

}  // namespace
}  // namespace hearth
