#include "tools/hearth/json_lines.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace hearth::tool {
namespace {

constexpr std::size_t kChunk = 256 * 1024;

}  // namespace

// ---- in -------------------------------------------------------------------------------------------------------------

LineReader::LineReader(int file, std::size_t line_bytes_max, std::function<void()> before_wait)
    : file_(file), line_bytes_max_(line_bytes_max), before_wait_(std::move(before_wait)) {}

LineReader::LineReader(LineReader&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      line_bytes_max_(other.line_bytes_max_),
      before_wait_(std::move(other.before_wait_)) {}

LineReader::~LineReader() {
  if (file_ > STDIN_FILENO) ::close(file_);
}

Result<LineReader> LineReader::open(const std::string& file, std::size_t line_bytes_max,
                                    std::function<void()> before_wait) {
  if (file == "-") return LineReader(STDIN_FILENO, line_bytes_max, std::move(before_wait));
  const int opened = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) {
    if (errno == ENOENT) return Error{ErrorCode::kNotFound, file + ": no such file"};
    return Error{ErrorCode::kInvalidArgument, file + ": cannot be opened: " + std::strerror(errno)};
  }
  LineReader reader(opened, line_bytes_max, std::move(before_wait));
  struct stat status {};
  if (::fstat(opened, &status) == 0 && S_ISDIR(status.st_mode))
    return Error{ErrorCode::kInvalidArgument, file + ": is a folder, not a file"};
  return reader;
}

bool LineReader::refill() {
  before_wait_();
  buffer_.resize(kChunk);
  ssize_t got = 0;
  do got = ::read(file_, buffer_.data(), buffer_.size());
  while (got < 0 && errno == EINTR);
  failed_ = got < 0;
  buffer_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  at_ = 0;
  return got > 0;
}

std::optional<std::string_view> LineReader::next() {
  line_text_.clear();
  too_long_ = false;
  for (bool begun = false;; begun = true) {
    if (at_ == buffer_.size() && !refill()) {
      if (!begun || failed_) return {};
      break;
    }
    const std::size_t end = buffer_.find('\n', at_);
    const auto piece = std::string_view(buffer_).substr(at_, end == std::string::npos ? end : end - at_);
    const std::size_t room = line_bytes_max_ - line_text_.size();
    too_long_ = too_long_ || piece.size() > room;
    line_text_.append(piece.substr(0, room));
    at_ = end == std::string::npos ? buffer_.size() : end + 1;
    if (end != std::string::npos) break;
  }
  ++line_;
  return line_text_;
}

// ---- out ------------------------------------------------------------------------------------------------------------

LineWriter::LineWriter(int file, std::string name, std::string part)
    : file_(file), name_(std::move(name)), part_(std::move(part)) {}

LineWriter::LineWriter(LineWriter&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      name_(std::move(other.name_)),
      part_(std::exchange(other.part_, {})),
      buffer_(std::move(other.buffer_)) {}

LineWriter::~LineWriter() {
  if (file_ > STDERR_FILENO) ::close(file_);
  if (!part_.empty()) ::unlink(part_.c_str());
}

Result<LineWriter> LineWriter::open(const std::string& file) {
  if (file.empty()) return LineWriter(STDOUT_FILENO, "standard output", "");
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    return Error{ErrorCode::kInvalidArgument, file + ": is a folder, not a file"};
  std::string part = file + ".XXXXXX";
  const int opened = ::mkostemp(part.data(), O_CLOEXEC);
  if (opened < 0) return Error{ErrorCode::kInvalidArgument, file + ": cannot be written: " + std::strerror(errno)};
  const mode_t mask = ::umask(0);
  ::umask(mask);
  static_cast<void>(::fchmod(opened, 0666 & ~mask));
  return LineWriter(opened, file, part);
}

void LineWriter::write(std::string_view line) {
  buffer_.append(line).append(1, '\n');
  if (buffer_.size() >= kChunk) flush();
}

void LineWriter::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t wrote = ::write(file_, rest.data(), rest.size());
    if (wrote >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
}

Status LineWriter::publish() {
  flush();
  if (error_ == 0 && !part_.empty() && (::fsync(file_) != 0 || ::rename(part_.c_str(), name_.c_str()) != 0))
    error_ = errno;
  if (error_ != 0) return {ErrorCode::kUnavailable, name_ + ": cannot be written: " + std::strerror(error_)};
  part_.clear();
  return Done{};
}

}  // namespace hearth::tool
