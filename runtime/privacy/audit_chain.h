/// \file AuditChain: seals log records so that a changed, removed, inserted or reordered one is found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>

#include "runtime/base/digest.h"

namespace hearth::privacy {

inline constexpr std::size_t kDeviceKeyBytes = 32;

/// The end of a chain: how many records, and the MAC of the last.
struct ChainHead {
  std::uint64_t count = 0;
  Digest mac{};
};

/// A sealed record is its JSON object with "seq" and "mac" at the end. The MAC is HMAC-SHA-256 (RFC 2104), under a key
/// derived from the device key, over the MAC before it and the bytes of the record up to and with "seq": each record
/// vouches for all before it. A chain begins with a record of kind "state" that names the MAC it continues from, so
/// that what stands before such a record may be thrown away; "segments" in it lists where the kept segments begin.
/// What it does not show by itself is a tail that was cut off: for that compare with a head kept elsewhere.
/// Bounds: constant memory. Threads: none of its own; one owner.
class AuditChain {
 public:
  explicit AuditChain(std::string_view device_key);

  /// The next record, sealed. `record` is one JSON object with at least one key. Error: the digest library failed.
  Result<std::string> seal(std::string record);
  /// The same for the state record that begins a segment. `segments`: first seq of each kept segment, this one's last.
  Result<std::string> seal_state(std::string record, const std::vector<std::uint64_t>& segments);

  /// Checks that `line` is the record that follows and takes it in; comes back unsealed. kCorrupt says what is wrong
  /// and quotes nothing. After an error the chain is of no more use.
  Result<std::string> open(std::string_view line);

  /// Once the last line is in: whether every segment that the last state record lists is there.
  Status whole() const;

  const ChainHead& head() const { return head_; }
  std::uint64_t first_seq() const { return first_seq_; }  ///< 0 before the first record.
  std::uint64_t next_seq() const { return head_.count + 1; }
  /// As the newest state record lists them.
  const std::vector<std::uint64_t>& segments() const { return segments_; }

  /// One line of JSON to keep outside the log, signed by the key.
  Result<std::string> signed_head() const;
  /// Reads and checks such a line. kInvalidArgument: not a head, or not of this key.
  Result<ChainHead> read_head(std::string_view line) const;

 private:
  std::optional<Digest> mac_of(const Digest& before, std::string_view text) const;
  Result<std::string> signature_of(const ChainHead& head) const;
  Status begin_from(std::string_view record, std::uint64_t seq);

  std::string key_;
  std::string head_key_;
  Digest genesis_{};
  ChainHead head_;
  std::uint64_t first_seq_ = 0;
  std::vector<std::uint64_t> segments_;
};

/// A key for one purpose, derived from the device key: HMAC-SHA-256 over the purpose. Empty when the library fails.
std::string derived_key(std::string_view device_key, std::string_view purpose);

}  // namespace hearth::privacy
