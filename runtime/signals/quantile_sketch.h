/// \file QuantileSketch: the distribution of a duration, in bounded memory, with a bounded relative error.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <hearth/time.h>

namespace hearth::signals {

/// A log-linear histogram (the layout of HdrHistogram): each power of two from 1 microsecond to 18 minutes is cut into
/// 64 equal cells, and a quantile is answered with the middle of its cell. Relative error at most 1/128 (0.8 %) inside
/// that range; what lies outside counts as its nearest end. Integer arithmetic only, so the cells are the same on every
/// machine.
///
/// Ages by weight: when the total exceeds `weight_max`, every count is halved. Two sketches merge by adding counts.
/// Threads: a plain value. Memory: 256 bytes for each octave that holds something, and none else: what has been seen in
/// the same octaves before is observed, and anything asked, without an allocation.
class QuantileSketch {
 public:
  explicit QuantileSketch(float weight_max = 2048) : weight_max_(weight_max) {}

  void observe(Duration value, float weight = 1);
  void merge(const QuantileSketch& other);
  /// The past counts for no more than `weight` samples from here on.
  void fade_to(float weight);

  float weight() const { return total_; }
  /// `q` from 0 to 1. Zero while empty.
  Duration quantile(double q) const;
  /// The weight of the samples in cells up to that of `value`.
  float weight_up_to(Duration value) const;

  struct Cell {
    Duration middle;  ///< Observed again, it falls into the same cell.
    float weight;
  };
  /// Those that hold something, by latency.
  std::vector<Cell> cells() const;

 private:
  static constexpr int kFirstOctave = 10;  ///< 2^10 ns, about a microsecond.
  static constexpr int kOctaves = 30;
  static constexpr std::size_t kCellsPerOctave = 64;

  /// Place of a cell: the octave times kCellsPerOctave, and the cell within.
  static std::size_t cell_of(Duration value);
  static Duration middle_of(std::size_t cell);
  void scale(float factor);
  float* block_of(std::size_t octave) { return cells_.data() + (blocks_[octave] - 1u) * kCellsPerOctave; }
  const float* block_of(std::size_t octave) const { return cells_.data() + (blocks_[octave] - 1u) * kCellsPerOctave; }
  void make_block(std::size_t octave);

  float weight_max_;
  float total_ = 0;
  std::array<float, kOctaves> octaves_{};        ///< Sums of their cells: a query walks 30 of these and then 64 cells.
  std::array<std::uint8_t, kOctaves> blocks_{};  ///< Which block of `cells_` is theirs, from 1; 0: none yet.
  std::vector<float> cells_;
};

}  // namespace hearth::signals
