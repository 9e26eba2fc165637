#include "runtime/device/file_journal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/device/journal_files.h"

namespace hearth::device {
namespace {

Error system_error(const std::string& file, const char* doing) {
  return {ErrorCode::kUnavailable, file + ": cannot " + doing + ": " + std::strerror(errno)};
}

/// So that a new file is still there after the power fails.
bool sync_folder(const std::string& file) {
  const auto folder = std::filesystem::absolute(file).parent_path();
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  return synced;
}

bool same_file(int descriptor, const std::string& file) {
  struct stat open {
  }, named{};
  return ::fstat(descriptor, &open) == 0 && ::stat(file.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

}  // namespace

Result<std::shared_ptr<FileJournal>> FileJournal::open(EventLoop& loop, const std::string& file,
                                                       std::uint64_t bytes_max) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return system_error(file, "open the journal");
  // Another runtime may have begun a new segment between the two calls: then this is its old one.
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 || !same_file(descriptor, file)) {
    ::close(descriptor);
    return Error{ErrorCode::kUnavailable, file + ": the journal is in use by another runtime"};
  }
  return std::shared_ptr<FileJournal>(new FileJournal(loop, file, descriptor, bytes_max));
}

FileJournal::FileJournal(EventLoop& loop, std::string file, int descriptor, std::uint64_t bytes_max)
    : loop_(loop), file_(std::move(file)), bytes_max_(bytes_max), descriptor_(descriptor) {
  begin();
  writer_ = std::thread([this] { write_batches(); });
}

FileJournal::~FileJournal() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  writer_.join();
  ::close(descriptor_);
}

/// A new file, or one whose first line a crash cut off, gets its first line. Nothing is added to any other that lacks
/// it. What a crash left of a new segment goes.
void FileJournal::begin() {
  (void)::unlink((file_ + ".new").c_str());
  auto older = older_segments(file_);
  if (!older.empty() && same_file(descriptor_, older.back().file)) {
    (void)::unlink(older.back().file.c_str());
    older.pop_back();
  }
  if (!older.empty()) next_number_ = older.back().number + 1;
  struct stat info {};
  failed_ = ::fstat(descriptor_, &info) != 0;
  size_ = static_cast<std::uint64_t>(info.st_size);
  if (!failed_ && size_ < kWholeJournal.size()) {
    lost_newest_ = !older.empty();
    size_ = kWholeJournal.size();
    failed_ = lost_newest_ || ::ftruncate(descriptor_, 0) != 0 || !put(descriptor_, kWholeJournal, 0).ok() ||
              !sync(descriptor_).ok() || !sync_folder(file_);
  }
  was_empty_ = size_ == kWholeJournal.size() && older.empty();
  std::string first(kWholeJournal.size(), '\0');
  failed_ = failed_ || ::pread(descriptor_, first.data(), first.size(), 0) < 0 || first != kWholeJournal;
}

Result<std::vector<std::string>> FileJournal::replay() {
  if (lost_newest_)
    return Error{ErrorCode::kCorrupt, file_ + ": older segments of this journal are there, but its newest is not"};
  std::string bytes(size_, '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = ::pread(descriptor_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return system_error(file_, "read the journal");
    at += static_cast<std::size_t>(got);
  }
  if (bytes.starts_with(kTornJournal))
    return Error{ErrorCode::kCorrupt, file_ + ": a record could not be kept earlier, so this is not the whole story"};
  if (!bytes.starts_with(kWholeJournal)) return Error{ErrorCode::kCorrupt, file_ + ": not a journal of this version"};
  const std::size_t whole = bytes.rfind('\n') + 1;
  if (whole != bytes.size()) {
    if (::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0) return system_error(file_, "drop a torn last record");
    size_ = whole;
  }
  std::vector<std::string> records;
  for (std::size_t begin = kWholeJournal.size(); begin < whole;) {
    const std::size_t end = bytes.find('\n', begin);
    records.push_back(bytes.substr(begin, end - begin));
    begin = end + 1;
  }
  return records;
}

void FileJournal::append(std::string record, Durability durability, Callback recorded) {
  enqueue({std::move(record), durability, std::move(recorded)});
}

void FileJournal::begin_segment(std::string record, std::size_t segments_kept, Callback recorded) {
  enqueue({std::move(record), Durability::kSynced, std::move(recorded), std::max<std::size_t>(segments_kept, 1)});
}

void FileJournal::enqueue(Waiting waiting) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(waiting));
  }
  changed_.notify_one();
}

