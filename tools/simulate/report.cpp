#include "tools/simulate/report.h"

#include <algorithm>
#include <cmath>

#include "tools/hearth/page.h"
#include "tools/hearth/story.h"
#include "tools/hearth/svg.h"
#include "tools/simulate/charts.h"
#include "tools/simulate/report_style.h"

namespace hearth::simulate {
namespace {

using tool::escaped;
using tool::grouped;
using tool::milliseconds;
using tool::percent;
using tool::short_number;

std::string share_of(const Tally& tally, std::uint64_t part, int decimals = 1) {
  return tally.requests == 0 ? "\u2013" : percent(tally.share(part), decimals);
}

std::string at(const Tally& tally, double q) {
  return tally.latency.count() == 0 ? "\u2013" : milliseconds(to_ms(tally.latency.quantile(q)));
}

std::string money(double usd) { return short_number(usd, usd >= 100 ? 0 : usd >= 1 ? 2 : 4); }

/// "10 minutes", "45 s", "2 hours".
std::string length_words(Duration length) {
  const double s = to_ms(length) / 1000;
  if (s < 180) return short_number(s, 1) + " s";
  if (s < 3 * 3600) return short_number(s / 60, 1) + " minutes";
  return short_number(s / 3600, 1) + " hours";
}

std::string cell(const std::string& text, const char* css = "") {
  return std::string(*css ? "<td class=\"" + std::string(css) + "\">" : "<td>") + escaped(text) + "</td>";
}

std::string table(const std::string& head, const std::string& rows, const char* css = "") {
  return std::string("<div class=\"scroll\"><table") + (*css ? " class=\"" + std::string(css) + "\"" : "") +
         "><thead><tr>" + head + "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string heads(std::initializer_list<const char*> words) {
  std::string out;
  for (const char* word : words) out += "<th>" + std::string(word) + "</th>";
  return out;
}

std::string tiles(const Results& results, const Tally& all) {
  std::uint64_t leaks = 0, denied = 0;
  for (const RunFacts& facts : results.facts()) {
    leaks += facts.leaks;
    denied += facts.permits_denied;
  }
  std::string out = "<div class=\"tiles\">\n";
  out += tool::tile(grouped(leaks), "",
                    "attempts carried what may not leave; of " + grouped(all.requests) + " requests " +
                        grouped(all.requests - all.may_leave) + " had to stay" +
                        (denied > 0 ? ", and the door turned " + grouped(denied) + " attempts away" : ""));
  out +=
      tool::tile(at(all, 0.5), "ms", "half of all answers come within this; 99 of 100 within " + at(all, 0.99) + " ms");
  out += tool::tile(share_of(all, all.in_time), "", "of the requests were answered within their deadline");
  out += tool::tile(share_of(all, all.right_in_time), "",
                    "were answered rightly and in time; an oracle bound by the same permits reaches " +
                        share_of(all, all.oracle_right()));
  out += tool::tile(
      share_of(all, all.on_cloud()), "",
      "were answered by the cloud, for " + money(all.usd) + " US$ and " + tool::mebibytes(all.bytes_up) + " MiB sent");
  return out + "</div>\n";
}

std::string group_row(const std::string& name, const Tally& tally) {
  return "<tr>" + cell(name) + cell(grouped(tally.requests)) + cell(at(tally, 0.5)) + cell(at(tally, 0.95)) +
         cell(at(tally, 0.99)) + cell(share_of(tally, tally.in_time)) + cell(share_of(tally, tally.correct)) +
         cell(share_of(tally, tally.may_leave)) + cell(share_of(tally, tally.on_cloud())) +
         cell(tool::mebibytes(tally.bytes_up)) + cell(money(tally.usd)) + "</tr>\n";
}

std::string groups_table(const Summary& summary, const Tally& all) {
  std::string rows = group_row("all", all);
  const auto add = [&](const char* title, Summary::By by) {
    rows += "<tr class=\"group\"><th colspan=\"11\">" + std::string(title) + "</th></tr>\n";
    for (const auto& [name, tally] : summary.by(by)) rows += group_row(name, tally);
  };
  add("by stream", Summary::By::kStream);
  add("by class", Summary::By::kClass);
  add("by site", Summary::By::kSite);
  return table(heads({"", "requests", "p50 ms", "p95 ms", "p99 ms", "in time", "right", "may leave", "cloud",
                      "MiB sent", "US$"}),
               rows);
}

/// What a reason's name means (hearth/outcome.h).
const char* words_of(std::string_view reason) {
  constexpr std::array<std::pair<std::string_view, const char*>, 17> kWords = {{
      {"local_by_default", "the plan was the edge"},
      {"local_confident", "the local answer was good enough"},
      {"local_only_permitted", "the cloud was wanted, and not permitted"},
      {"no_room", "the deadline left no room for the cloud"},
      {"cloud_unhealthy", "the cloud was known to be out of reach or busy"},
      {"cloud_failed", "an attempt at the cloud failed"},
      {"cloud_answered", "the cloud answered"},
      {"not_worth_it", "the cloud would have cost more than it is worth"},
      {"local_faster", "both were asked, and the edge came first"},
      {"queue_full", "refused: the queue was full"},
      {"queue_too_long", "refused: its turn would have come too late"},
      {"no_permitted_site", "refused: no site was permitted"},
      {"invalid_request", "refused: not a request that the model takes"},
      {"deadline_passed", "nothing answered in time"},
      {"edge_failed", "the local model failed, and the cloud could not answer"},
      {"caller_cancelled", "withdrawn by the caller"},
      {"shut_down", "withdrawn by shutdown"},
  }};
  for (const auto& [name, words] : kWords)
    if (name == reason) return words;
  return "";
}

std::string reasons_table(const Summary& summary, const Tally& all) {
  auto groups = summary.by(Summary::By::kReason);
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& one, const auto& other) { return one.second.requests > other.second.requests; });
  std::string rows;
  for (const auto& [reason, tally] : groups) {
    rows += "<tr><td><code>" + escaped(reason) + "</code></td><td class=\"left soft\">" + words_of(reason) +
            "</td><td class=\"bar\"><div class=\"meter\"><i style=\"width:" +
            short_number(100 * all.share(tally.requests), 1) + "%\"></i></div></td>" +
            cell(share_of(all, tally.requests)) + cell(grouped(tally.requests)) + cell(at(tally, 0.5)) +
            cell(at(tally, 0.95)) + cell(share_of(tally, tally.right_in_time)) +
            cell(share_of(tally, tally.missed_cloud() + tally.missed_edge())) + "</tr>\n";
  }
  return table(heads({"", "", "", "share", "requests", "p50 ms", "p95 ms", "right, in time", "other road right"}),
               rows);
}

