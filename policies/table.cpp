// How a table decides. Of all that an attribute can be, rules tell finitely many *cells* apart: each label, each model
// that a rule names, the numbers between two thresholds, "not known". To each cell belongs a row of bits, one a rule:
// whether what the rule asks of this attribute lets it apply there. The rows are filled by asking the evaluator about
// one value of the cell. A decision finds the cell of each fact, ANDs their rows, and looks at the rules left standing.
#include "policies/table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "policies/compiled.h"

namespace hearth::policies {
namespace {

/// More cells than that, and rules are asked one by one about the attribute: a table must not outgrow its policy.
constexpr std::size_t kCellsMax = 1024;
constexpr unsigned kWholeMax = 65535;  ///< Larger whole numbers count as this, above all that a rule may name.
constexpr double kNotKnown = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The first cells of labels and of models; names follow. The very first is what restricts most.
enum : std::uint32_t { kUnknownLabelCell, kNoLabelCell, kNamedLabelCells };
enum : std::uint32_t { kNoModelCell, kOtherModelCell, kNamedModelCells };

/// Names and the cells that are theirs.
class Names {
 public:
  explicit Names(std::uint32_t first) : first_(first) {}

  void add(const std::string& name) {
    if (cells_.try_emplace(name, first_ + static_cast<std::uint32_t>(names_.size())).second) names_.push_back(name);
  }
  std::uint32_t cell_of(std::string_view name, std::uint32_t otherwise) const {
    const auto found = cells_.find(name);
    return found == cells_.end() ? otherwise : found->second;
  }
  std::uint32_t cells() const { return first_ + static_cast<std::uint32_t>(names_.size()); }
  const std::string& name_in(std::uint32_t cell) const { return names_[cell - first_]; }
  /// A name that is none of them.
  std::string other() const {
    std::string name = "other";
    while (cells_.contains(name)) name += '-';
    return name;
  }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::uint32_t first_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> cells_;
};

/// The label as a class; none when absent or not in the policy.
std::optional<DataClass> label_in(Words words) {
  if (words.label < kNamedLabelCells) return {};
  return static_cast<DataClass>(words.label - kNamedLabelCells);
}

/// What a decision is about.
struct Asked {
  const Facts& facts;
  Words words;
  DataClass data_class;
};

constexpr std::size_t kAttributes = static_cast<std::size_t>(Attribute::kUtcHour) + 1;
constexpr std::size_t at(Attribute attribute) { return static_cast<std::size_t>(attribute); }

/// The facts by attribute: as cells, where each value has one, else as numbers. Counts of detectors are not among them.
struct Values {
  std::array<std::uint32_t, kAttributes> cells;
  std::array<double, kAttributes> numbers;
};

Values values_of(const Asked& asked) {
  const auto flag = [](std::optional<bool> value) { return value ? (*value ? 2u : 1u) : 0u; };
  const Facts& facts = asked.facts;
  Values values;
  values.cells[at(Attribute::kLabel)] = asked.words.label;
  values.cells[at(Attribute::kModel)] = asked.words.model;
  values.cells[at(Attribute::kClass)] = asked.data_class;
  values.cells[at(Attribute::kPayload)] = (facts.has_tensors ? 1u : 0u) | (facts.text.empty() ? 0u : 2u);
  values.cells[at(Attribute::kNetwork)] = static_cast<std::uint32_t>(facts.device.network);
  values.cells[at(Attribute::kConsent)] = static_cast<std::uint32_t>(facts.consent);
  values.cells[at(Attribute::kCharging)] = flag(facts.device.charging);
  values.cells[at(Attribute::kSessionTainted)] = flag(facts.session_tainted);
  values.cells[at(Attribute::kUtcHour)] = facts.utc_hour ? 1 + std::min(*facts.utc_hour, kWholeMax) : 0;
  values.numbers[at(Attribute::kPayloadKib)] = facts.payload_kib.value_or(kNotKnown);
  values.numbers[at(Attribute::kBatteryPercent)] = facts.device.battery_percent.value_or(kNotKnown);
  values.numbers[at(Attribute::kCloudMibToday)] = facts.cloud_mib_today.value_or(kNotKnown);
  values.numbers[at(Attribute::kCloudUsdToday)] = facts.cloud_usd_today.value_or(kNotKnown);
  return values;
}

/// One attribute that rules ask about, its cells, and a row for each.
struct Column {
  /// How a value finds its cell: it is one; it counts from cell 1, what is not known being 0; it is searched for.
  enum class Kind : std::uint8_t { kDirect, kCount, kSearched };

