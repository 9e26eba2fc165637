/// \file What a run leaves for programs: summary.json and requests.jsonl; and the table for people.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include <hearth/result.h>

#include "tools/hearth/story.h"

namespace hearth::tool {

/// Accuracies and shares are fractions, latencies milliseconds from the scheduled arrival.
nlohmann::ordered_json make_summary(const Story& story, const Board& board);

/// One JSON line per request: the mode, the workload's truth, and the outcome's own story. No payload, no caption.
std::string make_request_lines(const Story& story);

/// Edge-only, cloud-only and hearth side by side, then one line per claim.
std::string make_table(const Story& story, const Board& board);

/// Writes to a temporary name in the same folder, then renames: the file is whole or absent. kUnavailable names it.
Status write_whole_file(const std::string& file, const std::string& bytes);

}  // namespace hearth::tool