std::string components_table(const Summary& summary) {
  constexpr std::array<const char*, kComponents> kWords = {"edge queue", "edge", "network", "server queue", "server"};
  double low = 1e300, high = 0;
  for (std::size_t i = 0; i < kComponents; ++i) {
    const LatencyHistogram& times = summary.component(static_cast<Component>(i));
    if (times.count() == 0) continue;
    low = std::min(low, to_ms(times.quantile(0.5)));
    high = std::max(high, to_ms(times.quantile(0.99)));
  }
  if (high <= 0) return "<p class=\"sub\">Nothing was served.</p>";
  const double top = tool::log_bound(high, true), bottom = tool::log_bound(std::clamp(low, top / 1e4, top / 10), false);
  std::string rows;
  for (std::size_t i = 0; i < kComponents; ++i) {
    const LatencyHistogram& times = summary.component(static_cast<Component>(i));
    if (times.count() == 0) continue;
    const double p50 = to_ms(times.quantile(0.5)), p95 = to_ms(times.quantile(0.95)), p99 = to_ms(times.quantile(0.99));
    rows += "<tr>" + cell(kWords[i]) + "<td class=\"strip\">" +
            range_strip(p50, p95, p99, bottom, top, i < 2 ? "edge" : "cloud") + "</td>" + cell(milliseconds(p50)) +
            cell(milliseconds(p95)) + cell(milliseconds(p99)) + "</tr>\n";
  }
  return table("<th></th><th class=\"soft\">" + milliseconds(bottom) + " to " + milliseconds(top) +
                   " ms, log</th><th>p50 ms</th><th>p95 ms</th><th>p99 ms</th>",
               rows) +
         "<p class=\"after\">Dot: p50. Tick: p95. End of the line: p99. The edge's rows count each local pass, the "
         "others each answer of the cloud.</p>\n";
}

