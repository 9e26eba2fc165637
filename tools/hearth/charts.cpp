#include "tools/hearth/charts.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/hearth/page.h"
#include "tools/hearth/svg.h"

namespace hearth::tool {
namespace {

/// How a request of the hearth phase was answered, in the order the bars are stacked.
enum Placed : std::size_t { kAtHome, kConfident, kByCloud, kFellBack, kNotServed, kPlacedCount };
constexpr std::array<const char*, kPlacedCount> kPlacedCss = {"home", "edge", "cloud", "fell", "lost"};

Placed placed(const Outcome& outcome) {
  if (outcome.status != OutcomeStatus::kServed) return kNotServed;
  if (served_on_cloud(outcome)) return kByCloud;
  switch (outcome.reason) {
    case Reason::kNoRoom:
    case Reason::kCloudUnhealthy:
    case Reason::kCloudFailed:
      return kFellBack;
    default:
      return outcome.mask.has_cloud() ? kConfident : kAtHome;
  }
}

double round_down(double value, double step) { return std::floor(value / step + 1e-9) * step; }
double round_up(double value, double step) { return std::ceil(value / step - 1e-9) * step; }

}  // namespace

std::string latency_chart(const Story& story) {
  const std::array<const ModeRun*, 3> modes = {&story.edge_only, &story.cloud_only, &story.hearth};
  std::array<std::vector<double>, 3> latencies;
  double low = 1e9, high = 0;
  for (std::size_t i = 0; i < modes.size(); ++i) {
    latencies[i] = sorted_latencies_ms(modes[i]->served);
    if (latencies[i].empty()) continue;
    low = std::min(low, quantile(latencies[i], 0.001));
    high = std::max(high, latencies[i].back());
  }
  if (high <= 0) return "";
  high = std::max(high, story.spec.deadline_ms * 1.2);
  const Scale x{log_bound(std::max(low, 0.001), false), log_bound(high, true), true};
  Plot plot("Latency: share of photos answered within a time, three modes", x, Scale{0, 1, false});
  plot.y_axis(round_ticks(Scale{0, 1, false}, 100, " %"), "photos answered");
  plot.x_axis(decade_ticks(x), "milliseconds since the photo arrived (log scale)");
  plot.marker(story.spec.deadline_ms, "deadline", true);
  constexpr std::array<const char*, 3> kCss = {"edge", "cloud", "hearth"};
  for (std::size_t i = 0; i < modes.size(); ++i) {
    Plot::Points points;
    const auto& values = latencies[i];
    if (values.empty()) continue;
    const auto total = static_cast<double>(modes[i]->served.size());
    const std::size_t step = std::max<std::size_t>(1, values.size() / 300);
    points.emplace_back(values.front(), 0);
    for (std::size_t k = 0; k < values.size(); k += step) {
      points.emplace_back(values[k], static_cast<double>(k + 1) / total);
    }
    points.emplace_back(values.back(), static_cast<double>(values.size()) / total);
    plot.line(points, kCss[i]);
  }
  return legend({{"edge", "edge only"}, {"cloud", "cloud only"}, {"hearth", "hearth"}}) + plot.svg();
}

std::string accuracy_chart(const Board& board) {
  const auto mib = [](const Figures& f) { return static_cast<double>(f.bytes_sent) / (1024.0 * 1024.0); };
  const std::array<const Figures*, 3> modes = {&board.edge_only, &board.cloud_only, &board.hearth};
  double low = 1, high = 0, most = 0;
  for (const Figures* figures : modes) {
    low = std::min(low, figures->accuracy());
    high = std::max(high, figures->accuracy());
    most = std::max(most, mib(*figures));
  }
  const double step = high - low > 0.04 ? 0.02 : 0.01;
  const Scale y{std::max(0.0, round_down(low - step / 2, step)), std::min(1.0, round_up(high + step / 2, step)), false};
  const Scale x{0, most <= 0 ? 1 : most * 1.15, false};
  Plot plot("Accuracy on the test photos against MiB sent", x, y);
  plot.y_axis(round_ticks(y, 100, " %"), "accuracy");
  plot.x_axis(round_ticks(x), "MiB sent to the cloud");
  constexpr std::array<const char*, 3> kCss = {"edge", "cloud", "hearth"};
  constexpr std::array<const char*, 3> kWord = {"edge only", "cloud only, privacy ignored", "hearth"};
  for (std::size_t i = 0; i < modes.size(); ++i) {
    const double left = mib(*modes[i]), up = modes[i]->accuracy();
    const std::string figures = percent(up, 1) + " · " + mebibytes(modes[i]->bytes_sent) + " MiB";
    const bool to_left = x.share(left) > 0.6;
    double down = 0;  // words of neighbours part: the higher one's go up, the lower one's down
    for (const Figures* other : modes) {
      const double apart = y.share(other->accuracy()) - y.share(up);
      if (other == modes[i] || std::abs(apart) > 0.17 || std::abs(x.share(mib(*other)) - x.share(left)) > 0.45)
        continue;
      down = apart > 0 ? 15 : -15;
    }
    plot.dot(left, up, 8, "fill " + std::string(kCss[i]), figures);
    const double aside = to_left ? -14 : 14;
    const char* anchor = to_left ? "end" : "start";
    plot.text(left, up, aside, down - 2, anchor, "word " + std::string(kCss[i]), kWord[i]);
    plot.text(left, up, aside, down + 13, anchor, "note", figures);
  }
  return plot.svg();
}

std::string timeline_chart(const Story& story) {
  if (story.hearth.served.empty()) return "";
  const double end_s = to_ms(story.arrivals.back().at) / 1e3;
  double bin_s = 0.05;
  for (const double wider : {0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0}) bin_s = end_s / bin_s > 70 ? wider : bin_s;
  const auto bins = static_cast<std::size_t>(end_s / bin_s) + 1;
  std::vector<std::array<double, kPlacedCount>> counts(bins);
  for (const Served& one : story.hearth.served) {
    const auto bin = static_cast<std::size_t>(to_ms(story.arrivals[one.arrival].at) / 1e3 / bin_s);
    counts[std::min(bin, bins - 1)][placed(one.outcome)] += 1;
  }
  double most = 1;
  for (const auto& bin : counts) {
    double sum = 0;
    for (const double part : bin) sum += part;
    most = std::max(most, sum);
  }
  const Scale x{0, static_cast<double>(bins) * bin_s, false}, y{0, most * 1.12, false};
  Plot plot("Where the photos of each second were answered", x, y, 1120, 300);
  plot.y_axis(round_ticks(y), bin_s == 1 ? "photos per second" : "photos per " + short_number(bin_s) + " s");
  plot.x_axis(round_ticks(x), "seconds since the first photo");
  constexpr std::array<const char*, kPlacedCount> kWord = {"stayed by permission", "local, confident", "cloud",
                                                           "local, cloud could not", "not served"};
  for (std::size_t bin = 0; bin < bins; ++bin) {
    double base = 0;
    for (std::size_t part = 0; part < kPlacedCount; ++part) {
      const double amount = counts[bin][part];
      const double from = static_cast<double>(bin) * bin_s;
      plot.bar(from, from + bin_s, base, base + amount, kPlacedCss[part],
               short_number(from) + " s: " + short_number(amount) + " " + kWord[part]);
      base += amount;
    }
  }
  if (story.killed_at_s) plot.marker(*story.killed_at_s, "cloud killed", *story.killed_at_s > end_s * 0.8);
  return legend({{"home", "stayed by permission"},
                 {"edge", "local, confident enough"},
                 {"cloud", "cloud"},
                 {"fell", "local, because the cloud could not in time"},
                 {"lost", "not served"}}) +
         plot.svg();
}

std::string threshold_chart(const Story& story) {
  if (story.curve.size() < 2) return "";
  Plot::Points points;
  double low = 1, high = 0, chosen_gap = 2;
  CascadePoint chosen, all_cloud = story.curve.front();
  for (const CascadePoint& point : story.curve) {
    points.emplace_back(point.cloud_share, point.accuracy);
    low = std::min(low, point.accuracy);
    high = std::max(high, point.accuracy);
    if (point.cloud_share > all_cloud.cloud_share) all_cloud = point;
    if (std::abs(point.threshold - story.threshold) < chosen_gap) {
      chosen_gap = std::abs(point.threshold - story.threshold);
      chosen = point;
    }
  }
  const Scale x{0, 1, false}, y{round_down(low - 0.002, 0.01), round_up(high + 0.005, 0.01), false};
  Plot plot("Accuracy on the validation split against the share sent to the cloud", x, y);
  plot.y_axis(round_ticks(y, 100, " %"), "accuracy on 5,000 validation photos");
  plot.x_axis(round_ticks(x, 100, " %"), "share of photos sent to the cloud");
  plot.level(all_cloud.accuracy, "everything to the cloud " + percent(all_cloud.accuracy));
  plot.line(points, "hearth");
  plot.dot(chosen.cloud_share, chosen.accuracy, 7, "fill hearth", "chosen");
  plot.text(chosen.cloud_share, chosen.accuracy, 12, 20, "start", "word hearth",
            "threshold " + short_number(story.threshold, 3));
  plot.text(chosen.cloud_share, chosen.accuracy, 12, 36, "start", "note",
            percent(chosen.accuracy) + " at " + percent(chosen.cloud_share) + " cloud");
  return plot.svg();
}

std::string confidence_chart(const Story& story) {
  constexpr std::size_t kBins = 30;
  constexpr double kFrom = 0.1;  // ten classes: the largest probability is never below a tenth
  constexpr double kWidth = (1 - kFrom) / kBins;
  std::array<std::array<double, kPlacedCount>, kBins> counts{};
  for (const Served& one : story.hearth.served) {
    if (!one.outcome.mask.has_cloud() || one.outcome.confidence <= 0) continue;
    const double place = (static_cast<double>(one.outcome.confidence) - kFrom) / kWidth;
    counts[static_cast<std::size_t>(std::clamp(place, 0.0, kBins - 1.0))][placed(one.outcome)] += 1;
  }
  double most = 1;
  for (const auto& bin : counts) {
    double sum = 0;
    for (const double part : bin) sum += part;
    most = std::max(most, sum);
  }
  const Scale x{kFrom, 1, false}, y{0, std::sqrt(most) * 1.06, false};
  Plot plot("Confidence of the local model on the photos that may leave", x, y);
  std::vector<Tick> ticks;
  for (double value = 0, decade = 1; value <= most;) {
    ticks.push_back({std::sqrt(value), grouped(static_cast<std::uint64_t>(value))});
    if (value == 0) {
      value = 10;
      decade = 10;
    } else {
      value = value == decade ? decade * 4 : decade * 10;
      if (value >= decade * 10) decade *= 10;
    }
  }
  plot.y_axis(ticks, "photos (square-root scale)");
  plot.x_axis(round_ticks(x), "confidence of the local model");
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    double base = 0;
    for (const std::size_t part : {kConfident, kAtHome, kByCloud, kFellBack, kNotServed}) {
      const double amount = counts[bin][part];
      const double from = kFrom + static_cast<double>(bin) * kWidth;
      plot.bar(from, from + kWidth, std::sqrt(base), std::sqrt(base + amount), kPlacedCss[part],
               short_number(from) + " to " + short_number(from + kWidth) + ": " + short_number(amount));
      base += amount;
    }
  }
  plot.marker(story.threshold, "ask the cloud below " + short_number(story.threshold, 3), true);
  return legend({{"edge", "kept local"}, {"cloud", "cloud answered"}, {"fell", "cloud could not in time"}}) +
         plot.svg();
}

}  // namespace hearth::tool
