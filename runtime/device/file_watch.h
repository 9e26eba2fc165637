/// \file watch_file: tells when a file may have changed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <hearth/result.h>

namespace hearth::device {

/// Watches the folder (inotify), so that a file that is replaced by renaming, as editors and installers do, is seen as
/// well as one that is written to. `changed` runs on a thread of the watch's own, once for all that came together; it
/// must not destroy the watch. Destroying it ends the thread. Errors: kUnavailable when the folder cannot be watched.
Result<std::shared_ptr<void>> watch_file(const std::string& file, std::function<void()> changed);

}  // namespace hearth::device
