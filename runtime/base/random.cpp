#include <hearth/random.h>

#include <cassert>

#include "runtime/base/portable_math.h"

namespace hearth {
namespace {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, the Weyl increment

constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

constexpr std::uint64_t hash_name(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name) : key_(mix(seed ^ mix(hash_name(name)))) {}

std::uint64_t RandomStream::next() { return mix(key_ + kGolden * ++counter_); }

double RandomStream::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t RandomStream::below(std::uint64_t bound) {
  assert(bound > 0);
  const std::uint64_t threshold = (0 - bound) % bound;  // draws under it would favour small results
  for (;;) {
    const std::uint64_t draw = next();
    if (draw >= threshold) return draw % bound;
  }
}

double RandomStream::exponential(double mean) { return -mean * portable_log(1.0 - uniform()); }

double RandomStream::normal() {
  return portable_normal_quantile((static_cast<double>(next() >> 12) + 0.5) * 0x1.0p-52);
}

double RandomStream::lognormal(double median, double sigma) { return median * portable_exp(sigma * normal()); }

}  // namespace hearth
