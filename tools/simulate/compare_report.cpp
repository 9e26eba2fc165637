// The report of a comparison.
#include <algorithm>
#include <cmath>

#include "tools/hearth/page.h"
#include "tools/hearth/story.h"
#include "tools/hearth/svg.h"
#include "tools/simulate/charts.h"
#include "tools/simulate/compare.h"
#include "tools/simulate/report_style.h"

namespace hearth::simulate {
namespace {

using tool::escaped;
using tool::grouped;
using tool::short_number;

std::string colour(std::size_t side) { return "s" + std::to_string(side % 8); }

std::string named(const Comparison& comparison, std::size_t side) {
  return letter(side) + " " + comparison.sides[side].name;
}

/// Green where the other side is better, red where A is, grey where nobody can say.
const char* css_of(Verdict verdict) {
  if (verdict == Verdict::kBBetter) return "good";
  return verdict == Verdict::kABetter ? "bad" : "same";
}

std::string difference_row(const Metric& metric, const Difference& one, std::size_t other) {
  std::string strip;
  std::string range = "\u2013";
  if (one.b_minus_a) {
    const double low = one.b_minus_a->low(), high = one.b_minus_a->high();
    const double span = 1.15 * std::max({std::abs(low), std::abs(high), one.margin * 1.5});
    strip = interval_strip(low, one.b_minus_a->mean, high, one.margin, span, css_of(one.verdict));
    range = shown_range(metric, low, high);
  }
  const std::string css = css_of(one.verdict);
  return "<tr><td>" + escaped(metric.words) + "</td><td>" + escaped(shown(metric, one.a)) + "</td><td>" +
         escaped(shown(metric, one.b)) + "</td><td>" + escaped(range) + "</td><td class=\"strip\">" + strip +
         "</td><td class=\"left " + (css == "same" ? "soft" : css) + "\">" +
         escaped(verdict_words(one.verdict, other)) + "</td></tr>\n";
}

std::string difference_table(const Comparison& comparison, std::size_t other) {
  std::string rows;
  const auto found = differences(comparison, other);
  for (std::size_t i = 0; i < found.size(); ++i) rows += difference_row(metrics()[i], found[i], other);
  return "<div class=\"scroll\"><table><thead><tr><th></th><th class=\"s0\">A</th><th class=\"" + colour(other) +
         "\">" + letter(other) + "</th><th>" + letter(other) +
         " \u2212 A, 95 %</th><th></th><th class=\"left\">verdict</th>" + "</tr></thead><tbody>\n" + rows +
         "</tbody></table></div>\n<p class=\"after\">Left of the line: less than A; right of it: more. The grey field "
         "is "
         "what counts as equivalent: " +
         short_number(comparison.within * 100, 1) + " % of A, of a share " + short_number(comparison.within * 100, 1) +
         " % of its rarer side. Green: " + letter(other) + " is better; red: A is.</p>\n";
}

/// How many verdicts went which way.
std::string tiles(const Comparison& comparison) {
  std::string out = "<div class=\"tiles\">\n";
  for (std::size_t other = 1; other < comparison.sides.size(); ++other) {
    std::size_t better = 0, worse = 0, same = 0, open = 0;
    for (const Difference& one : differences(comparison, other)) {
      better += one.verdict == Verdict::kBBetter;
      worse += one.verdict == Verdict::kABetter;
      same += one.verdict == Verdict::kEquivalent;
      open += one.verdict == Verdict::kInconclusive;
    }
    out += tool::tile(std::to_string(better) + " : " + std::to_string(worse), "",
                      "figures in which " + letter(other) + " is better, and A is; " + std::to_string(same) +
                          " equivalent, " + std::to_string(open) + " inconclusive");
  }
  const Tally a = comparison.sides[0].results.summary().all();
  const auto both = [&](const char* key, const char* words) {
    const Metric& metric = *find_metric(key);
    const std::size_t last = comparison.sides.size() - 1;
    const double other = metric.of(comparison.sides[last].results.summary().all());
    const auto [number, unit] = shown_apart(metric, other);
    out += tool::tile(number, unit,
                      std::string(words) + " with " + letter(last) + "; with A " + shown(metric, metric.of(a)));
  };
  both("right_in_time_share", "answered rightly and in time");
  both("latency_p95_ms", "hold 95 of 100 answers");
  both("cloud_share", "answered by the cloud");
  both("usd_per_1000_requests", "for 1,000 requests");
  return out + "</div>\n";
}

std::string words(const Comparison& comparison) {
  tool::Legend all;
  for (std::size_t i = 0; i < comparison.sides.size(); ++i) all.emplace_back(colour(i), named(comparison, i));
  return tool::legend(all);
}

std::string front(const Comparison& comparison, const char* x_key, const char* y_key) {
  const Metric &x = *find_metric(x_key), &y = *find_metric(y_key);
  std::vector<FrontPoint> points;
  for (std::size_t i = 0; i < comparison.sides.size(); ++i) {
    const Results& results = comparison.sides[i].results;
    const Estimate at_x = results.estimate(x), at_y = results.estimate(y);
    const bool seeds = results.facts().size() > 1;
    points.push_back({named(comparison, i), letter(i), colour(i), at_x.value, at_y.value,
                      seeds ? at_x.interval : std::nullopt, seeds ? at_y.interval : std::nullopt});
  }
  return words(comparison) + pareto_chart(points, x, y);
}

std::string placed_bars(const Comparison& comparison) {
  std::string rows;
  for (std::size_t i = 0; i < comparison.sides.size(); ++i) {
    const Tally all = comparison.sides[i].results.summary().all();
    const auto width = [&](std::uint64_t part) {
      return short_number(all.requests == 0 ? 0 : 100 * all.share(part), 2) + "%";
    };
    const std::uint64_t lost = all.requests - all.served;
    rows += "<tr><td>" + escaped(named(comparison, i)) +
            "</td><td class=\"placed\"><div class=\"placed\"><i class=\"swatch edge\" "
            "style=\"width:" +
            width(all.on_edge()) + "\"></i><i class=\"swatch cloud\" style=\"width:" + width(all.on_cloud()) +
            "\"></i><i class=\"swatch lost\" style=\"width:" + width(lost) + "\"></i></div></td><td>" +
            grouped(all.on_edge()) + "</td><td>" + grouped(all.on_cloud()) + "</td><td>" + grouped(lost) +
            "</td></tr>\n";
  }
  return tool::legend({{"edge", "edge"}, {"cloud", "cloud"}, {"lost", "not served"}}) +
         "<div class=\"scroll\"><table><thead><tr><th></th><th></th><th>edge</th><th>cloud</th><th>not "
         "served</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::string curves(const Comparison& comparison) {
  std::vector<Tally> tallies;
  for (const Side& side : comparison.sides) tallies.push_back(side.results.summary().all());
  std::vector<Curve> all;
  for (std::size_t i = 0; i < tallies.size(); ++i)
    all.push_back({colour(i), named(comparison, i), &tallies[i].latency, tallies[i].requests});
  return latency_curves(all, "requests answered");
}

}  // namespace

std::string make_comparison_report(const Comparison& comparison, const std::string& story) {
  const Results& a = comparison.sides[0].results;
  std::string list;
  for (std::size_t i = 0; i < comparison.sides.size(); ++i)
    list += (i == 0 ? "" : i + 1 == comparison.sides.size() ? " and " : ", ") + named(comparison, i);
  const std::string lead = "Policies " + list + " on the same requests and the same draws, " +
                           (a.facts().size() == 1 ? "under one seed: no interval can be given."
                                                  : "under " + std::to_string(a.facts().size()) + " seeds each.");
  std::string body = "<header><h1>" + escaped(a.facts()[0].scenario) + ": which policy?</h1>" +
                     (story.empty() ? "" : "<p class=\"lead\">" + escaped(story) + "</p>") + "<p class=\"lead\">" +
                     escaped(lead) + "</p></header>\n" + tiles(comparison) + "<div class=\"cards\">\n";
  for (std::size_t other = 1; other < comparison.sides.size(); ++other)
    body += tool::card("wide", named(comparison, other) + " against " + named(comparison, 0),
                       "differences of paired runs: the noise that both share is not in them",
                       difference_table(comparison, other));
  body +=
      tool::card("half", "What a right answer in time costs", "up and to the left is better; bars are 95 % intervals",
                 front(comparison, "usd_per_1000_requests", "right_in_time_share"));
  body += tool::card("half", "What a kept deadline sends", "up and to the left is better; bars are 95 % intervals",
                     front(comparison, "bytes_up_per_request", "deadline_met_share"));
  body += tool::card("half", "How long an answer takes", "all seeds pooled", curves(comparison));
  body += tool::card("half", "Where requests were answered", "all seeds pooled", placed_bars(comparison));
  std::string foot = "<footer>";
  for (std::size_t i = 0; i < comparison.sides.size(); ++i)
    foot += "<p>" + escaped(named(comparison, i)) + " <code>" +
            escaped(comparison.sides[i].results.facts()[0].policy_sha256) + "</code></p>\n";
  return tool::html_page(a.facts()[0].scenario + ": which policy?", kSimulateStyle,
                         body + "</div>\n" + foot + "</footer>");
}

}  // namespace hearth::simulate
