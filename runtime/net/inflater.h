/// \file Inflater: unpacks a gzip body as it arrives, within a bound.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hearth::net {

/// gzip as in RFC 1952, also in several members. Works in one piece of 64 KiB at a time: a bomb costs no more memory
/// than its bound. Threads: none of its own.
class Inflater {
 public:
  enum class State : std::uint8_t {
    kGoesOn,
    kCorrupt,   ///< Not gzip.
    kTooLarge,  ///< More than the bound comes out of it.
  };

  explicit Inflater(std::uint64_t bytes_max);
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  /// Appends to `out` what comes out of `packed`. After anything but kGoesOn it must not be used again.
  State put(std::string_view packed, std::string& out);
  /// Whether what came ended where a member ends; also true of nothing at all.
  bool whole() const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace hearth::net
