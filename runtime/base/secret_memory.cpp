#include "runtime/base/secret_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace hearth {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBlockMin = 4 * kPage;

/// A plain memset of what nobody reads again may be left out by the compiler.
void wipe(void* place, std::size_t bytes) { ::explicit_bzero(place, bytes); }

}  // namespace

SecretMemory::~SecretMemory() {
  clear();
  for (const Block& block : blocks_) ::munmap(block.begin, block.size);
}

std::string_view SecretMemory::keep(std::string_view bytes) {
  if (bytes.empty()) return {};
  auto* place = static_cast<char*>(allocate(bytes.size(), 1));
  std::memcpy(place, bytes.data(), bytes.size());
  return {place, bytes.size()};
}

void SecretMemory::clear() noexcept {
  for (Block& block : blocks_) {
    wipe(block.begin, block.used);
    block.used = 0;
  }
}

void* SecretMemory::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (alignment > kPage || bytes > PTRDIFF_MAX - kPage) throw std::bad_alloc();
  const auto start_in = [&](const Block& block) { return (block.used + alignment - 1) / alignment * alignment; };
  if (blocks_.empty() || start_in(blocks_.back()) + bytes > blocks_.back().size) {
    const std::size_t wanted = std::max({kBlockMin, bytes, blocks_.empty() ? 0 : blocks_.back().size * 2});
    const std::size_t size = (wanted + kPage - 1) / kPage * kPage;
    blocks_.reserve(blocks_.size() + 1);  // so that no page is lost when this throws
    void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    if (::madvise(pages, size, MADV_DONTDUMP) != 0) {
      ::munmap(pages, size);
      throw std::bad_alloc();
    }
    static_cast<void>(::mlock(pages, size));
    blocks_.push_back({static_cast<std::byte*>(pages), size, 0});
  }
  Block& block = blocks_.back();
  const std::size_t start = start_in(block);
  block.used = start + bytes;
  return block.begin + start;
}

void SecretMemory::do_deallocate(void* place, std::size_t bytes, std::size_t) { wipe(place, bytes); }

}  // namespace hearth
