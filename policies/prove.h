/// \file Proofs about policies: exact answers over every input that the language knows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>

#include "policies/policy.h"

namespace hearth::policies {

/// One assignment of every attribute, in the form that `tests` and `explain` read: facts that own their strings.
struct Witness {
  std::string label;
  std::string model;
  std::string text;
  std::map<std::string, std::uint16_t> detected;  ///< By type; what is not there was not found.
  Facts facts;                                    ///< All that is not text; facts_of() adds the rest.
  std::string endpoint;                           ///< The endpoint that the question is about.
  std::string region;                             ///< Its region; empty is unknown.

  /// As `policy` counts its own detectors. Valid as long as the witness.
  Facts facts_of(const Policy& policy) const;
  /// `{"request": {...}, "endpoints": [...]}`, as `hearth policy explain --request` reads it; unknown is left out.
  std::string as_json() const;
};

enum class Verdict : std::uint8_t {
  kProved,   ///< Holds for every input.
  kRefuted,  ///< `witness` is an input for which it does not hold; the evaluator was asked and agrees.
  kUnknown,  ///< The bound on work was reached. Never to be read as proved.
};

struct Proof {
  Verdict verdict = Verdict::kUnknown;
  std::optional<Witness> witness;
  std::uint64_t boxes = 0;  ///< Looked at on the way.
};

struct ProveOptions {
  std::uint64_t boxes_max = 20'000'000;  ///< Beyond it the answer is kUnknown.
  std::vector<EndpointFacts> endpoints;  ///< The only ones there are. Empty: any name, in any region or an unknown one.
};

/// In a query an attribute must be known to satisfy its condition. `region:<name>` is any endpoint that may be there
/// (of that region or an unknown one) in prove_never, and any that surely is in prove_always.
///
/// Whether no input that satisfies the query's conditions may use its target.
Result<Proof> prove_never(const Policy& policy, std::string_view query, const ProveOptions& options = {});
/// Whether every input that satisfies the query's conditions may use its target (every such endpoint).
Result<Proof> prove_always(const Policy& policy, std::string_view query, const ProveOptions& options = {});
/// Whether `policy` permits nothing that `other` does not: its mask is within the other's for every input.
Result<Proof> prove_implies(const Policy& policy, const Policy& other, const ProveOptions& options = {});

/// Inputs that two policies treat differently: for each kind of difference (mask, class by name, plan) one witness, or
/// none at all: equivalent. kUnknown as above.
struct Difference {
  std::string what;  ///< `cloud permitted by a.json only`, ...
  Witness witness;
};
struct Diff {
  Verdict verdict = Verdict::kUnknown;  ///< kProved: equivalent.
  std::vector<Difference> differences;
};
Result<Diff> diff(const Policy& a, const Policy& b, const ProveOptions& options = {});

}  // namespace hearth::policies
