// A phone's log as CSV: see RadioLog in radio_trace.h.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <vector>

#include "runtime/base/json_reader.h"
#include "runtime/sim/radio_trace.h"
#include "runtime/sim/trace_lines.h"

namespace hearth::sim {
namespace {

enum Column : std::size_t { kTime, kRoundTrip, kLoss, kUp, kDown, kColumns };

struct Facts {
  std::array<std::string_view, 4> names;  ///< Ours, the prepared dataset's, the raw one's.
  double max;
  const char* expected;
};
constexpr std::array<Facts, kColumns> kFacts = {{
    {{"t_s", "Timestamp"}, 1e6, "seconds from 0 to 1000000"},
    {{"rtt_ms", "rtt_avg_ms", "PINGAVG"}, 600'000, "a round trip in ms from 0 to 600000"},
    {{"loss_pct", "ping_loss_pct", "PINGLOSS"}, 100, "a loss in percent from 0 to 100"},
    {{"up_kbps", "ul_kbps", "UL_bitrate"}, kRateMbitMax * 1e3, "kbit/s from 0 to 1000000000"},
    {{"down_kbps", "dl_kbps", "DL_bitrate"}, kRateMbitMax * 1e3, "kbit/s from 0 to 1000000000"},
}};

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const auto comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (!cell.empty() && cell.front() == ' ') cell.remove_prefix(1);
    while (!cell.empty() && cell.back() == ' ') cell.remove_suffix(1);
    cells.push_back(cell);
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

/// Seconds: `12.5`, or the raw dataset's `2020.02.14_13.21.26`, of some epoch.
std::optional<double> moment(std::string_view text) {
  if (const auto s = number_in(text)) return s;
  const std::string line(text.substr(0, 32));
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  const int read =
      std::sscanf(line.c_str(), "%4d.%2d.%2d_%2d.%2d.%2d%n", &year, &month, &day, &hour, &minute, &second, &used);
  if (read != 6 || used != static_cast<int>(text.size())) return {};
  const auto date = std::chrono::year(year) / month / day;
  if (!date.ok()) return {};
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::duration<double>(days).count() + hour * 3600 + minute * 60 + second;
}

struct Row {
  double s = 0;
  std::array<std::optional<double>, kColumns> values;
};

class LogReader {
 public:
  explicit LogReader(const std::string& origin) : origin_(origin) {}

  Status take(std::string_view line, std::size_t number) {
    if (line.find_first_not_of(" ,") == std::string_view::npos) return Done{};
    if (width_ == 0) return take_names(line, number);
    const auto cells = cells_of(line);
    if (cells.size() != width_)
      return bad_line(origin_, number, std::to_string(cells.size()) + " cells, expected " + std::to_string(width_));
    Row row;
    const auto s = moment(cells[*columns_[kTime]]);
    if (!begin_) begin_ = s;
    if (!s || *s - *begin_ > kFacts[kTime].max)
      return bad_line(origin_, number, "not a time, expected " + std::string(kFacts[kTime].expected));
    row.s = *s - *begin_;
    if (!rows.empty() && row.s < rows.back().s)
      return bad_line(origin_, number, "earlier than the line before it, expected times in order");
    for (std::size_t i = kRoundTrip; i < kColumns; ++i) {
      if (!columns_[i]) continue;
      const std::string_view cell = cells[*columns_[i]];
      if (cell.empty() || cell == "-") continue;
      row.values[i] = number_in(cell);
      if (!row.values[i] || *row.values[i] < 0 || *row.values[i] > kFacts[i].max)
        return bad_line(origin_, number,
                        std::string(kFacts[i].names[0]) + ": expected " + std::string(kFacts[i].expected));
    }
    rows.push_back(row);
    return Done{};
  }

  std::vector<Row> rows;

 private:
  Status take_names(std::string_view line, std::size_t number) {
    if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
    const auto names = cells_of(line);
    width_ = names.size();
    for (std::size_t i = 0; i < kColumns; ++i) {
      for (std::size_t at = 0; at < names.size(); ++at) {
        const auto& known = kFacts[i].names;
        if (!names[at].empty() && std::find(known.begin(), known.end(), names[at]) != known.end()) columns_[i] = at;
      }
    }
    if (!columns_[kTime]) return bad_line(origin_, number, "no column t_s, expected the names of the columns");
    if (std::count(columns_.begin(), columns_.end(), std::nullopt) == kColumns - 1)
      return bad_line(origin_, number, "expected a column rtt_ms, loss_pct, up_kbps or down_kbps");
    return Done{};
  }

  const std::string& origin_;
  std::size_t width_ = 0;
  std::array<std::optional<std::size_t>, kColumns> columns_;
  std::optional<double> begin_;
};

/// By second; what is missing at the begin is what comes first.
template <class Value, class Make>
std::vector<Value> by_second(const std::vector<Row>& rows, Column column, const Make& make) {
  std::vector<Value> values;
  const auto first = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.values[column]; });
  if (first == rows.end()) return values;
  Value last = make(*first->values[column]);
  for (auto row = first; row != rows.end(); ++row) {
    const auto second = static_cast<std::size_t>(row->s);
    if (values.size() <= second) values.resize(second, last);
    if (row->values[column]) last = make(*row->values[column]);
    values.resize(second);
    values.push_back(last);
  }
  return values;
}

RateTrace rates(const std::vector<Row>& rows, Column column) {
  RateTrace trace;
  double last_s = rows.front().s, bytes = 0;
  for (const Row& row : rows) {
    if (!row.values[column] || row.s <= last_s) continue;
    bytes += *row.values[column] * 125 * (row.s - last_s);
    trace.pieces.push_back({from_ms(row.s * 1e3), bytes});
    last_s = row.s;
  }
  if (bytes <= 0) trace.pieces.clear();
  return trace;
}

}  // namespace

Result<RadioLog> parse_radio_log(std::string_view text, const std::string& origin) {
  LogReader reader(origin);
  const Status read =
      for_lines(text, [&](std::string_view line, std::size_t number) { return reader.take(line, number); });
  if (!read.ok()) return read.error();
  if (reader.rows.empty()) return bad_line(origin, 1, "no rows, expected the names of the columns and a row a second");
  RadioLog log;
  log.round_trips.round_trips = by_second<Duration>(reader.rows, kRoundTrip, [](double ms) { return from_ms(ms); });
  log.round_trips.loss =
      by_second<float>(reader.rows, kLoss, [](double percent) { return static_cast<float>(percent / 100); });
  log.up = rates(reader.rows, kUp);
  log.down = rates(reader.rows, kDown);
  return log;
}

Result<RadioLog> load_radio_log(const std::string& file) {
  const auto text = read_whole_file(file, kTraceBytesMax);
  if (!text.ok()) return text.error();
  return parse_radio_log(text.value(), file);
}

}  // namespace hearth::sim
