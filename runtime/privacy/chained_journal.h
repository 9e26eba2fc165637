/// \file ChainedJournal: a journal whose records are the audit log: each is sealed to the ones before it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/journal.h>
#include <hearth/time.h>

#include "runtime/privacy/audit_chain.h"
#include "runtime/privacy/ledger.h"

namespace hearth::privacy {

/// Over any segmented journal. replay() checks the newest segment, which begins with a record of everything that came
/// before it (`hearth audit verify` checks all); a broken chain, or no key, is an error of replay() and of every
/// append(). A segment that would grow over `segment_bytes` is followed by a new one (twice the size of its state
/// record, when that is more), and `segments_max` of them are kept: disk use is bounded by their product.
/// Threads: as Journal says.
class ChainedJournal final : public Journal {
 public:
  struct Bounds {
    std::uint64_t segment_bytes;
    std::size_t segments_max;
    std::size_t sessions_max;  ///< Of the ledger whose records these are.
  };

  /// `key`: kDeviceKeyBytes secret bytes, or why there are none. `loop` outlives it.
  ChainedJournal(EventLoop& loop, std::shared_ptr<SegmentedJournal> inner, Result<std::string> key, Bounds bounds);

  Result<std::vector<std::string>> replay() override;
  void append(std::string record, Durability durability, Callback recorded) override;
  std::string keyed_digest(std::string_view bytes) const override;

 private:
  Status take_in(const std::vector<std::string>& lines, std::vector<std::string>& records);
  Status begin_segment();
  std::string state_record() const;

  EventLoop& loop_;
  const std::shared_ptr<SegmentedJournal> inner_;
  const Bounds bounds_;
  const WallTime started_wall_;
  const TimePoint started_;
  std::optional<AuditChain> chain_;
  std::string payload_key_;
  Status broken_;  ///< Why nothing can be kept.
  Ledger fold_;    ///< What the records so far come to: a state record must say just that.
  std::uint64_t segment_bytes_ = 0;
  std::uint64_t segment_bytes_max_;
};

}  // namespace hearth::privacy
