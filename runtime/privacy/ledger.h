/// \file Ledger: what privacy remembers between requests: consent, tainted sessions, bytes sent today.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <hearth/device.h>
#include <hearth/result.h>
#include <hearth/time.h>

namespace hearth::privacy {

/// What one attempt costs the day's budgets.
struct Spending {
  std::uint64_t bytes = 0;
  std::uint64_t micro_usd = 0;
};

/// Every change comes with the one-line JSON record that the caller must journal; replaying the records of a former run
/// restores the ledger. When the past cannot be read, or a record cannot be kept, the ledger is *blind* for as long as
/// it lives: whether anything is tainted, spent or agreed to is unknown, so a policy permits no egress at all.
///
/// Sessions are kept as 64-bit hashes, so the journal holds no names. Two names with one hash share their taint.
/// Bounds: `sessions_max` tainted sessions; one more, and every session counts as tainted until some expire.
/// Threads: none of its own; one owner.
class Ledger {
 public:
  explicit Ledger(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  /// Takes in one more record of a journal; decisions are none of its business.
  Status take(const std::string& record);
  /// Takes in a journal's records. Blind after an error or after a record that makes no sense; the error says which.
  Status restore(const Result<std::vector<std::string>>& records);
  void go_blind() { blind_ = true; }
  bool blind() const { return blind_; }

  /// kAbsent when blind: a revocation may be what was lost.
  Consent consent() const { return blind_ ? Consent::kAbsent : consent_; }
  /// No session (an empty name) is never tainted. Nothing when blind, for no session too.
  std::optional<bool> tainted(std::string_view session, WallTime now) const;
  /// MiB charged since midnight UTC. Nothing when blind.
  std::optional<double> cloud_mib_today(WallTime now) const;

  /// US dollars charged since midnight UTC. Nothing when blind.
  std::optional<double> cloud_usd_today(WallTime now) const;

  std::string set_consent(Consent consent);
  /// Taints until then. Empty when the session is tainted for that long already.
  std::string taint(std::string_view session, WallTime now, WallTime until);
  std::string forget(std::string_view session);
  /// Charges what is about to leave to the day's budgets. The egress record (see the guard) restores it.
  void charge(const Spending& spending, WallTime now);
  /// The record that takes back an egress record, made at `at`, of what did not leave: those of this request's
  /// attempt.
  static std::string withheld_record(const Spending& spending, WallTime at, std::uint64_t request,
                                     std::uint32_t attempt);
  /// The record that all records so far come to, dated `at`. It leaves out taint that ended before `taint_from`.
  std::string state_record(WallTime at, WallTime taint_from) const;

 private:
  void keep_taint(std::uint64_t session, std::int64_t now_s, std::int64_t until_s);

  std::size_t sessions_max_;
  bool blind_ = false;
  Consent consent_ = Consent::kAbsent;
  std::unordered_map<std::uint64_t, std::int64_t> tainted_until_s_;
  std::int64_t overflow_until_s_ = 0;  ///< Every session counts as tainted until then.
  std::int64_t day_ = 0;
  Spending today_;
};

}  // namespace hearth::privacy
