/// \file FileJournal: a journal in files, one JSON record per line, synced to disk where a record asks for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/journal.h>

namespace hearth::device {

/// A writer thread appends what has gathered and syncs once for all of it, so the loop never waits for the disk.
/// The first line of a segment says that it is whole. A last line without its newline is a write that a crash cut off:
/// it was never acknowledged and is dropped. When a record cannot be kept (disk full, or `bytes_max` reached in one
/// segment) the first line is changed in place to say so and every later record is refused: from then on, also after a
/// restart, replay() is an error, since what was lost may have been a revocation. Only taking the files away, and with
/// them all they remember, begins anew. A new segment is written under another name and takes the journal's place in
/// one step (link, rename), so a crash leaves either. Threads: as Journal says. Owns its file and thread; `loop`
/// outlives it. One runtime per journal.
class FileJournal final : public SegmentedJournal {
 public:
  static Result<std::shared_ptr<FileJournal>> open(EventLoop& loop, const std::string& file,
                                                   std::uint64_t bytes_max = std::uint64_t{4} << 30);
  /// Writes what is left, then ends.
  ~FileJournal() override;
  FileJournal(const FileJournal&) = delete;
  FileJournal& operator=(const FileJournal&) = delete;

  Result<std::vector<std::string>> replay() override;
  void append(std::string record, Durability durability, Callback recorded) override;
  void begin_segment(std::string record, std::size_t segments_kept, Callback recorded) override;

  /// Whether no record was there when it was opened.
  bool was_empty() const { return was_empty_; }

 private:
  struct Waiting {
    std::string record;
    Durability durability;
    Callback recorded;
    std::size_t segments_kept = 0;  ///< Not 0: begins a segment.
  };
  using Batch = std::vector<Waiting>;
  FileJournal(EventLoop& loop, std::string file, int descriptor, std::uint64_t bytes_max);
  void begin();
  void enqueue(Waiting waiting);
  void write_batches();
  void write_group(Batch::iterator begin, Batch::iterator end);
  void tell(Batch::iterator begin, Batch::iterator end, Durability durability, const Status& status);
  Status write(const std::string& bytes);
  Status new_segment(const std::string& bytes, std::size_t segments_kept);
  Status take_over(int descriptor, const std::string& bytes);
  Status put(int descriptor, std::string_view bytes, std::uint64_t at) const;
  Status sync(int descriptor) const;
  Status fail(Error error);

  EventLoop& loop_;
  const std::string file_;
  const std::uint64_t bytes_max_;
  bool was_empty_ = false;
  int descriptor_;  ///< This and the next three: of the writer thread, once it runs.
  std::uint64_t size_ = 0;
  std::uint64_t next_number_ = 1;
  bool failed_ = false;
  bool lost_newest_ = false;  ///< There are older segments and nothing after them.
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch waiting_;
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace hearth::device
