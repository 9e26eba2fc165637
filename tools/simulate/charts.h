/// \file The pictures of the simulator's reports. Each is HTML with inline SVG; none needs anything from elsewhere.
#pragma once

#include <string>
#include <vector>

#include "tools/simulate/summary.h"
#include "tools/simulate/timeline.h"
#include "tools/simulate/trace_writer.h"

namespace hearth::simulate {

std::string served_chart(const Timeline& timeline, const std::vector<Mark>& marks);         ///< Where, over time.
std::string latency_over_time(const Timeline& timeline, const std::vector<Mark>& marks);    ///< p50 and p99.
std::string in_flight_over_time(const Timeline& timeline, const std::vector<Mark>& marks);  ///< Mean number.

/// Cumulative distributions, each as a share of all the requests of its group, so that what was not served is missing
/// from the top.
struct Curve {
  std::string css, word;
  const LatencyHistogram* latency = nullptr;
  std::uint64_t requests = 0;
};
std::string latency_curves(const std::vector<Curve>& curves, std::string_view of_what);

/// One point of a front: several settings judged by the same two metrics.
struct FrontPoint {
  std::string name, label, css;  ///< `label`: what stands beside it, where there is room.
  double x = 0, y = 0;
  std::optional<Interval> x_interval, y_interval;
};
/// The points that no other one beats in both. `more_y`: more of y is better; of x, less always is.
std::vector<std::size_t> pareto_front(const std::vector<FrontPoint>& points, bool more_y);
std::string pareto_chart(const std::vector<FrontPoint>& points, const Metric& x, const Metric& y);

/// A strip of 95 % intervals on one scale, for a table's cell: `low` to `high` with a dot at `middle`; a grey field
/// from -margin to margin about zero.
std::string interval_strip(double low, double middle, double high, double margin, double span, std::string_view css);
/// p50 (dot), p95 (tick) and p99 (end) of one component on a scale common to all.
std::string range_strip(double p50, double p95, double p99, double scale_min, double scale_max, std::string_view css);

/// The end of a metric's key as people write it: "ms", "%", "US$".
std::string unit_of(const Metric& metric);
/// A value in that unit; shares as percents.
std::string shown(const Metric& metric, double value);
/// The number and its unit, for where they are set apart.
std::pair<std::string, std::string> shown_apart(const Metric& metric, double value);
/// "13.2 to 13.7 ms".
std::string shown_range(const Metric& metric, double low, double high);

}  // namespace hearth::simulate
