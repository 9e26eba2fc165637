#include "tools/simulate/calibrate_simulator.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <span>

#include "tools/hearth/scoreboard.h"

namespace hearth::simulate {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kBiasFrom = 0.02;
constexpr auto kSameMoment = std::chrono::microseconds(1);

/// A part of a request's time; nothing where the request has no such part.
struct Part {
  const char* name;
  std::optional<Duration> (*of)(const Record&);
};

const std::array kParts = {
    Part{"queue", [](const Record& r) { return r.edge_time > Duration{} ? std::optional(r.edge_wait) : std::nullopt; }},
    Part{"local", [](const Record& r) { return r.edge_time > Duration{} ? std::optional(r.edge_time) : std::nullopt; }},
    Part{"network",
         [](const Record& r) {
           return r.cloud_time > Duration{} ? std::optional(r.cloud_time - r.server_time) : std::nullopt;
         }},
    Part{"server_queue",
         [](const Record& r) { return r.cloud_time > Duration{} ? std::optional(r.server_wait) : std::nullopt; }},
    Part{"server",
         [](const Record& r) {
           return r.cloud_time > Duration{} ? std::optional(r.server_time - r.server_wait) : std::nullopt;
         }},
    Part{"cloud",
         [](const Record& r) { return r.cloud_time > Duration{} ? std::optional(r.cloud_time) : std::nullopt; }},
    Part{"latency",
         [](const Record& r) { return r.status == OutcomeStatus::kServed ? std::optional(r.latency) : std::nullopt; }},
    Part{"latency_edge",
         [](const Record& r) {
           return r.status == OutcomeStatus::kServed && r.answered_by == kEdgeSite ? std::optional(r.latency)
                                                                                   : std::nullopt;
         }},
    Part{"latency_cloud",
         [](const Record& r) {
           return r.status == OutcomeStatus::kServed && r.answered_by != kEdgeSite ? std::optional(r.latency)
                                                                                   : std::nullopt;
         }},
};

Spread spread_of(std::span<const Record> records, const Part& part) {
  std::vector<double> values;
  double sum = 0;
  for (const Record& record : records) {
    if (const auto time = part.of(record)) {
      values.push_back(to_ms(*time));
      sum += values.back();
    }
  }
  std::sort(values.begin(), values.end());
  Spread spread;
  spread.count = values.size();
  if (values.empty()) return spread;
  const auto at = [&](double share) { return tool::quantile(values, share); };
  spread.ms = {sum / static_cast<double>(values.size()), at(0.5), at(0.9), at(0.95), at(0.99)};
  return spread;
}

double error_of(double real_ms, double other_ms) {
  if (std::abs(other_ms - real_ms) < kTooSmallMs) return 0;
  return (other_ms - real_ms) / std::max(real_ms, kTooSmallMs);
}

std::array<double, Spread::kFigures> errors(const Spread& real, const Spread& other) {
  std::array<double, Spread::kFigures> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = error_of(real.ms[i], other.ms[i]);
  return out;
}

/// Request by request: MAPE and Pearson's r over those that have the part on both sides.
void compare_each(std::span<const Record> real, std::span<const Record> simulated, const Part& part,
                  Component& component) {
  double count = 0, share = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < simulated.size(); ++i) {
    const auto a = part.of(real[i % real.size()]), b = part.of(simulated[i]);
    if (!a || !b) continue;
    const double p = to_ms(*a), q = to_ms(*b);
    share += std::abs(error_of(p, q));
    ++count;
    x += p, y += q, xx += p * p, yy += q * q, xy += p * q;
  }
  if (count < 2) return;
  component.mape = share / count;
  const double varies = (xx - x * x / count) * (yy - y * y / count);
  if (varies > 1e-18) component.pearson_r = (xy - x * y / count) / std::sqrt(varies);
}

Component compare_part(const Part& part, std::span<const Record> real, std::span<const Record> simulated,
                       std::span<const Record> other_live) {
  Component out;
  out.name = part.name;
  out.real = spread_of(real, part);
  out.simulated = spread_of(simulated, part);
  out.error = errors(out.real, out.simulated);
  out.allowed = kGoals;
  if (!other_live.empty()) {
    out.live_error = errors(out.real, spread_of(other_live, part));
    for (std::size_t i = 0; i < Spread::kFigures; ++i)
      out.allowed[i] = std::max(kGoals[i], kLiveSlack * std::abs((*out.live_error)[i]));
  }
  compare_each(real, simulated, part, out);
  out.bias = out.error[0] > kBiasFrom ? "over-predicts" : out.error[0] < -kBiasFrom ? "under-predicts" : "neutral";
  out.judged = std::min(out.real.count, out.simulated.count) >= kCountMin;
  out.met = true;
  for (std::size_t i = 0; i < Spread::kFigures; ++i) out.met = out.met && std::abs(out.error[i]) <= out.allowed[i];
  return out;
}

