/// \file Random numbers that are the same on every machine: one seed, one counter-based stream per component.
#pragma once

#include <cstdint>
#include <string_view>

namespace hearth {

/// One stream of draws, named after the component that owns it, so that a new draw in one place moves nothing
/// elsewhere.
///
/// The n-th output is a pure function of (seed, name, n): SplitMix64's finalizer over a Weyl sequence
/// (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014). Not for secrets.
/// Threads: none of its own; one owner per stream.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name);

  std::uint64_t next();
  /// The next draw is the `n`th, from 0.
  void seek(std::uint64_t n) { counter_ = n; }
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [0, bound), without modulo bias. `bound` > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Exponential with the given mean.
  double exponential(double mean);
  /// Standard normal (sum-free inverse by table; the same bits everywhere).
  double normal();
  /// exp(mu + sigma * normal()), parameterized by its median (= exp(mu)).
  double lognormal(double median, double sigma);

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace hearth
