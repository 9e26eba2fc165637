// What two policies treat differently.
#include <algorithm>

#include "policies/asking.h"
#include "policies/prove.h"

namespace hearth::policies {
namespace {

/// One search after the other; each may add a difference.
class Differ {
 public:
  Differ(const Policy& a, const Policy& b, const ProveOptions& options)
      : policies_{&a, &b},
        compiled_{&a.compiled(), &b.compiled()},
        options_(options),
        space_(compiled_, mentions_of(nullptr, options)) {}

  Result<Diff> run() {
    for (const bool understood : {true, false}) {
      const PolicyBoxes a(space_, 0, *compiled_[0], understood);
      const PolicyBoxes b(space_, 1, *compiled_[1], understood);
      for (const bool edge : {true, false}) {
        const std::string site = edge ? "the edge" : "a cloud endpoint";
        masks(a, b, edge, "the first permits " + site + ", the second does not");
        masks(b, a, edge, "the second permits " + site + ", the first does not");
      }
      classes(a, b, 0, "the two give another class");
      classes(b, a, 1, "the two give another class");
      plans(a, b);
    }
    if (!defect_.empty()) return {ErrorCode::kInternal, defect_};
    diff_.verdict = !diff_.differences.empty() ? Verdict::kRefuted : gave_up_ ? Verdict::kUnknown : Verdict::kProved;
    return std::move(diff_);
  }

 private:
  bool known(const std::string& what) const {
    const auto& all = diff_.differences;
    return std::any_of(all.begin(), all.end(), [&](const Difference& one) { return one.what == what; });
  }

  /// Takes in what a search found, when the evaluator says the same.
  void take(const Asking& asking, const std::string& what, const std::function<bool(const Witness&)>& differs) {
    const Proof proof = asking.proof();
    gave_up_ = gave_up_ || proof.verdict == Verdict::kUnknown;
    if (!proof.witness) return;
    if (!differs(*proof.witness)) defect_ = "the search and the evaluator disagree; please report these two policies";
    diff_.differences.push_back({what, *proof.witness});
  }

  void masks(const PolicyBoxes& more, const PolicyBoxes& less, bool edge, const std::string& what) {
    if (known(what)) return;
    const bool swapped = &more.policy() != compiled_[0];
    for (const Box& place : places_of(space_, {edge, "", ""}, options_, false)) {
      Asking asking(space_, options_);
      if (!ask_wider(asking, more, less, edge, place)) continue;
      return take(asking, what, [&](const Witness& witness) {
        const bool first = permitted(*policies_[0], witness, edge);
        const bool second = permitted(*policies_[1], witness, edge);
        return first != second && first != swapped;
      });
    }
  }

  const std::string& class_name(std::size_t policy, const Witness& witness) const {
    const Policy& one = *policies_[policy];
    return one.classes()[one.classify(witness.facts_of(one)).data_class].name;
  }

  /// Inputs whose class in `high` stands above the class of that name in `low`, or has no such name there.
  void classes(const PolicyBoxes& high, const PolicyBoxes& low, std::size_t index, const std::string& what) {
    if (known(what)) return;
    Asking asking(space_, options_);
    const bool in_order = ordered_alike();
    for (const Raise& raise : high.raises()) {
      const auto same = low.policy().find_class(compiled_[index]->classes[raise.to].name);
      const Box is_class = exactly(high, raise);
      Boxes outside = high.not_below();
      for (const Raise& other : low.raises()) {
        if (same && other.to >= *same) outside.push_back(other.box);
      }
      if (asking.ask({raise.box, &is_class}, outside, high.understood())) break;
      if (same && !in_order && ask_above(asking, high, low, *same, {raise.box, &is_class})) break;
    }
    take(asking, what, [&](const Witness& witness) { return class_name(0, witness) != class_name(1, witness); });
  }

  /// Whether the classes that both have stand in one order: then of two names one is the higher in both.
  bool ordered_alike() const {
    std::optional<DataClass> last;
    for (const ClassRule& rule : compiled_[0]->classes) {
      const auto there = compiled_[1]->find_class(rule.name);
      if (there && last && *there < *last) return false;
      if (there) last = there;
    }
    return true;
  }

