#include "tools/simulate/charts.h"

#include <algorithm>
#include <cmath>

#include "tools/hearth/page.h"
#include "tools/hearth/story.h"
#include "tools/hearth/svg.h"

namespace hearth::simulate {
namespace {

using tool::Plot;
using tool::round_ticks;
using tool::Scale;
using tool::short_number;

constexpr std::array<const char*, kPlaces> kPlaceCss = {"home", "edge", "cloud", "fell", "lost"};
constexpr std::array<const char*, kPlaces> kPlaceWords = {"stayed by permission", "local, good enough", "cloud",
                                                          "local, because the cloud could not", "not served"};
constexpr double kWide = 1120;

double seconds_of(Duration time) { return to_ms(time) / 1000; }

/// The axis of a run's length: seconds, minutes or hours, whichever reads best.
struct TimeAxis {
  explicit TimeAxis(Duration length) {
    const double s = seconds_of(length);
    per = s <= 600 ? 1 : s <= 3 * 3600 ? 60 : 3600;
    name = per == 1 ? "seconds of virtual time" : per == 60 ? "minutes of virtual time" : "hours of virtual time";
    scale = {0, s, false};
  }
  double per = 1;
  std::string name;
  Scale scale;

  void draw(Plot& plot) const { plot.x_axis(round_ticks(scale, 1 / per), name); }
};

/// What lasts most of the run is told by the strip alone: behind the marks it would colour everything.
void draw_marks(Plot& plot, const std::vector<Mark>& marks, const TimeAxis& axis) {
  for (const Mark& mark : marks) {
    const double begin = seconds_of(mark.at), end = std::min(seconds_of(mark.at + mark.length), axis.scale.max);
    if (begin <= axis.scale.max && end - begin <= 0.5 * axis.scale.max) plot.band(begin, end, "band", mark.words);
  }
}

/// When each fault was there: a row for each of its words, aligned with a wide plot's time axis.
std::string marks_strip(const std::vector<Mark>& marks, const TimeAxis& axis) {
  constexpr std::size_t kRowsMax = 8;
  constexpr double kRow = 22, kFrom = 74, kTo = kWide - 16;
  std::vector<std::pair<std::string, std::vector<const Mark*>>> rows;
  for (const Mark& mark : marks) {
    if (seconds_of(mark.at) > axis.scale.max) continue;
    auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& one) { return one.first == mark.words; });
    if (row == rows.end()) row = rows.insert(rows.end(), {mark.words, {}});
    row->second.push_back(&mark);
  }
  if (rows.empty()) return "";
  const std::size_t left_out = rows.size() - std::min(rows.size(), kRowsMax);
  rows.resize(std::min(rows.size(), kRowsMax));
  std::string out = "<svg viewBox=\"0 0 1120 " + short_number(kRow * static_cast<double>(rows.size())) +
                    "\" role=\"img\" aria-label=\"When each fault was there\">\n";
  const auto at = [&](double s) { return kFrom + axis.scale.share(s) * (kTo - kFrom); };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double top = kRow * static_cast<double>(i);
    const double first = at(seconds_of(rows[i].second.front()->at));
    const bool to_left = first > kFrom + 0.8 * (kTo - kFrom);
    out += "<text x=\"" + short_number(to_left ? kTo : first, 1) + "\" y=\"" + short_number(top + 12) +
           "\" text-anchor=\"" + (to_left ? "end" : "start") + "\" class=\"note\">" + tool::escaped(rows[i].first) +
           "</text>\n";
    for (const Mark* mark : rows[i].second) {
      const double begin = at(seconds_of(mark->at)), end = at(seconds_of(mark->at + mark->length));
      out += "<rect x=\"" + short_number(begin, 1) + "\" y=\"" + short_number(top + 16) + "\" width=\"" +
             short_number(std::max(2.0, end - begin), 1) + "\" height=\"4\" rx=\"2\" class=\"fault\"/>\n";
    }
  }
  out += "</svg>\n";
  if (left_out > 0) out += "<p class=\"sub\">and " + std::to_string(left_out) + " kinds more</p>\n";
  return out;
}

std::uint64_t came(const Timeline::Bin& bin) {
  std::uint64_t sum = 0;
  for (const std::uint64_t part : bin.came) sum += part;
  return sum;
}

}  // namespace

