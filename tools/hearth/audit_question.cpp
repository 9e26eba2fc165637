#include "tools/hearth/audit_question.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <nlohmann/json.hpp>

#include "runtime/base/json_reader.h"

namespace hearth::tool {
namespace {

using nlohmann::json;

const std::vector<std::string> kAttributes = {"class", "model", "label", "region", "endpoint"};
constexpr std::string_view kDetected = "detected.";

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

Error bad(const std::string& what) { return {ErrorCode::kInvalidArgument, "--never: " + what}; }

bool names(const json& record, const std::string& attribute, const std::string& value) {
  if (attribute == "endpoint" && record.contains("mask"))  // of a decision
    return std::find(record["mask"].begin(), record["mask"].end(), value) != record["mask"].end();
  return record.contains(attribute) && record[attribute] == value;
}

}  // namespace

Result<AuditQuestion> AuditQuestion::parse(const std::string& conditions) {
  AuditQuestion question;
  for (std::size_t begin = 0; begin <= conditions.size();) {
    const auto end = std::min(conditions.find('&', begin), conditions.size());
    const std::string one = trimmed(std::string_view(conditions).substr(begin, end - begin));
    begin = end + 1;
    const auto at = one.find_first_of("=<>!");
    if (one.empty() || at == std::string::npos)
      return bad("expected ATTRIBUTE=VALUE or detected.TYPE>0, joined by &; got \"" + one + "\"");
    const std::string name = trimmed(one.substr(0, at)), value = trimmed(one.substr(at + 1));
    if (name.starts_with(kDetected)) {
      Condition count{name.substr(kDetected.size()), "", 0};
      const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), count.above);
      if (one[at] != '>' || count.attribute.empty() || error != std::errc() || stop != value.data() + value.size())
        return bad("expected " + name + ">0, or another whole number; got \"" + one + "\"");
      question.conditions_.push_back(std::move(count));
      continue;
    }
    if (std::find(kAttributes.begin(), kAttributes.end(), name) == kAttributes.end())
      return bad("expected one of class, model, label, region, endpoint, detected.TYPE; got \"" + name + "\"" +
                 suggestion(name, kAttributes));
    if (one[at] != '=') return bad("expected " + name + "=VALUE: a log knows no order of " + name + " values");
    if (value.empty()) return bad("expected a value after " + name + "=");
    question.also(name, value);
  }
  return question;
}

void AuditQuestion::take(const std::string& record, std::uint64_t seq) {
  const json read = json::parse(record);
  const std::string kind = read.at("kind");
  if (kind == "withheld") {
    const auto found = latest_.find({read.value("request", std::uint64_t{0}), read.value("attempt", std::uint64_t{0})});
    if (found != latest_.end()) offenders_.erase(found->second), latest_.erase(found);
    return;
  }
  if (kind != "egress" && kind != "decision") return;
  for (auto& condition : conditions_)
    condition.seen = condition.seen || condition.value.empty() || names(read, condition.attribute, condition.value);
  if (kind != "egress") return;
  const std::pair key{read.value("request", std::uint64_t{0}), read.value("attempt", std::uint64_t{0})};
  latest_.erase(key);  // ids begin anew with each runtime: what follows is about this one
  if (read.at("at_s").get<std::int64_t>() < since_s_) return;
  ++looked_at_;
  const bool met = std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    if (!condition.value.empty())
      return !read.contains(condition.attribute) || read[condition.attribute] == condition.value;
    const auto& counts = read.contains("detected") ? read["detected"] : json();
    return !counts.is_object() || counts.value(condition.attribute, std::uint64_t{0}) > condition.above;
  });
  if (!met) return;
  latest_[key] = seq;
  offenders_.insert(seq);
}

std::vector<std::string> AuditQuestion::never_seen() const {
  std::vector<std::string> list;
  for (const auto& condition : conditions_)
    if (!condition.seen && !condition.value.empty())
      list.push_back(condition.attribute + " \"" + condition.value + "\"");
  return list;
}

std::string AuditQuestion::text() const {
  std::string text;
  for (const auto& condition : conditions_) {
    if (!text.empty()) text += " & ";
    text += condition.value.empty() ? "detected." + condition.attribute + ">" + std::to_string(condition.above)
                                    : condition.attribute + "=" + condition.value;
  }
  return text;
}

}  // namespace hearth::tool
