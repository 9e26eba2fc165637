#include "policies/boxes.h"

namespace hearth::policies {

PolicyBoxes::PolicyBoxes(const Space& space, std::size_t index, const Compiled& policy, bool understood)
    : space_(space), index_(index), policy_(policy), understood_(understood) {
  add_labels();
  for (const ClassifyRule& rule : policy.classify) {
    if (auto box = space.box_of(index, rule.when, false, understood))
      add_raise(rule.data_class, std::move(*box), rule.id);
  }
  for (DataClass c = 0; c < policy.classes.size(); ++c) add_class(c);
  add_denial({{space.complement(space.cell_part(Space::kTainted, 1))}});
  add_budget(Space::kMib, policy.cloud_mib_per_day, &Facts::cloud_mib_today);
  add_budget(Space::kUsd, policy.cloud_usd_per_day, &Facts::cloud_usd_today);
  forbid_.resize(policy.forbid.size());
  for (std::size_t i = 0; i < policy.forbid.size(); ++i) add_forbid(policy.forbid[i], forbid_[i]);
}

Box::Part PolicyBoxes::class_part(const std::function<bool(DataClass)>& is) const {
  Box::Part part{space_.class_of(index_), {0}};
  for (DataClass c = 0; c < policy_.classes.size(); ++c) part.cells[0] |= std::uint64_t{is(c)} << c;
  return part;
}

void PolicyBoxes::add_raise(DataClass to, Box box, RuleIndex rule) {
  raises_.push_back({to, keep(box), rule});
  if (to == 0) return;
  box.parts.push_back(class_part([to](DataClass c) { return c < to; }));
  not_below_.push_back(keep(std::move(box)));
}

void PolicyBoxes::add_labels() {
  const DataClass most = policy_.most_restrictive();
  if (!understood_) add_raise(most, {});
  const auto label = [&](DataClass to, const auto& holds) {
    Box box;
    box.parts.push_back(space_.part_of(Space::kLabel, holds));
    add_raise(to, std::move(box));
  };
  label(policy_.default_class, [](const Witness& witness) { return witness.label.empty(); });
  label(most, [&](const Witness& w) { return !w.label.empty() && !policy_.find_class(w.label); });
  for (DataClass c = 0; c < policy_.classes.size(); ++c)
    label(c, [&](const Witness& w) { return w.label == policy_.classes[c].name; });
}

void PolicyBoxes::add_class(DataClass data_class) {
  const ClassRule& rule = policy_.classes[data_class];
  const auto deny = [&](std::vector<Box::Part> parts) {
    parts.push_back(class_part([&](DataClass c) { return c == data_class; }));
    add_denial({std::move(parts)});
  };
  if (rule.egress == Egress::kNever || (rule.egress == Egress::kRedacted && !understood_)) return deny({});
  if (rule.egress == Egress::kRedacted)
    deny({space_.part_of(Space::kPayload, [](const Witness& w) { return w.facts.has_tensors; })});
  if (!rule.regions.empty()) deny({space_.complement(space_.names_part(Space::kRegion, rule.regions))});
  if (!rule.endpoints.empty()) deny({space_.complement(space_.names_part(Space::kEndpoint, rule.endpoints))});
}

void PolicyBoxes::add_budget(std::uint16_t dimension, std::optional<double> limit,
                             std::optional<double> Facts::*today) {
  if (!limit) return;
  add_denial({{space_.part_of(dimension, [&](const Witness& witness) {
    const auto& spent = witness.facts.*today;
    return !spent || !(*spent < *limit);
  })}});
}

void PolicyBoxes::add_forbid(const ForbidRule& rule, std::array<Boxes, 2>& kept) {
  const auto box = space_.box_of(index_, rule.when, false, understood_);
  if (!box) return;
  const auto deny = [&](Box what, bool edge) {
    const Box* denial = keep(std::move(what));
    (edge ? edge_denials_ : cloud_denials_).push_back(denial);
    kept[edge ? 1 : 0].push_back(denial);
  };
  const auto deny_there = [&](Box::Part where) {
    Box there = *box;
    there.parts.push_back(std::move(where));
    deny(std::move(there), false);
  };
  if (rule.sites.edge) deny(*box, true);
  if (rule.sites.cloud) return deny(*box, false);
  if (!rule.sites.endpoints.empty()) deny_there(space_.names_part(Space::kEndpoint, rule.sites.endpoints));
  if (!rule.sites.regions.empty()) {
    Box::Part regions = space_.names_part(Space::kRegion, rule.sites.regions);
    regions.cells[0] |= std::uint64_t{1} << Space::kUnknownRegion;
    deny_there(std::move(regions));
  }
}

}  // namespace hearth::policies
