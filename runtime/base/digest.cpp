#include "runtime/base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
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

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

std::string hex_of(const Digest& digest) {
  return hex_of(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string sha256_hex(std::string_view bytes) {
  Digest digest;
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) return {};
  return hex_of(digest);
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Sha256::Sha256()
    : context_(EVP_MD_CTX_new(), [](void* context) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context)); }) {
  auto* const context = static_cast<EVP_MD_CTX*>(context_.get());
  if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) context_.reset();
}

void Sha256::update(std::string_view bytes) {
  if (context_ && EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_.get()), bytes.data(), bytes.size()) != 1) {
    context_.reset();
  }
}

std::string Sha256::hex() {
  Digest digest;
  unsigned size = 0;
  if (!context_ || EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_.get()), digest.data(), &size) != 1) return {};
  return hex_of(digest);
}

std::optional<Digest> hmac_sha256(std::string_view key, std::string_view bytes) {
  Digest digest;
  unsigned size = 0;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data, bytes.size(), digest.data(), &size) == nullptr)
    return {};
  return digest;
}

}  // namespace hearth
