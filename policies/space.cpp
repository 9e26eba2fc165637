#include "policies/space.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hearth::policies {
namespace {

constexpr double kMibMax = 1e9;
constexpr std::uint16_t kFixedDimensions = Space::kClass;
constexpr std::array<const char*, kFixedDimensions> kFixedNames = {
    "label",           "model",           "payload", "payload_kib",     "device.network",  "device.battery_percent",
    "device.charging", "session.tainted", "consent", "cloud_mib_today", "cloud_usd_today", "utc_hour",
    "endpoint",        "region"};

bool has(std::span<const std::uint64_t> cells, unsigned cell) { return (cells[cell / 64] >> (cell % 64) & 1u) != 0; }

bool listed(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void add_name(std::vector<std::string>& names, const std::string& name) {
  if (!name.empty() && !listed(names, name)) names.push_back(name);
}

/// A name that no rule mentions.
std::string other_than(const std::vector<std::string>& names, std::string name) {
  while (listed(names, name)) name += '-';
  return name;
}

/// One value of each piece that `cuts` divide 0..max into; where asked for, first the unknown value, not a number.
std::vector<double> pieces(std::vector<double> cuts, double max, bool whole, bool may_be_unknown) {
  cuts.insert(cuts.end(), {0.0, max});
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::vector<double> values;
  if (may_be_unknown) values.push_back(std::nan(""));
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    if (!whole || cuts[i] == std::floor(cuts[i])) values.push_back(cuts[i]);
    if (i + 1 == cuts.size()) break;
    const double inside = whole ? std::floor(cuts[i]) + 1 : cuts[i] + (cuts[i + 1] - cuts[i]) / 2;
    if (inside > cuts[i] && inside < cuts[i + 1]) values.push_back(inside);
  }
  return values;
}

}  // namespace

bool Space::holds(const WordSet& set, char c) {
  return std::any_of(set.words.begin(), set.words.end(),
                     [&](const std::string& word) { return word.find(c) != std::string::npos; });
}

std::uint16_t Space::add_dimension(std::string name, unsigned cells) {
  names_.push_back(std::move(name));
  cells_.push_back(cells);
  values_.emplace_back();
  thresholds_.emplace_back();
  numbers_.emplace_back();
  return static_cast<std::uint16_t>(names_.size() - 1);
}

Space::Space(std::span<const Compiled* const> policies, const Mentions& mentions)
    : policies_(policies.begin(), policies.end()) {
  for (const char* name : kFixedNames) add_dimension(name, 0);
  for (const Compiled* policy : policies_) add_dimension("class", static_cast<unsigned>(policy->classes.size()));
  for (const Compiled* policy : policies_) {
    for (const ClassRule& rule : policy->classes) {
      add_name(values_[kLabel], rule.name);
      for (const auto& name : rule.endpoints) add_name(values_[kEndpoint], name);
      for (const auto& name : rule.regions) add_name(values_[kRegion], name);
    }
    for (const ClassifyRule& rule : policy->classify) add_conditions(*policy, rule.when);
    for (const ForbidRule& rule : policy->forbid) {
      add_conditions(*policy, rule.when);
      for (const auto& name : rule.sites.endpoints) add_name(values_[kEndpoint], name);
      for (const auto& name : rule.sites.regions) add_name(values_[kRegion], name);
    }
    for (const PreferRule& rule : policy->prefer) add_conditions(*policy, rule.when);
    if (policy->cloud_mib_per_day) thresholds_[kMib].push_back(*policy->cloud_mib_per_day);
    if (policy->cloud_usd_per_day) thresholds_[kUsd].push_back(*policy->cloud_usd_per_day);
  }
  if (mentions.conditions != nullptr) add_conditions(*policies_.front(), *mentions.conditions);
  for (const auto& name : mentions.endpoints) add_name(values_[kEndpoint], name);
  for (const auto& name : mentions.regions) add_name(values_[kRegion], name);

  auto& labels = values_[kLabel];
  labels.insert(labels.begin(), {"", other_than(labels, "no-such-class")});
  values_[kModel].insert(values_[kModel].begin(), {"", other_than(values_[kModel], "another-model")});
  values_[kEndpoint].insert(values_[kEndpoint].begin(), other_than(values_[kEndpoint], "another-endpoint"));
  values_[kRegion].insert(values_[kRegion].begin(), {"", other_than(values_[kRegion], "another-region")});
  for (const auto dimension : {kLabel, kModel, kEndpoint, kRegion})
    cells_[dimension] = static_cast<unsigned>(values_[dimension].size());
  cells_[kPayload] = cells_[kNetwork] = 4;
  cells_[kCharging] = cells_[kTainted] = cells_[kConsent] = 3;
  for (const auto dimension : {kPayloadKib, kMib, kUsd}) add_numbers(dimension, kMibMax, false);
  add_numbers(kBattery, 100, false);
  add_numbers(kHour, 23, true);
  for (const auto& [type, dimension] : detected_) add_numbers(dimension, 65535, true);
}

