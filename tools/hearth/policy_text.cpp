#include "tools/hearth/policy_text.h"

#include <string>

namespace hearth::tool {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& value) { return value.get<std::string>(); }

std::string joined(const Json& list) {
  std::string all;
  for (const auto& one : list) all += (all.empty() ? "" : ", ") + text(one);
  return all.empty() ? "nothing" : all;
}

void print_conditions(std::ostream& out, const Json& rule) {
  if (!rule.contains("when")) return;
  for (const auto& one : rule["when"]) out << "      " << text(one["holds"]) << ": " << text(one["condition"]) << '\n';
}

}  // namespace

void print_explanation(std::ostream& out, const Json& told) {
  out << "class " << text(told["class"]) << '\n';
  for (const auto& rule : told["stages"]["classify"]) {
    out << "  " << text(rule["rule"]) << " -> " << text(rule["class"]) << ": " << text(rule["matches"]) << '\n';
    print_conditions(out, rule);
  }
  out << "mask " << joined(told["mask"]) << '\n';
  for (const auto& step : told["stages"]["permit"]) {
    out << "  " << text(step["rule"]) << " takes out " << joined(step["takes_out"]) << '\n';
    print_conditions(out, step);
  }
  out << "plan " << text(told["plan"]) << '\n';
  for (const auto& rule : told["stages"]["prefer"]) {
    out << "  " << text(rule["rule"]) << " -> " << text(rule["plan"])
        << (rule["chosen"].get<bool>() ? ": chosen" : ": not chosen") << '\n';
    print_conditions(out, rule);
  }
  if (told["nearest_change"].is_null()) {
    out << "no change of up to three attributes would turn the decision about the cloud\n";
    return;
  }
  out << "the cloud is " << text(told["nearest_change"]["then_cloud_is"]) << " once";
  for (const auto& [key, value] : told["nearest_change"]["set"].items())
    out << ' ' << key << '=' << (value.is_null() ? "unknown" : value.dump());
  out << '\n';
}

void print_answer(std::ostream& out, const Json& answer) {
  out << text(answer["answer"]) << ": " << text(answer["kind"]) << " \"" << text(answer["query"]) << '"';
  if (answer.contains("name")) out << " (" << text(answer["name"]) << ')';
  out << '\n';
  if (answer.contains("counterexample")) out << "  for example: " << answer["counterexample"].dump() << '\n';
}

}  // namespace hearth::tool
