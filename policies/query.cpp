#include "policies/query.h"

#include <array>

#include <nlohmann/json.hpp>

#include "policies/compiled.h"
#include "runtime/base/json_reader.h"

namespace hearth::policies {
namespace {

using nlohmann::json;

struct Operator {
  std::string_view sign;
  const char* name;
};
constexpr std::array<Operator, 6> kOperators = {
    {{"!=", "ne"}, {">=", "ge"}, {"<=", "le"}, {"=", "eq"}, {">", "gt"}, {"<", "lt"}}};
constexpr std::string_view kExpected = "expected \"attribute OP value & ... -> target\", as in \"class=phi -> cloud\"";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// Numbers and flags as JSON has them, everything else a string.
json value_of(std::string_view text) {
  const json value = json::parse(text, nullptr, false);
  if (value.is_number() || value.is_boolean() || value.is_string()) return value;
  return std::string(text);
}

json values_of(std::string_view text) {
  json values = json::array();
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find('|');
    values.push_back(value_of(trimmed(text.substr(0, end))));
    if (end != std::string_view::npos) text.remove_prefix(end + 1);
  }
  return values;
}

/// One entry as the loader reads it; conditions and problems are added.
void read_entry(std::string_view entry, const Compiled& compiled, Conditions& when, Problems& problems) {
  const std::size_t at = entry.find_first_of("!<>=");
  const Operator* op = nullptr;
  for (const Operator& candidate : kOperators) {
    if (op == nullptr && at != std::string_view::npos && entry.substr(at).starts_with(candidate.sign)) op = &candidate;
  }
  const std::string name(trimmed(entry.substr(0, at)));
  if (op == nullptr || name.empty()) {
    return problems.add_line("query: " + describe(std::string(entry)) + ": " + std::string(kExpected));
  }
  const json values = values_of(trimmed(entry.substr(at + op->sign.size())));
  const bool equal = std::string_view(op->name) == "eq";
  if (values.size() > 1 && !equal) {
    return problems.add_line("query: " + name + ": several values go with \"=\" only");
  }
  const json test = {{values.size() > 1 ? "in" : op->name, values.size() > 1 ? values : values[0]}};
  const auto document = JsonDocument::parse(json{{"when", {{name, test}}}}.dump(), "query");
  if (!document.ok()) return problems.add_line(document.error().message);
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  const Conditions read = read_conditions(reader, compiled, Asker::kQuery);
  for (Condition condition : read.all()) {
    const bool has_word = condition.attribute == Attribute::kNetwork || condition.attribute == Attribute::kConsent;
    const bool left_out = has_word && (condition.choices & 1u) == 0;  // As in `consent!=absent`.
    condition.holds_unknown = std::string_view(op->name) == "ne" && !left_out;
    when.add(std::move(condition));
  }
}

}  // namespace

Result<Query> read_query(std::string_view text, const Compiled& compiled) {
  Query query;
  Problems problems;
  const std::size_t arrow = text.rfind("->");
  if (arrow == std::string_view::npos) return {ErrorCode::kInvalidArgument, "query: " + std::string(kExpected)};
  const std::string target(trimmed(text.substr(arrow + 2)));
  if (target == "edge") {
    query.target.edge = true;
  } else if (target.starts_with("cloud:") && target.size() > 6) {
    query.target.endpoint = target.substr(6);
  } else if (target.starts_with("region:") && target.size() > 7) {
    query.target.region = target.substr(7);
  } else if (target != "cloud") {
    problems.add_line("query: expected edge, cloud, cloud:<endpoint> or region:<name> behind \"->\"; got " +
                      describe(target) + suggestion(target, {"edge", "cloud"}));
  }
  std::string_view entries = trimmed(text.substr(0, arrow));
  while (!entries.empty()) {
    const std::size_t end = entries.find('&');
    read_entry(trimmed(entries.substr(0, end)), compiled, query.when, problems);
    if (end == std::string_view::npos) break;
    entries = trimmed(entries.substr(end + 1));
    if (entries.empty()) problems.add_line("query: nothing behind the last \"&\"");
  }
  if (!problems.empty()) return problems.as_error();
  return query;
}

}  // namespace hearth::policies