void Space::add_numbers(std::uint16_t dimension, double max, bool whole) {
  const bool counted = dimension >= kFixedDimensions;  // Counts are known whenever the text was understood.
  numbers_[dimension] = pieces(thresholds_[dimension], max, whole, !counted);
  cells_[dimension] = static_cast<unsigned>(numbers_[dimension].size());
}

void Space::add_conditions(const Compiled& policy, const Conditions& when) {
  for (const Condition& condition : when.all()) {
    if (condition.attribute == Attribute::kTextContains) {
      const auto same = [&](const WordSet& set) { return set.words == condition.names; };
      if (std::any_of(words_.begin(), words_.end(), same)) continue;
      const auto dimension = add_dimension("text.contains", 2);
      words_.push_back({condition.names, dimension});
      if (holds(words_.back(), separator_)) {
        while (std::any_of(words_.begin(), words_.end(), [&](const WordSet& set) { return holds(set, separator_); }))
          separator_ = static_cast<char>(separator_ == '|' ? 1 : separator_ + 1);
      }
      Box words_without_text;
      words_without_text.parts.push_back(cell_part(dimension, 1));
      words_without_text.parts.push_back({kPayload, {0b0011}});
      impossible_.push_back(std::move(words_without_text));
      continue;
    }
    if (condition.attribute == Attribute::kDetected) {
      const std::string type = type_of(policy, condition.slot);
      if (!detected_.contains(type)) detected_[type] = add_dimension("detected." + type, 0);
    }
    const std::uint16_t dimension = dimension_of(policy, condition);
    for (const auto& name : condition.names) add_name(values_[dimension], name);
    for (const auto& name : condition.names_except) add_name(values_[dimension], name);
    auto& cuts = thresholds_[dimension];
    cuts.insert(cuts.end(), condition.numbers.begin(), condition.numbers.end());
    cuts.insert(cuts.end(), condition.numbers_except.begin(), condition.numbers_except.end());
    for (const double bound : {condition.low, condition.high}) {
      if (std::isfinite(bound)) cuts.push_back(bound);
    }
  }
}

std::uint16_t Space::dimension_of(const Compiled& policy, const Condition& condition) const {
  switch (condition.attribute) {
    case Attribute::kLabel:
      return kLabel;
    case Attribute::kModel:
      return kModel;
    case Attribute::kClass:
      return class_of(
          static_cast<std::size_t>(std::find(policies_.begin(), policies_.end(), &policy) - policies_.begin()));
    case Attribute::kPayload:
      return kPayload;
    case Attribute::kPayloadKib:
      return kPayloadKib;
    case Attribute::kTextContains: {
      const auto found =
          std::find_if(words_.begin(), words_.end(), [&](const WordSet& set) { return set.words == condition.names; });
      return found->dimension;
    }
    case Attribute::kDetected:
      return detected_.at(type_of(policy, condition.slot));
    case Attribute::kNetwork:
      return kNetwork;
    case Attribute::kBatteryPercent:
      return kBattery;
    case Attribute::kCharging:
      return kCharging;
    case Attribute::kSessionTainted:
      return kTainted;
    case Attribute::kConsent:
      return kConsent;
    case Attribute::kCloudMibToday:
      return kMib;
    case Attribute::kCloudUsdToday:
      return kUsd;
    case Attribute::kUtcHour:
      return kHour;
  }
  return kLabel;
}

