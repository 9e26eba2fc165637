#include "runtime/edge/kernels/aligned_bytes.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace hearth::edge::kernels {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

AlignedBytes::AlignedBytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  const std::size_t alignment = size >= kHugePage ? kHugePage : kCacheLine;
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;
  bytes_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(alignment, whole)));
  if (!bytes_) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (alignment == kHugePage) madvise(bytes_.get(), whole, MADV_HUGEPAGE);
#endif
  std::memset(bytes_.get(), 0, whole);
}

}  // namespace hearth::edge::kernels
