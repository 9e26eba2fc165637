/// \file Trace lines: how the readers of traces go through a file, and what they say of a line that is wrong.
#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include <hearth/result.h>

namespace hearth::sim {

inline Error bad_line(const std::string& origin, std::size_t line, const std::string& what) {
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

/// The whole of `text` as a finite number.
inline std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace hearth::sim
