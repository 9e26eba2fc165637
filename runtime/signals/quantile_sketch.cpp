#include "runtime/signals/quantile_sketch.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>

namespace hearth::signals {

std::size_t QuantileSketch::cell_of(Duration value) {
  constexpr std::uint64_t kSmallest = 1ull << kFirstOctave;
  constexpr std::uint64_t kLargest = (1ull << (kFirstOctave + kOctaves)) - 1;
  const auto ns =
      std::clamp(value.count() < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(value.count()), kSmallest, kLargest);
  const int octave = std::bit_width(ns) - 1;
  const std::uint64_t within = (ns >> (octave - 6)) & (kCellsPerOctave - 1);
  return static_cast<std::size_t>(octave - kFirstOctave) * kCellsPerOctave + within;
}

Duration QuantileSketch::middle_of(std::size_t cell) {
  const int shift = kFirstOctave + static_cast<int>(cell / kCellsPerOctave) - 6;
  const std::uint64_t lower = (kCellsPerOctave + cell % kCellsPerOctave) << shift;
  return Duration(static_cast<Duration::rep>(lower + (1ull << shift) / 2));
}

void QuantileSketch::make_block(std::size_t octave) {
  if (blocks_[octave] != 0) return;
  cells_.resize(cells_.size() + kCellsPerOctave);
  blocks_[octave] = static_cast<std::uint8_t>(cells_.size() / kCellsPerOctave);
}

void QuantileSketch::observe(Duration value, float weight) {
  const std::size_t cell = cell_of(value), octave = cell / kCellsPerOctave;
  make_block(octave);
  block_of(octave)[cell % kCellsPerOctave] += weight;
  octaves_[octave] += weight;
  total_ += weight;
  if (total_ > weight_max_) scale(0.5f);
}

void QuantileSketch::merge(const QuantileSketch& other) {
  for (std::size_t octave = 0; octave < octaves_.size(); ++octave) {
    if (other.blocks_[octave] == 0) continue;
    make_block(octave);
    for (std::size_t i = 0; i < kCellsPerOctave; ++i) block_of(octave)[i] += other.block_of(octave)[i];
    octaves_[octave] += other.octaves_[octave];
  }
  total_ += other.total_;
  while (total_ > weight_max_) scale(0.5f);
}

void QuantileSketch::fade_to(float weight) {
  if (total_ > weight) scale(weight / total_);
}

/// Sums are made anew from the cells, so that rounding never adds up.
void QuantileSketch::scale(float factor) {
  for (float& cell : cells_) cell *= factor;
  for (std::size_t octave = 0; octave < octaves_.size(); ++octave) {
    if (blocks_[octave] != 0)
      octaves_[octave] = std::accumulate(block_of(octave), block_of(octave) + kCellsPerOctave, 0.0f);
  }
  total_ = std::accumulate(octaves_.begin(), octaves_.end(), 0.0f);
}

Duration QuantileSketch::quantile(double q) const {
  if (total_ <= 0) return {};
  float rest = static_cast<float>(std::clamp(q, 0.0, 1.0)) * total_;
  std::size_t octave = octaves_.size(), last = 0;
  for (std::size_t i = 0; i < octaves_.size(); ++i) {
    if (octaves_[i] <= 0) continue;
    octave = std::min(octave, i);
    last = i;
  }
  while (octave < last && rest > octaves_[octave]) rest -= octaves_[octave++];
  while (octaves_[octave] <= 0) ++octave;  // the next that holds something
  const float* const block = block_of(octave);
  std::size_t filled = 0;
  for (std::size_t cell = 0; cell < kCellsPerOctave; ++cell) {
    if (block[cell] <= 0) continue;
    filled = cell;
    if (rest <= block[cell]) break;
    rest -= block[cell];
  }
  return middle_of(octave * kCellsPerOctave + filled);
}

std::vector<QuantileSketch::Cell> QuantileSketch::cells() const {
  std::vector<Cell> filled;
  for (std::size_t octave = 0; octave < octaves_.size(); ++octave) {
    if (blocks_[octave] == 0) continue;
    for (std::size_t i = 0; i < kCellsPerOctave; ++i) {
      if (block_of(octave)[i] > 0) filled.push_back({middle_of(octave * kCellsPerOctave + i), block_of(octave)[i]});
    }
  }
  return filled;
}

float QuantileSketch::weight_up_to(Duration value) const {
  const std::size_t cell = cell_of(value), octave = cell / kCellsPerOctave;
  float sum = std::accumulate(octaves_.begin(), octaves_.begin() + static_cast<std::ptrdiff_t>(octave), 0.0f);
  if (blocks_[octave] != 0) {
    const float* const block = block_of(octave);
    sum = std::accumulate(block, block + cell % kCellsPerOctave + 1, sum);
  }
  return sum;
}

}  // namespace hearth::signals
