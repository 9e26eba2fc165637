/// \file Crf: trains a linear-chain conditional random field over hashed features and writes it as an entity model.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/privacy/entity_model.h"

namespace hearth::train_entities {

inline constexpr std::size_t kTags = privacy::kTagCount;
using TagValues = std::array<float, kTags>;

/// One text, or a stretch of it: its features and what each word is.
struct Sequence {
  std::vector<privacy::FeatureRows> rows;
  std::vector<std::uint8_t> tags;
};

/// Weights in units of the quantized ones, so that what is written is what was trained, rounded.
/// Training: stochastic gradient steps with AdaGrad (Duchi, Hazan, Singer 2011) on the log-likelihood, which forward
/// and backward sums give (Rabiner 1989). Threads: one owner.
class Crf {
 public:
  explicit Crf(unsigned row_bits)
      : row_bits_(row_bits), weights_(std::size_t{1} << row_bits), squares_(weights_.size()) {}

  unsigned row_bits() const { return row_bits_; }
  /// One step on one sequence. Returns its negative log-likelihood.
  double learn(const Sequence& sequence, float rate, float decay);
  /// The model's bytes. `caution` is taken from every begin of a span, in natural log odds.
  std::string quantized(const std::string& lists, float caution) const;

 private:
  double score(const Sequence& sequence);
  double sum_paths(const Sequence& sequence);
  void step_weights(const Sequence& sequence, float rate, float decay);
  void step_moves(const Sequence& sequence, float rate, float decay);
  void step(float& weight, float& square, float gradient, float rate, float decay) const;

  unsigned row_bits_;
  std::vector<TagValues> weights_, squares_;
  std::array<TagValues, kTags> moves_{}, move_squares_{}, odds_{};  // from, to
  TagValues start_{}, start_squares_{};
  std::vector<TagValues> scores_, forward_, backward_;
};

/// The word lists as the model keeps them. Words come folded or not; two words with a space between are a pair.
/// Empty when they do not fit in `buckets`.
struct ListedWord {
  std::string word;
  std::uint8_t listed;
};
std::string hashed_lists(std::span<const ListedWord> words, std::size_t buckets);

}  // namespace hearth::train_entities
