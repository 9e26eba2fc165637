// The `when` object of a rule, checked against the table of attributes.
#include <algorithm>
#include <array>
#include <cmath>

#include "policies/compiled.h"
#include "policies/conditions.h"
#include "runtime/base/json_reader.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

enum class Kind : std::uint8_t { kNumber, kFlag, kChoice, kClass, kName, kPayload, kSubstring };

struct AttributeRow {
  std::string_view name;
  Attribute attribute;
  Kind kind;
  double max = 0;                                ///< Of a number; the least is always 0.
  std::array<std::string_view, 4> choices = {};  ///< The first means "not known".
  bool whole = false;                            ///< A number without fractions.
};

constexpr std::array<AttributeRow, 15> kAttributes = {{
    {"label", Attribute::kLabel, Kind::kClass},
    {"model", Attribute::kModel, Kind::kName},
    {"class", Attribute::kClass, Kind::kClass},
    {"payload", Attribute::kPayload, Kind::kPayload, 0, {"tensor", "text"}},
    {"payload_kib", Attribute::kPayloadKib, Kind::kNumber, 1e9},
    {"text.contains", Attribute::kTextContains, Kind::kSubstring},
    {"detected.", Attribute::kDetected, Kind::kNumber, 65535, {}, true},  // and the type behind the dot
    {"device.network", Attribute::kNetwork, Kind::kChoice, 0, {"unknown", "offline", "metered", "unmetered"}},
    {"device.battery_percent", Attribute::kBatteryPercent, Kind::kNumber, 100},
    {"device.charging", Attribute::kCharging, Kind::kFlag},
    {"session.tainted", Attribute::kSessionTainted, Kind::kFlag},
    {"consent", Attribute::kConsent, Kind::kChoice, 0, {"absent", "given", "revoked"}},
    {"cloud_mib_today", Attribute::kCloudMibToday, Kind::kNumber, 1e9},
    {"cloud_usd_today", Attribute::kCloudUsdToday, Kind::kNumber, 1e9},
    {"utc_hour", Attribute::kUtcHour, Kind::kNumber, 23, {}, true},
}};

constexpr std::size_t kListMax = 256;
constexpr std::array<std::string_view, 7> kOperators = {"eq", "ne", "in", "gt", "ge", "lt", "le"};

/// Classify rules look at content alone, so that a class does not come and go with the device's state. The text is read
/// there and nowhere else: once, and never again for each attempt.
bool may_ask(const AttributeRow& row, Asker asker) {
  if (row.attribute == Attribute::kTextContains) return asker != Asker::kPermit;
  const bool content = row.attribute <= Attribute::kDetected && row.attribute != Attribute::kClass;
  return asker != Asker::kClassify || content;
}

std::string list_of(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
  return list;
}

/// Reads one `attribute: test` pair.
class ConditionReader {
 public:
  ConditionReader(JsonReader& when, std::string name, const AttributeRow& row, std::uint8_t slot,
                  std::span<const ClassRule> classes)
      : when_(when), name_(std::move(name)), row_(row) {
    condition_.attribute = row.attribute;
    condition_.slot = slot;
    if (row.kind == Kind::kClass) {
      for (const ClassRule& rule : classes) words_.push_back(rule.name);
    } else {
      for (const std::string_view choice : row.choices) {
        if (!choice.empty()) words_.emplace_back(choice);
      }
    }
  }

  std::optional<Condition> read(const json& test) {
    condition_.source = name_ + ": " + test.dump();
    if (!test.is_object()) {
      apply(test.is_array() ? "in" : "eq", test, when_.pointer_to(name_));
    } else if (test.empty()) {
      problem(when_.pointer_to(name_), "expected a value, an array of values or an object of operators, got {}");
    } else {
      read_operators(test);
    }
    check_possible();
    if (!good_) return {};
    return std::move(condition_);
  }

 private:
  void problem(const std::string& pointer, const std::string& message) {
    good_ = false;
    when_.problems().add(when_.document(), pointer, message);
  }

  void read_operators(const json& test) {
    for (const auto& [name, operand] : test.items()) {
      const std::string pointer = when_.pointer_to(name_) + "/" + name;
      if (std::find(kOperators.begin(), kOperators.end(), name) == kOperators.end()) {
        problem(pointer, "unknown operator, expected one of eq, ne, in, gt, ge, lt, le");
      } else {
        apply(name, operand, pointer);
      }
    }
  }

