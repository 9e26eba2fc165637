/// \file RandomPolicy: random policies, requests and queries over the whole language, and a count of what came up.
/// Thresholds of rules and values of facts come from the same few numbers, so that facts lie on both sides and exactly
/// on them. Everything follows from the bytes or the seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "policies/policy.h"

namespace hearth::policies {

/// Choices out of bytes, which RapidCheck can shrink towards zero, everywhere the plainest choice; or out of a seed.
class Draw {
 public:
  explicit Draw(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  explicit Draw(std::uint64_t seed) : endless_(true), state_(seed) {}
  unsigned below(unsigned bound) { return next() % bound; }
  bool one_in(unsigned bound) { return below(bound) == bound - 1; }
  template <class T>
  const T& of(const std::vector<T>& choices) {
    return choices[below(static_cast<unsigned>(choices.size()))];
  }

 private:
  unsigned next();
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool endless_ = false;
  std::uint64_t state_ = 0;
};

/// Facts that own their strings.
struct DrawnRequest {
  std::string label, model, text, folded_text;
  Facts facts;                                                 ///< Its views point nowhere: facts_of() sets them.
  std::vector<std::pair<std::string, std::string>> endpoints;  ///< Name, region.
  Facts facts_of() const;
  std::vector<EndpointFacts> endpoints_of() const;
};

/// `when` as a rule would state it, and the same with the target as `hearth policy prove` is asked.
struct DrawnQuery {
  nlohmann::json when;
  std::string target;
  std::string text;
};

/// A policy that may still be refused: see load_drawn.
nlohmann::json draw_policy(Draw& in);
nlohmann::json draw_forbid(Draw& in, const nlohmann::json& policy, const std::string& id);
/// One more for the policy's "classify", "forbid" or "prefer".
nlohmann::json draw_rule(Draw& in, const nlohmann::json& policy, const std::string& list, const std::string& id);
/// `policy` with one thing changed, added or left out.
nlohmann::json draw_change(Draw& in, const nlohmann::json& policy);
DrawnRequest draw_request(Draw& in);
DrawnQuery draw_query(Draw& in, const nlohmann::json& policy);

/// Null when the policy is rightly refused: a rule that never holds, or that frees a higher class. Any other refusal
/// is a fault of the generator, and throws.
std::shared_ptr<const Policy> load_drawn(const nlohmann::json& policy);

/// How often each rule type, attribute, permit and denial came up.
class Coverage {
 public:
  void add_policy(const nlohmann::json& policy);
  void add_decision(const Policy& policy, const Classified& classified, const Permission& permission,
                    unsigned endpoints);
  void add(const std::string& what) { ++counts_[what]; }
  std::uint64_t of(const std::string& what) const;
  /// Lines of `what count`, most of one kind in one line.
  std::string text() const;

 private:
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace hearth::policies
