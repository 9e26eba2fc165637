#include "policies/conditions.h"

#include <algorithm>
#include <cmath>

namespace hearth::policies {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Whether `text` holds `needle` (lower-case), ASCII letters compared without case.
bool contains(std::string_view text, std::string_view needle) {
  if (needle.size() > text.size()) return false;
  const char first = needle.front();
  const char* const last = text.data() + (text.size() - needle.size());
  for (const char* at = text.data(); at <= last; ++at) {
    if (lower(*at) != first) continue;
    std::size_t same = 1;
    while (same < needle.size() && lower(at[same]) == needle[same]) ++same;
    if (same == needle.size()) return true;
  }
  return false;
}

Truth truth(bool holds) { return holds ? Truth::kYes : Truth::kNo; }

}  // namespace

Truth evaluate_choice(const Condition& condition, std::optional<unsigned> value) {
  if (!value) return condition.names_unknown ? Truth::kYes : Truth::kUnknown;
  return truth((condition.choices >> *value & 1u) != 0);
}

Truth evaluate_number(const Condition& condition, std::optional<double> value) {
  if (!value || std::isnan(*value)) return Truth::kUnknown;
  const double number = *value;
  if (condition.low_open ? !(number > condition.low) : !(number >= condition.low)) return Truth::kNo;
  if (condition.high_open ? !(number < condition.high) : !(number <= condition.high)) return Truth::kNo;
  const auto& some = condition.numbers;
  const auto& none = condition.numbers_except;
  if (!some.empty() && std::find(some.begin(), some.end(), number) == some.end()) return Truth::kNo;
  return truth(none.empty() || std::find(none.begin(), none.end(), number) == none.end());
}

Truth evaluate_name(const Condition& condition, std::string_view value) {
  if (value.empty()) return Truth::kUnknown;
  const auto& some = condition.names;
  const auto& none = condition.names_except;
  if (!some.empty() && std::find(some.begin(), some.end(), value) == some.end()) return Truth::kNo;
  return truth(none.empty() || std::find(none.begin(), none.end(), value) == none.end());
}

Truth evaluate_payload(const Condition& condition, unsigned held) { return truth((condition.choices & held) != 0); }

namespace {

Truth evaluate_flag(const Condition& condition, std::optional<bool> value) {
  if (!value) return Truth::kUnknown;
  return evaluate_choice(condition, *value ? 1u : 0u);
}

Truth evaluate_text(const Condition& condition, const Facts& facts) {
  if (!facts.text_understood) return Truth::kUnknown;
  for (const std::string& needle : condition.names) {
    if (contains(facts.text, needle) || contains(facts.folded_text, needle)) return Truth::kYes;
  }
  return Truth::kNo;
}

Truth evaluate_detected(const Condition& condition, const Facts& facts) {
  if (!facts.text_understood) return Truth::kUnknown;
  return evaluate_number(condition, facts.detected[condition.slot]);
}

unsigned payload_of(const Facts& facts) { return (facts.has_tensors ? 1u : 0u) | (facts.text.empty() ? 0u : 2u); }

std::optional<unsigned> network_of(const Facts& facts) {
  if (facts.device.network == NetworkKind::kUnknown) return {};
  return static_cast<unsigned>(facts.device.network);
}

std::optional<unsigned> consent_of(const Facts& facts) {
  if (facts.consent == Consent::kAbsent) return {};
  return static_cast<unsigned>(facts.consent);
}

}  // namespace

Truth evaluate(const Condition& condition, const View& view) {
  const Facts& facts = view.facts;
  switch (condition.attribute) {
    case Attribute::kLabel:
      return evaluate_choice(condition, view.label);
    case Attribute::kModel:
      return evaluate_name(condition, facts.model);
    case Attribute::kClass:
      return evaluate_choice(condition, view.data_class);
    case Attribute::kPayload:
      return evaluate_payload(condition, payload_of(facts));
    case Attribute::kPayloadKib:
      return evaluate_number(condition, facts.payload_kib);
    case Attribute::kTextContains:
      return evaluate_text(condition, facts);
    case Attribute::kDetected:
      return evaluate_detected(condition, facts);
    case Attribute::kNetwork:
      return evaluate_choice(condition, network_of(facts));
    case Attribute::kBatteryPercent:
      return evaluate_number(condition, facts.device.battery_percent);
    case Attribute::kCharging:
      return evaluate_flag(condition, facts.device.charging);
    case Attribute::kSessionTainted:
      return evaluate_flag(condition, facts.session_tainted);
    case Attribute::kConsent:
      return evaluate_choice(condition, consent_of(facts));
    case Attribute::kCloudMibToday:
      return evaluate_number(condition, facts.cloud_mib_today);
    case Attribute::kCloudUsdToday:
      return evaluate_number(condition, facts.cloud_usd_today);
    case Attribute::kUtcHour:
      return evaluate_number(condition,
                             facts.utc_hour ? std::optional<double>(*facts.utc_hour) : std::optional<double>());
  }
  return Truth::kUnknown;
}

bool Conditions::may_hold(const View& view) const {
  for (const Condition& condition : all_) {
    if (evaluate(condition, view) == Truth::kNo) return false;
  }
  return true;
}

bool Conditions::surely_hold(const View& view) const {
  for (const Condition& condition : all_) {
    if (evaluate(condition, view) != Truth::kYes) return false;
  }
  return true;
}

void Conditions::order_by_cost() {
  std::stable_partition(all_.begin(), all_.end(),
                        [](const Condition& condition) { return condition.attribute != Attribute::kTextContains; });
}

bool Conditions::reads_text() const {
  return std::any_of(all_.begin(), all_.end(), [](const Condition& condition) {
    return condition.attribute >= Attribute::kTextContains && condition.attribute <= Attribute::kDetected;
  });
}

}  // namespace hearth::policies
