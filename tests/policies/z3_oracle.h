/// \file Z3Oracle: a second opinion about policies: the semantics of policies/README.md in Z3, written from the JSON of
/// a file and sharing no code with policies/. Not fast, and the file must be one that Policy::load accepts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "policies/policy.h"

namespace hearth::policies {

/// Whether there is an input of the kind asked for.
enum class Answer : std::uint8_t { kNone, kSome, kUnknown };

/// Threads: one at a time. All numbers are within the bounds that the language has for them; an endpoint has a name.
/// Strings are compared by identity, needles of text.contains by containment.
class Z3Oracle {
 public:
  using Endpoints = std::vector<std::pair<std::string, std::string>>;  ///< Name, region.

  /// `other` for the questions about two policies. `only`: the endpoints that there are; empty: any.
  explicit Z3Oracle(const nlohmann::json& policy, const nlohmann::json& other = {}, const Endpoints& only = {});
  ~Z3Oracle();

  /// An input that `when` asks for and that may (`permitted`), or may not, use `target`: edge, cloud, cloud:<endpoint>,
  /// region:<name>. Unknown is a value of its own: it is what `!=` and its own name (`absent`) ask for. An endpoint of
  /// unknown region may be in any region, and surely is in none.
  Answer some(const nlohmann::json& when, const std::string& target, bool permitted);
  /// An input for which `policy` permits a site that `other` does not.
  Answer some_permitted_by_first_only();
  Answer some_mask_differs();
  Answer some_class_differs();  ///< By name.
  Answer some_plan_differs();   ///< Plan, threshold or deadline.

  /// What the encoding says of one request and its first endpoint. None: not exactly one answer.
  struct Decision {
    std::string data_class;
    bool edge = false;
    bool cloud = false;
    std::string plan;
    bool operator==(const Decision&) const = default;
  };
  std::optional<Decision> decide(const Facts& facts, const EndpointFacts& endpoint);

  /// Z3's own time limit for one question; kUnknown beyond it.
  void set_timeout_ms(unsigned timeout_ms);
  double solver_ms() const;  ///< What Z3 itself took for the last question, the writing down of it left out.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::policies
