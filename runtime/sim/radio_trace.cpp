#include "runtime/sim/radio_trace.h"

#include <charconv>
#include <optional>

#include "runtime/base/json_reader.h"
#include "runtime/sim/trace_lines.h"

namespace hearth::sim {
namespace {

constexpr std::size_t kPingsMax = 1'000'000;
constexpr double kPingMsMax = 600'000;
constexpr double kTraceSecondsMax = 1e6;

/// The number after `key`, as in `icmp_seq=12`; nothing when it is not there.
template <class Number>
std::optional<Number> after(std::string_view line, std::string_view key) {
  const auto at = line.find(key);
  if (at == std::string_view::npos) return {};
  Number value{};
  const auto* const end = line.data() + line.size();
  return std::from_chars(line.data() + at + key.size(), end, value).ec == std::errc() ? std::optional(value)
                                                                                      : std::nullopt;
}

}  // namespace

Result<PacketTrace> parse_packet_trace(std::string_view text, const std::string& origin) {
  PacketTrace trace;
  const Status read = for_lines(text, [&](std::string_view line, std::size_t number) -> Status {
    std::uint32_t ms = 0;
    const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), ms);
    if (error != std::errc() || stop != line.data() + line.size() || ms > kTraceMsMax)
      return bad_line(origin, number,
                      "not a time, expected whole milliseconds from 0 to " + std::to_string(kTraceMsMax));
    if (!trace.at_ms.empty() && ms < trace.at_ms.back())
      return bad_line(
          origin, number,
          std::to_string(ms) + " after " + std::to_string(trace.at_ms.back()) + ", expected times in order");
    trace.at_ms.push_back(ms);
    return Done{};
  });
  if (!read.ok()) return read.error();
  if (trace.at_ms.empty()) return bad_line(origin, 1, "no packets, expected a millisecond a line");
  if (trace.at_ms.back() == 0)
    return bad_line(origin, trace.at_ms.size(), "the trace takes no time, expected a last line above 0");
  return trace;
}

Result<PingTrace> parse_ping(std::string_view text, const std::string& origin) {
  PingTrace trace;
  const Status read = for_lines(text, [&](std::string_view line, std::size_t number) -> Status {
    const auto sequence = after<std::int64_t>(line, "icmp_seq=");
    if (!sequence || line.find("bytes from") == std::string_view::npos) return Done{};  // a title, a sum, a complaint
    const auto ms = after<double>(line, "time=");
    if (!ms || !(*ms >= 0 && *ms <= kPingMsMax))
      return bad_line(origin, number, "no round trip, expected time=MS from 0 to 600000");
    const auto index = static_cast<std::size_t>(*sequence - 1);
    if (*sequence < 1 || index >= kPingsMax)
      return bad_line(origin, number, "icmp_seq out of range, expected 1 to " + std::to_string(kPingsMax));
    if (index < trace.round_trips.size()) {
      // Overtaken by a later one, or a duplicate, of which the first counts.
      if (trace.round_trips[index] == PingTrace::kLost) trace.round_trips[index] = from_ms(*ms);
      return Done{};
    }
    trace.round_trips.resize(index, PingTrace::kLost);
    trace.round_trips.push_back(from_ms(*ms));
    return Done{};
  });
  if (!read.ok()) return read.error();
  if (trace.round_trips.empty()) return bad_line(origin, 1, "no replies, expected what ping prints");
  return trace;
}

Result<RateTrace> parse_rate_trace(std::string_view text, const std::string& origin) {
  RateTrace trace;
  std::optional<double> begin;
  double last_s = 0, bytes = 0;
  const Status read = for_lines(text, [&](std::string_view line, std::size_t number) -> Status {
    const auto blank = line.find_first_of(" \t");
    const auto second = line.find_first_not_of(" \t", blank);
    if (blank == std::string_view::npos || second == std::string_view::npos) {
      if (line.find_first_not_of(" \t") == std::string_view::npos) return Done{};
      return bad_line(origin, number, "expected seconds and Mbit/s");
    }
    const auto s = number_in(line.substr(0, blank));
    std::string_view rest = line.substr(second);
    rest = rest.substr(0, rest.find_last_not_of(" \t") + 1);
    const auto mbit = number_in(rest);
    if (!s || *s < 0 || *s > kTraceSecondsMax)
      return bad_line(origin, number, "not a time, expected seconds from 0 to 1000000");
    if (!mbit || *mbit < 0 || *mbit > kRateMbitMax)
      return bad_line(origin, number, "not a rate, expected Mbit/s from 0 to 1000000");
    if (begin && *s <= last_s)
      return bad_line(origin, number, "no later than the line before it, expected times in order");
    if (begin) {
      bytes += *mbit * 125e3 * (*s - last_s);
      trace.pieces.push_back({from_ms((*s - *begin) * 1e3), bytes});
    } else {
      begin = *s;
    }
    last_s = *s;
    return Done{};
  });
  if (!read.ok()) return read.error();
  if (trace.pieces.empty()) return bad_line(origin, 1, "no rates, expected two lines of seconds and Mbit/s or more");
  if (bytes <= 0) return bad_line(origin, 1, "nothing ever gets through, expected a rate above 0");
  return trace;
}

Result<PacketTrace> load_packet_trace(const std::string& file) {
  const auto text = read_whole_file(file, kTraceBytesMax);
  if (!text.ok()) return text.error();
  return parse_packet_trace(text.value(), file);
}

Result<RateTrace> load_rate_trace(const std::string& file) {
  const auto text = read_whole_file(file, kTraceBytesMax);
  if (!text.ok()) return text.error();
  return parse_rate_trace(text.value(), file);
}

Result<PingTrace> load_ping(const std::string& file) {
  const auto text = read_whole_file(file, kTraceBytesMax);
  if (!text.ok()) return text.error();
  return parse_ping(text.value(), file);
}

}  // namespace hearth::sim
