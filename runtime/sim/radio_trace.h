/// \file Radio traces: what a radio link let through, and how long a packet took, as somebody measured it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>
#include <hearth/time.h>

namespace hearth::sim {

inline constexpr std::uint64_t kPacketBytes = 1500;
inline constexpr std::uint64_t kTraceBytesMax = 64 << 20;  ///< Of a file; a larger one is refused.
inline constexpr std::uint32_t kTraceMsMax = 86'400'000;

/// When packets may leave: Mahimahi's format, a millisecond a line, in order, once for each packet of 1500 bytes.
/// After the last line it begins anew (Netravali et al., "Mahimahi: accurate record-and-replay for HTTP", ATC 2015).
struct PacketTrace {
  std::vector<std::uint32_t> at_ms;
};

/// Round trips, one a second, again and again: what Linux's `ping` prints. kLost where a number is missing.
struct PingTrace {
  static constexpr Duration kLost = Duration::max();
  std::vector<Duration> round_trips;
};

/// Errors: kInvalidArgument, one line `origin:line: what, expected what`; the file's own for what cannot be read.
Result<PacketTrace> parse_packet_trace(std::string_view text, const std::string& origin);
Result<PacketTrace> load_packet_trace(const std::string& file);
Result<PingTrace> parse_ping(std::string_view text, const std::string& origin);
Result<PingTrace> load_ping(const std::string& file);

}  // namespace hearth::sim
