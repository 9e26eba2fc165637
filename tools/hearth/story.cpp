#include "tools/hearth/story.h"

#include <algorithm>
#include <cstdio>

namespace hearth::tool {
namespace {

std::string text(const char* format, auto... values) {
  char out[256];
  std::snprintf(out, sizeof out, format, values...);
  return out;
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string percent(double share, int decimals) { return text("%.*f %%", decimals, share * 100); }

std::string milliseconds(double ms) { return text(ms < 10 ? "%.2f" : ms < 100 ? "%.1f" : "%.0f", ms); }

std::string mebibytes(std::uint64_t bytes) { return text("%.2f", static_cast<double>(bytes) / (1024.0 * 1024.0)); }

Board make_board(const Story& story) {
  Board board;
  std::vector<bool> permitted(story.arrivals.size(), false);
  for (const Served& one : story.hearth.served) permitted[one.arrival] = one.outcome.mask.has_cloud();
  const auto is_permitted = [&](const Served& one) { return permitted[one.arrival]; };
  board.edge_only = count(story.edge_only.served);
  board.cloud_only = count(story.cloud_only.served);
  board.hearth = count(story.hearth.served);
  board.hearth_permitted = count(story.hearth.served, is_permitted);
  board.cloud_only_permitted = count(story.cloud_only.served, is_permitted);
  for (const Served& one : story.hearth.served) {
    const Stays stays = story.arrivals[one.arrival].stays;
    switch (stays) {
      case Stays::kNo:
        ++board.may_leave;
        break;
      case Stays::kPersonalPhoto:
        ++board.personal;
        break;
      case Stays::kSensitivePhoto:
        ++board.sensitive;
        break;
      case Stays::kPersonalCaption:
      case Stays::kClinicalCaption:
        ++board.captions_home;
        break;
    }
    if (stays == Stays::kNo) {
      board.may_leave_denied += permitted[one.arrival] ? 0 : 1;
    } else {
      board.must_stay_permitted += permitted[one.arrival] ? 1 : 0;
      board.must_stay_bytes += one.outcome.bytes_sent;
    }
  }
  board.leaks_seen = static_cast<std::uint64_t>(
      std::count_if(story.leaks.begin(), story.leaks.end(), [](const PlantedLeak& leak) { return leak.seen; }));
  return board;
}

std::vector<Claim> make_claims(const Story& story, const Board& board) {
  std::vector<Claim> claims;
  const bool private_enough =
      story.hearth.left.requests == 0 && board.must_stay_permitted == 0 && board.must_stay_bytes == 0;
  claims.push_back({"nothing that must stay left", private_enough,
                    grouped(story.hearth.left.requests) + " by the server's own count, of " +
                        grouped(board.must_stay()) + " that must stay; " + grouped(board.must_stay_bytes) +
                        " bytes by the outcomes"});
  claims.push_back({"no request failed", board.hearth.not_served == 0,
                    grouped(board.hearth.not_served) + " of " + grouped(board.hearth.requests) +
                        (story.killed_at_s ? text(", the cloud killed %.1f s into it", *story.killed_at_s) : "")});
  if (!story.leaks.empty()) {
    claims.push_back({"planted leaks are seen", board.leaks_seen == story.leaks.size(),
                      grouped(board.leaks_seen) + " of " + grouped(story.leaks.size())});
  }
  const double behind = board.cloud_only_permitted.accuracy() - board.hearth_permitted.accuracy();
  const double cloud_share = board.hearth_permitted.cloud_share();
  claims.push_back({"within a point of cloud-only at under a third of it",
                    behind <= 0.010 + 1e-12 && cloud_share <= 0.30 + 1e-12,
                    text("%.2f points %s cloud-only (at most 1.00 behind) at %s cloud share (at most 30 %%), on the %s "
                         "that may leave",
                         std::abs(behind * 100), behind >= 0 ? "behind" : "ahead of", percent(cloud_share).c_str(),
                         grouped(board.hearth_permitted.requests).c_str()) +
                        (story.killed_at_s ? "; with the cloud killed on the way" : "")});
  claims.push_back({"ten times as quick as cloud-only", board.hearth.p50_ms <= 0.1 * board.cloud_only.p50_ms,
                    "p50 " + milliseconds(board.hearth.p50_ms) + " ms against " +
                        milliseconds(board.cloud_only.p50_ms) + " ms (at most a tenth)"});
  const double better = std::max(board.edge_only.in_time_share(), board.cloud_only.in_time_share());
  claims.push_back({"deadlines met as the better baseline does", board.hearth.in_time_share() >= better - 1e-12,
                    percent(board.hearth.in_time_share(), 2) + " against " + percent(better, 2)});
  return claims;
}

bool passed(const Story& story, const Board& board) {
  return story.hearth.left.requests == 0 && board.must_stay_permitted == 0 && board.must_stay_bytes == 0 &&
         board.hearth.not_served == 0 && board.leaks_seen == story.leaks.size();
}

}  // namespace hearth::tool
