// The Z3 oracle against the evaluator, point by point: only an oracle that agrees may judge the proof engine.
#include <catch2/catch.hpp>

#include <iostream>

#include "policies/policy.h"
#include "random_policy.h"
#include "z3_oracle.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

Z3Oracle::Decision decision_of(const Policy& policy, const Facts& facts, const EndpointFacts& endpoint) {
  const DataClass data_class = policy.classify(facts).data_class;
  const Mask mask = policy.permit(facts, data_class, {&endpoint, 1}).mask;
  return {policy.classes()[data_class].name, mask.has(kEdgeSite), mask.has(1),
          std::string(name_of(policy.prefer(facts, data_class).plan))};
}

TEST_CASE("the oracle decides every drawn request as the evaluator does") {
  Coverage coverage;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Draw in(seed);
    const json text = draw_policy(in);
    const auto policy = load_drawn(text);
    if (!policy) continue;
    coverage.add_policy(text);
    Z3Oracle oracle(text);
    for (int i = 0; i < 8; ++i) {
      const DrawnRequest request = draw_request(in);
      const EndpointFacts endpoint =
          request.endpoints.empty() ? EndpointFacts{"x", ""} : request.endpoints_of().front();
      const auto expected = decision_of(*policy, request.facts_of(), endpoint);
      const auto said = oracle.decide(request.facts_of(), endpoint);
      INFO("seed " << seed << ", request " << i << "\n" << text.dump(1));
      REQUIRE(said);
      CHECK(said->data_class == expected.data_class);
      CHECK(said->edge == expected.edge);
      CHECK(said->cloud == expected.cloud);
      CHECK(said->plan == expected.plan);
      coverage.add(said->cloud ? "cloud permitted" : "cloud denied");
      coverage.add(said->edge ? "edge permitted" : "edge denied");
    }
  }
  std::cout << "oracle and evaluator:\n" << coverage.text();
}

}  // namespace
}  // namespace hearth::policies