  static bool ask_above(Asking& asking, const PolicyBoxes& high, const PolicyBoxes& low, DataClass than,
                        const Boxes& inside) {
    Boxes outside = high.not_below();
    append(outside, low.not_below());
    for (const Raise& raise : low.raises()) {
      if (raise.to <= than) continue;
      const Box is_class = exactly(low, raise);
      Boxes within = inside;
      append(within, {raise.box, &is_class});
      if (asking.ask(within, outside, low.understood())) return true;
    }
    return false;
  }

  static bool same(const Preference& a, const Preference& b) {
    return a.plan == b.plan && a.confidence == b.confidence && a.confidence_below == b.confidence_below &&
           a.deadline == b.deadline && a.attempts_max == b.attempts_max && a.objective == b.objective;
  }

  /// The ways to be of a class, when the preferences ask for it: `{nothing}` otherwise.
  std::vector<Boxes> starts(const PolicyBoxes& policy, std::vector<Box>& owner) const {
    bool asks = false;
    for (const PreferRule& rule : policy.policy().prefer) {
      for (const Condition& condition : rule.when.all()) asks = asks || condition.attribute == Attribute::kClass;
    }
    if (!asks) return {Boxes{}};
    owner.reserve(policy.raises().size());
    std::vector<Boxes> ways;
    for (const Raise& raise : policy.raises()) {
      owner.push_back(exactly(policy, raise));
      ways.push_back({raise.box, &owner.back()});
    }
    return ways;
  }

  struct Choice {
    Preference preference;
    std::optional<Box> box;  ///< Nothing: whatever no earlier rule takes.
  };
  static std::vector<Choice> choices(const PolicyBoxes& policy) {
    std::vector<Choice> all;
    for (const PreferRule& rule : policy.policy().prefer) {
      if (auto box = policy.surely(rule.when)) all.push_back({rule.preference, std::move(box)});
    }
    all.push_back({Preference{}, std::nullopt});
    return all;
  }

  void plans(const PolicyBoxes& a, const PolicyBoxes& b) {
    const std::string what = "the two choose another plan, threshold or deadline";
    if (known(what)) return;
    std::vector<Box> owners[2];
    const auto starts_a = starts(a, owners[0]);
    const auto starts_b = starts(b, owners[1]);
    const auto choices_a = choices(a);
    const auto choices_b = choices(b);
    Asking asking(space_, options_);
    Boxes outside_a = a.not_below();
    for (std::size_t i = 0; i < choices_a.size(); ++i) {
      Boxes outside = outside_a;
      append(outside, b.not_below());
      for (std::size_t j = 0; j < choices_b.size(); ++j) {
        const bool differ = !same(choices_a[i].preference, choices_b[j].preference);
        if (differ && ask_starts(asking, starts_a, starts_b, choices_a[i], choices_b[j], outside, a.understood()))
          return take(asking, what,
                      [&](const Witness& witness) { return !same(preference(0, witness), preference(1, witness)); });
        if (choices_b[j].box) outside.push_back(&*choices_b[j].box);
      }
      if (choices_a[i].box) outside_a.push_back(&*choices_a[i].box);
    }
  }

  static bool ask_starts(Asking& asking, const std::vector<Boxes>& starts_a, const std::vector<Boxes>& starts_b,
                         const Choice& a, const Choice& b, const Boxes& outside, bool understood) {
    for (const Boxes& from_a : starts_a) {
      for (const Boxes& from_b : starts_b) {
        Boxes inside = from_a;
        append(inside, from_b);
        if (a.box) inside.push_back(&*a.box);
        if (b.box) inside.push_back(&*b.box);
        if (asking.ask(inside, outside, understood)) return true;
      }
    }
    return false;
  }

  Preference preference(std::size_t policy, const Witness& witness) const {
    const Policy& one = *policies_[policy];
    const Facts facts = witness.facts_of(one);
    return one.prefer(facts, one.classify(facts).data_class);
  }

  const Policy* policies_[2];
  const Compiled* compiled_[2];
  const ProveOptions& options_;
  const Space space_;
  Diff diff_;
  bool gave_up_ = false;
  std::string defect_;
};

}  // namespace

Result<Diff> diff(const Policy& a, const Policy& b, const ProveOptions& options) { return Differ(a, b, options).run(); }

}  // namespace hearth::policies
