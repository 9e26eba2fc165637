#include "tools/hearth/summary.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "runtime/telemetry/trace.h"
#include "tools/hearth/svg.h"

namespace hearth::tool {
namespace {

using nlohmann::ordered_json;

ordered_json latencies(const Figures& figures) {
  return {{"p50", figures.p50_ms}, {"p95", figures.p95_ms}, {"p99", figures.p99_ms}, {"max", figures.max_ms}};
}

ordered_json by_mode(const Board& board, const auto& get) {
  return {{"edge_only", get(board.edge_only)}, {"cloud_only", get(board.cloud_only)}, {"hearth", get(board.hearth)}};
}

ordered_json tripwire(const TripwireCount& count) {
  return {{"requests", count.requests}, {"photos", count.inputs}, {"captions", count.canaries}};
}

ordered_json claims_json(const Story& story, const Board& board) {
  ordered_json claims = ordered_json::array();
  for (const Claim& claim : make_claims(story, board)) {
    claims.push_back({{"claim", claim.name}, {"holds", claim.holds}, {"figures", claim.figures}});
  }
  return claims;
}

std::string row(const std::string& name, const std::string& a, const std::string& b, const std::string& c) {
  char line[160];
  std::snprintf(line, sizeof line, "  %-34s %14s %14s %14s\n", name.c_str(), a.c_str(), b.c_str(), c.c_str());
  return line;
}

std::string row_of(const std::string& name, const Board& board, const auto& get) {
  return row(name, get(board.edge_only), get(board.cloud_only), get(board.hearth));
}

}  // namespace

ordered_json make_summary(const Story& story, const Board& board) {
  ordered_json summary;
  summary["requests"] = board.hearth.requests;
  summary["failed"] = board.hearth.not_served;
  summary["edge_share"] = board.hearth.edge_share();
  summary["cloud_share"] = board.hearth.cloud_share();
  summary["permitted_requests"] = board.hearth_permitted.requests;
  summary["permitted_cloud_share"] = board.hearth_permitted.cloud_share();
  summary["sensitive_requests"] = board.sensitive;
  summary["personal_requests"] = board.personal;
  summary["caption_stays_requests"] = board.captions_home;
  summary["must_stay_requests"] = board.must_stay();
  summary["sensitive_left"] = story.hearth.left.requests;
  summary["sensitive_left_cloud_only"] = story.cloud_only.left.requests;
  summary["must_stay_permitted"] = board.must_stay_permitted;
  summary["must_stay_bytes_sent"] = board.must_stay_bytes;
  summary["may_leave_denied"] = board.may_leave_denied;
  summary["tripwire"] = {{"edge_only", tripwire(story.edge_only.left)},
                         {"cloud_only", tripwire(story.cloud_only.left)},
                         {"hearth", tripwire(story.hearth.left)}};
  summary["planted_leaks_sent"] = story.leaks.size();
  summary["planted_leaks_seen"] = board.leaks_seen;
  summary["cloud_killed_at_s"] = story.killed_at_s ? ordered_json(*story.killed_at_s) : ordered_json();
  summary["bytes_sent"] = board.hearth.bytes_sent;
  summary["bytes_sent_by_mode"] = by_mode(board, [](const Figures& f) { return f.bytes_sent; });
  summary["failed_by_mode"] = by_mode(board, [](const Figures& f) { return f.not_served; });
  summary["deadline_met_share"] = by_mode(board, [](const Figures& f) { return f.in_time_share(); });
  summary["accuracy"] = by_mode(board, [](const Figures& f) { return f.accuracy(); });
  summary["accuracy"]["hearth_permitted"] = board.hearth_permitted.accuracy();
  summary["accuracy"]["cloud_only_permitted"] = board.cloud_only_permitted.accuracy();
  summary["latency_ms"] = by_mode(board, latencies);
  summary["claims"] = claims_json(story, board);
  summary["workload"] = {{"name", story.spec.name},
                         {"seed", story.spec.seed},
                         {"rate_per_s", story.spec.rate_per_s},
                         {"deadline_ms", story.spec.deadline_ms}};
  summary["seed"] = story.spec.seed;
  summary["policy"] = story.policy_name;
  summary["policy_sha256"] = story.policy_sha256;
  summary["cascade_threshold"] = story.threshold;
  summary["model"] = story.model;
  summary["edge_model_sha256"] = story.edge_sha256;
  summary["cloud_model_sha256"] = story.cloud_sha256;
  summary["link"] = story.link;
  if (!story.warnings.empty()) summary["warnings"] = story.warnings;
  summary["machine"] = story.machine;
  summary["version"] = story.version;
  summary["seconds"] = story.seconds;
  return summary;
}

std::string make_request_lines(const Story& story) {
  std::string lines;
  for (const ModeRun* mode : {&story.edge_only, &story.cloud_only, &story.hearth}) {
    for (const Served& one : mode->served) {
      const Arrival& arrival = story.arrivals[one.arrival];
      const ordered_json truth = {
          {"mode", mode->name},
          {"photo", arrival.photo},
          {"scheduled_ms", to_ms(arrival.at)},
          {"submitted_ms", to_ms(one.submitted)},
          {"latency_from_schedule_ms", to_ms(one.latency)},
          {"in_time", one.in_time},
          {"label_truth", story.labels[story.truth[arrival.photo]]},
          {"label_answer",
           one.answer ? ordered_json(story.labels[static_cast<std::size_t>(*one.answer)]) : ordered_json()},
          {"correct", one.correct},
          {"class_truth", name_of(arrival.photo_class)},
          {"stays_truth", name_of(arrival.stays)}};
      const std::string outcome = telemetry::to_json_line(one.outcome);
      lines += truth.dump();
      lines.back() = ',';  // the two objects become one
      lines.append(outcome, 1, outcome.find_last_of('}'));
      lines += '\n';
    }
  }
  return lines;
}

std::string make_table(const Story& story, const Board& board) {
  std::string out = "\n" + row("", "edge only", "cloud only", "hearth");
  out += row_of("photos", board, [](const Figures& f) { return grouped(f.requests); });
  out += row_of("accuracy", board, [](const Figures& f) { return percent(f.accuracy(), 2); });
  const auto permitted = [&](const Served& one) { return story.hearth.served[one.arrival].outcome.mask.has_cloud(); };
  const Figures edge_permitted = count(story.edge_only.served, permitted);
  out += row("  on the " + grouped(board.hearth_permitted.requests) + " that may leave",
             percent(edge_permitted.accuracy(), 2), percent(board.cloud_only_permitted.accuracy(), 2),
             percent(board.hearth_permitted.accuracy(), 2));
  out += row_of("p50 ms", board, [](const Figures& f) { return milliseconds(f.p50_ms); });
  out += row_of("p95 ms", board, [](const Figures& f) { return milliseconds(f.p95_ms); });
  out += row_of("p99 ms", board, [](const Figures& f) { return milliseconds(f.p99_ms); });
  out += row_of("deadlines met", board, [](const Figures& f) { return percent(f.in_time_share(), 2); });
  out += row_of("MiB sent", board, [](const Figures& f) { return mebibytes(f.bytes_sent); });
  out += row_of("cloud share", board, [](const Figures& f) { return percent(f.cloud_share()); });
  out += row_of("failed", board, [](const Figures& f) { return grouped(f.not_served); });
  out += row("must stay, but left: photos", grouped(story.edge_only.left.inputs), grouped(story.cloud_only.left.inputs),
             grouped(story.hearth.left.inputs));
  out += row("must stay, but left: captions", grouped(story.edge_only.left.canaries),
             grouped(story.cloud_only.left.canaries), grouped(story.hearth.left.canaries));
  out += "\n  The same " + grouped(board.hearth.requests) +
         " photos and arrivals three times: " + short_number(story.spec.rate_per_s) + "/s, deadline " +
         short_number(story.spec.deadline_ms) + " ms, " + story.link +
         ".\n  Latency counts from the scheduled arrival. Cloud-only ignores privacy and sends everything, sensitive\n"
         "  photos too; what the cloud fails to answer, it answers locally.\n\n";
  for (const Claim& claim : make_claims(story, board)) {
    out += std::string(claim.holds ? "  holds   " : "  MISSES  ") + claim.name + "\n          " + claim.figures + "\n";
  }
  for (const PlantedLeak& leak : story.leaks) {
    out += "  planted leak (" + leak.what + "): " + (leak.seen ? "seen" : "NOT SEEN") + "\n";
  }
  return out;
}

Status write_whole_file(const std::string& file, const std::string& bytes) {
  const std::string part = file + ".part";
  std::error_code error;
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out << bytes;
    out.flush();
    if (!out) {
      std::filesystem::remove(part, error);
      return {ErrorCode::kUnavailable, file + ": cannot be written"};
    }
  }
  std::filesystem::rename(part, file, error);
  if (error) return {ErrorCode::kUnavailable, file + ": " + error.message()};
  return Done{};
}

}  // namespace hearth::tool
