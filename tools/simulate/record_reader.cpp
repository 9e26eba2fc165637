// Lines of RecordWriter back as records.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

#include "tools/hearth/json_lines.h"
#include "tools/simulate/record_writer.h"

namespace hearth::simulate {
namespace {

using nlohmann::json;

constexpr std::size_t kLineBytesMax = 64 * 1024;
constexpr double kMsMax = 9e12;  ///< What nanoseconds in 64 bits hold.

/// Reads the keys of one line; the first thing wrong with it is kept.
class Line {
 public:
  Line(const json& object, std::string inside) : object_(object), inside_(std::move(inside)) {}

  std::uint64_t count(const char* key, std::uint64_t max) {
    const json* value = find(key);
    if (value && value->is_number_unsigned() && value->get<std::uint64_t>() <= max) return value->get<std::uint64_t>();
    return wrong(key, "a whole number up to " + std::to_string(max)), 0;
  }
  double real(const char* key) {
    const json* value = find(key);
    if (value && value->is_number()) return value->get<double>();
    return wrong(key, "a number"), 0;
  }
  Duration ms(const char* key) {
    const double value = real(key);
    if (std::abs(value) <= kMsMax) return Duration(std::llround(value * 1e6));
    return wrong(key, "milliseconds up to 9e12"), Duration{};
  }
  bool flag(const char* key) {
    const json* value = find(key);
    if (value && value->is_boolean()) return value->get<bool>();
    return wrong(key, "true or false"), false;
  }
  /// Empty for null.
  std::string text(const char* key, bool or_null = false) {
    const json* value = find(key);
    if (value && value->is_string()) return value->get<std::string>();
    if (!value || !or_null || !value->is_null()) wrong(key, or_null ? "a name or null" : "a name");
    return {};
  }
  template <typename Enum>
  Enum choice(const char* key, Enum last) {
    const std::string word = text(key);
    for (int i = 0; i <= static_cast<int>(last); ++i)
      if (word == name_of(static_cast<Enum>(i))) return static_cast<Enum>(i);
    return wrong(key, "one of its known words"), last;
  }
  const json* find(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end()) return wrong(key, "a value, but it is missing"), nullptr;
    return &*found;
  }
  void wrong(const std::string& key, const std::string& expected) {
    if (problem_.empty()) problem_ = inside_ + key + ": expected " + expected;
  }
  const std::string& problem() const { return problem_; }

 private:
  const json& object_;
  std::string inside_, problem_;
};

/// The index of a name, which is added when it is new.
std::size_t index_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.push_back(name);
  return names.size() - 1;
}

SiteId site_of(Line& line, const char* key, std::vector<std::string>& endpoints, const std::string& name) {
  if (name == "edge") return kEdgeSite;
  const std::size_t index = index_of(endpoints, name);
  if (index + 1 < kMaxSites) return static_cast<SiteId>(index + 1);
  line.wrong(key, "at most " + std::to_string(kMaxSites - 1) + " endpoints in a file");
  return kEdgeSite;
}

Mask mask_of(Line& line, std::vector<std::string>& endpoints) {
  const json* sites = line.find("may_use");
  std::uint32_t bits = 0;
  if (!sites || !sites->is_array()) return line.wrong("may_use", "a list of sites"), Mask{};
  for (const json& site : *sites) {
    if (!site.is_string()) return line.wrong("may_use", "names of sites"), Mask{};
    bits |= 1u << site_of(line, "may_use", endpoints, site.get<std::string>());
  }
  Mask mask = Mask::all(kMaxSites - 1);  // a mask only shrinks
  for (SiteId site = 0; site < kMaxSites; ++site)
    if ((bits >> site & 1u) == 0) mask = mask.without(site);
  return mask;
}

Road road_of(Line& line, const char* key) {
  const json* object = line.find(key);
  if (!object || !object->is_object()) return line.wrong(key, "a road"), Road{};
  Line inner(*object, "");
  const Road road = {inner.flag("open"), inner.ms("latency_ms"), inner.flag("correct"), inner.real("usd"),
                     inner.real("joules")};
  if (!inner.problem().empty()) line.wrong(std::string(key) + "." + inner.problem(), "a whole road");
  return road;
}

