#include "runtime/privacy/originals.h"

#include <algorithm>
#include <string>

namespace hearth::privacy {
namespace {

/// Letters, digits, '_', and every byte of what is not ASCII.
bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

bool whole_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool left = begin == 0 || !in_word(text[begin - 1]) || !in_word(text[begin]);
  const bool right = end == text.size() || !in_word(text[end]) || !in_word(text[end - 1]);
  return left && right;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// RFC 4648, sections 4 and 5.
int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

/// The number of `count` hexadecimal digits at `at`, or -1.
int hex_at(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    const int digit = hex_value(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | point >> 6), tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | point >> 12), tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0 | point >> 18), tail(12), tail(6), tail(0);
  }
}

/// Undoes JSON's escapes (RFC 8259, section 7) wherever they stand; what is none stays.
std::string without_json_escapes(std::string_view text) {
  constexpr std::string_view kFrom = "\"\\/bfnrt";
  constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
    } else if (const auto simple = kFrom.find(text[i + 1]); simple != std::string_view::npos) {
      plain += kTo[simple];
      ++i;
    } else if (const int high = text[i + 1] == 'u' ? hex_at(text, i + 2, 4) : -1; high >= 0) {
      i += 5;
      auto point = static_cast<std::uint32_t>(high);
      if (point >= 0xd800 && point < 0xdc00 && text.substr(i + 1, 2) == "\\u") {
        const int low = hex_at(text, i + 3, 4);
        if (low >= 0xdc00 && low < 0xe000) {
          point = 0x10000 + ((point - 0xd800) << 10) + (static_cast<std::uint32_t>(low) - 0xdc00);
          i += 6;
        }
      }
      append_utf8(plain, point);
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::string without_percents(std::string_view text, bool plus_is_space) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const int value = text[i] == '%' ? hex_at(text, i + 1, 2) : -1; value >= 0) {
      plain += static_cast<char>(value);
      i += 2;
    } else {
      plain += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return plain;
}

/// Decodes every run of digits of `bits` bits each, the first `skipped` digits of a run left out. Between runs stands a
/// line end.
template <typename ValueOf>
std::string decoded_runs(std::string_view text, const ValueOf& value_of, unsigned bits, unsigned skipped) {
  std::string plain;
  plain.reserve(text.size() * bits / 8 + 1);
  unsigned held = 0, count = 0, digits = 0;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0) {
      if (c == '\r' || c == '\n') continue;  // MIME breaks its lines (RFC 2045, section 6.8)
      if (digits > 0) plain += '\n';
      held = count = digits = 0;
    } else if (digits++ >= skipped) {
      held = (held << bits | static_cast<unsigned>(value)) & 0xffff;
      if ((count += bits) < 8) continue;
      count -= 8;
      plain += static_cast<char>(held >> count & 0xff);
    }
  }
  return plain;
}

}  // namespace

Originals::Originals(std::span<const std::string_view> values, std::pmr::memory_resource* memory) : nodes_(memory) {
  struct Range32 {
    std::uint32_t begin, end, depth;
  };
  std::vector<Range32> ranges = {{0, static_cast<std::uint32_t>(values.size()), 0}};
  std::size_t bytes = 0;
  for (const auto value : values) bytes += value.size();
  nodes_.reserve(bytes + 1);
  nodes_.emplace_back();
  for (std::uint32_t node = 0; node < nodes_.size(); ++node) {  // breadth first: the children of one stand together
    auto [at, end, depth] = ranges[node];
    if (nodes_[node].length > 0) ++at;  // the value that ends here is the first of its range
    nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (at < end) {
      const auto byte = static_cast<std::uint8_t>(values[at][depth]);
      std::uint32_t next = at + 1;
      while (next < end && static_cast<std::uint8_t>(values[next][depth]) == byte) ++next;
      Node child;
      child.byte = byte;
      if (node > 0) child.fail = step(nodes_[node].fail, byte);
      const Node& fail = nodes_[child.fail];
      child.shorter = fail.length > 0 ? child.fail : fail.shorter;
      if (values[at].size() == depth + 1) child.length = depth + 1;
      if (node == 0) roots_[byte] = static_cast<std::uint32_t>(nodes_.size());
      ++nodes_[node].children;
      nodes_.push_back(child);
      ranges.push_back({at, next, depth + 1});
      at = next;
    }
  }
}

std::uint32_t Originals::child_of(std::uint32_t node, std::uint8_t byte) const {
  if (node == 0) return roots_[byte];
  const auto begin = nodes_.begin() + nodes_[node].first_child;
  const auto end = begin + nodes_[node].children;
  const auto found =
      std::lower_bound(begin, end, byte, [](const Node& child, std::uint8_t b) { return child.byte < b; });
  return found != end && found->byte == byte ? static_cast<std::uint32_t>(found - nodes_.begin()) : 0;
}

std::uint32_t Originals::step(std::uint32_t node, std::uint8_t byte) const {
  for (;; node = nodes_[node].fail) {
    const std::uint32_t child = child_of(node, byte);
    if (child != 0 || node == 0) return child;
  }
}

template <typename Found>
void Originals::search(std::string_view text, bool short_too, const Found& found) const {
  std::uint32_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    node = step(node, static_cast<std::uint8_t>(text[i]));
    for (std::uint32_t at = nodes_[node].length > 0 ? node : nodes_[node].shorter; at != 0; at = nodes_[at].shorter) {
      const Range range{i + 1 - nodes_[at].length, i + 1};
      const bool is_short = nodes_[at].length < kShort;
      if (is_short && (!short_too || !whole_word(text, range.begin, range.end))) continue;
      if (!found(range)) return;
      break;
    }
  }
}

std::vector<Originals::Range> Originals::all_in(std::string_view text) const {
  std::vector<Range> all;
  search(text, true, [&](const Range& range) {
    all.push_back(range);
    return true;
  });
  return all;
}

bool Originals::any_in(std::string_view text, bool short_too) const {
  bool any = false;
  search(text, short_too, [&](const Range&) {
    any = true;
    return false;
  });
  return any;
}

bool Originals::in_encoded(std::string_view body) const {
  if (nodes_.size() == 1) return false;
  if (any_in(body, true)) return true;
  if (body.find('\\') != std::string_view::npos && any_in(without_json_escapes(body), true)) return true;
  if (body.find('%') != std::string_view::npos && any_in(without_percents(body, false), false)) return true;
  if (body.find('+') != std::string_view::npos && any_in(without_percents(body, true), false)) return true;
  for (unsigned skipped = 0; skipped < 4; ++skipped) {
    if (any_in(decoded_runs(body, base64_value, 6, skipped), false)) return true;
  }
  for (unsigned skipped = 0; skipped < 2; ++skipped) {
    if (any_in(decoded_runs(body, hex_value, 4, skipped), false)) return true;
  }
  return false;
}

}  // namespace hearth::privacy
