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
/// The first line says that the file is whole. A last line without its newline is a write that a crash cut off: it was
/// never acknowledged and is dropped. When a record cannot be kept (disk full, or `bytes_max` reached) the first line
/// is changed in place to say so and every later record is refused: from then on, also after a restart, replay() is an
/// error, since what was lost may have been a revocation. Only deleting the file, and with it all it remembers, begins
/// anew. Threads: as Journal says. Owns its file and thread; `loop` outlives it. One journal per file.
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
  void begin();
  void write_batches();
  Status write(const std::string& bytes);
  Status put(const std::string& bytes, std::uint64_t at);
  Status fail(Error error);

  EventLoop& loop_;
  const std::string file_;
  const int descriptor_;
  const std::uint64_t bytes_max_;
  std::uint64_t size_ = 0;  ///< Writer thread, once it runs.
  bool failed_ = false;     ///< The same.
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch waiting_;
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace hearth::device