std::string road_cell(const Tally& all, Answered answered, bool edge, bool cloud) {
  const std::uint64_t count = all.count(answered, edge, cloud);
  const bool here = (answered == Answered::kEdge && edge) || (answered == Answered::kCloud && cloud);
  const char* css = !edge && !cloud                                 ? ""
                    : answered == Answered::kCloud && edge && cloud ? "waste"
                    : here                                          ? "well"
                                                                    : "missed";
  return "<td class=\"" + std::string(css) + "\"><b>" + share_of(all, count, 2) + "</b><small>" + grouped(count) +
         "</small></td>";
}

std::string roads_table(const Tally& all) {
  std::string rows;
  const auto row = [&](const char* name, Answered answered) {
    rows += "<tr><td>" + std::string(name) + "</td>" + road_cell(all, answered, true, true) +
            road_cell(all, answered, true, false) + road_cell(all, answered, false, true) +
            road_cell(all, answered, false, false) + "</tr>\n";
  };
  row("edge answered", Answered::kEdge);
  row("cloud answered", Answered::kCloud);
  row("not answered", Answered::kNowhere);
  return tool::legend({{"well", "the right road"},
                       {"waste", "paid for what the edge knew"},
                       {"missed", "the other road was right"}}) +
         table(heads({"", "both right", "only edge", "only cloud", "neither"}), rows, "roads") +
         "<p class=\"after\">A road is right when the mask permits it and it would have given the right answer within "
         "the deadline, without other requests in its way.</p>\n";
}

std::string regret_table(const Summary& summary, const Tally& all) {
  std::string rows;
  const auto row = [&](const std::string& name, const Tally& tally) {
    const double mine = tally.share(tally.right_in_time), oracle = tally.share(tally.oracle_right());
    const double per_1000 = (tally.usd - tally.oracle_usd) * 1000 / static_cast<double>(tally.requests);
    rows += "<tr>" + cell(name) +
            "<td class=\"bar\"><div class=\"reached\"><i style=\"width:" + short_number(100 * mine, 1) +
            "%\"></i><u style=\"width:" + short_number(100 * std::max(0.0, oracle - mine), 1) + "%\"></u></div></td>" +
            cell(percent(mine)) + cell(percent(oracle)) + cell(short_number(100 * (oracle - mine), 2), "ours") +
            cell(short_number(per_1000, 4)) + "</tr>\n";
  };
  if (all.requests > 0) row("all", all);
  const auto add = [&](Summary::By by) {
    const auto groups = summary.by(by);
    if (groups.size() > 1)
      for (const auto& [name, tally] : groups) row(name, tally);
  };
  add(Summary::By::kStream);
  add(Summary::By::kClass);
  return tool::legend({{"good", "right and in time"}, {"fell", "what the oracle has besides"}}) +
         table(heads({"", "", "reached", "oracle", "points", "US$ / 1,000"}), rows) +
         "<p class=\"after\">Points: right answers in time that the oracle has and the policy has not, in per cent of "
         "the "
         "requests. US$: what the policy paid more than the oracle for 1,000 requests.</p>\n";
}

std::string intervals_table(const Results& results) {
  std::vector<std::string> rows;
  for (const Metric& metric : metrics()) {
    const Estimate estimate = results.estimate(metric);
    if (std::isnan(estimate.value)) continue;
    const double half = estimate.interval ? estimate.interval->half_width : 0;
    rows.push_back("<tr>" + cell(std::string(metric.words)) + cell(shown(metric, estimate.value), "ours") +
                   cell(estimate.interval ? shown_range(metric, estimate.value - half, estimate.value + half)
                                          : std::string("\u2013")) +
                   "</tr>\n");
  }
  std::string out = "<div class=\"two\">";
  const std::size_t half = (rows.size() + 1) / 2;
  for (std::size_t begin = 0; begin < rows.size(); begin += half) {
    std::string part;
    for (std::size_t i = begin; i < std::min(begin + half, rows.size()); ++i) part += rows[i];
    out += table(heads({"", "value", "95 % interval"}), part);
  }
  return out + "</div>\n";
}

