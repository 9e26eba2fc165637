#include "runtime/device/file_journal.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hearth::device {
namespace {

Error system_error(const std::string& file, const char* doing) {
  return {ErrorCode::kUnavailable, file + ": cannot " + doing + ": " + std::strerror(errno)};
}

}  // namespace

Result<std::shared_ptr<FileJournal>> FileJournal::open(EventLoop& loop, const std::string& file,
                                                       std::uint64_t bytes_max) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) return system_error(file, "open the journal");
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return Error{ErrorCode::kUnavailable, file + ": the journal is in use by another runtime"};
  }
  return std::shared_ptr<FileJournal>(new FileJournal(loop, file, descriptor, bytes_max));
}

FileJournal::FileJournal(EventLoop& loop, std::string file, int descriptor, std::uint64_t bytes_max)
    : loop_(loop), file_(std::move(file)), descriptor_(descriptor), bytes_max_(bytes_max) {
  struct stat info {};
  if (::fstat(descriptor_, &info) == 0) size_ = static_cast<std::uint64_t>(info.st_size);
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

Result<std::vector<std::string>> FileJournal::replay() {
  std::string bytes(size_, '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = ::pread(descriptor_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return system_error(file_, "read the journal");
    at += static_cast<std::size_t>(got);
  }
  const std::size_t whole = bytes.rfind('\n') + 1;  // npos + 1 is 0: no whole line
  if (whole != bytes.size()) {
    if (::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0) return system_error(file_, "drop a torn last record");
    size_ = whole;
  }
  std::vector<std::string> records;
  for (std::size_t begin = 0; begin < whole;) {
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
  if (size_ + bytes.size() > bytes_max_)
    return {ErrorCode::kResourceExhausted,
            file_ + ": the journal would exceed " + std::to_string(bytes_max_ >> 20) + " MiB: move it away"};
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t put = ::write(descriptor_, bytes.data() + at, bytes.size() - at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    at += static_cast<std::size_t>(put);
  }
  if (at == bytes.size() && ::fdatasync(descriptor_) == 0) {
    size_ += bytes.size();
    return Done{};
  }
  const Error error = system_error(file_, "write the journal");
  if (::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) size_ = bytes_max_;  // unknown content: refuse the rest
  return error;
}

}  // namespace hearth::device
