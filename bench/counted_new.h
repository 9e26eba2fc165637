/// \file For one program: counts what it allocates, and quantiles of what it timed. Include it once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace hearth::bench {

inline std::size_t allocations = 0;

/// Reorders `values`, of which there is at least one.
inline double quantile(std::vector<double>& values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace hearth::bench

[[gnu::noinline]] void* operator new(std::size_t size) {  // inlined, g++ 12 takes the pair for a mismatch
  ++hearth::bench::allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++hearth::bench::allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
