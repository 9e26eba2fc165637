/// \file JSON written as text, in one pass: for the lines and bodies that every request makes. Pure.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace hearth {

/// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

template <std::integral Number>
void append_json_number(std::string& out, Number value) {
  char text[24];
  out.append(text, std::to_chars(text, std::end(text), value).ptr);
}

/// One object, key by key, in the order in which they are added. Keys need no escaping. Threads: none of its own.
class JsonObjectText {
 public:
  explicit JsonObjectText(std::size_t bytes_expected = 0) {
    text_.reserve(bytes_expected);
    text_ += '{';
  }

  JsonObjectText& add(std::string_view key, std::string_view value) {
    append_json_string(begin(key), value);
    return *this;
  }
  template <std::integral Number>
  JsonObjectText& add(std::string_view key, Number value) {
    append_json_number(begin(key), value);
    return *this;
  }
  /// `json` is a whole value.
  JsonObjectText& add_json(std::string_view key, std::string_view json) {
    begin(key) += json;
    return *this;
  }
  std::string take() { return std::move(text_ += '}'); }

 private:
  std::string& begin(std::string_view key) {
    if (text_.size() > 1) text_ += ',';
    return text_.append("\"").append(key).append("\":");
  }

  std::string text_;
};

}  // namespace hearth
