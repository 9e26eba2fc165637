#include "query_reading.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace hearth::policies {
namespace {

using nlohmann::json;

/// The values that a request has of an attribute: one, several for what it holds, or none known.
struct Held {
  bool known = true;
  std::vector<json> values = {};
  std::string unknown_word = {};
};

Held held(const json& value) { return {true, {value}, ""}; }

template <class T>
Held maybe(const std::optional<T>& value) {
  return value ? held(*value) : Held{false, {}, ""};
}

Held word(const std::vector<std::string>& words, std::size_t index) {
  return index == 0 ? Held{false, {}, words[0]} : Held{true, {words[index]}, words[0]};
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::vector<std::string> class_names(const json& policy) {
  std::vector<std::string> names;
  for (const json& rule : policy["classes"]) names.push_back(rule["name"]);
  return names;
}

Held count_of(const std::string& type, const json& policy, const Facts& facts) {
  if (!facts.text_understood) return {false, {}, ""};
  for (std::size_t i = 0; i < kDetectedCount; ++i) {
    if (type == name_of(static_cast<Detected>(i))) return held(facts.detected[i]);
  }
  const json own = policy.value("detectors", json::array());
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i]["type"] == type) return held(facts.detected[kDetectedCount + i]);
  }
  return {false, {}, ""};
}

Held held_by(const std::string& attribute, const json& policy, const Facts& facts, const std::string& data_class) {
  if (attribute == "label") {
    const auto names = class_names(policy);
    const bool known = std::find(names.begin(), names.end(), facts.label) != names.end();
    return known ? held(std::string(facts.label)) : Held{false, {}, ""};
  }
  if (attribute == "class") return held(data_class);
  if (attribute == "model") return facts.model.empty() ? Held{false, {}, ""} : held(std::string(facts.model));
  if (attribute == "payload") {
    Held all;
    if (facts.has_tensors) all.values.emplace_back("tensor");
    if (!facts.text.empty()) all.values.emplace_back("text");
    return all;
  }
  if (attribute.starts_with("detected.")) return count_of(attribute.substr(9), policy, facts);
  if (attribute == "payload_kib") return maybe(facts.payload_kib);
  if (attribute == "device.network") {
    return word({"unknown", "offline", "metered", "unmetered"}, static_cast<std::size_t>(facts.device.network));
  }
  if (attribute == "device.battery_percent") return maybe(facts.device.battery_percent);
  if (attribute == "device.charging") return maybe(facts.device.charging);
  if (attribute == "session.tainted") return maybe(facts.session_tainted);
  if (attribute == "consent") return word({"absent", "given", "revoked"}, static_cast<std::size_t>(facts.consent));
  if (attribute == "cloud_mib_today") return maybe(facts.cloud_mib_today);
  if (attribute == "cloud_usd_today") return maybe(facts.cloud_usd_today);
  return maybe(facts.utc_hour);
}

bool compares(const std::string& op, const json& value, const json& with, const std::vector<std::string>& order) {
  if (op == "eq") return value == with;
  const auto rank = [&](const json& one) {
    return one.is_number() ? one.get<double>()
                           : static_cast<double>(std::find(order.begin(), order.end(), one) - order.begin());
  };
  if (op == "gt") return rank(value) > rank(with);
  if (op == "ge") return rank(value) >= rank(with);
  return op == "lt" ? rank(value) < rank(with) : rank(value) <= rank(with);
}

bool contains_any(const json& needles, const Facts& facts) {
  return std::any_of(needles.begin(), needles.end(), [&](const std::string needle) {
    return lower_case(facts.text).find(lower_case(needle)) != std::string::npos ||
           lower_case(facts.folded_text).find(lower_case(needle)) != std::string::npos;
  });
}

}  // namespace

bool asks_for(const json& when, const json& policy, const Facts& facts, const std::string& data_class) {
  const auto order = class_names(policy);
  for (const auto& [attribute, test] : when.items()) {
    const json ops = test.is_object() ? test : json{{test.is_array() ? "in" : "eq", test}};
    for (const auto& [op, operand] : ops.items()) {
      const json values = operand.is_array() ? operand : json::array({operand});
      if (attribute == "text.contains") {
        if (!facts.text_understood || !contains_any(values, facts)) return false;
        continue;
      }
      const Held has = held_by(attribute, policy, facts, data_class);
      const std::string how = op == "ne" || op == "in" ? "eq" : op;
      bool any = false;
      for (const json& value : values) {
        any = any || (!has.known && how == "eq" && !has.unknown_word.empty() && value == has.unknown_word);
        for (const json& one : has.values) any = any || compares(how, one, value, order);
      }
      if (any == (op == "ne")) return false;
    }
  }
  return true;
}

bool means(const std::string& target, const EndpointFacts& endpoint, bool surely) {
  if (target.starts_with("cloud:")) return target.substr(6) == endpoint.name;
  if (!target.starts_with("region:")) return target == "cloud";
  return target.substr(7) == endpoint.region || (!surely && endpoint.region.empty());
}

}  // namespace hearth::policies
