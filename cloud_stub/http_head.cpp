#include "cloud_stub/http_head.h"

#include <algorithm>
#include <charconv>

namespace hearth::stub {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::optional<HttpHead> HttpHead::parse(std::string_view text) {
  HttpHead head;
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (first) {
      head.start = line;
      first = false;
      continue;
    }
    if (line.empty()) return head.start.empty() ? std::nullopt : std::optional(head);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    head.fields.emplace_back(line.substr(0, colon), value);
  }
  return std::nullopt;
}

const std::string* HttpHead::get(std::string_view name) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return same(field.first, name); });
  return found == fields.end() ? nullptr : &found->second;
}

std::size_t HttpHead::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(), [&](const auto& field) { return same(field.first, name); }));
}

void HttpHead::set(std::string_view name, std::string value) {
  remove(name);
  fields.emplace_back(name, std::move(value));
}

void HttpHead::remove(std::string_view name) {
  std::erase_if(fields, [&](const auto& field) { return same(field.first, name); });
}

std::string HttpHead::text() const {
  std::string text = start + "\r\n";
  for (const auto& [name, value] : fields) text += name + ": " + value + "\r\n";
  return text + "\r\n";
}

std::string_view HttpHead::method() const { return std::string_view(start).substr(0, start.find(' ')); }

std::string_view HttpHead::path() const {
  std::string_view rest = start;
  rest.remove_prefix(std::min(rest.find(' '), rest.size() - 1) + 1);
  return rest.substr(0, rest.find_first_of(" ?"));
}

std::optional<std::uint64_t> HttpHead::length() const {
  if (count("Transfer-Encoding") > 0 || count("Content-Length") > 1) return std::nullopt;
  const std::string* value = get("Content-Length");
  if (value == nullptr) return 0;
  std::uint64_t length = 0;
  const auto [stopped, failed] = std::from_chars(value->data(), value->data() + value->size(), length);
  if (failed != std::errc{} || stopped != value->data() + value->size()) return std::nullopt;
  return length;
}

std::optional<std::string> body_of_chunks(std::string_view chunks) {
  std::string body;
  for (;;) {
    std::size_t size = 0;
    const auto [stopped, failed] = std::from_chars(chunks.data(), chunks.data() + chunks.size(), size, 16);
    const std::size_t line = chunks.find("\r\n");
    if (failed != std::errc{} || line == std::string_view::npos) return std::nullopt;
    chunks.remove_prefix(line + 2);
    if (size == 0) return chunks.find("\r\n") == std::string_view::npos ? std::nullopt : std::optional(std::move(body));
    if (chunks.size() < size + 2) return std::nullopt;
    body += chunks.substr(0, size);
    chunks.remove_prefix(size + 2);
  }
}

}  // namespace hearth::stub
