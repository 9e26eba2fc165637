#include "runtime/base/url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace hearth {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Error wrong(const char* what) { return Error{ErrorCode::kInvalidArgument, std::string("URL: ") + what}; }

/// Four decimal parts without leading zeros, nothing else.
std::optional<std::array<unsigned, 4>> dotted_quad(std::string_view text) {
  std::array<unsigned, 4> parts{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t end = i < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos || end == 0 || end > 3 || (end > 1 && text[0] == '0')) return std::nullopt;
    if (!std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), is_digit)) return std::nullopt;
    std::from_chars(text.data(), text.data() + end, parts[i]);
    if (parts[i] > 255) return std::nullopt;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return text.empty() ? std::optional(parts) : std::nullopt;
}

/// Reads groups separated by ':' into `out`; false when there are none or something else stands between them.
bool read_groups(std::string_view text, std::array<unsigned, 8>& out, std::size_t& count) {
  while (true) {
    const std::size_t end = std::min(text.find(':'), text.size());
    if (end == 0 || end > 4 || count == 8) return false;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + end, out[count], 16);
    if (error != std::errc() || rest != text.data() + end) return false;
    ++count;
    if (end == text.size()) return true;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::array<unsigned, 8>> ipv6_groups(std::string_view text) {
  std::array<unsigned, 8> head{};
  std::array<unsigned, 8> tail{};
  std::size_t head_count = 0;
  std::size_t tail_count = 0;
  const std::size_t gap = text.find("::");
  const std::string_view front = text.substr(0, gap);
  if (!front.empty() && !read_groups(front, head, head_count)) return std::nullopt;
  if (gap == std::string_view::npos) return head_count == 8 ? std::optional(head) : std::nullopt;
  const std::string_view back = text.substr(gap + 2);
  if (!back.empty() && !read_groups(back, tail, tail_count)) return std::nullopt;
  if (head_count + tail_count > 7) return std::nullopt;
  std::copy_n(tail.begin(), tail_count, head.begin() + static_cast<std::ptrdiff_t>(8 - tail_count));
  return head;
}

/// A DNS name: letters, digits, '-' and '_' in labels of 1 to 63. A last label that begins with a digit is an address
/// to some tools (127.1, 0x7f.1), so it must be a dotted quad.
bool valid_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  const std::size_t last = host.rfind('.') + 1;
  if (last < host.size() && is_digit(host[last])) return dotted_quad(host).has_value();
  if (host.find("..") != std::string_view::npos) return false;
  std::size_t label = 0;
  for (const char c : host) {
    label = c == '.' ? 0 : label + 1;
    if (label > 63 || (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.')) return false;
  }
  return host.front() != '.' && host.back() != '.' && host.front() != '-';
}

bool valid_base(std::string_view base) {
  constexpr std::string_view kPlain = "/-._~!$&'()*+,;=:@%";
  if (!std::all_of(base.begin(), base.end(),
                   [&](char c) { return is_alpha(c) || is_digit(c) || kPlain.find(c) != std::string_view::npos; })) {
    return false;
  }
  const std::string closed = std::string(base) + "/";
  return closed.find("/./") == std::string::npos && closed.find("/../") == std::string::npos &&
         closed.find("//") == std::string::npos;
}

}  // namespace

std::string Url::authority() const {
  std::string text;
  const bool brackets = host.find(':') != std::string::npos;
  if (brackets) text += '[';
  text += host;
  if (brackets) text += ']';
  if (port != (secure() ? 443 : 80)) text.append(1, ':').append(std::to_string(port));
  return text;
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return wrong("expected http:// or https://");
  for (const char c : text.substr(0, scheme_end)) url.scheme.push_back(lower(c));
  if (url.scheme != "http" && url.scheme != "https") return wrong("expected http:// or https://");
  text.remove_prefix(scheme_end + 3);

  if (text.find_first_of("?#") != std::string_view::npos) return wrong("a query or fragment is not accepted");
  const std::size_t authority_end = std::min(text.find('/'), text.size());
  std::string_view authority = text.substr(0, authority_end);
  std::string_view base = text.substr(authority_end);
  if (authority.find('@') != std::string_view::npos) return wrong("a user name or password is not accepted");

  std::string_view port;
  if (!authority.empty() && authority[0] == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return wrong("the IPv6 address has no closing bracket");
    const std::string_view host = authority.substr(1, close - 1);
    if (!ipv6_groups(host)) return wrong("not a plain IPv6 address");
    for (const char c : host) url.host.push_back(lower(c));
    port = authority.substr(close + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    for (const char c : authority.substr(0, colon)) url.host.push_back(lower(c));
    if (!valid_host(url.host)) return wrong("not a host name or address");
    port = authority.substr(colon);
  }

  url.port = url.secure() ? 443 : 80;
  if (!port.empty()) {
    const auto [rest, error] = std::from_chars(port.data() + 1, port.data() + port.size(), url.port);
    if (port[0] != ':' || error != std::errc() || rest != port.data() + port.size() || url.port == 0) {
      return wrong("the port must be 1 to 65535");
    }
  }

  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  if (!valid_base(base)) return wrong("the path holds '.' or '..' segments, or bytes that need escaping");
  url.base = base;
  return url;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost") return true;
  if (const auto quad = dotted_quad(host)) return (*quad)[0] == 127;
  const auto groups = ipv6_groups(host);
  return groups && *groups == std::array<unsigned, 8>{0, 0, 0, 0, 0, 0, 0, 1};
}

}  // namespace hearth
