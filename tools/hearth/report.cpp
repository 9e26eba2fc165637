#include "tools/hearth/report.h"

#include <algorithm>
#include <array>
#include <map>

#include "tools/hearth/charts.h"
#include "tools/hearth/page.h"
#include "tools/hearth/svg.h"

namespace hearth::tool {
namespace {

std::string tiles(const Story& story, const Board& board) {
  std::string out = "<div class=\"tiles\">\n";
  out += tile(grouped(story.hearth.left.requests), "",
              "of " + grouped(board.must_stay()) + " photos that must stay left the device, by the server's own count");
  out +=
      tile(milliseconds(board.hearth.p50_ms), "ms",
           "half of all answers come within this; cloud-only needs " + milliseconds(board.cloud_only.p50_ms) + " ms");
  out += tile(percent(board.hearth_permitted.accuracy()), "",
              "right on the photos that may leave; cloud-only " + percent(board.cloud_only_permitted.accuracy()) +
                  " on the same photos");
  out += tile(percent(board.hearth_permitted.cloud_share()), "",
              "of those photos were answered by the cloud: the ones the local model was unsure of");
  out += tile(mebibytes(board.hearth.bytes_sent), "MiB",
              "sent in all; cloud-only sent " + mebibytes(board.cloud_only.bytes_sent) + " MiB");
  return out + "</div>\n";
}

std::string row(const std::string& name, const std::string& a, const std::string& b, const std::string& c) {
  return "<tr><td>" + escaped(name) + "</td><td>" + escaped(a) + "</td><td>" + escaped(b) + "</td><td class=\"ours\">" +
         escaped(c) + "</td></tr>\n";
}

std::string row_of(const std::string& name, const Board& board, const auto& get) {
  return row(name, get(board.edge_only), get(board.cloud_only), get(board.hearth));
}

std::string table(const Story& story, const Board& board) {
  std::string out =
      "<div class=\"scroll\"><table><thead><tr><th></th><th class=\"edge\">edge only</th><th class=\"cloud\">cloud "
      "only</th>"
      "<th class=\"hearth\">hearth</th></tr></thead><tbody>\n";
  out += row_of("Photos", board, [](const Figures& f) { return grouped(f.requests); });
  out += row_of("Accuracy", board, [](const Figures& f) { return percent(f.accuracy(), 2); });
  out += row_of("Latency p50, ms", board, [](const Figures& f) { return milliseconds(f.p50_ms); });
  out += row_of("Latency p95, ms", board, [](const Figures& f) { return milliseconds(f.p95_ms); });
  out += row_of("Latency p99, ms", board, [](const Figures& f) { return milliseconds(f.p99_ms); });
  out += row_of("Deadlines met", board, [](const Figures& f) { return percent(f.in_time_share(), 2); });
  out += row_of("Answered by the cloud", board, [](const Figures& f) { return percent(f.cloud_share()); });
  out += row_of("Sent, MiB", board, [](const Figures& f) { return mebibytes(f.bytes_sent); });
  out += row_of("Failed", board, [](const Figures& f) { return grouped(f.not_served); });
  out += row("Photos that had to stay, but left", grouped(story.edge_only.left.inputs),
             grouped(story.cloud_only.left.inputs), grouped(story.hearth.left.inputs));
  out += row("Captions that had to stay, but left", grouped(story.edge_only.left.canaries),
             grouped(story.cloud_only.left.canaries), grouped(story.hearth.left.canaries));
  return out + "</tbody></table></div>\n";
}

std::string claims(const Story& story, const Board& board) {
  std::string out = "<ul class=\"claims\">\n";
  for (const Claim& claim : make_claims(story, board)) {
    std::string name = claim.name;
    name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
    out += std::string("<li") + (claim.holds ? ">" : " class=\"misses\">") + escaped(name) + "<span>" +
           escaped(claim.figures) + "</span></li>\n";
  }
  return out + "</ul>\n";
}

constexpr std::array<const char*, 5> kStaysWords = {"Public photo, clean or no caption", "Personal photo",
                                                    "Sensitive photo", "Public photo, personal data in its caption",
                                                    "Public photo, clinical term in its caption"};

/// What the photos truly were, against what the policy said.
std::string permissions(const Story& story) {
  struct Group {
    std::uint64_t all = 0, permitted = 0, sent = 0;
  };
  std::array<Group, kStaysWords.size()> groups;
  for (const Served& one : story.hearth.served) {
    Group& group = groups[static_cast<std::size_t>(story.arrivals[one.arrival].stays)];
    ++group.all;
    group.permitted += one.outcome.mask.has_cloud() ? 1 : 0;
    group.sent += one.outcome.bytes_sent > 0 ? 1 : 0;
  }
  std::string out =
      "<div class=\"scroll\"><table><thead><tr><th>what the photo truly is</th><th></th><th>photos</th><th>may "
      "leave</th>"
      "<th>left</th></tr></thead><tbody>\n";
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const double share =
        groups[i].all == 0 ? 0 : 100.0 * static_cast<double>(groups[i].permitted) / static_cast<double>(groups[i].all);
    out += "<tr><td>" + escaped(kStaysWords[i]) +
           "</td><td class=\"bar\"><div class=\"meter\"><i style=\"width:" + short_number(share, 1) +
           "%\"></i></div></td><td>" + grouped(groups[i].all) + "</td><td>" + grouped(groups[i].permitted) +
           "</td><td class=\"ours\">" + grouped(groups[i].sent) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

/// Which rule kept how many home.
std::string rules(const Story& story) {
  std::map<std::string, std::uint64_t> kept;
  for (const Served& one : story.hearth.served) {
    if (one.outcome.mask.has_cloud()) continue;
    std::string raised = story.arrivals[one.arrival].label.empty() ? "by default, it had no label" : "by its label";
    if (!one.outcome.classify_rule.empty()) raised = "raised by " + one.outcome.classify_rule;
    ++kept[one.outcome.permit_rule + "\n" + raised];
  }
  std::vector<std::pair<std::uint64_t, std::string>> order;
  for (const auto& [rule, number] : kept) order.emplace_back(number, rule);
  std::sort(order.rbegin(), order.rend());
  std::string out =
      "<div class=\"scroll\"><table><thead><tr><th>kept home by</th><th>the class came</th><th>photos</th></tr></thead>"
      "<tbody>\n";
  for (const auto& [number, rule] : order) {
    const std::size_t cut = rule.find('\n');
    out += "<tr><td><code>" + escaped(rule.substr(0, cut)) + "</code></td><td>" + escaped(rule.substr(cut + 1)) +
           "</td><td>" + grouped(number) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string tripwire(const Story& story, const Board& board) {
  const std::uint64_t left = story.hearth.left.requests;
  std::string out =
      std::string("<div class=\"zero") + (left == 0 ? "" : " bad") + "\">" + grouped(left) + "</div><p>of " +
      grouped(board.must_stay()) +
      " photos registered with the server's tripwire arrived there, by photo hash and by a token hidden in "
      "each caption.</p>\n";
  out += "<p class=\"sub\" style=\"margin-top:12px\">The same wire rang for " + grouped(story.cloud_only.left.inputs) +
         " photos and " + grouped(story.cloud_only.left.canaries) +
         " captions in the cloud-only baseline, which ignores the policy.";
  if (!story.leaks.empty()) {
    out += " Sent past the guard on purpose: " + grouped(story.leaks.size()) + ", seen: " + grouped(board.leaks_seen) +
           ".";
  }
  out += "</p>\n";
  for (const PlantedLeak& leak : story.leaks) {
    out += "<p class=\"sub\" style=\"margin:0\">" + std::string(leak.seen ? "seen: " : "NOT SEEN: ") +
           escaped(leak.what) + "</p>\n";
  }
  return out;
}

std::string footer(const Story& story) {
  std::string out = "<footer><p>" + escaped(story.machine) + ". hearth " + escaped(story.version) + ", " +
                    short_number(story.seconds, 0) + " s in all. Seed " + std::to_string(story.spec.seed) + ".</p>\n";
  out += "<p>Policy " + escaped(story.policy_name) + " <code>" + escaped(story.policy_sha256) + "</code></p>\n";
  out += "<p>Edge model <code>" + escaped(story.edge_sha256) + "</code>, cloud model <code>" +
         escaped(story.cloud_sha256) + "</code></p>\n";
  return out +
         "<p>Latency counts from a photo's scheduled arrival, whether or not it could be handed over then. Photos: "
         "Fashion-MNIST test images (Zalando Research, MIT licence).</p></footer>\n";
}

}  // namespace

std::string make_report(const Story& story, const Board& board) {
  std::string page =
      "<header><h1>The local model answers, the cloud only by permission</h1><p class=\"lead\">" +
      escaped(grouped(board.hearth.requests) + " photos, " + short_number(story.spec.rate_per_s) +
              " a second, each with " + short_number(story.spec.deadline_ms) +
              " ms to be answered, three times over: by the local model alone, by the cloud alone, and by hearth. The "
              "way to the cloud: " +
              story.link +
              (story.killed_at_s
                   ? "; the server was killed " + short_number(*story.killed_at_s, 1) + " s into hearth's turn."
                   : ".")) +
      "</p></header>\n";
  page += tiles(story, board);
  page += "<div class=\"cards\">\n";
  page +=
      card("seven", "Side by side",
           "the same photos and arrivals each time; cloud only sends everything, sensitive too", table(story, board));
  page += card("five", "What was promised", "each promise with its figures", claims(story, board));
  page += card("wide", "Where each second was answered", "hearth's turn, by scheduled arrival", timeline_chart(story));
  page += card("half", "How long an answer takes", "from a photo's scheduled arrival", latency_chart(story));
  page += card("half", "What accuracy costs", "up and to the left is better", accuracy_chart(board));
  page += card("half", "When the local model is unsure", "photos that may leave, by its confidence",
               confidence_chart(story));
  if (const std::string chart = threshold_chart(story); !chart.empty()) {
    page += card("half", "Where the threshold comes from", "picked on validation photos, never on these", chart);
  }
  page += card("seven", "What was permitted", "the photos' true kind against the policy's word", permissions(story));
  page += card("five", "The tripwire", "what the server itself counted", tripwire(story, board));
  page += card("wide", "Kept home, by rule", "every request names the rule that decided", rules(story));
  return html_page("hearth run", "", page + "</div>\n" + footer(story));
}

}  // namespace hearth::tool
