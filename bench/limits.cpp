#include "bench/limits.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "runtime/edge/kernels/aligned_bytes.h"

namespace hearth::bench {
namespace {

using Clock = std::chrono::steady_clock;
using edge::kernels::Threads;

constexpr std::size_t kChains = 12;  // Enough sums at a time to hide the latency of one.

#ifdef __x86_64__

__attribute__((target("avx512f"))) void read_512(const std::uint8_t* from, std::size_t bytes) {
  __m512i all[4] = {};
  for (std::size_t i = 0; i < bytes; i += 512) {
#pragma GCC unroll 8
    for (int v = 0; v < 8; ++v) all[v % 4] = _mm512_or_si512(all[v % 4], _mm512_load_si512(from + i + 64 * v));
  }
  for (auto& one : all) asm volatile("" : "+v"(one));
}

__attribute__((target("avx2"))) void read_256(const std::uint8_t* from, std::size_t bytes) {
  __m256i all[8] = {};
  for (std::size_t i = 0; i < bytes; i += 512) {
#pragma GCC unroll 16
    for (int v = 0; v < 16; ++v) {
      all[v % 8] = _mm256_or_si256(all[v % 8], _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i + 32 * v)));
    }
  }
  for (auto& one : all) asm volatile("" : "+x"(one));
}

__attribute__((target("avx512f,avx512vnni"))) std::size_t multiply_vnni(std::size_t repeats) {
  __m512i sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_set1_epi32(static_cast<int>(i));  // Not one for all.
  const __m512i a = _mm512_set1_epi8(3);
  for (std::size_t i = 0; i < repeats; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, a);
  }
  for (auto& sum : sums) asm volatile("" : "+v"(sum));
  return repeats * kChains * 64;
}

// With the sign turned and the pairs widened, as the kernels for AVX2 must.
__attribute__((target("avx2"))) std::size_t multiply_avx2(std::size_t repeats) {
  constexpr std::size_t kFew = 6;
  __m256i sums[kFew];
  for (std::size_t i = 0; i < kFew; ++i) sums[i] = _mm256_set1_epi32(static_cast<int>(i));
  const __m256i a = _mm256_set1_epi8(3);
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::size_t i = 0; i < repeats; ++i) {
#pragma GCC unroll 6
    for (std::size_t v = 0; v < kFew; ++v) {
      __m256i w = a;
      asm volatile("" : "+x"(w));  // So that each product is computed.
      const __m256i pairs = _mm256_maddubs_epi16(a, _mm256_sign_epi8(a, w));
      sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(pairs, ones));
    }
  }
  for (auto& sum : sums) asm volatile("" : "+x"(sum));
  return repeats * kFew * 32;
}

#endif

void read_any(const std::uint8_t* from, std::size_t bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(from);
  std::uint64_t all[8] = {};
  for (std::size_t i = 0; i < bytes / 8; i += 8) {
    for (std::size_t v = 0; v < 8; ++v) all[v] |= words[i + v];
  }
  for (auto& one : all) asm volatile("" : "+r"(one));
}

void read(const std::uint8_t* from, std::size_t bytes) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return read_512(from, bytes);
  if (__builtin_cpu_supports("avx2")) return read_256(from, bytes);
#endif
  read_any(from, bytes);
}

void on_all(const Threads& threads, const edge::kernels::Task& task) {
  if (threads.count == 1) {
    task(0);
  } else {
    threads.run(threads.count, task);
  }
}

/// Of many short rounds, what nine of ten do not reach: rounds that something else interrupted do not count.
double best_of(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() * 9 / 10];
}

}  // namespace

double read_bytes_per_s(std::size_t bytes, const Threads& threads, bool quick) {
  constexpr std::size_t kStep = 512;
  const std::size_t each = (bytes / threads.count + kStep - 1) / kStep * kStep;
  edge::kernels::AlignedBytes buffer(each * threads.count);
  std::vector<double> speeds;
  const auto end = Clock::now() + std::chrono::milliseconds(quick ? 20 : 300);
  // Several passes at a time, so that waking the threads does not count.
  const std::size_t passes = std::max<std::size_t>((std::size_t{4} << 20) / bytes, 1);
  while (Clock::now() < end || speeds.size() < 5) {
    const auto begin = Clock::now();
    on_all(threads, [&](std::size_t part) {
      for (std::size_t pass = 0; pass < passes; ++pass) read(buffer.data() + part * each, each);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    speeds.push_back(static_cast<double>(passes * each * threads.count) / seconds);
  }
  return best_of(speeds);
}

double products_per_s(const Threads& threads, bool quick) {
#ifdef __x86_64__
  const std::string code = edge::kernels::vector_codes().front();
  const auto multiply = code == "AVX3_DL" ? multiply_vnni : code == "AVX2" ? multiply_avx2 : nullptr;
  if (multiply == nullptr) return 0;
  std::vector<double> speeds;
  for (int round = 0; round < (quick ? 20 : 200); ++round) {
    constexpr std::size_t kRepeats = 50'000;
    std::vector<std::size_t> products(threads.count);
    const auto begin = Clock::now();
    on_all(threads, [&](std::size_t part) { products[part] = multiply(kRepeats); });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    speeds.push_back(static_cast<double>(products[0] * threads.count) / seconds);
  }
  return best_of(speeds);
#else
  static_cast<void>(threads), static_cast<void>(quick);
  return 0;
#endif
}

}  // namespace hearth::bench