std::uint16_t rule_of(Line& line, const char* key, std::vector<std::string>& rules) {
  const std::string name = line.text(key, true);
  return name.empty() ? std::uint16_t{0xffff} : static_cast<std::uint16_t>(index_of(rules, name));
}

void read_outcome(Line& line, Names& names, Record& record) {
  record.status = line.choice("status", OutcomeStatus::kCancelled);
  record.reason = line.choice("reason", Reason::kShutDown);
  const std::string served_on = line.text("served_on", true);
  if (record.status == OutcomeStatus::kServed && served_on.empty())
    line.wrong("served_on", "a site, for it was served");
  if (!served_on.empty()) record.answered_by = site_of(line, "served_on", names.endpoints, served_on);
  record.latency = line.ms("latency_ms");
  record.deadline = line.ms("deadline_ms");
  record.in_time = line.flag("in_time");
  record.correct = line.flag("correct");
  record.confidence = static_cast<float>(line.real("confidence"));
  record.attempts = static_cast<std::uint8_t>(line.count("attempts", 255));
  record.bytes_up = line.count("bytes_up", std::numeric_limits<std::uint64_t>::max());
  record.usd = line.real("usd");
  record.joules = line.real("joules");
}

void read_parts(Line& line, Record& record) {
  record.edge_wait = line.ms("edge_wait_ms");
  record.edge_time = line.ms("edge_time_ms");
  record.cloud_began = line.ms("cloud_began_ms");
  record.cloud_time = line.ms("cloud_time_ms");
  record.up_time = line.ms("up_time_ms");
  record.server_wait = line.ms("server_wait_ms");
  record.server_time = line.ms("server_time_ms");
  record.edge = road_of(line, "edge_road");
  record.cloud = road_of(line, "cloud_road");
}

Record record_of(Line& line, Names& names) {
  Record record;
  record.id = line.count("id", std::numeric_limits<std::uint64_t>::max());
  record.arrived = TimePoint(line.ms("at_ms"));
  record.device = static_cast<std::uint32_t>(line.count("device", std::numeric_limits<std::uint32_t>::max()));
  record.stream = static_cast<std::uint16_t>(index_of(names.streams, line.text("stream")));
  record.model = static_cast<std::uint16_t>(index_of(names.models, line.text("model")));
  record.data_class = static_cast<std::uint8_t>(index_of(names.classes, line.text("class")));
  record.mask = mask_of(line, names.endpoints);
  record.permit_rule = rule_of(line, "permit_rule", names.rules);
  record.plan = line.choice("plan", PlanKind::kReject);
  record.prefer_rule = rule_of(line, "prefer_rule", names.rules);
  read_outcome(line, names, record);
  read_parts(line, record);
  return record;
}

}  // namespace

Status read_records(const std::string& file, Names& names, RecordSink& sink) {
  auto lines = tool::LineReader::open(file, kLineBytesMax, [] {});
  if (!lines.ok()) return lines.error();
  while (const auto text = lines->next()) {
    const auto at = [&](const std::string& what) {
      return Error{ErrorCode::kInvalidArgument, file + ":" + std::to_string(lines->line()) + ": " + what};
    };
    if (lines->too_long()) return at("longer than " + std::to_string(kLineBytesMax) + " bytes");
    const json object = json::parse(*text, nullptr, false);
    if (!object.is_object()) return at("expected one JSON object, a request of `hearth simulate --out`");
    Line line(object, "");
    const Record record = record_of(line, names);
    if (!line.problem().empty()) return at(line.problem());
    if (names.streams.size() > 0xffff || names.rules.size() > 0xffff || names.classes.size() > 0xff)
      return at("more names than a record can hold");
    sink.take(record);
  }
  if (lines->failed()) return {ErrorCode::kUnavailable, file + ": cannot be read to its end"};
  return Done{};
}

}  // namespace hearth::simulate
