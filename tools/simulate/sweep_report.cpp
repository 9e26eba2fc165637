// The report of a sweep.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "tools/hearth/page.h"
#include "tools/hearth/svg.h"
#include "tools/simulate/charts.h"
#include "tools/simulate/report_style.h"
#include "tools/simulate/sweep.h"

namespace hearth::simulate {
namespace {

using tool::escaped;
using tool::Plot;
using tool::Scale;

constexpr std::size_t kColours = 8;

std::string colour(std::size_t i) { return "s" + std::to_string(i % kColours); }

/// The setting that makes the x axis: the first with three numbers or more, else the first with numbers.
std::optional<std::size_t> axis_of(const Sweep& sweep) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < sweep.settings.size(); ++i) {
    const auto& values = sweep.settings[i].values;
    const bool numbers = std::all_of(values.begin(), values.end(), [](const auto& one) { return one.is_number(); });
    if (!numbers || values.size() < 2) continue;
    if (values.size() >= 3) return i;
    if (!found) found = i;
  }
  return found;
}

/// What the other settings are, for the points of one line.
std::string rest_of(const Sweep& sweep, const SweepPoint& point, std::size_t axis) {
  std::string out;
  for (std::size_t i = 0; i < sweep.settings.size(); ++i) {
    if (i == axis) continue;
    const std::string& path = sweep.settings[i].path;
    out += (out.empty() ? "" : ", ") + path.substr(path.rfind('.') + 1) + " " + text_of(point.values[i]);
  }
  return out;
}

/// The points of each line, by what their other settings are, in the order in which they come.
using Lines = std::vector<std::pair<std::string, std::vector<const SweepPoint*>>>;

Lines lines_of(const Sweep& sweep, std::size_t axis) {
  Lines lines;
  for (const SweepPoint& point : sweep.points) {
    const std::string rest = rest_of(sweep, point, axis);
    auto line = std::find_if(lines.begin(), lines.end(), [&](const auto& one) { return one.first == rest; });
    if (line == lines.end()) line = lines.insert(lines.end(), {rest, {}});
    line->second.push_back(&point);
  }
  for (auto& [rest, points] : lines) {
    std::stable_sort(points.begin(), points.end(), [&](const SweepPoint* one, const SweepPoint* other) {
      return one->values[axis].get<double>() < other->values[axis].get<double>();
    });
  }
  return lines;
}

Scale value_scale(const Sweep& sweep, const Metric& metric) {
  double low = 1e300, high = -1e300;
  for (const SweepPoint& point : sweep.points) {
    const Estimate estimate = point.results.estimate(metric);
    if (std::isnan(estimate.value)) continue;
    const double half = estimate.interval ? estimate.interval->half_width : 0;
    low = std::min(low, estimate.value - half);
    high = std::max(high, estimate.value + half);
  }
  if (high < low) return {0, 1, false};
  if (!metric.is_share) return {0, high > 0 ? high * 1.1 : 1, false};
  const double room = std::max((high - low) * 0.12, 0.002);
  return {std::max(0.0, low - room), std::min(1.0, high + room), false};
}

std::string metric_chart(const Sweep& sweep, const Lines& lines, std::size_t axis, const Metric& metric) {
  double from = 1e300, to = -1e300;
  for (const auto& value : sweep.settings[axis].values) {
    from = std::min(from, value.get<double>());
    to = std::max(to, value.get<double>());
  }
  const bool log = from > 0 && to / from >= 8;
  const double room = log ? 0 : (to - from) * 0.04;
  const Scale x{log ? from * 0.92 : from - room, log ? to * 1.09 : to + room, log}, y = value_scale(sweep, metric);
  Plot plot(std::string(metric.words) + " by " + sweep.settings[axis].path, x, y);
  plot.y_axis(tool::round_ticks(y, metric.is_share ? 100 : 1, metric.is_share ? " %" : ""),
              std::string(metric.words) + (unit_of(metric).empty() || metric.is_share ? "" : ", " + unit_of(metric)));
  plot.x_axis(log ? tool::decade_ticks(x) : tool::round_ticks(x), sweep.settings[axis].path);
  tool::Legend words;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Plot::Points points;
    for (const SweepPoint* point : lines[i].second) {
      const Estimate estimate = point->results.estimate(metric);
      if (std::isnan(estimate.value)) continue;
      const double at = point->values[axis].get<double>();
      points.emplace_back(at, estimate.value);
      if (estimate.interval)
        plot.segment(at, estimate.value - estimate.interval->half_width, at,
                     estimate.value + estimate.interval->half_width, "whisker");
      plot.dot(at, estimate.value, 4, "fill " + colour(i),
               name_of(sweep, *point) + ": " + shown(metric, estimate.value));
    }
    plot.line(points, colour(i) + " thin");
    words.emplace_back(colour(i), lines[i].first);
  }
  return (lines.size() > 1 ? tool::legend(words) : std::string()) + plot.svg();
}

