#include "cloud_stub/tripwire.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <mutex>
#include <utility>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"

namespace hearth::stub {
namespace {

constexpr std::size_t kFilterBits = 1u << 16;
/// Four letters of base64 stand in any text: so short a core would cry wolf.
constexpr std::size_t kEncodedBytesMin = 6;

std::uint32_t first_four(const char* text) {
  std::uint32_t value = 0;
  std::memcpy(&value, text, sizeof value);
  return value;
}

std::size_t filter_slot(std::uint32_t four) { return (four * 2654435761u) >> 16; }  // Knuth's multiplicative hash.

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

/// The four hex digits at `at`, or -1.
long hex_unit(std::string_view text, std::size_t at) {
  if (text.size() < at + 4) return -1;
  long value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/// Base64 of `text` when `offset` unknown bytes stand before it in the encoded stream: only the characters that depend
/// on `text` alone.
std::string base64_core(std::string_view text, std::size_t offset, bool url_alphabet) {
  const char* alphabet = url_alphabet ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                                      : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string padded(offset, '\0');
  padded += text;
  const std::size_t first_bit = offset * 8;
  const std::size_t bits = padded.size() * 8;
  std::string out;
  for (std::size_t at = 0; at + 6 <= bits; at += 6) {
    if (at < first_bit) continue;
    unsigned value = 0;
    for (std::size_t bit = at; bit < at + 6; ++bit) {
      value = value << 1 | (static_cast<unsigned char>(padded[bit / 8]) >> (7 - bit % 8) & 1u);
    }
    out += alphabet[value];
  }
  return out;
}

}  // namespace

std::string unescape_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'u') {
      long code = hex_unit(text, i + 1);
      if (code < 0) {
        out += "\\u";
        continue;
      }
      i += 4;
      if (code >= 0xd800 && code < 0xdc00 && text.substr(i + 1, 2) == "\\u") {
        const long low = hex_unit(text, i + 3);
        if (low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          i += 6;
        }
      }
      append_utf8(out, static_cast<std::uint32_t>(code));
      continue;
    }
    static constexpr std::string_view kNames = "bfnrt";
    static constexpr std::string_view kValues = "\b\f\n\r\t";
    const auto named = kNames.find(c);
    out += named == std::string_view::npos ? c : kValues[named];
  }
  return out;
}

std::string unescape_percent(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

Status Tripwire::add(const std::vector<std::string>& input_sha256, const std::vector<std::string>& canaries) {
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < input_sha256.size(); ++i) {
    std::string hash = input_sha256[i];
    const bool hex = std::all_of(hash.begin(), hash.end(), [](char c) { return hex_digit(c) >= 0; });
    if (hash.size() != 64 || !hex) {
      return {ErrorCode::kInvalidArgument, "input_sha256[" + std::to_string(i) + "] is not 64 hex digits"};
    }
    for (char& c : hash) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    hashes.push_back(std::move(hash));
  }
  for (std::size_t i = 0; i < canaries.size(); ++i) {
    if (canaries[i].size() < kCanaryBytesMin || canaries[i].size() > kCanaryBytesMax) {
      return {ErrorCode::kInvalidArgument, "canaries[" + std::to_string(i) + "] is not 4 to 4096 bytes long"};
    }
  }
  const std::unique_lock lock(mutex_);
  if (hashes_.size() + hashes.size() > kHashesMax || canaries_.size() + canaries.size() > kCanariesMax) {
    return {ErrorCode::kResourceExhausted, "the tripwire holds at most 1000000 hashes and 100000 canaries"};
  }
  hashes_.insert(hashes.begin(), hashes.end());
  for (const auto& canary : canaries) {
    const auto number = static_cast<std::uint32_t>(canaries_.size());
    if (!canaries_.insert(canary).second) continue;
    index(canary, number, kCanaryBytesMin);
    for (std::size_t offset = 0; offset < 3; ++offset) {
      index(base64_core(canary, offset, false), number, kEncodedBytesMin);
      index(base64_core(canary, offset, true), number, kEncodedBytesMin);
    }
  }
  armed_.store(!hashes_.empty() || !canaries_.empty(), std::memory_order_release);
  return Done{};
}

void Tripwire::index(std::string text, std::uint32_t canary, std::size_t bytes_min) {
  if (text.size() < bytes_min) return;
  if (may_start_.empty()) may_start_.resize(kFilterBits);
  const std::uint32_t four = first_four(text.data());
  may_start_[filter_slot(four)] = true;
  by_first_four_[four].push_back(static_cast<std::uint32_t>(spellings_.size()));
  spellings_.push_back({std::move(text), canary});
}

void Tripwire::search(std::string_view text, std::unordered_set<std::uint32_t>& found) const {
  if (spellings_.empty()) return;
  for (std::size_t at = 0; at + kCanaryBytesMin <= text.size(); ++at) {
    const std::uint32_t four = first_four(text.data() + at);
    if (!may_start_[filter_slot(four)]) continue;
    const auto bucket = by_first_four_.find(four);
    if (bucket == by_first_four_.end()) continue;
    for (const std::uint32_t number : bucket->second) {
      const Spelling& spelling = spellings_[number];
      if (text.substr(at, spelling.text.size()) == spelling.text) found.insert(spelling.canary);
    }
  }
}

void Tripwire::search_all_forms(std::string_view text, std::unordered_set<std::uint32_t>& found) const {
  search(text, found);
  const bool escaped = text.find('\\') != std::string_view::npos;
  const bool percent = text.find('%') != std::string_view::npos;
  if (escaped) search(unescape_json(text), found);
  if (percent) search(unescape_percent(text), found);
  if (escaped && percent) search(unescape_percent(unescape_json(text)), found);
}

Tripwire::Hits Tripwire::check(std::span<const Tensor> inputs, std::string_view body, std::string_view head) const {
  Hits hits;
  if (!armed()) return hits;
  const std::shared_lock lock(mutex_);
  std::unordered_set<std::uint32_t> found;
  search_all_forms(body, found);
  search_all_forms(head, found);
  for (const Tensor& tensor : inputs) {
    const std::string_view bytes(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    if (tensor.datatype == Datatype::kBytes) search_all_forms(bytes, found);
    if (!hashes_.empty() && hashes_.contains(sha256_hex(bytes))) ++hits.inputs;
  }
  if (hits.inputs == 0 && !hashes_.empty() && !body.empty() && hashes_.contains(sha256_hex(body))) hits.inputs = 1;
  hits.canaries = found.size();
  return hits;
}

}  // namespace hearth::stub
