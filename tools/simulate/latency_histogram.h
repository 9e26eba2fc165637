/// \file LatencyHistogram: how often each duration came, in bounded memory, with a bounded relative error.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <hearth/time.h>

namespace hearth::simulate {

/// The layout of HdrHistogram (http://hdrhistogram.org): 8 ns cells up to a microsecond, then each power of two up to
/// 19 hours cut into 128 equal cells. Longer durations count as the longest. A quantile is the middle of the cell that
/// holds the value of its nearest rank: relative error at most 1/256 (0.4 %); least, largest and mean are exact.
/// signals::QuantileSketch is what the runtime's own estimates use; it forgets, and its counts are floats. A result
/// forgets nothing. Threads: a plain value. Memory: 1 KB for each power of two that occurs.
class LatencyHistogram {
 public:
  void observe(Duration value) {
    const auto ns = static_cast<std::uint64_t>(std::max<Duration::rep>(value.count(), 0));
    ++cell(std::min(ns, kLargest) >> kUnitBits);
    ++count_;
    sum_ += ns;
    least_ = std::min(least_, ns);
    largest_ = std::max(largest_, ns);
  }
  void merge(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }
  /// The smallest value that at least the share `q` of the values do not exceed. Zero while empty.
  Duration quantile(double q) const;
  Duration mean() const { return Duration(count_ == 0 ? 0 : sum_ / count_); }
  Duration least() const { return Duration(count_ == 0 ? 0 : least_); }
  Duration largest() const { return Duration(largest_); }

  /// One cell that is not empty: its values are below `end`.
  struct Step {
    Duration end{};
    std::uint64_t count = 0;
  };
  std::vector<Step> steps() const;  ///< Ascending.

 private:
  static constexpr int kUnitBits = 3;  ///< 8 ns.
  static constexpr std::size_t kCellBits = 7;
  static constexpr std::size_t kCells = 1u << kCellBits;
  static constexpr std::size_t kBlocks = 37;
  static constexpr std::uint64_t kLargest = (1ull << (kUnitBits + kCellBits + kBlocks - 1)) - 1;

  std::uint64_t& cell(std::uint64_t units) {
    const std::size_t block = units < kCells ? 0 : static_cast<std::size_t>(std::bit_width(units)) - kCellBits;
    const std::size_t within = (block == 0 ? units : units >> (block - 1)) & (kCells - 1);
    if (begins_[block] == 0) add_block(block);
    return cells_[begins_[block] - 1u + within];
  }
  void add_block(std::size_t block);
  template <typename Visit>
  void each(const Visit& visit) const;  ///< visit(lower, width, count) in units, ascending, until it says false.

  std::array<std::uint16_t, kBlocks> begins_{};  ///< Index of the block's first cell, plus one; 0: not there.
  std::vector<std::uint64_t> cells_;
  std::uint64_t count_ = 0, sum_ = 0, least_ = ~0ull, largest_ = 0;
};

}  // namespace hearth::simulate