std::string curves(const Summary& summary, const Tally& all) {
  Tally cloud, edge;
  for (const auto& [name, tally] : summary.by(Summary::By::kSite)) {
    if (name == "none") continue;
    (name == "edge" ? edge : cloud).merge(tally);
  }
  return latency_curves({{"edge", "answered by the edge", &edge.latency, edge.requests},
                         {"cloud", "answered by the cloud", &cloud.latency, cloud.requests},
                         {"hearth", "all requests", &all.latency, all.requests}},
                        "requests answered");
}

std::string header(const ReportInput& input, const Tally& all) {
  const RunFacts& facts = input.results.facts()[0];
  const std::size_t runs = input.results.facts().size();
  std::string lead = grouped(all.requests) + " requests of " +
                     (facts.devices == 1 ? "one device" : grouped(facts.devices) + " devices") + " in " +
                     length_words(facts.length) + " of virtual time, under the policy " + facts.policy_name + ". ";
  lead += runs == 1 ? "Seed " + std::to_string(facts.seed) + "." : std::to_string(runs) + " seeds, pooled.";
  return "<header><h1>" + escaped(facts.scenario) + "</h1>" +
         (input.story.empty() ? "" : "<p class=\"lead\">" + escaped(input.story) + "</p>") + "<p class=\"lead\">" +
         escaped(lead) + "</p></header>\n";
}

std::string footer(const Results& results) {
  const RunFacts& first = results.facts()[0];
  std::string out =
      "<footer><p>Policy " + escaped(first.policy_name) + " <code>" + escaped(first.policy_sha256) + "</code></p>\n<p>";
  for (std::size_t i = 0; i < std::min<std::size_t>(results.facts().size(), 8); ++i) {
    const RunFacts& facts = results.facts()[i];
    out += (i > 0 ? ", " : "") + std::string("seed ") + std::to_string(facts.seed) + " trace hash <code>" +
           escaped(facts.trace_hash) + "</code>";
  }
  return out + "</p>\n<p>Latencies are of served requests; every other figure is of all. Requests of the first " +
         escaped(length_words(first.warm_up)) + " warm up and are not counted.</p></footer>\n";
}

}  // namespace

std::string make_report(const ReportInput& input) {
  const Summary& summary = input.results.summary();
  const Tally all = summary.all();
  const bool one = input.results.facts().size() == 1;
  std::string body = header(input, all) + tiles(input.results, all) + "<div class=\"cards\">\n";
  if (input.timeline != nullptr) {
    const std::string of_run = one ? "by arrival" : "by arrival, of the first seed";
    body += tool::card("wide", "Where requests were answered", of_run, served_chart(*input.timeline, input.marks));
    body += tool::card("half", "Latency over time", of_run, latency_over_time(*input.timeline, input.marks));
    body += tool::card("half", "Under way over time", "all devices together",
                       in_flight_over_time(*input.timeline, input.marks));
  }
  body += tool::card("half", "How long an answer takes", "each curve is a share of all requests of its kind",
                     curves(summary, all));
  body += tool::card("half", "Where the time goes", "by component, never only the sum", components_table(summary));
  body += tool::card("wide", "By stream, class and site", "who asked for what, and what came of it",
                     groups_table(summary, all));
  body += tool::card("half", "The road not taken", "what each road would have led to, by the very draws of the run",
                     roads_table(all));
  body += tool::card("half", "Regret", "against an oracle that knows the future and obeys the same permits",
                     regret_table(summary, all));
  body += tool::card("wide", "Why", "every request says what decided it", reasons_table(summary, all));
  body += tool::card("wide", "How sure the figures are",
                     one ? "intervals from 20 stretches of the one run" : "intervals by Student's t over the seeds",
                     intervals_table(input.results));
  return tool::html_page(input.results.facts()[0].scenario, kSimulateStyle, body + "</div>\n" + footer(input.results));
}

}  // namespace hearth::simulate
