// The summary as JSON and as a table.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tools/hearth/story.h"
#include "tools/simulate/summary.h"

namespace hearth::simulate {
namespace {

using nlohmann::ordered_json;
using tool::grouped;
using tool::milliseconds;
using tool::percent;

ordered_json latency_json(const LatencyHistogram& latency) {
  if (latency.count() == 0) return {};
  const auto at = [&](double q) { return figure(to_ms(latency.quantile(q))); };
  return {{"p50", at(0.5)},
          {"p90", at(0.9)},
          {"p95", at(0.95)},
          {"p99", at(0.99)},
          {"p99_9", at(0.999)},
          {"mean", figure(to_ms(latency.mean()))},
          {"max", figure(to_ms(latency.largest()))}};
}

/// Null where the run left the roads out.
ordered_json regret_json(const Tally& tally) {
  if (tally.some_road == 0) return {};
  const double per_1000 = tally.requests == 0 ? 0 : 1000 / static_cast<double>(tally.requests);
  return {{"oracle_right_in_time_share", figure(tally.share(tally.oracle_right()))},
          {"regret_right_in_time_share", figure(tally.share(tally.oracle_right()) - tally.share(tally.right_in_time))},
          {"oracle_cloud_share", figure(tally.share(tally.oracle_on_cloud))},
          {"oracle_usd_per_1000_requests", figure(tally.oracle_usd * per_1000)},
          {"regret_usd_per_1000_requests", figure((tally.usd - tally.oracle_usd) * per_1000)},
          {"oracle_joules_per_request", figure(tally.oracle_joules * per_1000 / 1000)},
          {"missed_cloud_share", figure(tally.share(tally.missed_cloud()))},
          {"missed_edge_share", figure(tally.share(tally.missed_edge()))},
          {"needless_cloud_share", figure(tally.share(tally.needless_cloud()))}};
}

/// Where the answer came from, against which roads would have been right in time.
ordered_json roads_json(const Tally& tally) {
  if (tally.some_road == 0) return {};
  const auto row = [&](Answered answered) -> ordered_json {
    return {{"both_right", tally.count(answered, true, true)},
            {"only_edge_right", tally.count(answered, true, false)},
            {"only_cloud_right", tally.count(answered, false, true)},
            {"neither_right", tally.count(answered, false, false)}};
  };
  return {{"answered_by_edge", row(Answered::kEdge)},
          {"answered_by_cloud", row(Answered::kCloud)},
          {"not_answered", row(Answered::kNowhere)}};
}

ordered_json groups_json(const Summary& summary, Summary::By what) {
  ordered_json groups = ordered_json::object();
  for (const auto& [name, tally] : summary.by(what)) groups[name] = tally_json(tally);
  return groups;
}

ordered_json components_json(const Summary& summary) {
  ordered_json parts = ordered_json::object();
  for (std::size_t i = 0; i < kComponents; ++i) {
    const auto which = static_cast<Component>(i);
    const LatencyHistogram& times = summary.component(which);
    parts[std::string(name_of(which)) + "_ms"] = {{"requests", times.count()}, {"times_ms", latency_json(times)}};
  }
  return parts;
}

ordered_json intervals_json(const Results& results) {
  ordered_json all = ordered_json::object();
  for (const Metric& metric : metrics()) {
    const Estimate estimate = results.estimate(metric);
    ordered_json one = {{"value", figure(estimate.value)}, {"low", nullptr}, {"high", nullptr}};
    if (estimate.interval) {
      one["low"] = figure(estimate.value - estimate.interval->half_width);
      one["high"] = figure(estimate.value + estimate.interval->half_width);
    }
    all[std::string(metric.key)] = one;
  }
  return {{"method", results.facts().size() > 1 ? "student_t_over_seeds" : "batch_means"},
          {"level", 0.95},
          {"samples", results.facts().size() > 1 ? results.facts().size() : Summary::kBatches},
          {"metrics", all}};
}

/// A list of what each run says, or the one thing itself when there is one run.
ordered_json of_each(const Results& results, auto get) {
  if (results.facts().size() == 1) return get(results.facts()[0]);
  ordered_json list = ordered_json::array();
  for (const RunFacts& facts : results.facts()) list.push_back(get(facts));
  return list;
}

std::uint64_t total(const Results& results, std::uint64_t RunFacts::*field) {
  std::uint64_t sum = 0;
  for (const RunFacts& facts : results.facts()) sum += facts.*field;
  return sum;
}

std::string row(const std::string& name, const Tally& tally) {
  char line[200];
  const auto part = [&](std::uint64_t count) { return percent(tally.share(count), 2); };
  const bool any = tally.latency.count() > 0;
  const auto at = [&](double q) { return any ? milliseconds(to_ms(tally.latency.quantile(q))) : std::string("-"); };
  std::snprintf(line, sizeof line, "  %-22.22s %12s %8s %8s %8s %9s %9s %9s %9s\n", name.c_str(),
                grouped(tally.requests).c_str(), at(0.5).c_str(), at(0.95).c_str(), at(0.99).c_str(),
                part(tally.in_time).c_str(), part(tally.correct).c_str(), part(tally.on_cloud()).c_str(),
                tool::mebibytes(tally.bytes_up).c_str());
  return line;
}

}  // namespace

ordered_json figure(double value) {
  if (!std::isfinite(value)) return {};
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return std::strtod(text, nullptr);
}

ordered_json tally_json(const Tally& tally) {
  ordered_json out = {{"requests", tally.requests},
                      {"served_share", figure(tally.share(tally.served))},
                      {"deadline_met_share", figure(tally.share(tally.in_time))},
                      {"accuracy", figure(tally.share(tally.correct))},
                      {"right_in_time_share", figure(tally.share(tally.right_in_time))},
                      {"may_leave_share", figure(tally.share(tally.may_leave))},
                      {"cloud_share", figure(tally.share(tally.on_cloud()))},
                      {"latency_ms", latency_json(tally.latency)},
                      {"attempts", tally.attempts},
                      {"bytes_up", tally.bytes_up},
                      {"usd", figure(tally.usd)},
                      {"joules", figure(tally.joules)}};
  out["regret"] = regret_json(tally);
  return out;
}

ordered_json summary_json(const Results& results) {
  const RunFacts& first = results.facts()[0];
  const Summary& summary = results.summary();
  const Tally all = summary.all();
  ordered_json out;
  out["scenario"] = first.scenario;
  out["policy"] = first.policy_name;
  out["policy_sha256"] = first.policy_sha256;
  out["seed"] = of_each(results, [](const RunFacts& f) { return ordered_json(f.seed); });
  out["runs"] = results.facts().size();
  out["devices"] = first.devices;
  out["length_s"] = to_ms(first.length) / 1000;
  out["warm_up_s"] = to_ms(first.warm_up) / 1000;
  out["requests"] = all.requests;
  out["requests_before_warm_up"] = summary.before_warm_up();
  out["events"] = total(results, &RunFacts::events);
  out["left_in_flight"] = total(results, &RunFacts::left_in_flight);
  out["permits_denied"] = total(results, &RunFacts::permits_denied);
  out["leaks"] = total(results, &RunFacts::leaks);
  out["trace_hash"] = of_each(results, [](const RunFacts& f) { return ordered_json(f.trace_hash); });
  out["all"] = tally_json(all);
  out["roads"] = roads_json(all);
  out["components"] = components_json(summary);
  out["intervals"] = intervals_json(results);
  out["by_stream"] = groups_json(summary, Summary::By::kStream);
  out["by_class"] = groups_json(summary, Summary::By::kClass);
  out["by_site"] = groups_json(summary, Summary::By::kSite);
  out["by_reason"] = groups_json(summary, Summary::By::kReason);
  return out;
}

ordered_json speed_json(const Results& results) {
  double wall_s = 0;
  for (const RunFacts& facts : results.facts()) wall_s += facts.wall_s;
  const auto rate = [&](std::uint64_t count) {
    return wall_s > 0 ? figure(std::round(static_cast<double>(count) / wall_s)) : ordered_json();
  };
  return {{"wall_s", figure(wall_s)},
          {"requests_per_second", rate(total(results, &RunFacts::requests))},
          {"events_per_second", rate(total(results, &RunFacts::events))}};
}

std::string summary_table(const Results& results) {
  const RunFacts& first = results.facts()[0];
  const Summary& summary = results.summary();
  const Tally all = summary.all();
  char line[240];
  std::snprintf(line, sizeof line, "  %-22s %12s %8s %8s %8s %9s %9s %9s %9s\n", "", "requests", "p50 ms", "p95 ms",
                "p99 ms", "in time", "right", "cloud", "MiB sent");
  std::string out = "\n  " + first.scenario + " under " + first.policy_name + "\n\n" + line;
  out += row("all", all);
  const auto rows = [&](const char* title, Summary::By what) {
    const auto groups = summary.by(what);
    if (groups.size() < 2 && what != Summary::By::kReason) return;
    out += std::string("\n  ") + title + "\n";
    for (const auto& [name, tally] : groups) out += row(name, tally);
  };
  rows("by stream", Summary::By::kStream);
  rows("by class", Summary::By::kClass);
  rows("by site", Summary::By::kSite);
  rows("by reason", Summary::By::kReason);
  if (all.some_road == 0) return out + "\n  right and in time " + percent(all.share(all.right_in_time), 2) + "\n";
  std::snprintf(
      line, sizeof line,
      "\n  right and in time %s; an oracle bound by the same permits %s, for %.4f US dollars instead of %.4f\n",
      percent(all.share(all.right_in_time), 2).c_str(), percent(all.share(all.oracle_right()), 2).c_str(),
      all.oracle_usd, all.usd);
  return out + line;
}

}  // namespace hearth::simulate
