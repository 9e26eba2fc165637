#include "policies/asking.h"

#include <algorithm>

namespace hearth::policies {

Space::Mentions mentions_of(const Query* query, const ProveOptions& options) {
  Space::Mentions mentions;
  if (query != nullptr) {
    mentions.conditions = &query->when;
    mentions.endpoints.push_back(query->target.endpoint);
    mentions.regions.push_back(query->target.region);
  }
  for (const EndpointFacts& endpoint : options.endpoints) {
    mentions.endpoints.emplace_back(endpoint.name);
    mentions.regions.emplace_back(endpoint.region);
  }
  return mentions;
}

std::vector<Box> places_of(const Space& space, const Target& target, const ProveOptions& options, bool surely) {
  if (target.edge) return {Box{}};
  Box asked;
  if (!target.endpoint.empty()) asked.parts.push_back(space.names_part(Space::kEndpoint, {&target.endpoint, 1}));
  if (!target.region.empty()) {
    Box::Part region = space.names_part(Space::kRegion, {&target.region, 1});
    if (!surely) region.cells[0] |= std::uint64_t{1} << Space::kUnknownRegion;
    asked.parts.push_back(std::move(region));
  }
  if (options.endpoints.empty()) return {asked};
  std::vector<Box> places;
  for (const EndpointFacts& endpoint : options.endpoints) {
    const std::string name(endpoint.name);
    const std::string region(endpoint.region);
    Box place = asked;
    place.parts.push_back(space.names_part(Space::kEndpoint, {&name, 1}));
    place.parts.push_back(space.names_part(Space::kRegion, {&region, 1}));
    places.push_back(std::move(place));
  }
  return places;
}

void append(Boxes& boxes, const Boxes& more) { boxes.insert(boxes.end(), more.begin(), more.end()); }

Box exactly(const PolicyBoxes& policy, const Raise& raise) {
  Box box;
  box.parts.push_back(policy.class_part([&](DataClass c) { return c == raise.to; }));
  return box;
}

bool ask_classes(Asking& asking, const PolicyBoxes& policy, const Classes& is, Boxes inside, Boxes outside) {
  append(outside, policy.not_below());
  bool all = true;
  for (DataClass c = 0; c < policy.policy().classes.size(); ++c) all = all && is(c);
  if (all) return asking.ask(inside, outside, policy.understood());
  for (const Raise& raise : policy.raises()) {
    if (!is(raise.to)) continue;
    const Box is_class = exactly(policy, raise);
    Boxes within = inside;
    within.push_back(raise.box);
    within.push_back(&is_class);
    if (asking.ask(within, outside, policy.understood())) return true;
  }
  return false;
}

bool ask_denied(Asking& asking, const PolicyBoxes& policy, bool edge, const Classes& is, const Boxes& inside,
                const Boxes& outside) {
  for (const Box* denial : policy.denials(edge)) {
    const auto asks = std::find_if(denial->parts.begin(), denial->parts.end(),
                                   [&](const Box::Part& part) { return part.dimension == policy.class_dimension(); });
    Boxes within = inside;
    within.push_back(denial);
    const bool any_class = asks == denial->parts.end();
    const auto both = [&](DataClass c) { return is(c) && (any_class || (asks->cells[0] >> c & 1u) != 0); };
    if (ask_classes(asking, policy, both, within, outside)) return true;
  }
  return false;
}

bool ask_wider(Asking& asking, const PolicyBoxes& a, const PolicyBoxes& b, bool edge, const Box& place) {
  Boxes outside = a.not_below();
  append(outside, a.denials(edge));
  return ask_denied(
      asking, b, edge, [](DataClass) { return true; }, {&place}, outside);
}

bool permitted(const Policy& policy, const Witness& witness, bool edge) {
  const Facts facts = witness.facts_of(policy);
  const EndpointFacts endpoint{witness.endpoint, witness.region};
  return policy.permit(facts, policy.classify(facts).data_class, {&endpoint, 1}).mask.has(edge ? kEdgeSite : 1);
}

}  // namespace hearth::policies
