#include "runtime/device/audit_log.h"

#include "runtime/device/file_journal.h"
#include "runtime/device/key_file.h"
#include "runtime/privacy/chained_journal.h"

namespace hearth::device {

Result<std::shared_ptr<Journal>> open_audit_log(EventLoop& loop, const RuntimeConfig& config) {
  auto file = FileJournal::open(loop, config.journal_file);
  if (!file.ok()) return file.error();
  // The journal's lock is held by now, so no other runtime makes a key for it.
  const std::string key_file = config.audit_key_file.empty() ? config.journal_file + ".key" : config.audit_key_file;
  auto key = read_or_make_key(key_file, file.value()->was_empty());
  const privacy::ChainedJournal::Bounds bounds{config.limits.journal_segment_mib << 20,
                                               config.limits.journal_segments_max, config.limits.sessions_max};
  return std::shared_ptr<Journal>(
      std::make_shared<privacy::ChainedJournal>(loop, std::move(file).value(), std::move(key), bounds));
}

}  // namespace hearth::device
