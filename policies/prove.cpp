#include "policies/prove.h"

#include <algorithm>
#include <functional>

#include "policies/asking.h"

namespace hearth::policies {
namespace {

/// The classes a query asks for, taken out of its box.
Classes take_classes(const PolicyBoxes& policy, Box& box) {
  const auto found = std::find_if(box.parts.begin(), box.parts.end(),
                                  [&](const Box::Part& part) { return part.dimension == policy.class_dimension(); });
  if (found == box.parts.end()) return [](DataClass) { return true; };
  const std::uint64_t classes = found->cells[0];
  box.parts.erase(found);
  return [classes](DataClass c) { return (classes >> c & 1u) != 0; };
}

/// The last word has the evaluator: a witness that it does not confirm is a defect here, and no answer.
Result<Proof> confirmed(Proof proof, const std::function<bool(const Witness&)>& holds) {
  if (proof.witness && !holds(*proof.witness))
    return {ErrorCode::kInternal, "the prover and the evaluator disagree; please report this policy and query"};
  return proof;
}

Result<Proof> prove(const Policy& policy, std::string_view text, const ProveOptions& options, bool never) {
  const auto query = read_query(text, policy.compiled());
  if (!query.ok()) return query.error();
  const Target& target = query->target;
  const Compiled* compiled = &policy.compiled();
  const Space space({&compiled, 1}, mentions_of(&query.value(), options));
  Asking asking(space, options);
  bool over = false;
  for (const bool understood : {true, false}) {
    const PolicyBoxes boxes(space, 0, *compiled, understood);
    auto asked = boxes.surely(query->when);
    if (!asked) continue;
    const auto is = take_classes(boxes, *asked);
    for (const Box& place : places_of(space, target, options, !never)) {
      if (over) break;
      const Boxes inside = {&*asked, &place};
      over = never ? ask_classes(asking, boxes, is, inside, boxes.denials(target.edge))
                   : ask_denied(asking, boxes, target.edge, is, inside, {});
    }
  }
  return confirmed(asking.proof(), [&](const Witness& w) { return permitted(policy, w, target.edge) == never; });
}

}  // namespace

Result<Proof> prove_never(const Policy& policy, std::string_view query, const ProveOptions& options) {
  return prove(policy, query, options, true);
}

Result<Proof> prove_always(const Policy& policy, std::string_view query, const ProveOptions& options) {
  return prove(policy, query, options, false);
}

Result<Proof> prove_implies(const Policy& policy, const Policy& other, const ProveOptions& options) {
  const Compiled* both[] = {&policy.compiled(), &other.compiled()};
  const Space space(both, mentions_of(nullptr, options));
  Asking asking(space, options);
  bool over = false;
  bool of_edge = false;
  for (const bool understood : {true, false}) {
    const PolicyBoxes a(space, 0, *both[0], understood);
    const PolicyBoxes b(space, 1, *both[1], understood);
    for (const bool edge : {true, false}) {
      for (const Box& place : places_of(space, {edge, "", ""}, options, false)) {
        if (over) break;
        of_edge = edge;
        over = ask_wider(asking, a, b, edge, place);
      }
    }
  }
  return confirmed(asking.proof(),
                   [&](const Witness& w) { return permitted(policy, w, of_edge) && !permitted(other, w, of_edge); });
}

}  // namespace hearth::policies
