/// \file HashedFile: a model file whose SHA-256 is known and which is read piece by piece, each as it was when it was
/// hashed.
///
/// Not mapped into memory, on purpose: whoever writes to a mapped file changes what was checked, and whoever cuts it
/// kills the process that reads it. Nor held in memory as a whole: the weights are copied out of it once, straight to
/// where they stay. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>

#include "runtime/base/digest.h"

namespace hearth::edge {

class HashedFile {
 public:
  /// Reads the file once to hash it. kNotFound; kInvalidArgument for what is no file or cannot be read; kCorrupt when
  /// it is empty; kResourceExhausted above `size_max`. One line that names the file.
  static Result<HashedFile> open(const std::string& file, std::uint64_t size_max);
  HashedFile(HashedFile&& other) noexcept;
  HashedFile& operator=(HashedFile&&) = delete;
  ~HashedFile();

  const std::string& sha256() const { return sha256_; }
  std::uint64_t size() const { return size_; }
  /// How many bytes came: fewer than asked at the end, none where the file is no longer what was hashed.
  std::size_t read(std::uint64_t position, void* buffer, std::size_t count);
  bool changed() const { return changed_; }

 private:
  static constexpr std::size_t kChunk = 64 * 1024;

  explicit HashedFile(int descriptor) : descriptor_(descriptor) {}
  /// Fills `buffer` with chunk `index`, unless it changed.
  bool read_chunk(std::size_t index, char* buffer);
  std::size_t chunk_size(std::size_t index) const;

  int descriptor_;
  std::uint64_t size_ = 0;
  std::string sha256_;
  std::vector<std::string> chunks_;  // Their digests.
  std::string kept_;                 // The chunk that was read last in part.
  std::size_t kept_index_ = 0;
  bool changed_ = false;
};

}  // namespace hearth::edge