std::string served_chart(const Timeline& timeline, const std::vector<Mark>& marks) {
  const auto bins = timeline.bins();
  const double bin_s = seconds_of(timeline.bin_length());
  double most = 0;
  for (const auto& bin : bins) most = std::max(most, static_cast<double>(came(bin)) / bin_s);
  const TimeAxis axis(timeline.length());
  const Scale y{0, most > 0 ? most * 1.05 : 1, false};
  Plot plot("Where the requests of each stretch of the run were answered", axis.scale, y, kWide, 300);
  draw_marks(plot, marks, axis);
  plot.y_axis(round_ticks(y), "requests per second");
  axis.draw(plot);
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const double from = static_cast<double>(i) * bin_s, to = std::min(from + bin_s, axis.scale.max);
    double base = 0;
    for (std::size_t part = 0; part < kPlaces; ++part) {
      const double rate = static_cast<double>(bins[i].came[part]) / bin_s;
      plot.bar(from, to, base, base + rate, kPlaceCss[part],
               short_number(from / axis.per) + ": " + short_number(rate) + "/s " + kPlaceWords[part]);
      base += rate;
    }
  }
  tool::Legend words;
  for (std::size_t part = 0; part < kPlaces; ++part) words.emplace_back(kPlaceCss[part], kPlaceWords[part]);
  if (!marks.empty()) words.emplace_back("band", "a fault");
  return tool::legend(words) + marks_strip(marks, axis) + plot.svg();
}

std::string latency_over_time(const Timeline& timeline, const std::vector<Mark>& marks) {
  const auto bins = timeline.bins();
  const double bin_s = seconds_of(timeline.bin_length());
  std::array<Plot::Points, 2> lines;
  double low = 1e300, high = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i].latency.count() == 0) continue;
    const double middle = (static_cast<double>(i) + 0.5) * bin_s;
    const double p50 = std::max(1e-3, to_ms(bins[i].latency.quantile(0.5)));
    const double p99 = std::max(1e-3, to_ms(bins[i].latency.quantile(0.99)));
    lines[0].emplace_back(middle, p50);
    lines[1].emplace_back(middle, p99);
    low = std::min(low, p50);
    high = std::max(high, p99);
  }
  if (lines[0].empty()) return "<p class=\"sub\">Nothing was served.</p>";
  const TimeAxis axis(timeline.length());
  const Scale y{tool::log_bound(low, false), tool::log_bound(std::max(high, low * 2), true), true};
  Plot plot("Latency over time", axis.scale, y);
  draw_marks(plot, marks, axis);
  plot.y_axis(tool::decade_ticks(y), "milliseconds (log scale)");
  axis.draw(plot);
  plot.line(lines[1], "hearth thin");
  plot.line(lines[0], "ink thin");
  return tool::legend({{"ink", "half are within"}, {"hearth", "99 of 100 are within"}}) + plot.svg();
}

std::string in_flight_over_time(const Timeline& timeline, const std::vector<Mark>& marks) {
  const auto bins = timeline.bins();
  const double bin_s = seconds_of(timeline.bin_length());
  Plot::Points line;
  double most = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const double mean = seconds_of(bins[i].in_flight) / bin_s;
    line.emplace_back((static_cast<double>(i) + 0.5) * bin_s, mean);
    most = std::max(most, mean);
  }
  const TimeAxis axis(timeline.length());
  const Scale y{0, most > 0 ? most * 1.08 : 1, false};
  Plot plot("Requests under way over time", axis.scale, y);
  draw_marks(plot, marks, axis);
  plot.y_axis(round_ticks(y), "requests under way, mean");
  axis.draw(plot);
  plot.line(line, "ink thin");
  return tool::legend({{"ink", "arrived and not yet answered"}}) + plot.svg();
}

std::string latency_curves(const std::vector<Curve>& curves, std::string_view of_what) {
  double low = 1e300, high = 0;
  for (const Curve& curve : curves) {
    if (curve.latency->count() == 0) continue;
    low = std::min(low, to_ms(curve.latency->quantile(0.001)));
    high = std::max(high, to_ms(curve.latency->quantile(0.9999)));
  }
  if (high <= 0) return "<p class=\"sub\">Nothing was served.</p>";
  low = std::max(low, 1e-3);
  const Scale x{tool::log_bound(low, false), tool::log_bound(std::max(high, low * 2), true), true};
  Plot plot("Latency: share of requests answered within a time", x, Scale{0, 1, false});
  plot.y_axis(round_ticks(Scale{0, 1, false}, 100, " %"), of_what);
  plot.x_axis(tool::decade_ticks(x), "milliseconds (log scale)");
  tool::Legend words;
  for (const Curve& curve : curves) {
    if (curve.latency->count() == 0) continue;
    Plot::Points points;
    const double all = static_cast<double>(curve.requests);
    std::uint64_t so_far = 0;
    points.emplace_back(std::max(1e-3, to_ms(curve.latency->least())), 0);
    for (const auto& step : curve.latency->steps()) {
      so_far += step.count;
      const double share = static_cast<double>(so_far) / all;
      const bool last = so_far == curve.latency->count();
      if (share - points.back().second >= 0.002 || last) points.emplace_back(to_ms(step.end), share);
    }
    plot.line(points, curve.css);
    words.emplace_back(curve.css, curve.word);
  }
  return tool::legend(words) + plot.svg();
}

