/// \file Asking: questions about policies as searches for boxes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "policies/boxes.h"
#include "policies/prove.h"
#include "policies/query.h"
#include "policies/search.h"

namespace hearth::policies {

/// Asks one question after the other until one is answered; keeps the witness.
class Asking {
 public:
  Asking(const Space& space, const ProveOptions& options) : space_(space), search_(space, options.boxes_max) {}

  /// True when the search is over: found, or given up.
  bool ask(const Boxes& inside, const Boxes& outside, bool understood) {
    answer_ = search_.find(inside, outside);
    if (answer_ == Search::Answer::kFound) witness_ = space_.witness_in(search_.found(), understood);
    return answer_ != Search::Answer::kNone;
  }

  Proof proof() const {
    Proof proof;
    proof.boxes = search_.boxes();
    proof.verdict = answer_ == Search::Answer::kNone    ? Verdict::kProved
                    : answer_ == Search::Answer::kFound ? Verdict::kRefuted
                                                        : Verdict::kUnknown;
    if (answer_ == Search::Answer::kFound) proof.witness = witness_;
    return proof;
  }

 private:
  const Space& space_;
  Search search_;
  Search::Answer answer_ = Search::Answer::kNone;
  Witness witness_;
};

using Classes = std::function<bool(DataClass)>;

/// What a question and the given endpoints name besides the policies. `query` may be null.
Space::Mentions mentions_of(const Query* query, const ProveOptions& options);

/// The endpoints that a target means, one box each, or one that leaves open which.
std::vector<Box> places_of(const Space& space, const Target& target, const ProveOptions& options, bool surely);

void append(Boxes& boxes, const Boxes& more);

/// The one class that a raise leads to.
Box exactly(const PolicyBoxes& policy, const Raise& raise);

/// Asks whether some input of `inside` and not of `outside` has a class that `is` holds for: all there are is one
/// question, else one for each way to get into such a class.
bool ask_classes(Asking& asking, const PolicyBoxes& policy, const Classes& is, Boxes inside, Boxes outside);

/// Asks whether some input of `inside` and not of `outside`, of a class that `is` holds for, is denied the site.
bool ask_denied(Asking& asking, const PolicyBoxes& policy, bool edge, const Classes& is, const Boxes& inside,
                const Boxes& outside);

/// Asks whether some input may use a site by `a` and not by `b`.
bool ask_wider(Asking& asking, const PolicyBoxes& a, const PolicyBoxes& b, bool edge, const Box& place);

/// What the evaluator says: whether the witness may use the edge, or its endpoint.
bool permitted(const Policy& policy, const Witness& witness, bool edge);

}  // namespace hearth::policies