void FileJournal::write_batches() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Batch batch = std::exchange(waiting_, {});
    lock.unlock();
    for (auto begin = batch.begin(); begin != batch.end();) {
      const auto end = std::find_if(begin + 1, batch.end(), [](const Waiting& one) { return one.segments_kept > 0; });
      write_group(begin, end);
      begin = end;
    }
    lock.lock();
  }
}

/// Records of one segment; the first may begin it.
void FileJournal::write_group(Batch::iterator begin, Batch::iterator end) {
  std::string bytes;
  bool asks_sync = false;
  for (auto at = begin; at != end; ++at) {
    bytes += at->record + '\n';
    asks_sync = asks_sync || at->durability == Durability::kSynced;
  }
  Status status = begin->segments_kept > 0 ? new_segment(bytes, begin->segments_kept) : write(bytes);
  tell(begin, end, Durability::kWritten, status);
  if (status.ok() && asks_sync) {
    status = sync(descriptor_);
    if (!status.ok()) status = fail(status.error());
  }
  tell(begin, end, Durability::kSynced, status);
}

void FileJournal::tell(Batch::iterator begin, Batch::iterator end, Durability durability, const Status& status) {
  for (auto at = begin; at != end; ++at) {
    if (at->durability != durability) continue;
    loop_.post([recorded = std::move(at->recorded), status] { recorded(status); });
  }
}

/// All of `bytes`, or none that counts: after a failure the file is cut back to what was acknowledged.
Status FileJournal::write(const std::string& bytes) {
  if (failed_) return {ErrorCode::kUnavailable, file_ + ": the journal has failed before"};
  if (size_ + bytes.size() > bytes_max_)
    return fail({ErrorCode::kResourceExhausted,
                 file_ + ": the journal would exceed " + std::to_string(bytes_max_) + " bytes in one segment"});
  if (auto status = put(descriptor_, bytes, size_); !status.ok()) return fail(status.error());
  size_ += bytes.size();
  return Done{};
}

Status FileJournal::new_segment(const std::string& bytes, std::size_t segments_kept) {
  if (failed_) return {ErrorCode::kUnavailable, file_ + ": the journal has failed before"};
  if (auto status = sync(descriptor_); !status.ok()) return fail(status.error());
  const std::string beside = file_ + ".new";
  const int descriptor = ::open(beside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail(system_error(beside, "begin a segment"));
  if (auto status = take_over(descriptor, bytes); !status.ok()) {
    ::close(descriptor);
    (void)::unlink(beside.c_str());
    return fail(status.error());
  }
  ::close(std::exchange(descriptor_, descriptor));
  size_ = kWholeJournal.size() + bytes.size();
  if (!sync_folder(file_)) return fail(system_error(file_, "begin a segment"));
  auto older = older_segments(file_);
  while (older.size() + 1 > segments_kept) {
    (void)::unlink(older.front().file.c_str());  // one that stays is tried again next time
    older.erase(older.begin());
  }
  return Done{};
}

Status FileJournal::take_over(int descriptor, const std::string& bytes) {
  const std::string beside = file_ + ".new", old = file_ + "." + std::to_string(next_number_);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return system_error(beside, "lock a segment");
  if (auto status = put(descriptor, std::string(kWholeJournal) + bytes, 0); !status.ok()) return status;
  if (auto status = sync(descriptor); !status.ok()) return status;
  if (::link(file_.c_str(), old.c_str()) != 0) return system_error(old, "keep a segment");
  if (::rename(beside.c_str(), file_.c_str()) != 0) {
    const Error error = system_error(file_, "begin a segment");
    (void)::unlink(old.c_str());
    return error;
  }
  ++next_number_;
  return Done{};
}

Status FileJournal::put(int descriptor, std::string_view bytes, std::uint64_t at) const {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pwrite(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return system_error(file_, "write the journal");
    done += static_cast<std::size_t>(got);
  }
  return Done{};
}

Status FileJournal::sync(int descriptor) const {
  if (::fdatasync(descriptor) != 0) return system_error(file_, "sync the journal");
  return Done{};
}

Status FileJournal::fail(Error error) {
  failed_ = true;
  // The mark comes first; cutting off what is half-written is tidying, and may make the room that the mark lacked.
  const auto mark = [this] { return put(descriptor_, kTornJournal, 0).ok() && sync(descriptor_).ok(); };
  const bool marked = mark();
  if (::ftruncate(descriptor_, static_cast<off_t>(size_)) == 0 && !marked) (void)mark();
  return error;
}

}  // namespace hearth::device
