#include "runtime/device/file_journal.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hearth::device {
namespace {

Error system_error(const std::string& file, const char* doing) {
  return {ErrorCode::kUnavailable, file + ": cannot " + doing + ": " + std::strerror(errno)};
}

// Of one length, so that one can take the other's place on a disk that is full.
constexpr std::string_view kWhole = "hearth journal 1 whole\n";
constexpr std::string_view kTorn = "hearth journal 1 torn!\n";

/// So that a new file is still there after the power fails.
bool sync_folder(const std::string& file) {
  const auto folder = std::filesystem::absolute(file).parent_path();
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  return synced;
}

}  // namespace

Result<std::shared_ptr<FileJournal>> FileJournal::open(EventLoop& loop, const std::string& file,
                                                       std::uint64_t bytes_max) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return system_error(file, "open the journal");
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return Error{ErrorCode::kUnavailable, file + ": the journal is in use by another runtime"};
  }
  return std::shared_ptr<FileJournal>(new FileJournal(loop, file, descriptor, bytes_max));
}

FileJournal::FileJournal(EventLoop& loop, std::string file, int descriptor, std::uint64_t bytes_max)
    : loop_(loop), file_(std::move(file)), descriptor_(descriptor), bytes_max_(bytes_max) {
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
/// it.
void FileJournal::begin() {
  struct stat info {};
  failed_ = ::fstat(descriptor_, &info) != 0;
  size_ = static_cast<std::uint64_t>(info.st_size);
  if (!failed_ && size_ < kWhole.size()) {
    size_ = kWhole.size();
    failed_ = ::ftruncate(descriptor_, 0) != 0 || !put(std::string(kWhole), 0).ok() || !sync_folder(file_);
  }
  std::string first(kWhole.size(), '\0');
  failed_ = failed_ || ::pread(descriptor_, first.data(), first.size(), 0) < 0 || first != kWhole;
}

Result<std::vector<std::string>> FileJournal::replay() {
  std::string bytes(size_, '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = ::pread(descriptor_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return system_error(file_, "read the journal");
    at += static_cast<std::size_t>(got);
  }
  if (bytes.starts_with(kTorn))
    return Error{ErrorCode::kCorrupt, file_ + ": a record could not be kept earlier, so this is not the whole story"};
  if (!bytes.starts_with(kWhole)) return Error{ErrorCode::kCorrupt, file_ + ": not a journal of this version"};
  const std::size_t whole = bytes.rfind('\n') + 1;
  if (whole != bytes.size()) {
    if (::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0) return system_error(file_, "drop a torn last record");
    size_ = whole;
  }
  std::vector<std::string> records;
  for (std::size_t begin = kWhole.size(); begin < whole;) {
    const std::size_t end = bytes.find('\n', begin);
    records.push_back(bytes.substr(begin, end - begin));
    begin = end + 1;
  }
  return records;
}

void FileJournal::append(std::string record, Callback recorded) {
  {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(record), std::move(recorded));
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
    std::string bytes;
    for (const auto& [record, recorded] : batch) bytes += record + '\n';
    const Status status = write(bytes);
    for (auto& [record, recorded] : batch) loop_.post([recorded = std::move(recorded), status] { recorded(status); });
    lock.lock();
  }
}

/// All of `bytes`, synced, or none that counts: after a failure the file is cut back to what was acknowledged.
Status FileJournal::write(const std::string& bytes) {
  if (failed_) return {ErrorCode::kUnavailable, file_ + ": the journal has failed before"};
  if (size_ + bytes.size() > bytes_max_)
    return fail({ErrorCode::kResourceExhausted,
                 file_ + ": the journal would exceed " + std::to_string(bytes_max_ >> 20) + " MiB"});
  if (auto status = put(bytes, size_); !status.ok()) return fail(status.error());
  size_ += bytes.size();
  return Done{};
}

Status FileJournal::put(const std::string& bytes, std::uint64_t at) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return system_error(file_, "write the journal");
    done += static_cast<std::size_t>(got);
  }
  if (::fdatasync(descriptor_) != 0) return system_error(file_, "write the journal");
  return Done{};
}

Status FileJournal::fail(Error error) {
  failed_ = true;
  // The mark comes first; cutting off what is half-written is tidying, and may make the room that the mark lacked.
  const bool marked = put(std::string(kTorn), 0).ok();
  if (::ftruncate(descriptor_, static_cast<off_t>(size_)) == 0 && !marked) (void)put(std::string(kTorn), 0);
  return error;
}

}  // namespace hearth::device