void Space::put(std::uint16_t dimension, unsigned cell, Witness& witness) const {
  Facts& facts = witness.facts;
  const auto flag = [&](std::optional<bool>& out) { out = cell == 0 ? std::nullopt : std::optional<bool>(cell == 2); };
  const auto number = [&](std::optional<double>& out) {
    const double value = numbers_[dimension][cell];
    out = std::isnan(value) ? std::nullopt : std::optional<double>(value);
  };
  switch (dimension) {
    case kLabel:
      witness.label = values_[kLabel][cell];
      break;
    case kModel:
      witness.model = values_[kModel][cell];
      break;
    case kPayload:
      facts.has_tensors = (cell & 1) != 0;
      if ((cell & 2) == 0) witness.text.clear();
      if ((cell & 2) != 0 && witness.text.empty()) witness.text = separator_;
      break;
    case kPayloadKib:
      number(facts.payload_kib);
      break;
    case kNetwork:
      facts.device.network = static_cast<NetworkKind>(cell);
      break;
    case kBattery:
      number(facts.device.battery_percent);
      break;
    case kCharging:
      flag(facts.device.charging);
      break;
    case kTainted:
      flag(facts.session_tainted);
      break;
    case kConsent:
      facts.consent = static_cast<Consent>(cell);
      break;
    case kMib:
      number(facts.cloud_mib_today);
      break;
    case kUsd:
      number(facts.cloud_usd_today);
      break;
    case kHour:
      facts.utc_hour.reset();
      if (!std::isnan(numbers_[kHour][cell])) facts.utc_hour = static_cast<unsigned>(numbers_[kHour][cell]);
      break;
    case kEndpoint:
      witness.endpoint = values_[kEndpoint][cell];
      break;
    case kRegion:
      witness.region = values_[kRegion][cell];
      break;
    default:
      for (const auto& [type, index] : detected_) {
        if (index == dimension) witness.detected[type] = static_cast<std::uint16_t>(numbers_[dimension][cell]);
      }
  }
}

bool Space::is_request(std::uint16_t dimension) const {
  if (dimension == kEndpoint || dimension == kRegion || names_[dimension] == "text.contains") return false;
  return dimension < kClass || dimension >= class_of(policies_.size());
}

std::vector<unsigned> Space::plainest_first(std::uint16_t dimension) const {
  std::vector<unsigned> order;
  for (unsigned cell = 0; cell < cells(dimension); ++cell) order.push_back(cell);
  if (dimension == kNetwork) std::reverse(order.begin(), order.end());
  if (dimension < kClass && dimension != kNetwork) std::rotate(order.begin(), order.begin() + 1, order.end());
  return order;
}

std::optional<Box> Space::box_of(std::size_t policy, const Conditions& when, bool surely, bool understood) const {
  const Compiled& compiled = *policies_[policy];
  Box box;
  for (const Condition& condition : when.all()) {
    const bool of_text = condition.attribute == Attribute::kTextContains || condition.attribute == Attribute::kDetected;
    if (of_text && !understood) {
      if (surely && !condition.holds_unknown) return {};
      continue;
    }
    const auto dimension = dimension_of(compiled, condition);
    Box::Part part;
    if (condition.attribute == Attribute::kTextContains) {
      part = cell_part(dimension, 1);
    } else if (condition.attribute == Attribute::kClass) {
      part = {dimension,
              {condition.choices & ((cells_[dimension] < 64 ? std::uint64_t{1} << cells_[dimension] : 0) - 1)}};
    } else {
      part = part_of(dimension, [&](const Witness& witness) {
        Facts facts = witness.facts;
        facts.model = witness.model;
        facts.text = witness.text;
        if (condition.attribute == Attribute::kDetected)
          facts.detected[condition.slot] = witness.detected.begin()->second;
        const Truth truth = evaluate(condition, {facts, 0, compiled.find_class(witness.label)});
        return truth == Truth::kYes || (truth == Truth::kUnknown && (!surely || condition.holds_unknown));
      });
    }
    const auto same = std::find_if(box.parts.begin(), box.parts.end(),
                                   [&](const Box::Part& other) { return other.dimension == dimension; });
    if (same == box.parts.end()) {
      box.parts.push_back(std::move(part));
    } else {
      for (std::size_t i = 0; i < part.cells.size(); ++i) same->cells[i] &= part.cells[i];
    }
  }
  const auto empty = [](const Box::Part& part) {
    return std::all_of(part.cells.begin(), part.cells.end(), [](std::uint64_t word) { return word == 0; });
  };
  if (std::any_of(box.parts.begin(), box.parts.end(), empty)) return {};
  return box;
}

