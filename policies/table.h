/// \file Table: a policy bound to its endpoints, in the form in which every request is decided.
///
/// It says what Policy::classify, permit and prefer say. They go rule by rule and are the reference; a table goes fact
/// by fact, in a time that hardly grows with the rules. Threads: immutable; share freely. Deciding neither allocates
/// nor throws nor does I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "policies/policy.h"

namespace hearth::policies {

/// A request's label and model as numbers of the table that looked them up, and of no other. As they stand here: a
/// label that the policy does not know, and no model.
struct Words {
  std::uint32_t label = 0;
  std::uint32_t model = 0;
};

class Table {
 public:
  /// `endpoints[i]` is site i + 1; their names and regions are read now and not kept.
  Table(std::shared_ptr<const Policy> policy, std::span<const EndpointFacts> endpoints);
  ~Table();

  /// A look-up for the label and one for the model. Worth keeping for as long as the request lives.
  Words words_of(const Facts& facts) const;
  /// As the policy's own; `words` are those of the facts.
  Classified classify(const Facts& facts, Words words) const;
  Permission permit(const Facts& facts, Words words, DataClass data_class) const;
  Preference prefer(const Facts& facts, Words words, DataClass data_class) const;

 private:
  struct Bound;
  std::unique_ptr<const Bound> bound_;
};

}  // namespace hearth::policies