std::string decision_of(const Record& record, const Names& names) {
  std::string site = "nowhere";
  if (record.status == OutcomeStatus::kServed)
    site = record.answered_by == kEdgeSite ? "edge" : names.endpoints[record.answered_by - 1u];
  return site + " (" + name_of(record.reason) + ")";
}

/// `others`: the same requests, once or more.
double equal_share(std::span<const Record> real, std::span<const Record> others, const Names& names,
                   std::map<std::pair<std::string, std::string>, std::uint64_t>& differing) {
  std::uint64_t equal = 0;
  for (std::size_t i = 0; i < others.size(); ++i) {
    auto one = decision_of(real[i % real.size()], names), other = decision_of(others[i], names);
    if (one == other) {
      ++equal;
    } else {
      ++differing[{std::move(one), std::move(other)}];
    }
  }
  return static_cast<double>(equal) / static_cast<double>(std::max<std::size_t>(others.size(), 1));
}

bool same_ids(std::span<const Record> a, std::span<const Record> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Record& one, const Record& other) { return one.id == other.id; });
}

/// By how many times what is allowed the worst figure is off.
double worst_of(const Calibration& calibration) {
  double worst = calibration.equal_decisions >= kEqualDecisionsMin
                     ? 0
                     : (1 - calibration.equal_decisions) / (1 - kEqualDecisionsMin);
  if (calibration.live_equal_decisions && worst > 1) {
    const double allowed = kLiveSlack * (1 - *calibration.live_equal_decisions);
    worst = std::min(worst, (1 - calibration.equal_decisions) / std::max(allowed, 1 - kEqualDecisionsMin));
  }
  for (const Component& one : calibration.components)
    for (std::size_t i = 0; one.judged && i < Spread::kFigures; ++i)
      worst = std::max(worst, std::abs(one.error[i]) / one.allowed[i]);
  return worst;
}

Json spread_json(const Spread& spread) {
  Json out = {{"requests", spread.count}};
  for (std::size_t i = 0; i < Spread::kFigures; ++i) out[std::string(Spread::kNames[i]) + "_ms"] = spread.ms[i];
  return out;
}

Json shares_json(const std::array<double, Spread::kFigures>& shares) {
  Json out = Json::object();
  for (std::size_t i = 0; i < Spread::kFigures; ++i) out[Spread::kNames[i]] = shares[i];
  return out;
}

std::string text(const char* format, auto... values) {
  char out[256];
  std::snprintf(out, sizeof out, format, values...);
  return out;
}

const std::array kLimits = {
    "A client does not see inside a cloud attempt: of a live one the network is computed from bytes, rates, the "
    "requests before it and the measured round trip, and the server is the rest.",
    "The stub's shaping begins when a request is there: it stands in the server's time, and connections cost nothing "
    "of it.",
    "Which request meets a 500 or 503 is drawn anew; an injected error comes without the stub's delay.",
    "Times are drawn one by one: a machine that stands still for a while makes many slow at once.",
    "Quantiles of few requests move by themselves: look at the difference between two live runs.",
};

}  // namespace

Result<Calibration> calibrate(std::vector<Record> real, std::vector<std::vector<Record>> simulated,
                              std::vector<Record> other_live, const Names& names) {
  const auto by_id = [](const Record& a, const Record& b) { return a.id < b.id; };
  const auto same_moment = [](const Record& a, const Record& b) {
    return a.arrived - b.arrived <= kSameMoment && b.arrived - a.arrived <= kSameMoment;
  };
  std::sort(real.begin(), real.end(), by_id);
  std::sort(other_live.begin(), other_live.end(), by_id);
  if (real.empty()) return Error{ErrorCode::kInvalidArgument, "no live requests, expected at least one"};
  std::vector<Record> all;
  for (auto& run : simulated) {
    std::sort(run.begin(), run.end(), by_id);
    if (!same_ids(real, run) || !std::equal(real.begin(), real.end(), run.begin(), same_moment)) {
      return Error{ErrorCode::kInvalidArgument,
                   std::to_string(real.size()) + " live requests against " + std::to_string(run.size()) +
                       " simulated ones that are not the same, expected the live run that the scenario was made from"};
    }
    all.insert(all.end(), run.begin(), run.end());
  }
  Calibration out;
  out.requests = real.size();
  out.runs = simulated.size();
  for (const Part& part : kParts) out.components.push_back(compare_part(part, real, all, other_live));
  out.equal_decisions = equal_share(real, all, names, out.differing);
  if (!other_live.empty() && same_ids(real, other_live)) {
    std::map<std::pair<std::string, std::string>, std::uint64_t> unused;
    out.live_equal_decisions = equal_share(real, other_live, names, unused);
  }
  const double worst = worst_of(out);
  out.met = worst <= 1;
  out.grade = worst <= 1 ? "excellent" : worst <= 2 ? "good" : worst <= 4 ? "fair" : "poor";
  return out;
}

