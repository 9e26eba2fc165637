/// \file Workload traces: when requests came, as somebody recorded it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/json_reader.h"
#include "runtime/sim/workload.h"

namespace hearth::simulate {

enum class TraceFormat : std::uint8_t {
  kAzureLlm,   ///< CSV of when and how many tokens, by its column names: Azure's own (TIMESTAMP, ContextTokens,
               ///< GeneratedTokens) or Vidur's (arrived_at, num_prefill_tokens, num_decode_tokens).
  kJsonLines,  ///< An object a line: at_s, and what is known of payload_bytes, reply_bytes, kind, deadline_ms, sample.
  kGaps,       ///< Seconds a line, from the request before it; the first one from the start.
};

struct WorkloadTrace {
  std::vector<sim::RecordedRequest> requests;
  Duration period{};  ///< From one round's begin to the next one's, where it is played again.
};

/// Bytes that a token stands for: text of about four characters each.
struct TokenBytes {
  double payload = 4;
  double reply = 4;
};

inline constexpr std::size_t kTraceLinesMax = 5'000'000;
inline constexpr double kTraceSecondsMax = 1e9;

/// Times of kAzureLlm count from the first line's. `kinds`: how many the stream has. Problems are one line each,
/// `origin:line: what, expected what`, ten at most and then their number; what has some is not to be used.
WorkloadTrace parse_workload_trace(std::string_view text, const std::string& origin, TraceFormat format,
                                   const TokenBytes& tokens, std::size_t kinds, Problems& problems);

}  // namespace hearth::simulate