  explicit Column(const Condition& condition);
  void add_cuts(const Condition& condition);
  /// When all cuts are known.
  void close(const Compiled& policy, const Names& models);

  Attribute attribute;
  std::uint8_t slot;
  Kind kind;
  std::uint32_t last = 0;    ///< Its last cell, for all that have none of their own.
  std::vector<double> cuts;  ///< From each on a rule may answer differently. In order; from -infinity; of full depth.
  std::vector<std::uint64_t> rows;
};

Column::Column(const Condition& condition) : attribute(condition.attribute), slot(condition.slot) {
  const bool searched = attribute == Attribute::kPayloadKib || attribute == Attribute::kBatteryPercent ||
                        attribute == Attribute::kCloudMibToday || attribute == Attribute::kCloudUsdToday;
  kind = searched ? Kind::kSearched : attribute == Attribute::kDetected ? Kind::kCount : Kind::kDirect;
}

void Column::add_cuts(const Condition& condition) {
  const auto next = [](double number) { return std::nextafter(number, kInfinity); };
  if (std::isfinite(condition.low)) cuts.push_back(condition.low_open ? next(condition.low) : condition.low);
  if (std::isfinite(condition.high)) cuts.push_back(condition.high_open ? condition.high : next(condition.high));
  for (const auto* list : {&condition.numbers, &condition.numbers_except}) {
    for (const double number : *list) cuts.insert(cuts.end(), {number, next(number)});
  }
}

void Column::close(const Compiled& policy, const Names& models) {
  cuts.push_back(-kInfinity);
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  switch (attribute) {
    case Attribute::kLabel:
      last = kNamedLabelCells + static_cast<std::uint32_t>(policy.classes.size());
      break;
    case Attribute::kModel:
      last = models.cells();
      break;
    case Attribute::kClass:
      last = static_cast<std::uint32_t>(policy.classes.size());
      break;
    case Attribute::kPayload:
    case Attribute::kNetwork:
      last = 4;
      break;
    case Attribute::kConsent:
    case Attribute::kCharging:
    case Attribute::kSessionTainted:
      last = 3;
      break;
    case Attribute::kDetected:
    case Attribute::kUtcHour:  // Not known, each whole number up to the last cut, and all above.
      last = 1 + static_cast<std::uint32_t>(std::ceil(std::max(cuts.back(), 0.0)));
      break;
    default:
      last = static_cast<std::uint32_t>(cuts.size());
      cuts.resize(std::bit_ceil(cuts.size() + 1) - 1, kNotKnown);
  }
}

/// So many cuts are not above the number: none when it is not known. Binary search in a list of 2^n - 1.
std::uint32_t searched_cell(const Column& column, double number) {
  std::size_t cell = 0;
  for (std::size_t step = (column.cuts.size() + 1) / 2; step > 0; step /= 2)  // No branch that must be foretold.
    cell += step * static_cast<std::size_t>(column.cuts[cell + step - 1] <= number);
  return static_cast<std::uint32_t>(cell);
}

/// A number of the cell.
double number_in(const Column& column, std::uint32_t cell) {
  if (cell == 0) return kNotKnown;
  return column.kind == Column::Kind::kSearched ? column.cuts[cell - 1] : cell - 1;
}

/// What the evaluator says of a condition in a cell.
Truth truth_in(const Column& column, std::uint32_t cell, const Condition& condition, const Names& models) {
  const bool is_number = column.attribute == Attribute::kUtcHour || column.kind != Column::Kind::kDirect;
  if (cell == column.last && !is_number) cell = 0;  // No such label, model or choice.
  const auto choice_from = [&](std::uint32_t first) {
    return evaluate_choice(condition, cell < first ? std::nullopt : std::optional<unsigned>(cell - first));
  };
  switch (column.attribute) {
    case Attribute::kLabel:
      return choice_from(kNamedLabelCells);
    case Attribute::kModel:
      if (cell == kNoModelCell) return evaluate_name(condition, "");
      return evaluate_name(condition, cell == kOtherModelCell ? models.other() : models.name_in(cell));
    case Attribute::kClass:
      return choice_from(0);
    case Attribute::kPayload:
      return evaluate_payload(condition, cell);
    case Attribute::kNetwork:
    case Attribute::kConsent:  // Their first value is "not known".
      return evaluate_choice(condition, cell == 0 ? std::nullopt : std::optional<unsigned>(cell));
    case Attribute::kCharging:
    case Attribute::kSessionTainted:
      return choice_from(1);
    default:
      return evaluate_number(condition, number_in(column, cell));
  }
}

/// Rules in the order in which they are tried, as rows of bits.
class RuleBits {
 public:
  /// Rules that restrict apply unless some condition is known not to hold; those that choose, when all surely do.
  enum class Applies : std::uint8_t { kUnlessNo, kWhenYes };