Box::Part Space::names_part(std::uint16_t dimension, std::span<const std::string> names) const {
  Box::Part part{dimension, std::vector<std::uint64_t>((cells_[dimension] + 63) / 64)};
  for (const std::string& name : names) {
    const auto& values = values_[dimension];
    const auto cell = static_cast<std::size_t>(std::find(values.begin(), values.end(), name) - values.begin());
    if (cell < values.size()) part.cells[cell / 64] |= std::uint64_t{1} << (cell % 64);
  }
  return part;
}

Box::Part Space::cell_part(std::uint16_t dimension, unsigned cell) const {
  Box::Part part{dimension, std::vector<std::uint64_t>((cells_[dimension] + 63) / 64)};
  part.cells[cell / 64] |= std::uint64_t{1} << (cell % 64);
  return part;
}

Box::Part Space::complement(const Box::Part& part) const {
  Box::Part other = part;
  for (auto& word : other.cells) word = ~word;
  const unsigned rest = cells_[part.dimension] % 64;
  if (rest != 0) other.cells.back() &= (std::uint64_t{1} << rest) - 1;
  return other;
}

/// A text with a word of each set it must have and no word of a set it must not. Words hold no separator, so the joined
/// text holds exactly the words that are parts of its words.
std::optional<std::string> Space::text_in(std::span<const std::vector<std::uint64_t>> box) const {
  std::vector<const std::string*> barred;
  for (const WordSet& set : words_) {
    if (has(box[set.dimension], 1)) continue;
    for (const auto& word : set.words) barred.push_back(&word);
  }
  std::string text;
  for (const WordSet& set : words_) {
    if (has(box[set.dimension], 0)) continue;
    const auto possible = std::find_if(set.words.begin(), set.words.end(), [&](const std::string& word) {
      return std::none_of(barred.begin(), barred.end(),
                          [&](const std::string* bar) { return word.find(*bar) != std::string::npos; });
    });
    if (possible == set.words.end()) return {};
    text += (text.empty() ? "" : std::string(1, separator_)) + *possible;
  }
  return text;
}

bool Space::text_exists(std::span<const std::vector<std::uint64_t>> box) const {
  return words_.empty() || text_in(box).has_value();
}

/// What is known reads better than what is not, nothing found better than something, and online better than offline.
unsigned Space::plainest(std::uint16_t dimension, std::span<const std::uint64_t> set) const {
  unsigned best = 0;
  for (unsigned cell = cells(dimension); cell-- > 0;) {
    if (!has(set, cell)) continue;
    if (cell > 0 || dimension > kClass || !has(set, best)) best = cell;
    if (dimension == kNetwork) break;
  }
  return best;
}

Witness Space::witness_in(std::span<const std::vector<std::uint64_t>> box, bool understood) const {
  Witness witness;
  witness.text = text_in(box).value_or("");
  witness.facts.text_understood = understood;
  for (std::uint16_t dimension = 0; dimension < box.size(); ++dimension) {
    const bool derived = dimension >= kClass && dimension < class_of(policies_.size());
    if (!derived && names_[dimension] != "text.contains") put(dimension, plainest(dimension, box[dimension]), witness);
  }
  return witness;
}

}  // namespace hearth::policies
