/// \file PolicyBoxes: a policy as sets of boxes: what raises a class, and what denies a site.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <vector>

#include "policies/compiled.h"
#include "policies/space.h"

namespace hearth::policies {

using Boxes = std::vector<const Box*>;

/// A class, and inputs that are raised to it at least.
struct Raise {
  DataClass to = 0;
  const Box* box = nullptr;
  RuleIndex rule = kNoRule;  ///< None: the label, or what stands for it.
};

/// One policy over the space, for text that was understood or for text that was not. The class is a dimension of its
/// own, bound by `not_below`: no input stands under a class that it is raised to. Permissions only shrink as the class
/// rises (the loader sees to it), so a site is permitted exactly if it is permitted for some class that is not below.
class PolicyBoxes {
 public:
  PolicyBoxes(const Space& space, std::size_t index, const Compiled& policy, bool understood);
  PolicyBoxes(const PolicyBoxes&) = delete;
  PolicyBoxes& operator=(const PolicyBoxes&) = delete;

  const std::vector<Raise>& raises() const { return raises_; }
  const Boxes& not_below() const { return not_below_; }
  /// Over the endpoint, its region and the class too; of the edge, without.
  const Boxes& denials(bool edge) const { return edge ? edge_denials_ : cloud_denials_; }
  /// Those of one forbid rule.
  const Boxes& denials_of(std::size_t forbid_rule, bool edge) const { return forbid_[forbid_rule][edge ? 1 : 0]; }
  const Compiled& policy() const { return policy_; }
  bool understood() const { return understood_; }

  /// The box of one class, or of those that `is` holds for.
  Box::Part class_part(const std::function<bool(DataClass)>& is) const;
  std::uint16_t class_dimension() const { return space_.class_of(index_); }
  std::optional<Box> surely(const Conditions& when) const { return space_.box_of(index_, when, true, understood_); }

 private:
  const Box* keep(Box box) { return &boxes_.emplace_back(std::move(box)); }
  void add_raise(DataClass to, Box box, RuleIndex rule = kNoRule);
  void add_labels();
  void add_denial(Box box) { cloud_denials_.push_back(keep(std::move(box))); }
  void add_class(DataClass data_class);
  void add_budget(std::uint16_t dimension, std::optional<double> limit, std::optional<double> Facts::*today);
  void add_forbid(const ForbidRule& rule, std::array<Boxes, 2>& kept);

  const Space& space_;
  const std::size_t index_;
  const Compiled& policy_;
  const bool understood_;
  std::deque<Box> boxes_;  ///< They keep their places.
  std::vector<Raise> raises_;
  Boxes not_below_;
  Boxes cloud_denials_;
  Boxes edge_denials_;
  std::vector<std::array<Boxes, 2>> forbid_;  ///< By rule: cloud, edge.
};

}  // namespace hearth::policies