  /// The conditions must outlive this.
  RuleBits(const std::vector<const Conditions*>& rules, Applies when, const Compiled& policy, const Names& models)
      : when_(when), row_words_((rules.size() + 63) / 64), rest_(rules.size()) {
    add_columns(rules, policy, models);
    for (std::size_t i = 0; i < rules.size(); ++i) {
      for (const Condition& condition : rules[i]->all()) add_condition(i, condition, models);
    }
  }

  /// Calls `visit(i)` for each of the first `count` rules that applies, in order, for as long as it answers true.
  template <class Visit>
  void each(const Asked& asked, std::size_t count, const Visit& visit) const {
    if (count == 0) return;
    const auto visit_all = [&](std::uint64_t left, std::size_t first) {
      if (count - first < 64) left &= (std::uint64_t{1} << (count - first)) - 1;
      for (; left != 0; left &= left - 1) {
        const std::size_t rule = first + static_cast<std::size_t>(std::countr_zero(left));
        if (rest_applies(rule, asked) && !visit(rule)) return false;
      }
      return true;
    };
    if (row_words_ == 1) {
      std::uint64_t left = ~std::uint64_t{0};
      each_row(asked, [&](const std::uint64_t* row) { left &= *row; });
      visit_all(left, 0);
      return;
    }
    std::array<const std::uint64_t*, kAttributes + kDetectorSlots> rows;
    std::size_t columns = 0;
    each_row(asked, [&](const std::uint64_t* row) { rows[columns++] = row; });
    for (std::size_t word = 0; word * 64 < count; ++word) {
      std::uint64_t left = ~std::uint64_t{0};
      for (std::size_t i = 0; i < columns; ++i) left &= rows[i][word];
      if (!visit_all(left, word * 64)) return;
    }
  }

 private:
  /// The row of each column, at the cell that the facts lie in.
  template <class Use>
  void each_row(const Asked& asked, const Use& use) const {
    const auto use_cell = [&](const Column& column, std::uint32_t cell) {
      use(column.rows.data() + std::min(cell, column.last) * row_words_);
    };
    const Facts& facts = asked.facts;
    const Values values = values_of(asked);
    const Column* column = columns_.data();
    for (const Column* end = column + direct_; column != end; ++column)
      use_cell(*column, values.cells[at(column->attribute)]);
    for (const Column* end = column + counts_; column != end; ++column)
      use_cell(*column, facts.text_understood ? 1u + facts.detected[column->slot] : 0u);
    for (const Column* end = column + searched_; column != end; ++column)
      use_cell(*column, searched_cell(*column, values.numbers[at(column->attribute)]));
  }

  bool applies(Truth truth) const {
    return truth == Truth::kYes || (truth == Truth::kUnknown && when_ == Applies::kUnlessNo);
  }

  bool rest_applies(std::size_t rule, const Asked& asked) const {
    return std::all_of(rest_[rule].begin(), rest_[rule].end(), [&](const Condition* condition) {
      return applies(evaluate(*condition, {asked.facts, asked.data_class, label_in(asked.words)}));
    });
  }

  Column* find_column(const Condition& condition) {
    const auto found = std::find_if(columns_.begin(), columns_.end(), [&](const Column& column) {
      return column.attribute == condition.attribute && column.slot == condition.slot;
    });
    return found == columns_.end() ? nullptr : &*found;
  }

