/// \file HttpHead: the head of one HTTP/1 message as lines, so that a fault can take it apart and put it together
/// wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::stub {

struct HttpHead {
  std::string start;  ///< Request or status line.
  std::vector<std::pair<std::string, std::string>> fields;

  /// `text` ends with the empty line. Nothing when a line is no field.
  static std::optional<HttpHead> parse(std::string_view text);

  /// The first field of this name in any case; null when there is none.
  const std::string* get(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);
  /// With the empty line.
  std::string text() const;

  /// The request line's method and path without its query.
  std::string_view method() const;
  std::string_view path() const;
  /// How many bytes of body follow: nothing when the head does not say so plainly (chunked, twice, not a number).
  std::optional<std::uint64_t> length() const;
};

/// The body that `chunks` make (RFC 9112, section 7.1), without extensions' and trailers' say; none before their end is
/// there, or when they are no chunks.
std::optional<std::string> body_of_chunks(std::string_view chunks);

}  // namespace hearth::stub
