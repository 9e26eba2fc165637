/// \file Url: the address of an endpoint, read strictly so that nobody can disagree about where it points.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <hearth/result.h>

namespace hearth {

/// `http[s]://host[:port][/base]`, taken apart. Threads: a plain value.
struct Url {
  std::string scheme;      ///< "http" or "https".
  std::string host;        ///< Lower-case name, dotted quad, or IPv6 address without brackets.
  std::uint16_t port = 0;  ///< The scheme's own when the text names none.
  std::string base;        ///< Empty, or begins with '/' and does not end with one.
  bool secure() const { return scheme == "https"; }
  std::string authority() const;  ///< As in a Host header: brackets for IPv6, port only when not the scheme's own.

  bool operator==(const Url&) const = default;
};

/// Errors: kInvalidArgument says what is wrong and never quotes the text, which may hold a password. Refused: other
/// schemes, user names, queries, fragments, a port outside 1..65535, hosts written in a way that tools read differently
/// (short or octal IPv4, IPv6 with a zone or an embedded IPv4), '.' and '..' segments, bytes that need escaping.
Result<Url> parse_url(std::string_view text);

/// True for "localhost", 127.0.0.0/8 and ::1, as Url::host spells them. Looks nothing up.
bool is_loopback(std::string_view host);

}  // namespace hearth