  void add_columns(const std::vector<const Conditions*>& rules, const Compiled& policy, const Names& models) {
    for (const Conditions* when : rules) {
      for (const Condition& condition : when->all()) {
        if (condition.attribute == Attribute::kTextContains) continue;
        if (find_column(condition) == nullptr) columns_.push_back(Column(condition));
        find_column(condition)->add_cuts(condition);
      }
    }
    for (Column& column : columns_) column.close(policy, models);
    std::erase_if(columns_, [](const Column& column) { return column.last >= kCellsMax; });
    std::sort(columns_.begin(), columns_.end(), [](const Column& a, const Column& b) { return a.kind < b.kind; });
    const auto count_of = [&](Column::Kind kind) {
      return std::count_if(columns_.begin(), columns_.end(), [&](const Column& column) { return column.kind == kind; });
    };
    direct_ = count_of(Column::Kind::kDirect);
    counts_ = count_of(Column::Kind::kCount);
    searched_ = count_of(Column::Kind::kSearched);
    for (Column& column : columns_) column.rows.assign((column.last + 1) * row_words_, ~std::uint64_t{0});
  }

  void add_condition(std::size_t rule, const Condition& condition, const Names& models) {
    Column* const column = find_column(condition);
    if (column == nullptr) return rest_[rule].push_back(&condition);
    for (std::uint32_t cell = 0; cell <= column->last; ++cell) {
      if (applies(truth_in(*column, cell, condition, models))) continue;
      column->rows[cell * row_words_ + rule / 64] &= ~(std::uint64_t{1} << (rule % 64));
    }
  }

  Applies when_;
  std::size_t row_words_;
  std::vector<Column> columns_;  ///< By kind: direct, then counts, then searched.
  std::ptrdiff_t direct_ = 0, counts_ = 0, searched_ = 0;
  std::vector<std::vector<const Condition*>> rest_;  ///< By rule: what has no column, such as words in the text.
};

Names labels_of(const Compiled& policy) {
  Names labels(kNamedLabelCells);
  for (const ClassRule& rule : policy.classes) labels.add(rule.name);
  return labels;
}

Names models_of(const Compiled& policy) {
  Names models(kNamedModelCells);
  const auto add = [&](const auto& rules) {
    for (const auto& rule : rules) {
      for (const Condition& condition : rule.when.all()) {
        if (condition.attribute != Attribute::kModel) continue;
        for (const std::string& name : condition.names) models.add(name);
        for (const std::string& name : condition.names_except) models.add(name);
      }
    }
  };
  add(policy.classify);
  add(policy.forbid);
  add(policy.prefer);
  return models;
}

/// Those that raise to the most restrictive class come first: the first that applies decides. In the file's order among
/// equals, so that it is the rule which the policy would name.
std::vector<ClassifyRule> by_class(std::vector<ClassifyRule> rules) {
  std::stable_sort(rules.begin(), rules.end(),
                   [](const ClassifyRule& a, const ClassifyRule& b) { return a.data_class > b.data_class; });
  return rules;
}

template <class Rule>
std::vector<const Conditions*> conditions_of(const std::vector<Rule>& rules) {
  std::vector<const Conditions*> conditions;
  for (const Rule& rule : rules) conditions.push_back(&rule.when);
  return conditions;
}

}  // namespace

struct Table::Bound {
  Bound(std::shared_ptr<const Policy> of, std::span<const EndpointFacts> endpoints);
  Narrowing by_standing_rules(const Facts& facts, DataClass data_class) const;

  std::shared_ptr<const Policy> policy;
  const Compiled& compiled;
  Names labels;
  Names models;

  std::vector<Classified> by_label;  ///< By cell.
  std::vector<ClassifyRule> raising;
  std::vector<std::size_t> raising_above;  ///< By class: so many of them raise to a higher one.
  RuleBits classify;

