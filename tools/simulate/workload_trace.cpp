#include "tools/simulate/workload_trace.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "runtime/config/checks.h"

namespace hearth::simulate {
namespace {

constexpr std::size_t kToldMax = 10;
constexpr double kTokensMax = 1e8;
constexpr double kBytesMax = 1e12;

std::string quoted(std::string_view text) { return describe(nlohmann::json(std::string(text))); }

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

/// `2023-11-16 18:17:03.9799600`, or seconds.
std::optional<Duration> moment(std::string_view text) {
  if (const auto s = number(text)) {
    if (std::abs(*s) > kTraceSecondsMax) return {};
    return Duration(std::llround(*s * 1e9));
  }
  const std::string line(text.substr(0, 40));
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, used = 0;
  double second = 0;
  if (std::sscanf(line.c_str(), "%4d-%2d-%2d%*1[ T]%2d:%2d:%n", &year, &month, &day, &hour, &minute, &used) != 5 ||
      used == 0)
    return {};
  std::string_view rest = text.substr(static_cast<std::size_t>(used));
  if (rest.ends_with('Z')) rest.remove_suffix(1);
  const auto read = number(rest);
  const auto date = std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(month)) / static_cast<int>(day);
  if (!read || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || *read < 0 || *read >= 61 ||
      year < 1970 || year > 2200)
    return {};
  second = *read;
  return std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         Duration(std::llround(second * 1e9));
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& origin, Problems& problems)
      : text_(text), origin_(origin), problems_(problems) {}
  ~Parser() {
    if (wrong_ > kToldMax) problems_.add_line(origin_ + ": and " + std::to_string(wrong_ - kToldMax) + " more lines");
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// The next line that is not empty; false at the end.
  bool next(std::string_view& line) {
    while (!text_.empty()) {
      const auto end = std::min(text_.find('\n'), text_.size());
      line = trimmed(text_.substr(0, end));
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++line_;
      if (!line.empty()) return true;
    }
    return false;
  }

  void bad(const std::string& what) {
    if (++wrong_ <= kToldMax) problems_.add_line(origin_ + ":" + std::to_string(line_) + ": " + what);
  }

  /// Keeps the request when it comes no earlier than the one before it. False: there are too many.
  bool keep(const sim::RecordedRequest& request, WorkloadTrace& trace) {
    if (!trace.requests.empty() && request.at < trace.requests.back().at) {
      bad("earlier than the line before it, expected times in order");
      return true;
    }
    if (trace.requests.size() == kTraceLinesMax) {
      bad("expected at most " + std::to_string(kTraceLinesMax) + " requests");
      return false;
    }
    trace.requests.push_back(request);
    return true;
  }

  const std::string& origin() const { return origin_; }
  std::size_t line() const { return line_; }
  std::size_t wrong() const { return wrong_; }

 private:
  std::string_view text_;
  const std::string& origin_;
  Problems& problems_;
  std::size_t line_ = 0;
  std::size_t wrong_ = 0;
};

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const auto comma = line.find(',');
    cells.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

/// Where the three columns stand, by either name.
std::optional<std::array<std::size_t, 3>> columns_of(const std::vector<std::string_view>& names) {
  constexpr std::array<std::array<std::string_view, 2>, 3> kNames = {
      {{"TIMESTAMP", "arrived_at"}, {"ContextTokens", "num_prefill_tokens"}, {"GeneratedTokens", "num_decode_tokens"}}};
  std::array<std::size_t, 3> columns{};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto found = std::find_if(names.begin(), names.end(), [&](std::string_view name) {
      return name == kNames[i][0] || name == kNames[i][1];
    });
    if (found == names.end()) return {};
    columns[i] = static_cast<std::size_t>(found - names.begin());
  }
  return columns;
}

void parse_azure(Parser& parser, const TokenBytes& tokens, WorkloadTrace& trace) {
  std::string_view line;
  if (!parser.next(line)) return;
  if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  const auto names = cells_of(line);
  const auto columns = columns_of(names);
  if (!columns) return parser.bad("expected the columns TIMESTAMP,ContextTokens,GeneratedTokens");
  std::optional<Duration> first;
  while (parser.next(line)) {
    const auto cells = cells_of(line);
    if (cells.size() != names.size()) {
      parser.bad(std::to_string(cells.size()) + " cells, expected " + std::to_string(names.size()));
      continue;
    }
    const auto at = moment(cells[(*columns)[0]]);
    const auto context = number(cells[(*columns)[1]]), generated = number(cells[(*columns)[2]]);
    if (!at) {
      parser.bad(quoted(cells[(*columns)[0]]) + " is no time, expected 2023-11-16 18:17:03.97 or seconds");
      continue;
    }
    const auto count = [](const std::optional<double>& value) { return value && *value >= 0 && *value <= kTokensMax; };
    if (!count(context) || !count(generated)) {
      parser.bad(quoted(cells[(*columns)[count(context) ? 2 : 1]]) + " is no count of tokens, expected 0 to 100000000");
      continue;
    }
    if (!first) first = *at;
    sim::RecordedRequest request;
    request.at = *at - *first;
    request.payload_bytes = static_cast<std::uint64_t>(*context * tokens.payload + 0.5);
    request.reply_bytes = static_cast<std::uint64_t>(*generated * tokens.reply + 0.5);
    if (!parser.keep(request, trace)) return;
  }
}

