/// \file SecretMemory: pages for secrets: in no core dump, not swapped out where that is permitted, zero when released.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <string_view>
#include <vector>

namespace hearth {

/// A memory resource that only grows, until clear() or its end; what is handed back in between is overwritten at once.
/// Throws std::bad_alloc when the system has no pages or cannot keep them out of core dumps. mlock() is tried, and a
/// refusal (RLIMIT_MEMLOCK) is accepted: such pages may be swapped. Threads: none of its own. Bounds: the caller's.
class SecretMemory final : public std::pmr::memory_resource {
 public:
  SecretMemory() = default;
  SecretMemory(const SecretMemory&) = delete;
  SecretMemory& operator=(const SecretMemory&) = delete;
  ~SecretMemory() override;

  /// A copy of `bytes`, valid until clear().
  std::string_view keep(std::string_view bytes);

  /// Overwrites everything with zeros; the pages stay for what comes next. Nothing handed out may be used any more.
  void clear() noexcept;

 private:
  struct Block {
    std::byte* begin;
    std::size_t size;
    std::size_t used;
  };

  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* place, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::vector<Block> blocks_;  ///< The last one is filled.
};

}  // namespace hearth
