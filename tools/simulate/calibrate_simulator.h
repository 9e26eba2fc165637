/// \file Calibration: a live run's requests against the same requests simulated: how far off, in which part of the
/// time, in which direction, and how many decisions are the same.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/result.h>

#include "tools/simulate/record.h"

namespace hearth::simulate {

/// One side's distribution of one part of the time, in milliseconds.
struct Spread {
  static constexpr std::size_t kFigures = 5;
  static constexpr std::array<const char*, kFigures> kNames = {"mean", "p50", "p90", "p95", "p99"};
  std::uint64_t count = 0;
  std::array<double, kFigures> ms{};
};

/// What a figure may be off: p50 5 %, p95 10 %, p99 15 % (issue 5); the mean as p50, p90 as p95.
inline constexpr std::array<double, Spread::kFigures> kGoals = {0.05, 0.05, 0.10, 0.10, 0.15};
inline constexpr double kLiveSlack = 1.5;  ///< Or so many times what two live runs differ by.
inline constexpr double kEqualDecisionsMin = 0.99;
inline constexpr double kTooSmallMs = 0.02;     ///< No difference: what a thread takes to wake up.
inline constexpr std::uint64_t kCountMin = 20;  ///< With fewer a part is shown and not judged.

struct Component {
  std::string name;
  Spread real, simulated;
  std::array<double, Spread::kFigures> error{};                    ///< (simulated - real) / real; 0 within kTooSmallMs.
  std::optional<std::array<double, Spread::kFigures>> live_error;  ///< The same of another live run against `real`.
  std::array<double, Spread::kFigures> allowed{};
  double mape = 0;                  ///< Mean of |simulated - real| / real over requests that have it on both sides.
  std::optional<double> pearson_r;  ///< Over the same; nothing where either does not vary.
  std::string bias;                 ///< "over-predicts", "under-predicts", "neutral": the mean, by 2 %.
  bool judged = false;              ///< Enough of it on both sides.
  bool met = false;                 ///< Every figure is within what is allowed.
};

struct Calibration {
  std::uint64_t requests = 0;  ///< Matched, one by one.
  std::uint64_t runs = 0;      ///< Simulated.
  std::vector<Component> components;
  double equal_decisions = 0;                  ///< Share with the same site, status and reason.
  std::optional<double> live_equal_decisions;  ///< The same between two live runs.
  std::map<std::pair<std::string, std::string>, std::uint64_t> differing;  ///< "real -> simulated" decisions.
  bool met = false;
  std::string grade;  ///< "excellent" all goals, "good" within twice, "fair" within four times, else "poor".
};

/// `simulated`: the same requests, once or more, each time with other draws: its figures are over all of them, so that
/// what one run's draws happen to be is no error. `other_live` is another live run, or empty. kInvalidArgument: ids or
/// moments of arrival (to a microsecond) are not those of the same requests.
Result<Calibration> calibrate(std::vector<Record> real, std::vector<std::vector<Record>> simulated,
                              std::vector<Record> other_live, const Names& names);

nlohmann::ordered_json calibration_json(const Calibration& calibration);
std::string calibration_text(const Calibration& calibration);

}  // namespace hearth::simulate
