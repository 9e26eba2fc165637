#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/base/json_reader.h"

namespace hearth {

Result<std::string> read_whole_file(const std::string& file, std::uint64_t size_max) {
  std::error_code failure;
  const auto status = std::filesystem::status(file, failure);
  if (!std::filesystem::exists(status)) return {ErrorCode::kNotFound, file + ": no such file"};
  if (std::filesystem::is_directory(status)) return {ErrorCode::kInvalidArgument, file + ": is a folder, not a file"};
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return {ErrorCode::kInvalidArgument, file + ": cannot be opened: " + std::strerror(errno)};
  std::string bytes;
  std::array<char, 65536> chunk;
  while (stream) {
    stream.read(chunk.data(), chunk.size());
    bytes.append(chunk.data(), static_cast<std::size_t>(stream.gcount()));
    if (bytes.size() > size_max) {
      return {ErrorCode::kResourceExhausted,
              file + ": larger than the limit of " + std::to_string(size_max) + " bytes"};
    }
  }
  if (stream.bad()) return {ErrorCode::kInvalidArgument, file + ": cannot be read to its end"};
  return bytes;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) return {};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * size);
  for (unsigned i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace hearth