Json calibration_json(const Calibration& calibration) {
  Json out = {{"requests", calibration.requests},
              {"simulated_runs", calibration.runs},
              {"grade", calibration.grade},
              {"goals_met", calibration.met}};
  out["equal_decisions"] = calibration.equal_decisions;
  out["equal_decisions_of_two_live_runs"] =
      calibration.live_equal_decisions ? Json(*calibration.live_equal_decisions) : Json();
  out["differing"] = Json::array();
  for (const auto& [pair, count] : calibration.differing)
    out["differing"].push_back({{"real", pair.first}, {"simulated", pair.second}, {"requests", count}});
  for (const Component& one : calibration.components) {
    Json& part = out["components"][one.name];
    part["real"] = spread_json(one.real);
    part["simulated"] = spread_json(one.simulated);
    part["error"] = shares_json(one.error);
    part["error_of_two_live_runs"] = one.live_error ? shares_json(*one.live_error) : Json();
    part["allowed"] = shares_json(one.allowed);
    part["mape"] = one.mape;
    part["pearson_r"] = one.pearson_r ? Json(*one.pearson_r) : Json();
    part["bias"] = one.bias;
    part["judged"] = one.judged;
    part["goals_met"] = one.met;
  }
  out["known_limits"] = kLimits;
  return out;
}

std::string calibration_text(const Calibration& calibration) {
  std::string out = text("%-14s %9s %8s %8s %8s %8s %8s  %s\n", "", "requests", "mean", "p50", "p90", "p95", "p99", "");
  const auto row = [&](const char* title, std::uint64_t count, auto cell, const std::string& end) {
    out += text("%-14s %9s", title, count > 0 ? std::to_string(count).c_str() : "");
    for (std::size_t i = 0; i < Spread::kFigures; ++i) out += " " + cell(i);
    out += end.empty() ? "\n" : "  " + end + "\n";
  };
  for (const Component& one : calibration.components) {
    if (one.real.count + one.simulated.count == 0) continue;
    const auto ms = [](const Spread& spread) {
      return [&spread](std::size_t i) { return text("%8.3f", spread.ms[i]); };
    };
    const auto percent = [](const auto& shares) {
      return [&shares](std::size_t i) { return text("%+7.1f%%", 100 * shares[i]); };
    };
    row(one.name.c_str(), one.real.count, ms(one.real), "ms, real");
    row("", one.simulated.count, ms(one.simulated), "ms, simulated");
    std::string verdict = one.bias + (!one.judged ? ", too few to judge" : one.met ? ", goals met" : ", goals missed");
    verdict += text(", MAPE %.1f%%", 100 * one.mape);
    if (one.pearson_r) verdict += text(", r %.2f", *one.pearson_r);
    row("", 0, percent(one.error), verdict);
    if (one.live_error) row("", 0, percent(*one.live_error), "another live run against this one");
  }
  out += text("\nEqual decisions (site and reason): %.2f %% of %llu, over %llu simulated runs",
              100 * calibration.equal_decisions, static_cast<unsigned long long>(calibration.requests),
              static_cast<unsigned long long>(calibration.runs));
  if (calibration.live_equal_decisions)
    out += text("; of two live runs %.2f %%", 100 * *calibration.live_equal_decisions);
  out += "\n";
  for (const auto& [pair, count] : calibration.differing)
    out += "  " + std::to_string(count) + " x real " + pair.first + ", simulated " + pair.second + "\n";
  out += "Grade: " + calibration.grade + "\nKnown limits:\n";
  for (const char* limit : kLimits) out += std::string("  ") + limit + "\n";
  return out;
}

}  // namespace hearth::simulate