/// An object's keys; what is wrong goes to `local`.
sim::RecordedRequest read_line(const JsonDocument& document, std::size_t kinds, Problems& local) {
  sim::RecordedRequest request;
  JsonReader reader(document, document.root(), "", local);
  double at_s = 0, deadline_ms = 0;
  std::uint64_t bytes = 0;
  reader.require({"at_s"});
  reader.read("at_s", at_s, 0, kTraceSecondsMax);
  request.at = Duration(std::llround(at_s * 1e9));
  const auto whole = [&](const char* key, auto& out, std::uint64_t max) {
    if (!reader.has(key)) return;
    reader.read(key, bytes, 0, max);
    out = bytes;
  };
  whole("payload_bytes", request.payload_bytes, static_cast<std::uint64_t>(kBytesMax));
  whole("reply_bytes", request.reply_bytes, static_cast<std::uint64_t>(kBytesMax));
  whole("sample", request.sample, UINT64_MAX);
  std::optional<std::uint64_t> kind;
  whole("kind", kind, kinds - 1);
  if (kind) request.kind = static_cast<std::uint32_t>(*kind);
  if (reader.has("deadline_ms")) {
    reader.read("deadline_ms", deadline_ms, config::kDeadlineMsMin, config::kDeadlineMsMax);
    request.deadline = from_ms(deadline_ms);
  }
  reader.finish();
  return request;
}

void parse_json_lines(Parser& parser, std::size_t kinds, WorkloadTrace& trace) {
  std::string_view line;
  while (parser.next(line)) {
    const auto document = JsonDocument::parse(line, "");
    Problems local;
    sim::RecordedRequest request;
    std::string wrong;
    if (document.ok()) {
      request = read_line(*document.value(), kinds, local);
      if (!local.empty()) wrong = local.as_error().message;
    } else {
      wrong = document.error().message;
    }
    if (!wrong.empty()) {
      // `:1:COLUMN: what` of the line as a document: the line's own number stands in front.
      wrong = wrong.substr(0, wrong.find('\n'));
      const auto place = wrong.find(": ");
      parser.bad(place == std::string::npos ? wrong : wrong.substr(place + 2));
      continue;
    }
    if (!parser.keep(request, trace)) return;
  }
}

void parse_gaps(Parser& parser, WorkloadTrace& trace) {
  std::string_view line;
  double at_s = 0;
  while (parser.next(line)) {
    const auto gap = number(line);
    if (!gap || *gap < 0 || *gap > kTraceSecondsMax) {
      parser.bad(quoted(line) + " is no gap, expected seconds from 0 to 1000000000");
      continue;
    }
    at_s += *gap;
    if (at_s > kTraceSecondsMax) return parser.bad("the gaps add up to more than 1000000000 s");
    sim::RecordedRequest request;
    request.at = Duration(std::llround(at_s * 1e9));
    if (!parser.keep(request, trace)) return;
  }
}

}  // namespace

WorkloadTrace parse_workload_trace(std::string_view text, const std::string& origin, TraceFormat format,
                                   const TokenBytes& tokens, std::size_t kinds, Problems& problems) {
  Parser parser(text, origin, problems);
  WorkloadTrace trace;
  if (format == TraceFormat::kAzureLlm) parse_azure(parser, tokens, trace);
  if (format == TraceFormat::kJsonLines) parse_json_lines(parser, kinds, trace);
  if (format == TraceFormat::kGaps) parse_gaps(parser, trace);
  if (trace.requests.empty()) {
    if (parser.wrong() == 0) problems.add_line(origin + ":1: no requests, expected one a line");
    return trace;
  }
  // The next round begins a mean gap after the last moment, so that it does not meet the first one's.
  const Duration first = trace.requests.front().at, last = trace.requests.back().at;
  const auto gaps = static_cast<Duration::rep>(trace.requests.size()) - 1;
  trace.period = format == TraceFormat::kGaps ? last
                 : gaps > 0 && last > first   ? last + (last - first) / gaps
                                              : Duration{};
  return trace;
}

}  // namespace hearth::simulate
