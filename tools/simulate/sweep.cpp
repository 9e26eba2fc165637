#include "tools/simulate/sweep.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "tools/simulate/charts.h"

namespace hearth::simulate {
namespace {

using nlohmann::ordered_json;

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> steps;
  for (std::size_t begin = 0;;) {
    const std::size_t end = path.find('.', begin);
    steps.push_back(path.substr(begin, end - begin));
    if (end == std::string::npos) return steps;
    begin = end + 1;
  }
}

/// At the commas that stand in no bracket and no quotes.
std::vector<std::string> at_commas(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quoted && i + 1 < text.size()) {
      parts.back() += c;
      parts.back() += text[++i];
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == '[' || c == '{')) ++depth;
    if (!quoted && (c == ']' || c == '}')) --depth;
    if (c == ',' && !quoted && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

Error bad(const std::string& what) { return {ErrorCode::kInvalidArgument, what}; }

/// The element of a list that a step of a path means: by index, or by its "name".
Result<ordered_json*> element(ordered_json& list, const std::string& step, const std::string& path) {
  std::size_t index = 0;
  const char* const end = step.data() + step.size();
  if (const auto read = std::from_chars(step.data(), end, index); read.ec == std::errc() && read.ptr == end) {
    if (index < list.size()) return &list[index];
    return bad(path + ": the list has " + std::to_string(list.size()) + " elements, counted from 0");
  }
  for (ordered_json& one : list)
    if (one.is_object() && one.value("name", ordered_json()) == step) return &one;
  return bad(path + ": no element of the list has the name \"" + step + "\"");
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

}  // namespace

Result<Setting> parse_setting(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return bad("--set " + text + ": expected PATH=VALUE,VALUE,... such as network.round_trip.median_ms=20,60,200");
  Setting setting{text.substr(0, equals), {}};
  for (const std::string& part : at_commas(std::string_view(text).substr(equals + 1))) {
    ordered_json value = ordered_json::parse(part, nullptr, false);
    if (value.is_discarded()) value = part;
    if (part.empty()) return bad("--set " + text + ": a value is empty");
    if (std::find(setting.values.begin(), setting.values.end(), value) != setting.values.end())
      return bad("--set " + text + ": the value " + part + " stands there twice");
    setting.values.push_back(std::move(value));
  }
  return setting;
}

Status set_value(ordered_json& scenario, const std::string& path, const ordered_json& value) {
  ordered_json* at = &scenario;
  for (const std::string& step : split(path)) {
    if (step.empty()) return bad(path + ": has an empty step");
    if (at->is_array()) {
      const auto found = element(*at, step, path);
      if (!found.ok()) return found.error();
      at = found.value();
    } else if (at->is_object() || at->is_null()) {
      at = &(*at)[step];
    } else {
      return bad(path + ": \"" + step + "\" would stand inside " + at->dump() + ", which is no object");
    }
  }
  *at = value;
  return Done{};
}

std::string text_of(const ordered_json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string dotted(const std::string& pointer) {
  std::string out = pointer.substr(pointer.empty() ? 0 : 1);
  std::replace(out.begin(), out.end(), '/', '.');
  return out;
}

Result<std::vector<std::vector<ordered_json>>> combinations(const std::vector<Setting>& settings,
                                                            std::size_t points_max) {
  std::vector<std::vector<ordered_json>> all(1);
  for (const Setting& setting : settings) {
    if (all.size() * setting.values.size() > points_max)
      return bad("the settings make more than " + std::to_string(points_max) + " combinations");
    std::vector<std::vector<ordered_json>> more;
    for (const auto& before : all) {
      for (const auto& value : setting.values) {
        more.push_back(before);
        more.back().push_back(value);
      }
    }
    all = std::move(more);
  }
  return all;
}

std::string name_of(const Sweep& sweep, const SweepPoint& point) {
  std::string out;
  for (std::size_t i = 0; i < sweep.settings.size(); ++i) {
    const std::string key = split(sweep.settings[i].path).back();
    const auto same = [&](const Setting& other) { return split(other.path).back() == key; };
    const bool alone = std::count_if(sweep.settings.begin(), sweep.settings.end(), same) == 1;
    out += (i == 0 ? "" : ", ") + (alone ? key : sweep.settings[i].path) + " " + text_of(point.values[i]);
  }
  return out;
}

std::string sweep_csv(const Sweep& sweep) {
  std::string out;
  for (const Setting& setting : sweep.settings) out += csv_field(setting.path) + ",";
  out += "seeds,requests";
  for (const Metric& metric : metrics()) {
    const std::string key(metric.key);
    out += "," + key + "," + key + "_low," + key + "_high";
  }
  out += "\r\n";
  const auto number = [](double value) { return std::isfinite(value) ? figure(value).dump() : std::string(); };
  for (const SweepPoint& point : sweep.points) {
    for (const auto& value : point.values) out += csv_field(text_of(value)) + ",";
    out += std::to_string(point.results.facts().size()) + "," + std::to_string(point.results.summary().all().requests);
    for (const Metric& metric : metrics()) {
      const Estimate estimate = point.results.estimate(metric);
      const double half = estimate.interval ? estimate.interval->half_width : NAN;
      out += "," + number(estimate.value) + "," + number(estimate.value - half) + "," + number(estimate.value + half);
    }
    out += "\r\n";
  }
  return out;
}

ordered_json sweep_json(const Sweep& sweep) {
  ordered_json out = {
      {"scenario", sweep.scenario}, {"settings", ordered_json::array()}, {"points", ordered_json::array()}};
  for (const Setting& setting : sweep.settings)
    out["settings"].push_back({{"path", setting.path}, {"values", setting.values}});
  for (const SweepPoint& point : sweep.points) {
    ordered_json one = {{"at", ordered_json::object()}};
    for (std::size_t i = 0; i < sweep.settings.size(); ++i) one["at"][sweep.settings[i].path] = point.values[i];
    for (const RunFacts& facts : point.results.facts()) {
      one["seeds"].push_back(facts.seed);
      one["trace_hash"].push_back(facts.trace_hash);
    }
    one["requests"] = point.results.summary().all().requests;
    for (const Metric& metric : metrics()) {
      const Estimate estimate = point.results.estimate(metric);
      const auto end = [&](double side) {
        return estimate.interval ? figure(estimate.value + side * estimate.interval->half_width) : ordered_json();
      };
      one["metrics"][std::string(metric.key)] = {{"value", figure(estimate.value)}, {"low", end(-1)}, {"high", end(1)}};
    }
    out["points"].push_back(std::move(one));
  }
  return out;
}

std::string sweep_table(const Sweep& sweep) {
  std::size_t width = 12;
  for (const SweepPoint& point : sweep.points) width = std::max(width, name_of(sweep, point).size());
  const auto padded = [](const std::string& text, std::size_t to) {
    return text.size() >= to ? text : std::string(to - text.size(), ' ') + text;
  };
  constexpr std::array<const char*, 6> kKeys = {"latency_p50_ms",      "latency_p95_ms", "deadline_met_share",
                                                "right_in_time_share", "cloud_share",    "usd_per_1000_requests"};
  constexpr std::array<const char*, 6> kHeads = {"p50", "p95", "in time", "right, in time", "cloud", "US$ / 1,000"};
  std::string out = "\n  " + sweep.scenario + "\n\n  " + std::string(width, ' ');
  for (const char* head : kHeads) out += padded(head, 16);
  out += "\n";
  for (const SweepPoint& point : sweep.points) {
    const std::string name = name_of(sweep, point);
    out += "  " + name + std::string(width - name.size(), ' ');
    for (const char* key : kKeys) {
      const Metric& metric = *find_metric(key);
      out += padded(shown(metric, metric.of(point.results.summary().all())), 16);
    }
    out += "\n";
  }
  return out;
}

}  // namespace hearth::simulate
