/// \file Journal: durable storage for what must outlive a crash: consent, taint, budgets, every egress and decision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>

namespace hearth {

/// What an append waits for. kWritten outlives the process, kSynced also the loss of power.
enum class Durability : std::uint8_t { kWritten, kSynced };

/// An append-only list of one-line records.
/// Threads: loop thread only, but for keyed_digest().
class Journal {
 public:
  using Callback = std::function<void(Status)>;

  virtual ~Journal() = default;

  /// The records to restore from, oldest first. An error means the past is unknown: then nothing may leave.
  virtual Result<std::vector<std::string>> replay() = 0;

  /// Appends one line (no newline inside). `recorded` runs once, on the loop thread, never inside this call, when the
  /// record is as durable as was asked. After an error nothing may leave any more.
  virtual void append(std::string record, Durability durability, Callback recorded) = 0;

  /// Lower-case hex of an HMAC-SHA-256 under a key that only this device has: says later which bytes these were to
  /// whoever has bytes and key. Empty when there is no key. Any thread.
  virtual std::string keyed_digest(std::string_view) const { return {}; }
};

/// A journal that is kept in segments, so that the oldest can go: replay() begins with the newest segment.
class SegmentedJournal : public Journal {
 public:
  /// Begins a new segment with this record, which says all that the records before it came to; synced. Of all
  /// segments, this one included, at most `segments_kept` stay.
  virtual void begin_segment(std::string record, std::size_t segments_kept, Callback recorded) = 0;
};

}  // namespace hearth
