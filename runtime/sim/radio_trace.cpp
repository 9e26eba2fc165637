#include "runtime/sim/radio_trace.h"

#include <charconv>
#include <optional>

#include "runtime/base/json_reader.h"

namespace hearth::sim {
namespace {

constexpr std::size_t kPingsMax = 1'000'000;
constexpr double kPingMsMax = 600'000;

Error bad(const std::string& origin, std::size_t line, const std::string& what) {
  return {ErrorCode::kInvalidArgument, origin + ":" + std::to_string(line) + ": " + what};
}

/// Calls `each(line, number)` until it returns an error or the text ends.
template <class Each>
Status for_lines(std::string_view text, const Each& each) {
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (Status status = each(line, ++number); !status.ok()) return status;
  }
  return Done{};
}

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
      return bad(origin, number, "not a time, expected whole milliseconds from 0 to " + std::to_string(kTraceMsMax));
    if (!trace.at_ms.empty() && ms < trace.at_ms.back())
      return bad(origin, number,
                 std::to_string(ms) + " after " + std::to_string(trace.at_ms.back()) + ", expected times in order");
    trace.at_ms.push_back(ms);
    return Done{};
  });
  if (!read.ok()) return read.error();
  if (trace.at_ms.empty()) return bad(origin, 1, "no packets, expected a millisecond a line");
  if (trace.at_ms.back() == 0)
    return bad(origin, trace.at_ms.size(), "the trace takes no time, expected a last line above 0");
  return trace;
}

Result<PingTrace> parse_ping(std::string_view text, const std::string& origin) {
  PingTrace trace;
  const Status read = for_lines(text, [&](std::string_view line, std::size_t number) -> Status {
    const auto sequence = after<std::int64_t>(line, "icmp_seq=");
    if (!sequence || line.find("bytes from") == std::string_view::npos) return Done{};  // a title, a sum, a complaint
    const auto ms = after<double>(line, "time=");
    if (!ms || !(*ms >= 0 && *ms <= kPingMsMax))
      return bad(origin, number, "no round trip, expected time=MS from 0 to 600000");
    const auto index = static_cast<std::size_t>(*sequence - 1);
    if (*sequence < 1 || index >= kPingsMax)
      return bad(origin, number, "icmp_seq out of range, expected 1 to " + std::to_string(kPingsMax));
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
  if (trace.round_trips.empty()) return bad(origin, 1, "no replies, expected what ping prints");
  return trace;
}

Result<PacketTrace> load_packet_trace(const std::string& file) {
  const auto text = read_whole_file(file, kTraceBytesMax);
  if (!text.ok()) return text.error();
  return parse_packet_trace(text.value(), file);
}

Result<PingTrace> load_ping(const std::string& file) {
  const auto text = read_whole_file(file, kTraceBytesMax);
  if (!text.ok()) return text.error();
  return parse_ping(text.value(), file);
}

}  // namespace hearth::sim
