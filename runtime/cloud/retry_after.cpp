#include "runtime/cloud/retry_after.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace hearth::cloud {
namespace {

constexpr Duration kLongest = std::chrono::hours(24);

std::string_view header(const HttpReply& reply, std::string_view wanted) {
  for (const auto& [name, value] : reply.headers)
    if (name == wanted) return value;
  return {};
}

std::optional<int> number(std::string_view digits) {
  int value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && stop == digits.data() + digits.size() && value >= 0 ? std::optional(value)
                                                                                     : std::nullopt;
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may write (RFC 9110, 5.6.7).
std::optional<WallTime> http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || !text.ends_with(" GMT") || text[3] != ',' || text[19] != ':' || text[22] != ':') return {};
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto day = number(text.substr(5, 2)), year = number(text.substr(12, 4)), hour = number(text.substr(17, 2)),
             minute = number(text.substr(20, 2)), second = number(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return {};
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return {};
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

}  // namespace

std::optional<Duration> retry_after(const HttpReply& reply) {
  const std::string_view text = header(reply, "retry-after");
  if (text.empty()) return {};
  if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto seconds = number(text);  // none: longer than any int, and so the longest
    return seconds ? std::min<Duration>(std::chrono::seconds(*seconds), kLongest) : kLongest;
  }
  const auto until = http_date(text), sent = http_date(header(reply, "date"));
  if (!until || !sent || *until <= *sent) return {};
  return std::min<Duration>(*until - *sent, kLongest);
}

}  // namespace hearth::cloud