std::string front(const Sweep& sweep, const char* x_key, const char* y_key) {
  const Metric &x = *find_metric(x_key), &y = *find_metric(y_key);
  std::vector<FrontPoint> points;
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const Tally all = sweep.points[i].results.summary().all();
    points.push_back({name_of(sweep, sweep.points[i]), std::to_string(i + 1), "s1", x.of(all), y.of(all), {}, {}});
  }
  return pareto_chart(points, x, y);
}

/// Every point; the best value of each column stands out.
std::string points_table(const Sweep& sweep) {
  constexpr std::array<const char*, 7> kKeys = {
      "latency_p50_ms", "latency_p95_ms",        "deadline_met_share",        "right_in_time_share",
      "cloud_share",    "usd_per_1000_requests", "regret_right_in_time_share"};
  constexpr std::array<const char*, 7> kHeads = {"p50",   "p95",         "in time", "right, in time",
                                                 "cloud", "US$ / 1,000", "regret"};
  std::string head = "<th></th>";
  for (const Setting& setting : sweep.settings)
    head += "<th>" + escaped(setting.path.substr(setting.path.rfind('.') + 1)) + "</th>";
  for (const char* word : kHeads) head += std::string("<th>") + word + "</th>";
  std::array<double, kKeys.size()> best{};
  for (std::size_t k = 0; k < kKeys.size(); ++k) {
    const Metric& metric = *find_metric(kKeys[k]);
    best[k] = metric.better == Better::kHigher ? -1e300 : 1e300;
    for (const SweepPoint& point : sweep.points) {
      const double value = metric.of(point.results.summary().all());
      if (std::isnan(value)) continue;
      best[k] = metric.better == Better::kHigher ? std::max(best[k], value) : std::min(best[k], value);
    }
  }
  std::string rows;
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    rows += "<tr><td>" + std::to_string(i + 1) + "</td>";
    for (const auto& value : sweep.points[i].values) rows += "<td>" + escaped(text_of(value)) + "</td>";
    const Tally all = sweep.points[i].results.summary().all();
    for (std::size_t k = 0; k < kKeys.size(); ++k) {
      const Metric& metric = *find_metric(kKeys[k]);
      const double value = metric.of(all);
      const bool stands_out = metric.better != Better::kNeither && value == best[k];
      rows += std::string(stands_out ? "<td class=\"good\">" : "<td>") + escaped(shown(metric, value)) + "</td>";
    }
    rows += "</tr>\n";
  }
  return "<div class=\"scroll\"><table><thead><tr>" + head + "</tr></thead><tbody>\n" + rows +
         "</tbody></table></div>\n<p class=\"after\">Green: the best of its column.</p>\n";
}

}  // namespace

std::string make_sweep_report(const Sweep& sweep, const std::string& story) {
  std::string keys;
  for (const Setting& setting : sweep.settings) {
    keys += (keys.empty() ? "" : "; ") + setting.path + " = ";
    for (std::size_t i = 0; i < setting.values.size(); ++i) keys += (i == 0 ? "" : ", ") + text_of(setting.values[i]);
  }
  const std::size_t seeds = sweep.points.empty() ? 0 : sweep.points[0].results.facts().size();
  std::string body = "<header><h1>" + escaped(sweep.scenario) + ": what if?</h1>" +
                     (story.empty() ? "" : "<p class=\"lead\">" + escaped(story) + "</p>") + "<p class=\"lead\">" +
                     escaped(keys) + ". " + std::to_string(sweep.points.size()) + " combinations, " +
                     std::to_string(seeds) + (seeds == 1 ? " seed" : " seeds") + " each.</p></header>\n" +
                     "<div class=\"cards\">\n";
  if (const auto axis = axis_of(sweep)) {
    const Lines lines = lines_of(sweep, *axis);
    if (lines.size() <= kColours) {
      for (const char* key : {"latency_p95_ms", "right_in_time_share", "cloud_share", "usd_per_1000_requests"}) {
        const Metric& metric = *find_metric(key);
        std::string title(metric.words);
        title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
        body += tool::card("half", title, "by " + sweep.settings[*axis].path + "; bars are 95 % intervals",
                           metric_chart(sweep, lines, *axis, metric));
      }
    }
  }
  body +=
      tool::card("half", "What a right answer in time costs", "numbers are those of the table; faint: beaten in both",
                 front(sweep, "usd_per_1000_requests", "right_in_time_share"));
  body += tool::card("half", "What a kept deadline sends", "numbers are those of the table; faint: beaten in both",
                     front(sweep, "bytes_up_per_request", "deadline_met_share"));
  body += tool::card("wide", "Every combination", "all seeds pooled", points_table(sweep));
  return tool::html_page(sweep.scenario + ": what if?", kSimulateStyle, body + "</div>\n");
}

}  // namespace hearth::simulate
