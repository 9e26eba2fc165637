#include "tools/simulate/latency_histogram.h"

#include <cmath>

namespace hearth::simulate {

void LatencyHistogram::add_block(std::size_t block) {
  begins_[block] = static_cast<std::uint16_t>(cells_.size() + 1);
  cells_.resize(cells_.size() + kCells);
}

template <typename Visit>
void LatencyHistogram::each(const Visit& visit) const {
  for (std::size_t block = 0; block < kBlocks; ++block) {
    if (begins_[block] == 0) continue;
    const int shift = block == 0 ? 0 : static_cast<int>(block) - 1;
    const std::uint64_t first = block == 0 ? 0 : kCells;
    for (std::size_t i = 0; i < kCells; ++i) {
      const std::uint64_t count = cells_[begins_[block] - 1u + i];
      if (count != 0 && !visit((first + i) << shift, 1ull << shift, count)) return;
    }
  }
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (std::size_t block = 0; block < kBlocks; ++block) {
    if (other.begins_[block] == 0) continue;
    if (begins_[block] == 0) add_block(block);
    for (std::size_t i = 0; i < kCells; ++i)
      cells_[begins_[block] - 1u + i] += other.cells_[other.begins_[block] - 1u + i];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  least_ = std::min(least_, other.least_);
  largest_ = std::max(largest_, other.largest_);
}

Duration LatencyHistogram::quantile(double q) const {
  if (count_ == 0) return {};
  // The tiny step down keeps 0.95 * 20 = 19.000000000000004 from becoming rank 20.
  const double rank = std::max(1.0, std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_) - 1e-9));
  std::uint64_t rest = std::min(static_cast<std::uint64_t>(rank), count_), found = 0;
  each([&](std::uint64_t lower, std::uint64_t width, std::uint64_t count) {
    found = (lower << kUnitBits) + (width << kUnitBits) / 2;
    if (rest <= count) return false;
    rest -= count;
    return true;
  });
  return Duration(std::clamp(found, least_, largest_));
}

std::vector<LatencyHistogram::Step> LatencyHistogram::steps() const {
  std::vector<Step> all;
  each([&](std::uint64_t lower, std::uint64_t width, std::uint64_t count) {
    all.push_back({Duration((lower + width) << kUnitBits), count});
    return true;
  });
  return all;
}

}  // namespace hearth::simulate