  Mask all;
  std::array<std::vector<Mask>, 2> class_keeps;  ///< By whether the content can be redacted, then by class.
  std::vector<Mask> forbid_keeps;                ///< By rule.
  Mask never_forbidden;
  RuleBits forbid;
  RuleBits prefer;
};

Table::Bound::Bound(std::shared_ptr<const Policy> of, std::span<const EndpointFacts> endpoints)
    : policy(std::move(of)),
      compiled(policy->compiled()),
      labels(labels_of(compiled)),
      models(models_of(compiled)),
      raising(by_class(compiled.classify)),
      classify(conditions_of(raising), RuleBits::Applies::kUnlessNo, compiled, models),
      all(Mask::all(static_cast<unsigned>(endpoints.size()))),
      never_forbidden(all),
      forbid(conditions_of(compiled.forbid), RuleBits::Applies::kUnlessNo, compiled, models),
      prefer(conditions_of(compiled.prefer), RuleBits::Applies::kWhenYes, compiled, models) {
  by_label = {{compiled.most_restrictive(), kUnknownLabel}, {compiled.default_class, kNoRule}};
  for (std::size_t i = 0; i < compiled.classes.size(); ++i) {
    by_label.push_back({static_cast<DataClass>(i), kNoRule});
    raising_above.push_back(static_cast<std::size_t>(
        std::count_if(raising.begin(), raising.end(), [&](const ClassifyRule& rule) { return rule.data_class > i; })));
    for (const bool redactable : {false, true})
      class_keeps[redactable].push_back(kept_by(compiled.classes[i], redactable, all, endpoints));
  }
  for (const ForbidRule& rule : compiled.forbid) {
    forbid_keeps.push_back(kept_by(rule.sites, all, endpoints));
    never_forbidden = never_forbidden & forbid_keeps.back();
  }
}

Narrowing Table::Bound::by_standing_rules(const Facts& facts, DataClass data_class) const {
  Narrowing narrowing(all);
  narrowing.keep(class_keeps[can_redact(facts)][data_class], rule_of_class(data_class));
  const auto when_cloudless = [&](bool applies, RuleIndex rule) {
    if (applies) narrowing.keep(Mask::edge_only(), rule);
  };
  when_cloudless(facts.session_tainted.value_or(true), kSessionTaint);
  when_cloudless(spent(compiled.cloud_mib_per_day, facts.cloud_mib_today), kCloudBudget);
  when_cloudless(spent(compiled.cloud_usd_per_day, facts.cloud_usd_today), kMoneyBudget);
  return narrowing;
}

Table::Table(std::shared_ptr<const Policy> policy, std::span<const EndpointFacts> endpoints)
    : bound_(std::make_unique<const Bound>(std::move(policy), endpoints)) {}
Table::~Table() = default;

Words Table::words_of(const Facts& facts) const {
  return {facts.label.empty() ? kNoLabelCell : bound_->labels.cell_of(facts.label, kUnknownLabelCell),
          facts.model.empty() ? kNoModelCell : bound_->models.cell_of(facts.model, kOtherModelCell)};
}

Classified Table::classify(const Facts& facts, Words words) const {
  const Compiled& compiled = bound_->compiled;
  const DataClass most = compiled.most_restrictive();
  Classified result = bound_->by_label[words.label < bound_->by_label.size() ? words.label : kUnknownLabelCell];
  if (!facts.text_understood && result.data_class < most) result = {most, kTextNotUnderstood};
  bound_->classify.each({facts, words, 0}, bound_->raising_above[result.data_class], [&](std::size_t rule) {
    result = {bound_->raising[rule].data_class, bound_->raising[rule].id};
    return false;
  });
  return result;
}

Permission Table::permit(const Facts& facts, Words words, DataClass data_class) const {
  const auto& forbid = bound_->compiled.forbid;
  data_class = std::min(data_class, bound_->compiled.most_restrictive());
  Narrowing narrowing = bound_->by_standing_rules(facts, data_class);
  const auto more_to_take = [&] { return (narrowing.mask() & bound_->never_forbidden) != narrowing.mask(); };
  if (!more_to_take()) return narrowing.permission();
  bound_->forbid.each({facts, words, data_class}, forbid.size(), [&](std::size_t rule) {
    narrowing.keep(bound_->forbid_keeps[rule], forbid[rule].id);
    return more_to_take();
  });
  return narrowing.permission();
}

Preference Table::prefer(const Facts& facts, Words words, DataClass data_class) const {
  const auto& rules = bound_->compiled.prefer;
  data_class = std::min(data_class, bound_->compiled.most_restrictive());
  Preference preference;
  bound_->prefer.each({facts, words, data_class}, rules.size(), [&](std::size_t rule) {
    preference = rules[rule].preference;
    return false;
  });
  return preference;
}

}  // namespace hearth::policies