std::vector<std::size_t> pareto_front(const std::vector<FrontPoint>& points, bool more_y) {
  const auto beats = [&](const FrontPoint& one, const FrontPoint& other) {
    const double gain = more_y ? one.y - other.y : other.y - one.y;
    return one.x <= other.x && gain >= 0 && (one.x < other.x || gain > 0);
  };
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (std::isnan(points[i].x) || std::isnan(points[i].y)) continue;
    if (std::none_of(points.begin(), points.end(), [&](const FrontPoint& other) { return beats(other, points[i]); }))
      front.push_back(i);
  }
  std::sort(front.begin(), front.end(), [&](std::size_t a, std::size_t b) { return points[a].x < points[b].x; });
  return front;
}

namespace {

/// Finds room for words beside dots.
class Labels {
 public:
  Labels(const Scale& x, const Scale& y) : x_(x), y_(y) {}

  struct Spot {
    double dx = 0, dy = 0;
    const char* anchor = "start";
  };
  void keep_free(double x, double y) { taken_.push_back({left(x) - 8, top(y) - 8, left(x) + 8, top(y) + 8}); }
  /// Nothing when every place beside the dot is taken.
  std::optional<Spot> place(double x, double y, const std::string& word) {
    if (word.empty()) return {};
    const double width = 8.5 * static_cast<double>(word.size()) + 4;
    for (const Spot& spot : {Spot{11, -9, "start"},
                             {-11, -9, "end"},
                             {11, 19, "start"},
                             {-11, 19, "end"},
                             {12, 5, "start"},
                             {-12, 5, "end"}}) {
      const double from = left(x) + spot.dx - (spot.anchor[0] == 'e' ? width : 0);
      const Box box = {from, top(y) + spot.dy - 12, from + width, top(y) + spot.dy + 3};
      if (box.x0 < 0 || box.x1 > kPlotWidth || box.y0 < -20 || box.y1 > kPlotHeight) continue;
      if (std::any_of(taken_.begin(), taken_.end(), [&](const Box& other) { return over(box, other); })) continue;
      taken_.push_back(box);
      return spot;
    }
    return {};
  }

 private:
  struct Box {
    double x0, y0, x1, y1;
  };
  static constexpr double kPlotWidth = 450, kPlotHeight = 248;  // of a Plot of the usual size, within its axes
  static bool over(const Box& a, const Box& b) { return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1; }
  double left(double x) const { return x_.share(x) * kPlotWidth; }
  double top(double y) const { return (1 - y_.share(y)) * kPlotHeight; }

  Scale x_, y_;
  std::vector<Box> taken_;
};

}  // namespace

std::string pareto_chart(const std::vector<FrontPoint>& points, const Metric& x_metric, const Metric& y_metric) {
  double most_x = 0, low = 1e300, high = -1e300;
  for (const FrontPoint& point : points) {
    if (std::isnan(point.x) || std::isnan(point.y)) continue;
    const double reach = point.y_interval ? point.y_interval->half_width : 0;
    most_x = std::max(most_x, point.x + (point.x_interval ? point.x_interval->half_width : 0));
    low = std::min(low, point.y - reach);
    high = std::max(high, point.y + reach);
  }
  if (high < low) return "<p class=\"sub\">Nothing to compare.</p>";
  const double room = std::max((high - low) * 0.18, std::abs(high) * 0.002 + 1e-9);
  const Scale x{0, most_x > 0 ? most_x * 1.15 : 1, false};
  Scale y{low - room, high + room, false};
  if (y_metric.is_share) y.max = std::min(y.max, 1.0);
  Plot plot(std::string(y_metric.words) + " against " + std::string(x_metric.words), x, y);
  const double factor = y_metric.is_share ? 100 : 1;
  plot.y_axis(round_ticks(y, factor, y_metric.is_share ? " %" : ""), y_metric.words);
  plot.x_axis(round_ticks(x, x_metric.is_share ? 100 : 1, x_metric.is_share ? " %" : ""), x_metric.words);
  const auto front = pareto_front(points, y_metric.better == Better::kHigher);
  Plot::Points stairs;  // between two points of the front nothing better is known than the cheaper one
  for (const std::size_t i : front) {
    if (!stairs.empty()) stairs.emplace_back(points[i].x, stairs.back().second);
    stairs.emplace_back(points[i].x, points[i].y);
  }
  if (!stairs.empty()) stairs.emplace_back(x.max, stairs.back().second);
  plot.line(stairs, "front thin");
  Labels labels(x, y);
  for (const FrontPoint& point : points) labels.keep_free(point.x, point.y);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const FrontPoint& point = points[i];
    if (std::isnan(point.x) || std::isnan(point.y)) continue;
    const bool best = std::find(front.begin(), front.end(), i) != front.end();
    if (point.x_interval)
      plot.segment(point.x - point.x_interval->half_width, point.y, point.x + point.x_interval->half_width, point.y,
                   "whisker");
    if (point.y_interval)
      plot.segment(point.x, point.y - point.y_interval->half_width, point.x, point.y + point.y_interval->half_width,
                   "whisker");
    const std::string figures = point.name + ": " + shown(y_metric, point.y) + ", " + shown(x_metric, point.x);
    plot.dot(point.x, point.y, points.size() <= 8 ? 7 : 5, (best ? "fill " : "fill faint ") + point.css, figures);
    if (const auto spot = labels.place(point.x, point.y, point.label))
      plot.text(point.x, point.y, spot->dx, spot->dy, spot->anchor, "word", point.label);
  }
  return plot.svg();
}

