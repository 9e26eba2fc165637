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

void QuantileSketch::observe(Duration value, float weight) {
  if (cells_.empty()) cells_.resize(kOctaves * kCellsPerOctave);
  const std::size_t cell = cell_of(value);
  cells_[cell] += weight;
  octaves_[cell / kCellsPerOctave] += weight;
  total_ += weight;
  if (total_ > weight_max_) scale(0.5f);
}

void QuantileSketch::merge(const QuantileSketch& other) {
  if (other.cells_.empty()) return;
  if (cells_.empty()) cells_.resize(kOctaves * kCellsPerOctave);
  for (std::size_t i = 0; i < cells_.size(); ++i) cells_[i] += other.cells_[i];
  for (std::size_t i = 0; i < octaves_.size(); ++i) octaves_[i] += other.octaves_[i];
  total_ += other.total_;
  while (total_ > weight_max_) scale(0.5f);
}

void QuantileSketch::fade_to(float weight) {
  if (total_ > weight) scale(weight / total_);
}

/// Sums are made anew from the cells, so that rounding never adds up.
void QuantileSketch::scale(float factor) {
  for (float& cell : cells_) cell *= factor;
  for (std::size_t i = 0; i < octaves_.size(); ++i) {
    const auto begin = cells_.begin() + static_cast<std::ptrdiff_t>(i * kCellsPerOctave);
    octaves_[i] = std::accumulate(begin, begin + kCellsPerOctave, 0.0f);
  }
  total_ = std::accumulate(octaves_.begin(), octaves_.end(), 0.0f);
}

Duration QuantileSketch::quantile(double q) const {
  if (total_ <= 0) return {};
  float rest = static_cast<float>(std::clamp(q, 0.0, 1.0)) * total_;
  std::size_t octave = 0, last = 0;
  for (std::size_t i = 0; i < octaves_.size(); ++i)
    if (octaves_[i] > 0) last = i;
  while (octave < last && rest > octaves_[octave]) rest -= octaves_[octave++];
  std::size_t cell = octave * kCellsPerOctave, filled = cell;
  const std::size_t end = cell + kCellsPerOctave;
  for (; cell < end; ++cell) {
    if (cells_[cell] <= 0) continue;
    filled = cell;
    if (rest <= cells_[cell]) break;
    rest -= cells_[cell];
  }
  return middle_of(filled);
}

std::vector<QuantileSketch::Cell> QuantileSketch::cells() const {
  std::vector<Cell> filled;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (cells_[i] > 0) filled.push_back({middle_of(i), cells_[i]});
  }
  return filled;
}

float QuantileSketch::weight_up_to(Duration value) const {
  if (cells_.empty()) return 0;
  const std::size_t cell = cell_of(value);
  const std::size_t octave = cell / kCellsPerOctave;
  float sum = 0;
  for (std::size_t i = 0; i < octave; ++i) sum += octaves_[i];
  for (std::size_t i = octave * kCellsPerOctave; i <= cell; ++i) sum += cells_[i];
  return sum;
}

}  // namespace hearth::signals
