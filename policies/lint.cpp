#include "policies/lint.h"

#include <algorithm>
#include <deque>
#include <functional>

#include "policies/asking.h"

namespace hearth::policies {
namespace {

class Linter {
 public:
  explicit Linter(const Policy& policy)
      : compiled_(policy.compiled()),
        all_{&compiled_},
        space_(all_, {}),
        understood_(space_, 0, compiled_, true),
        search_(space_, ProveOptions{}.boxes_max) {}

  std::vector<std::string> run() {
    fail_open();
    for (std::size_t i = 0; i < compiled_.classify.size(); ++i) classify(i);
    for (std::size_t i = 0; i < compiled_.forbid.size(); ++i) forbid(i);
    for (std::size_t i = 0; i < compiled_.prefer.size(); ++i) prefer(i);
    return std::move(lines_);
  }

 private:
  void tell(RuleIndex rule, const std::string& what) {
    lines_.push_back(compiled_.rule_places[rule] + ": rule \"" + compiled_.rule_ids[rule] + "\" " + what);
  }
  std::string quoted(RuleIndex rule) const { return "\"" + compiled_.rule_ids[rule] + "\""; }

  /// Whether nothing of `inside` lies outside all of `others`.
  bool covered(const Boxes& inside, const Boxes& others) {
    return search_.find(inside, others) == Search::Answer::kNone;
  }

  void fail_open() {
    const auto leaves = [&](DataClass c) { return compiled_.classes[c].egress == Egress::kAllow; };
    const auto tell_file = [&](const std::string& what) {
      lines_.push_back(compiled_.origin + ": fails open: " + what);
    };
    const DataClass most = compiled_.most_restrictive();
    if (leaves(most)) {
      tell_file("text that was not understood and labels that nobody knows are class \"" +
                compiled_.classes[most].name + "\", which may leave; end the classes with one that never leaves");
    } else if (leaves(compiled_.default_class)) {
      tell_file("data without a label is class \"" + compiled_.classes[compiled_.default_class].name +
                "\", which may leave");
    }
  }

  void classify(std::size_t index) {
    const ClassifyRule& rule = compiled_.classify[index];
    if (compiled_.rule_places[rule.id].empty()) return;  // of min_class
    if (rule.data_class == 0) return tell(rule.id, "raises to the least restrictive class, which raises nothing");
    const Box* own = nullptr;
    std::vector<Raise> before;  // What raises as far, and is named first.
    for (const Raise& raise : understood_.raises()) {
      if (raise.rule == rule.id) own = raise.box;
      const bool earlier = raise.rule == kNoRule || raise.rule < rule.id;
      if (raise.to > rule.data_class || (raise.to == rule.data_class && earlier)) before.push_back(raise);
    }
    if (own == nullptr) return tell(rule.id, "can never match");
    Boxes others;
    for (const Raise& raise : before) others.push_back(raise.box);
    if (!covered({own}, others)) return;
    for (const Raise& raise : before) {
      if (raise.rule != kNoRule && covered({own}, {raise.box}))
        return tell(rule.id, "never decides: whatever it matches, " + quoted(raise.rule) + " raises as far");
    }
    tell(rule.id, "never decides: what it matches is raised as far without it");
  }

  void forbid(std::size_t index) {
    const RuleIndex id = compiled_.forbid[index].id;
    if (own_denials(index).empty()) return tell(id, "can never match");
    if (!decides_nothing(index, [](std::size_t) { return true; })) return;
    // Of two that say the same only the later is told.
    const auto keeps = [&](std::size_t other) { return other < index || !shadows(index, other); };
    if (!decides_nothing(index, keeps)) return;
    for (std::size_t other = 0; other < compiled_.forbid.size(); ++other) {
      if (other != index && shadows(other, index))
        return tell(id, "never decides: " + quoted(compiled_.forbid[other].id) + " forbids all that it does");
    }
    tell(id, "never decides: classes, session taint, budgets and other rules forbid all that it does");
  }

  Boxes own_denials(std::size_t index) const {
    Boxes own = understood_.denials_of(index, true);
    append(own, understood_.denials_of(index, false));
    return own;
  }

  /// Whether `rule` forbids all that `other` does.
  bool shadows(std::size_t rule, std::size_t other) {
    for (const bool edge : {true, false}) {
      for (const Box* box : understood_.denials_of(other, edge))
        if (!covered({box}, understood_.denials_of(rule, edge))) return false;
    }
    return true;
  }

  /// Whether all that the rule denies is denied without it and without the rules that `keeps` leaves out.
  bool decides_nothing(std::size_t index, const std::function<bool(std::size_t)>& keeps) {
    for (const bool edge : {true, false}) {
      Boxes others = understood_.denials(edge);
      for (std::size_t i = 0; i < compiled_.forbid.size(); ++i) {
        if (i != index && keeps(i)) continue;
        for (const Box* gone : understood_.denials_of(i, edge)) std::erase(others, gone);
      }
      append(others, understood_.not_below());
      for (const Box* box : understood_.denials_of(index, edge))
        if (!covered({box}, others)) return false;
    }
    return true;
  }

  void prefer(std::size_t index) {
    const PreferRule& rule = compiled_.prefer[index];
    const RuleIndex id = rule.preference.rule;
    const auto own = understood_.surely(rule.when);
    if (!own) return tell(id, "can never match");
    Boxes earlier;
    for (std::size_t i = 0; i < index; ++i) {
      const auto box = understood_.surely(compiled_.prefer[i].when);
      if (!box) continue;
      owned_.push_back(*box);
      if (covered({&*own}, {&owned_.back()}))
        return tell(
            id, "is never chosen: " + quoted(compiled_.prefer[i].preference.rule) + " comes first wherever it matches");
      earlier.push_back(&owned_.back());
    }
    if (covered({&*own}, earlier)) return tell(id, "is never chosen: the rules before it match wherever it does");
    if (rule.preference.plan == PlanKind::kEdge) return;
    if (rule.preference.plan == PlanKind::kCascade && rule.preference.confidence_below == 0)
      return tell(id, "never asks the cloud: no confidence is below 0");
    append(earlier, understood_.not_below());
    append(earlier, understood_.denials(false));
    if (covered({&*own}, earlier)) tell(id, "asks for the cloud where nothing permits it");
  }

  const Compiled& compiled_;
  const Compiled* const all_[1];
  const Space space_;
  const PolicyBoxes understood_;
  Search search_;
  std::deque<Box> owned_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> lint(const Policy& policy) { return Linter(policy).run(); }

}  // namespace hearth::policies
