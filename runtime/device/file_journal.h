/// \file FileJournal: a journal in a file, one JSON record per line, synced to disk before a record counts.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/journal.h>

namespace hearth::device {

/// A writer thread appends what has gathered and syncs once for all of it, so the loop never waits for the disk.
/// A last line without its newline is a write that a crash cut off: it was never acknowledged and is dropped.
/// Bounds: `bytes_max`; a record beyond it is refused, and then nothing may leave until the file is moved away.
/// Threads: as Journal says. Owns its file and thread; `loop` outlives it. One journal per file.
class FileJournal final : public Journal {
 public:
  static Result<std::shared_ptr<FileJournal>> open(EventLoop& loop, const std::string& file,
                                                   std::uint64_t bytes_max = 64u << 20);
  /// Writes what is left, then ends.
  ~FileJournal() override;
  FileJournal(const FileJournal&) = delete;
  FileJournal& operator=(const FileJournal&) = delete;

  Result<std::vector<std::string>> replay() override;
  void append(std::string record, Callback recorded) override;

 private:
  using Batch = std::vector<std::pair<std::string, Callback>>;
  FileJournal(EventLoop& loop, std::string file, int descriptor, std::uint64_t bytes_max);
  void write_batches();
  Status write(const std::string& bytes);

  EventLoop& loop_;
  const std::string file_;
  const int descriptor_;
  const std::uint64_t bytes_max_;
  std::uint64_t size_ = 0;  ///< Writer thread, once it runs.
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch waiting_;
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace hearth::device
