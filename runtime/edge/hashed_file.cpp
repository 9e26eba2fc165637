#include "runtime/edge/hashed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hearth::edge {
namespace {

/// Bytes read: fewer at the file's end or where reading fails.
std::size_t read_at(int descriptor, std::uint64_t position, char* buffer, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::pread(descriptor, buffer + done, count - done, static_cast<off_t>(position + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace

HashedFile::HashedFile(HashedFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      sha256_(std::move(other.sha256_)),
      chunks_(std::move(other.chunks_)),
      kept_(std::move(other.kept_)),
      kept_index_(other.kept_index_),
      changed_(other.changed_) {}

HashedFile::~HashedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<HashedFile> HashedFile::open(const std::string& file, std::uint64_t size_max) {
  HashedFile opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (opened.descriptor_ < 0 && errno == ENOENT) return Error{ErrorCode::kNotFound, file + ": no such file"};
  if (opened.descriptor_ < 0) {
    return Error{ErrorCode::kInvalidArgument, file + ": cannot be opened: " + std::strerror(errno)};
  }
  struct stat status = {};
  if (::fstat(opened.descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    const char* const what = S_ISDIR(status.st_mode) ? ": is a folder, not a file" : ": is not a file that can be read";
    return Error{ErrorCode::kInvalidArgument, file + what};
  }
  Sha256 whole;
  std::string chunk(kChunk, '\0');
  for (std::size_t got = kChunk; got == kChunk;) {
    got = read_at(opened.descriptor_, opened.size_, chunk.data(), kChunk);
    if (got == 0) break;
    const std::string_view bytes(chunk.data(), got);
    whole.update(bytes);
    opened.chunks_.push_back(sha256_hex(bytes));
    opened.size_ += got;
    if (opened.size_ > size_max) {
      return Error{ErrorCode::kResourceExhausted,
                   file + ": larger than the limit of " + std::to_string(size_max) + " bytes"};
    }
  }
  if (opened.size_ == 0) return Error{ErrorCode::kCorrupt, file + ": is empty, expected a TorchScript file"};
  opened.sha256_ = whole.hex();
  return opened;
}

std::size_t HashedFile::chunk_size(std::size_t index) const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(size_ - index * kChunk, kChunk));
}

bool HashedFile::read_chunk(std::size_t index, char* buffer) {
  const std::size_t size = chunk_size(index);
  const bool same = read_at(descriptor_, index * kChunk, buffer, size) == size &&
                    sha256_hex(std::string_view(buffer, size)) == chunks_[index];
  if (!same) changed_ = true;
  return same;
}

std::size_t HashedFile::read(std::uint64_t position, void* buffer, std::size_t count) {
  if (position >= size_) return 0;
  count = static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - position));
  auto* const to = static_cast<char*>(buffer);
  for (std::size_t done = 0; done < count;) {
    const auto index = static_cast<std::size_t>((position + done) / kChunk);
    const auto offset = static_cast<std::size_t>((position + done) % kChunk);
    const std::size_t size = chunk_size(index);
    if (offset == 0 && count - done >= size) {  // Whole: straight to where it goes.
      if (!read_chunk(index, to + done)) return 0;
      done += size;
      continue;
    }
    if (kept_.size() != size || kept_index_ != index) {
      kept_.resize(size);
      kept_index_ = index;
      if (!read_chunk(index, kept_.data())) {
        kept_.clear();
        return 0;
      }
    }
    const std::size_t some = std::min(count - done, size - offset);
    std::memcpy(to + done, kept_.data() + offset, some);
    done += some;
  }
  return count;
}

}  // namespace hearth::edge
