/// \file Reads an audit log as it lies on the disk, checks it, and changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <hearth/result.h>

#include "runtime/privacy/audit_chain.h"

namespace hearth::tool {

struct AuditReading {
  explicit AuditReading(privacy::AuditChain begun) : chain(std::move(begun)) {}

  bool holds() const { return problem.empty(); }

  privacy::AuditChain chain;
  std::string problem;           ///< `file:line: what`; what follows it was not read. Empty: the chain holds.
  std::uint64_t records = 0;     ///< That were found good.
  std::uint64_t segments = 0;    ///< Files.
  std::int64_t begins_at_s = 0;  ///< When the oldest record was made.
  std::uint64_t torn_bytes = 0;  ///< Of a last line without its end, which a crash leaves. Counts for nothing.
  bool could_not_keep = false;   ///< Marked by the runtime: a record found no room, and nothing left after it.
};

/// Told each good record, unsealed.
using RecordVisitor = std::function<void(const std::string& record, std::uint64_t seq)>;

/// Reads the log and its older segments. `head`: one line as signed_head() prints it; a tail that it shows to be cut
/// off is a problem. Errors, which are bad input: no such file, not a log of this version, a key or a head that cannot
/// be used. A log that a runtime writes to meanwhile is read as far as it was written.
Result<AuditReading> read_audit_log(const std::string& log, const std::string& key_file,
                                    const std::optional<std::string>& head, const RecordVisitor& visit);

/// "2026-11-25T12:00:00Z".
std::string utc_text(std::int64_t at_s);

}  // namespace hearth::tool
