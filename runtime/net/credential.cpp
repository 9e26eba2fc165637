#include "runtime/net/credential.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include <openssl/crypto.h>

namespace hearth::net {
namespace {

constexpr std::size_t kLengthMax = 8192;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// A little more than the longest value, so that one that is too long is seen to be. Nothing when there is no file.
bool read_file(const std::string& path, std::string& out) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  out.resize(kLengthMax + 16);
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(file.gcount()));
  return true;
}

}  // namespace

Result<std::string> credential_line(const Endpoint& endpoint) {
  const Auth& auth = endpoint.auth;
  if (auth.kind == Auth::Kind::kNone) return std::string();
  const bool from_file = auth.source == Auth::Source::kFile;
  const std::string where = "endpoint '" + endpoint.name + "': its credential, " +
                            (from_file ? "file '" : "environment variable '") + auth.reference + "', ";
  std::string held;
  if (from_file) {
    if (!read_file(auth.reference, held)) return {ErrorCode::kNotFound, where + "cannot be read"};
  } else if (const char* value = std::getenv(auth.reference.c_str())) {
    held = value;
  } else {
    return {ErrorCode::kNotFound, where + "is not set"};
  }
  const std::string_view value = trimmed(held);
  const bool fits = value.size() <= kLengthMax && is_printable(value);
  std::string line;
  line.reserve(auth.header.size() + value.size() + 32);  // no copy is left behind where it would have to grow
  if (fits && !value.empty()) {
    line.append(auth.kind == Auth::Kind::kBearer ? "Authorization: Bearer " : auth.header + ": ");
    line.append(value).append("\r\n");
  }
  const bool empty = value.empty();
  wipe(held);
  if (empty) return {ErrorCode::kNotFound, where + "is empty"};
  if (!fits)
    return {ErrorCode::kInvalidArgument, where + "is no header value: expected 1 to 8192 printable characters"};
  return line;
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace hearth::net
