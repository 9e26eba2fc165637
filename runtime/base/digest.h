/// \file Digests and keyed digests, by OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hearth {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) of `bytes`, lower-case hex. Empty, which equals no digest, when the library fails.
std::string sha256_hex(std::string_view bytes);

/// Whether `text` is one as sha256_hex() writes it.
bool is_sha256(std::string_view text);

/// The same of bytes that come in pieces. Movable.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// Lower-case hex; empty when the library fails. Once, at the end.
  std::string hex();

 private:
  std::shared_ptr<void> context_;
};

/// HMAC-SHA-256 (RFC 2104) of `bytes` under `key`. Nothing when the library fails.
std::optional<Digest> hmac_sha256(std::string_view key, std::string_view bytes);

/// Lower-case hex.
std::string hex_of(std::string_view bytes);
std::string hex_of(const Digest& digest);

}  // namespace hearth