  void apply(const std::string& op, const json& operand, const std::string& pointer) {
    const bool comparing = op == "gt" || op == "ge" || op == "lt" || op == "le";
    if (comparing && row_.kind != Kind::kNumber && row_.kind != Kind::kClass) {
      return problem(pointer, "\"" + op + "\" compares numbers and classes, and " + name_ + " is " +
                                  (row_.kind == Kind::kFlag ? "true or false" : "a word"));
    }
    const bool only_has = row_.kind == Kind::kPayload || row_.kind == Kind::kSubstring;
    if (only_has && op == "ne") return problem(pointer, name_ + " takes \"eq\" and \"in\" only");
    if (op != "in") return apply_values(op, {&operand}, pointer);
    if (!operand.is_array()) return problem(pointer, "expected an array of values, got " + describe(operand));
    if (operand.empty()) return problem(pointer, "expected at least one value: an empty array never matches");
    if (operand.size() > kListMax) return problem(pointer, "expected at most " + std::to_string(kListMax) + " values");
    std::vector<const json*> values;
    for (const json& value : operand) values.push_back(&value);
    apply_values(op, values, pointer);
  }

  void apply_values(const std::string& op, const std::vector<const json*>& values, const std::string& pointer) {
    std::uint64_t bits = 0;
    std::vector<double> numbers;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string place = op == "in" ? pointer + "/" + std::to_string(i) : pointer;
      switch (row_.kind) {
        case Kind::kNumber:
          read_number(*values[i], place, numbers);
          break;
        case Kind::kFlag:
          read_flag(*values[i], place, bits);
          break;
        case Kind::kName:
        case Kind::kSubstring:
          read_name(*values[i], place, names);
          break;
        default:
          read_word(*values[i], place, bits);
      }
    }
    if (!good_) return;
    if (row_.kind == Kind::kNumber) return apply_numbers(op, numbers, pointer);
    if (row_.kind == Kind::kName || row_.kind == Kind::kSubstring) return apply_names(op, names, pointer);
    apply_bits(op, bits);
  }

  void read_number(const json& value, const std::string& pointer, std::vector<double>& numbers) {
    const double number = value.is_number() ? value.get<double>() : -1;
    if (!(number >= 0 && number <= row_.max) || (row_.whole && number != std::floor(number))) {
      return problem(pointer, std::string("expected a ") + (row_.whole ? "whole " : "") + "number from 0 to " +
                                  std::to_string(static_cast<long long>(row_.max)) + ", got " + describe(value));
    }
    numbers.push_back(number);
  }

  void read_flag(const json& value, const std::string& pointer, std::uint64_t& bits) {
    if (!value.is_boolean()) return problem(pointer, "expected true or false, got " + describe(value));
    bits |= value.get<bool>() ? 2u : 1u;
  }

  void read_name(const json& value, const std::string& pointer, std::vector<std::string>& names) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      return problem(pointer, "expected a string that is not empty, got " + describe(value));
    }
    std::string name = value.get<std::string>();
    if (name.size() > kListMax) return problem(pointer, "expected at most 256 characters");
    if (row_.kind == Kind::kSubstring) {
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
    names.push_back(std::move(name));
  }

  void read_word(const json& value, const std::string& pointer, std::uint64_t& bits) {
    if (words_.empty()) {  // No classes: said already.
      good_ = false;
      return;
    }
    const std::string word = value.is_string() ? value.get<std::string>() : std::string();
    const auto found = std::find(words_.begin(), words_.end(), word);
    if (found == words_.end()) {
      return problem(pointer,
                     "expected one of " + list_of(words_) + "; got " + describe(value) + suggestion(word, words_));
    }
    bits |= std::uint64_t{1} << (found - words_.begin());
  }

  void apply_numbers(const std::string& op, std::vector<double>& numbers, const std::string& pointer) {
    const double number = numbers.front();
    if (op == "ne") {
      condition_.numbers_except.push_back(number);
    } else if (op == "eq" || op == "in") {
      if (!condition_.numbers.empty()) return problem(pointer, "expected either \"eq\" or \"in\", not both");
      condition_.numbers = std::move(numbers);
    } else if (op == "gt" || op == "ge") {
      if (!std::isinf(condition_.low)) return problem(pointer, "expected either \"gt\" or \"ge\", not both");
      condition_.low = number;
      condition_.low_open = op == "gt";
    } else {
      if (!std::isinf(condition_.high)) return problem(pointer, "expected either \"lt\" or \"le\", not both");
      condition_.high = number;
      condition_.high_open = op == "lt";
    }
  }

  void apply_names(const std::string& op, std::vector<std::string>& names, const std::string& pointer) {
    if (op == "ne") {
      condition_.names_except.push_back(names.front());
    } else if (!condition_.names.empty()) {
      problem(pointer, "expected either \"eq\" or \"in\", not both");
    } else {
      condition_.names = std::move(names);
    }
  }

  void apply_bits(const std::string& op, std::uint64_t bits) {
    const std::uint64_t below = bits - 1;  // Of a single bit: every lower value.
    if (op == "eq" || op == "in") {
      condition_.choices &= bits;
      condition_.names_unknown = row_.kind == Kind::kChoice && (bits & 1u) != 0;
    } else if (op == "ne") {
      condition_.choices &= ~bits;
      condition_.names_unknown = condition_.names_unknown && (bits & 1u) == 0;
    } else if (op == "gt") {
      condition_.choices &= ~(below | bits);
    } else if (op == "ge") {
      condition_.choices &= ~below;
    } else if (op == "lt") {
      condition_.choices &= below;
    } else {
      condition_.choices &= below | bits;
    }
  }

  bool number_possible() const {
    std::vector<double> tried = condition_.numbers;
    const auto& none = condition_.numbers_except;
    const double low = std::max(condition_.low, 0.0);
    const double high = std::min(condition_.high, row_.max);
    if (tried.empty()) {  // One more than are left out, both ends, and for open ends what lies between.
      const auto steps = static_cast<double>(none.size() + 2);
      for (double step = 0; step <= steps; ++step) {
        tried.push_back(row_.whole ? low + step : low + (high - low) * step / steps);
      }
    }
    return std::any_of(tried.begin(), tried.end(), [&](double number) {
      return (condition_.low_open ? number > low : number >= low) &&
             (condition_.high_open ? number < high : number <= high) &&
             std::find(none.begin(), none.end(), number) == none.end();
    });
  }

  /// A test that nothing can pass is a mistake, and in a forbid rule a dangerous one.
  void check_possible() {
    if (!good_) return;
    bool possible = true;
    if (row_.kind == Kind::kNumber) {
      possible = number_possible();
    } else if (row_.kind == Kind::kName) {
      const auto& none = condition_.names_except;
      possible = condition_.names.empty() ||
                 std::any_of(condition_.names.begin(), condition_.names.end(), [&](const std::string& name) {
                   return std::find(none.begin(), none.end(), name) == none.end();
                 });
    } else if (!words_.empty() || row_.kind == Kind::kFlag) {
      const std::size_t count = row_.kind == Kind::kFlag ? 2 : words_.size();
      const std::uint64_t all = count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
      possible = (condition_.choices & all) != 0;
    }
    if (!possible) problem(when_.pointer_to(name_), "can never hold: its parts exclude each other");
  }

  JsonReader& when_;
  const std::string name_;
  const AttributeRow& row_;
  std::vector<std::string> words_;
  Condition condition_;
  bool good_ = true;
};

