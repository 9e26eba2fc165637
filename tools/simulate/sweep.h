/// \file Sweep: one scenario with some of its keys set to every combination of values.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/result.h>

#include "tools/simulate/summary.h"

namespace hearth::simulate {

/// One key of the scenario and the values it takes.
struct Setting {
  std::string path;  ///< "network.round_trip.median_ms"; an element of a list by its index or its name.
  std::vector<nlohmann::ordered_json> values;
};

/// From "network.round_trip.median_ms=20,60,200". A value is JSON where it reads as JSON, else text; commas inside
/// brackets and quotes do not part values. Errors: kInvalidArgument.
Result<Setting> parse_setting(const std::string& text);

/// Sets the key at `path`, and makes the objects on the way that are not there. Errors: kInvalidArgument when the path
/// leads into a value that is no object, past a list's end or to a name that no element of the list has.
Status set_value(nlohmann::ordered_json& scenario, const std::string& path, const nlohmann::ordered_json& value);

/// A value as people write it: text without quotes.
std::string text_of(const nlohmann::ordered_json& value);

/// "/network/round_trip/median_ms" as "network.round_trip.median_ms".
std::string dotted(const std::string& pointer);

/// One combination and its runs.
struct SweepPoint {
  std::vector<nlohmann::ordered_json> values;  ///< By setting.
  Results results;
};

struct Sweep {
  std::string scenario;
  std::vector<Setting> settings;
  std::vector<SweepPoint> points;
};

/// Every combination, the last setting's values changing fastest. Errors: kInvalidArgument over `points_max`.
Result<std::vector<std::vector<nlohmann::ordered_json>>> combinations(const std::vector<Setting>& settings,
                                                                      std::size_t points_max);

/// "median_ms 60, servers 8": the last keys of the paths, as far as they tell settings apart.
std::string name_of(const Sweep& sweep, const SweepPoint& point);

/// A line a point: its settings, then each metric with the ends of its interval. RFC 4180.
std::string sweep_csv(const Sweep& sweep);
nlohmann::ordered_json sweep_json(const Sweep& sweep);
std::string sweep_table(const Sweep& sweep);
std::string make_sweep_report(const Sweep& sweep, const std::string& story);

}  // namespace hearth::simulate
