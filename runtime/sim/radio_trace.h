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
inline constexpr double kRateMbitMax = 1e6;

/// When packets may leave: Mahimahi's format, a millisecond a line, in order, once for each packet of 1500 bytes.
/// After the last line it begins anew (Netravali et al., "Mahimahi: accurate record-and-replay for HTTP", ATC 2015).
struct PacketTrace {
  std::vector<std::uint32_t> at_ms;
};

/// Round trips, one a second, again and again: what Linux's `ping` prints. kLost where a number is missing.
struct PingTrace {
  static constexpr Duration kLost = Duration::max();
  std::vector<Duration> round_trips;
  std::vector<float> loss;  ///< Share of packets lost in each of those seconds. Empty: none but kLost.
};

/// Rates that hold one after the other, and begin anew after the last. Pensieve's format: seconds and Mbit/s a line,
/// where a rate is the mean since the line before; the first line only says when it began (Mao, Netravali, Alizadeh:
/// "Neural adaptive video streaming with Pensieve", SIGCOMM 2017, sim/env.py).
struct RateTrace {
  struct Piece {
    Duration end{};     ///< Since the trace's begin.
    double bytes_by{};  ///< That can have passed by then.
  };
  std::vector<Piece> pieces;  ///< Never empty; each ends later than the one before it.
};

/// What a phone wrote down once a second or so: CSV, read by the names of its columns, in any order: `t_s`, `rtt_ms`,
/// `loss_pct`, `up_kbps`, `down_kbps`, or what the 5G dataset of UCC calls them (Raca et al., MMSys 2020), raw or
/// prepared. Empty where there is no such column or nothing in it. A value holds until the next one in its column.
struct RadioLog {
  PingTrace round_trips;
  RateTrace up;
  RateTrace down;
};

/// Errors: kInvalidArgument, one line `origin:line: what, expected what`; the file's own for what cannot be read.
Result<PacketTrace> parse_packet_trace(std::string_view text, const std::string& origin);
Result<PacketTrace> load_packet_trace(const std::string& file);
Result<PingTrace> parse_ping(std::string_view text, const std::string& origin);
Result<PingTrace> load_ping(const std::string& file);
Result<RateTrace> parse_rate_trace(std::string_view text, const std::string& origin);
Result<RateTrace> load_rate_trace(const std::string& file);
Result<RadioLog> parse_radio_log(std::string_view text, const std::string& origin);
Result<RadioLog> load_radio_log(const std::string& file);

}  // namespace hearth::sim