/// Every attribute by its full name: the table's, and one for each type that is detected.
struct Names {
  std::vector<std::string> all;
  std::vector<std::pair<const AttributeRow*, std::uint8_t>> rows;  ///< Of the same index in `all`, and its slot.
  std::vector<std::string> allowed;                                ///< Those that may be asked for here.
  std::string list;                                                ///< The same for people, types left out.
};

Names names_of(const Compiled& compiled, Asker asker) {
  Names names;
  const auto add = [&](std::string name, const AttributeRow& row, std::size_t slot) {
    if (may_ask(row, asker)) names.allowed.push_back(name);
    names.all.push_back(std::move(name));
    names.rows.emplace_back(&row, static_cast<std::uint8_t>(slot));
  };
  for (const AttributeRow& row : kAttributes) {
    const bool typed = row.attribute == Attribute::kDetected;
    if (may_ask(row, asker)) {
      names.list += (names.list.empty() ? "" : ", ") + std::string(row.name) + (typed ? "<TYPE>" : "");
    }
    if (!typed) {
      add(std::string(row.name), row, 0);
      continue;
    }
    for (std::size_t slot = 0; slot < kDetectedCount; ++slot) {
      add(std::string(row.name) + std::string(name_of(static_cast<Detected>(slot))), row, slot);
    }
    for (std::size_t i = 0; i < compiled.own_detectors.size(); ++i) {
      add(std::string(row.name) + compiled.own_detectors[i].type, row, kDetectedCount + i);
    }
  }
  return names;
}

}  // namespace

Conditions read_conditions(JsonReader& rule, const Compiled& compiled, Asker asker) {
  Conditions conditions;
  const Names known = names_of(compiled, asker);
  rule.object("when", [&](JsonReader& when) {
    const json* tests = rule.raw("when");
    for (const auto& [name, test] : tests->items()) {
      when.raw(name);  // Marks it as read: this loop names unknown attributes itself.
      const std::string wanted = name;
      const auto found = std::find(known.all.begin(), known.all.end(), wanted);
      if (found == known.all.end()) {
        std::string hint = suggestion(wanted, known.allowed);
        if (hint.empty()) hint = "; attributes: " + known.list;
        when.problem(wanted, "unknown attribute" + hint);
        continue;
      }
      const auto& [row, slot] = known.rows[static_cast<std::size_t>(found - known.all.begin())];
      if (!may_ask(*row, asker)) {
        when.problem(wanted, asker == Asker::kPermit
                                 ? "only classify rules read the text: give what they find a class, and ask "
                                   "for \"class\" here"
                                 : "classify rules see only what is sent; attributes: " + known.list);
      } else if (auto condition = ConditionReader(when, wanted, *row, slot, compiled.classes).read(test)) {
        conditions.add(std::move(*condition));
      }
    }
  });
  conditions.order_by_cost();
  return conditions;
}

}  // namespace hearth::policies
