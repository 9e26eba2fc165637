/// \file Conditions: the `when` of a rule. Attributes are a table; evaluation is three-valued.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/policy.h"

namespace hearth {
class JsonReader;
}

namespace hearth::policies {

/// What a `when` can ask. Those up to kDetected describe the content, the rest the moment.
enum class Attribute : std::uint8_t {
  kLabel,
  kModel,
  kClass,
  kPayload,
  kPayloadKib,
  kTextContains,
  kDetected,
  kNetwork,
  kBatteryPercent,
  kCharging,
  kSessionTainted,
  kConsent,
  kCloudMibToday,
  kCloudUsdToday,
  kUtcHour,
};

struct Compiled;

enum class Truth : std::uint8_t { kNo, kUnknown, kYes };

/// A test of one attribute. Which fields count follows from the attribute's kind.
struct Condition {
  Attribute attribute = Attribute::kLabel;
  std::string source;     ///< As the file has it, for people.
  std::uint8_t slot = 0;  ///< Of Attribute::kDetected: which count.

  // Attributes with few values: one bit per value.
  std::uint64_t choices = ~std::uint64_t{0};
  bool names_unknown = false;  ///< The value that stands for "not known" is asked for by name.
  bool holds_unknown = false;  ///< Of a query's `!=`: what is not known is not that value.

  // Numbers.
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;
  bool high_open = false;
  std::vector<double> numbers;         ///< Empty: any.
  std::vector<double> numbers_except;  ///< None of these.

  // Names, and the lower-case substrings of text.contains.
  std::vector<std::string> names;         ///< Empty: any.
  std::vector<std::string> names_except;  ///< None of these.
};

/// What a condition looks at: the facts, and what earlier stages made of them.
struct View {
  const Facts& facts;
  DataClass data_class;            ///< Meaningless in classify rules, where no condition reads it.
  std::optional<DataClass> label;  ///< The label as a class; none when absent or not in the policy.
};

/// A list of conditions, all of which must hold.
class Conditions {
 public:
  void add(Condition condition) { all_.push_back(std::move(condition)); }
  void order_by_cost();

  /// For rules that restrict: true unless some condition is known not to hold.
  bool may_hold(const View& view) const;
  /// For rules that choose: true when every condition is known to hold.
  bool surely_hold(const View& view) const;

  bool reads_text() const;
  const std::vector<Condition>& all() const { return all_; }

 private:
  std::vector<Condition> all_;
};

Truth evaluate(const Condition& condition, const View& view);

/// The same of one value of the condition's attribute. None, not a number, or an empty name is unknown.
Truth evaluate_number(const Condition& condition, std::optional<double> value);
Truth evaluate_choice(const Condition& condition, std::optional<unsigned> value);  ///< Of a flag: 0 false, 1 true.
Truth evaluate_name(const Condition& condition, std::string_view value);
Truth evaluate_payload(const Condition& condition, unsigned held);  ///< 1 tensors, 2 text, 3 both.

/// Who asks: classify rules see only what is sent; forbid and prefer rules see the class but read no text; a query sees
/// all.
enum class Asker : std::uint8_t { kClassify, kPermit, kQuery };

/// Reads the object at `when`. `compiled` holds the classes and the detectors already. Problems go to the reader's
/// list.
Conditions read_conditions(JsonReader& rule, const Compiled& compiled, Asker asker);

}  // namespace hearth::policies