std::string interval_strip(double low, double middle, double high, double margin, double span, std::string_view css) {
  constexpr double kWidth = 280, kHeight = 22, kMiddle = kWidth / 2;
  const auto at = [&](double value) {
    return kMiddle + std::clamp(span > 0 ? value / span : 0, -1.0, 1.0) * (kMiddle - 6);
  };
  const auto number = [](double value) { return short_number(value, 1); };
  std::string out = "<svg class=\"strip\" viewBox=\"0 0 280 22\" role=\"img\" aria-label=\"interval\">";
  out += "<rect class=\"margin\" x=\"" + number(at(-margin)) + "\" y=\"2\" width=\"" +
         number(std::max(1.0, at(margin) - at(-margin))) + "\" height=\"18\"/>";
  out += "<line class=\"zero\" x1=\"140\" y1=\"0\" x2=\"140\" y2=\"22\"/>";
  out += "<line class=\"reach " + std::string(css) + "\" x1=\"" + number(at(low)) + "\" y1=\"11\" x2=\"" +
         number(at(high)) + "\" y2=\"11\"/>";
  return out + "<circle class=\"fill " + std::string(css) + "\" cx=\"" + number(at(middle)) + "\" cy=\"" +
         number(kHeight / 2) + "\" r=\"4.5\"/></svg>";
}

std::string range_strip(double p50, double p95, double p99, double scale_min, double scale_max, std::string_view css) {
  const Scale scale{scale_min, scale_max, true};
  const auto at = [&](double value) { return short_number(6 + scale.share(std::max(value, scale_min)) * 288, 1); };
  const std::string colour(css);
  return "<svg class=\"strip\" viewBox=\"0 0 300 22\" role=\"img\" aria-label=\"p50 to p99\"><line class=\"rail\" "
         "x1=\"6\" y1=\"11\" x2=\"294\" y2=\"11\"/><line class=\"reach " +
         colour + "\" x1=\"" + at(p50) + "\" y1=\"11\" x2=\"" + at(p99) + "\" y2=\"11\"/><line class=\"reach " +
         colour + "\" x1=\"" + at(p95) + "\" y1=\"5\" x2=\"" + at(p95) + "\" y2=\"17\"/><circle class=\"fill " +
         colour + "\" cx=\"" + at(p50) + "\" cy=\"11\" r=\"4.5\"/></svg>";
}

std::string unit_of(const Metric& metric) {
  const std::string_view key = metric.key;
  if (metric.is_share) return "%";
  if (key.ends_with("_ms")) return "ms";
  if (key.find("usd") != std::string_view::npos) return "US$";
  if (key.find("joules") != std::string_view::npos) return "J";
  return key.find("bytes") != std::string_view::npos ? "B" : "";
}

namespace {

std::string shown_number(const Metric& metric, double value) {
  if (metric.is_share) return short_number(value * 100, 2);
  const double size = std::abs(value);
  if (size >= 1000) return (value < 0 ? "-" : "") + tool::grouped(static_cast<std::uint64_t>(std::llround(size)));
  return short_number(value, size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 5);
}

std::string with_unit(const Metric& metric, const std::string& number) {
  const std::string unit = unit_of(metric);
  return unit.empty() ? number : number + " " + unit;
}

}  // namespace

std::pair<std::string, std::string> shown_apart(const Metric& metric, double value) {
  if (std::isnan(value)) return {"\u2013", ""};
  return {shown_number(metric, value), unit_of(metric)};
}

std::string shown(const Metric& metric, double value) {
  return std::isnan(value) ? "\u2013" : with_unit(metric, shown_number(metric, value));
}

std::string shown_range(const Metric& metric, double low, double high) {
  return with_unit(metric, shown_number(metric, low) + " to " + shown_number(metric, high));
}

}  // namespace hearth::simulate
