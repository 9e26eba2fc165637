/// \file The audit log of a real runtime: a journal in files, sealed with the device key.
#pragma once

#include <memory>

#include <hearth/config.h>
#include <hearth/event_loop.h>
#include <hearth/journal.h>

namespace hearth::device {

/// Opens `config.journal_file`, which is not empty. A key is made only for a log that is still empty; a key that is
/// missing or wrong is no error here but one of replay(), so that nothing leaves and local requests go on.
/// Errors: the file cannot be opened, or another runtime has it.
Result<std::shared_ptr<Journal>> open_audit_log(EventLoop& loop, const RuntimeConfig& config);

}  // namespace hearth::device
