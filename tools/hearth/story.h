/// \file All that one run of the job saw, and the claims it was made to check. Table, summary and report are read from
/// here and from nowhere else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/hearth/scoreboard.h"
#include "tools/hearth/workload.h"

namespace hearth::tool {

/// One input sent past the guard on purpose.
struct PlantedLeak {
  std::string what;   ///< "photo, JSON tensor".
  bool seen = false;  ///< The server's tripwire counted it.
};

/// What one cascade threshold would have done with the validation split.
struct CascadePoint {
  double threshold = 0, cloud_share = 0, accuracy = 0;
};

struct Story {
  WorkloadSpec spec;
  std::vector<Arrival> arrivals;
  ModeRun edge_only, cloud_only, hearth;
  std::vector<PlantedLeak> leaks;
  std::optional<double> killed_at_s;  ///< Since the hearth phase began.
  std::vector<std::string> labels;
  std::vector<std::uint8_t> truth;  ///< Label index of each test photo.

  std::string model, edge_sha256, cloud_sha256;
  std::string policy_name, policy_sha256;  ///< As in force: the file with the cascade threshold filled in.
  double threshold = 0;
  std::vector<CascadePoint> curve;    ///< From `hearth prepare`, by rising threshold; empty without it.
  std::string link;                   ///< "60 ms round trip, 10 Mbit/s each way, 1 % errors".
  std::vector<std::string> warnings;  ///< The runtime's, in hearth's turn.
  std::string machine;
  std::string version;
  double seconds = 0;  ///< The whole run.
};

/// The figures that everything shown is made of.
struct Board {
  Figures edge_only, cloud_only, hearth;
  Figures hearth_permitted, cloud_only_permitted;                ///< Only requests that hearth's mask allowed to leave.
  std::uint64_t personal = 0, sensitive = 0, captions_home = 0;  ///< Must stay, by the workload's truth.
  std::uint64_t may_leave = 0;
  std::uint64_t must_stay_permitted = 0;  ///< A policy too lax: must stay, but the mask let it go.
  std::uint64_t must_stay_bytes = 0;      ///< Bytes that left for those, by the outcomes' own count.
  std::uint64_t may_leave_denied = 0;     ///< A policy too strict.
  std::uint64_t leaks_seen = 0;
  std::uint64_t must_stay() const { return personal + sensitive + captions_home; }
};
Board make_board(const Story& story);

/// One promise, with its figures.
struct Claim {
  std::string name;
  bool holds = false;
  std::string figures;
};
/// In the order they are printed. The first two, privacy and no failures (and a third when leaks were planted), decide
/// the exit code.
std::vector<Claim> make_claims(const Story& story, const Board& board);

/// True when nothing sensitive left, nothing failed, and every planted leak was seen.
bool passed(const Story& story, const Board& board);

/// "12,345".
std::string grouped(std::uint64_t number);
/// 0.12345 -> "12.3 %".
std::string percent(double share, int decimals = 1);
/// "0.42", "12.3", "123": three figures of a latency in milliseconds.
std::string milliseconds(double ms);
std::string mebibytes(std::uint64_t bytes);

}  // namespace hearth::tool
