#include "tools/train_entities/crf.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/base/digest.h"

namespace hearth::train_entities {
namespace {

using privacy::EntityModel;
using privacy::Tag;
using privacy::WordLists;

constexpr float kUnitsPerNat = 24;  // A weight of 127 multiplies the odds by e^5.3.
constexpr float kWeightMax = 127 / kUnitsPerNat;

/// Inside follows only a begin or inside of its own type.
bool possible(std::size_t from, std::size_t to) {
  const bool inside = to >= 3 && to % 2 == 1;
  return !inside || from == to || from + 1 == to;
}
bool possible_start(std::size_t to) { return to < 3 || to % 2 == 0; }

float normalized(TagValues& values) {
  float sum = 0;
  for (const float v : values) sum += v;
  for (float& v : values) v /= sum;
  return sum;
}

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

int rounded(float value, int limit) {
  return static_cast<int>(std::lround(std::clamp(value * kUnitsPerNat, -float(limit), float(limit))));
}

}  // namespace

void Crf::step(float& weight, float& square, float gradient, float rate, float decay) const {
  gradient -= decay * weight;
  square += gradient * gradient;
  weight = std::clamp(weight + rate * gradient / std::sqrt(square + 1e-6f), -kWeightMax, kWeightMax);
}

double Crf::learn(const Sequence& sequence, float rate, float decay) {
  if (sequence.rows.empty()) return 0;
  for (std::size_t from = 0; from < kTags; ++from) {
    for (std::size_t to = 0; to < kTags; ++to) {
      odds_[from][to] = possible(from, to) ? std::exp(moves_[from][to]) : 0;
    }
  }
  const double loss = score(sequence) + sum_paths(sequence);
  step_weights(sequence, rate, decay);
  step_moves(sequence, rate, decay);
  return loss;
}

/// Fills scores_ with what the features say of each word, as odds with a top of one.
double Crf::score(const Sequence& sequence) {
  const std::size_t n = sequence.rows.size();
  scores_.assign(n, {});
  double loss = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (const auto row : sequence.rows[i]) {
      for (std::size_t k = 0; k < kTags; ++k) scores_[i][k] += weights_[row][k];
    }
    const float top = *std::max_element(scores_[i].begin(), scores_[i].end());
    loss += top - scores_[i][sequence.tags[i]];
    for (float& s : scores_[i]) s = std::exp(s - top);
  }
  return loss;
}

/// Forward and backward sums over all paths, each word's scaled to one.
double Crf::sum_paths(const Sequence& sequence) {
  const std::size_t n = sequence.rows.size();
  forward_.resize(n);
  backward_.resize(n);
  double loss = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t to = 0; to < kTags; ++to) {
      float sum = i == 0 && possible_start(to) ? std::exp(start_[to]) : 0;
      for (std::size_t from = 0; i > 0 && from < kTags; ++from) sum += forward_[i - 1][from] * odds_[from][to];
      forward_[i][to] = sum * scores_[i][to];
    }
    loss += std::log(normalized(forward_[i]));
    loss -= i == 0 ? start_[sequence.tags[0]] : moves_[sequence.tags[i - 1]][sequence.tags[i]];
  }
  backward_[n - 1].fill(1);
  for (std::size_t i = n - 1; i-- > 0;) {
    for (std::size_t from = 0; from < kTags; ++from) {
      float sum = 0;
      for (std::size_t to = 0; to < kTags; ++to) sum += odds_[from][to] * scores_[i + 1][to] * backward_[i + 1][to];
      backward_[i][from] = sum;
    }
    normalized(backward_[i]);
  }
  return loss;
}

/// The gradient is what is, less what the model expects.
void Crf::step_weights(const Sequence& sequence, float rate, float decay) {
  for (std::size_t i = 0; i < sequence.rows.size(); ++i) {
    TagValues gradient;
    for (std::size_t k = 0; k < kTags; ++k) gradient[k] = forward_[i][k] * backward_[i][k];
    normalized(gradient);
    for (std::size_t k = 0; k < kTags; ++k) gradient[k] = (k == sequence.tags[i] ? 1.0f : 0.0f) - gradient[k];
    for (std::size_t k = 0; i == 0 && k < kTags; ++k) {
      if (possible_start(k)) step(start_[k], start_squares_[k], gradient[k], rate, decay);
    }
    if (*std::max_element(gradient.begin(), gradient.end()) < 1e-3f) continue;  // Nothing to learn here.
    for (const auto row : sequence.rows[i]) {
      for (std::size_t k = 0; k < kTags; ++k) step(weights_[row][k], squares_[row][k], gradient[k], rate, decay);
    }
  }
}

void Crf::step_moves(const Sequence& sequence, float rate, float decay) {
  std::array<TagValues, kTags> gradients{};
  for (std::size_t i = 1; i < sequence.rows.size(); ++i) {
    std::array<TagValues, kTags> pair;
    float sum = 0;
    for (std::size_t from = 0; from < kTags; ++from) {
      for (std::size_t to = 0; to < kTags; ++to) {
        pair[from][to] = forward_[i - 1][from] * odds_[from][to] * scores_[i][to] * backward_[i][to];
        sum += pair[from][to];
      }
    }
    for (std::size_t from = 0; from < kTags; ++from) {
      for (std::size_t to = 0; to < kTags; ++to) gradients[from][to] -= pair[from][to] / sum;
    }
    gradients[sequence.tags[i - 1]][sequence.tags[i]] += 1;
  }
  for (std::size_t from = 0; from < kTags; ++from) {
    for (std::size_t to = 0; to < kTags; ++to) {
      if (possible(from, to)) step(moves_[from][to], move_squares_[from][to], gradients[from][to], rate, decay);
    }
  }
}

std::string Crf::quantized(const std::string& lists, float caution) const {
  constexpr int kNever = -8000;
  const auto less = [&](std::size_t to) { return to >= 2 && to % 2 == 0 ? caution : 0; };
  std::string out(EntityModel::kMagic);
  put(out, EntityModel::kVersion, 4);
  put(out, row_bits_, 4);
  put(out, lists.size() / (2 * WordLists::kBucketSlots), 4);
  for (std::size_t from = 0; from < kTags; ++from) {
    for (std::size_t to = 0; to < kTags; ++to) {
      put(out, static_cast<std::uint16_t>(possible(from, to) ? rounded(moves_[from][to] - less(to), 4000) : kNever), 2);
    }
  }
  for (std::size_t to = 0; to < kTags; ++to) {
    put(out, static_cast<std::uint16_t>(possible_start(to) ? rounded(start_[to] - less(to), 4000) : kNever), 2);
  }
  for (const TagValues& row : weights_) {
    for (const float w : row) put(out, static_cast<std::uint8_t>(rounded(w, 127)), 1);
  }
  out += lists;
  return out + sha256_hex(out);
}

std::string hashed_lists(std::span<const ListedWord> words, std::size_t buckets) {
  std::string slots(buckets * WordLists::kBucketSlots * 2, '\0');
  for (const ListedWord& entry : words) {
    const std::size_t space = entry.word.find(' ');
    const std::uint64_t hash = space == std::string::npos
                                   ? privacy::word_hash(entry.word)
                                   : privacy::pair_hash(privacy::word_hash(entry.word.substr(0, space)),
                                                        privacy::word_hash(entry.word.substr(space + 1)));
    const unsigned fingerprint = WordLists::fingerprint_of(hash);
    std::size_t at = WordLists::bucket_of(hash, buckets) * WordLists::kBucketSlots;
    bool placed = false;
    for (std::size_t probed = 0; probed < WordLists::kProbesMax * WordLists::kBucketSlots && !placed; ++probed) {
      char* slot = slots.data() + 2 * at;
      const unsigned held = static_cast<unsigned char>(slot[0]) | static_cast<unsigned char>(slot[1]) << 8;
      if (held == 0 || held >> 4 == fingerprint) {
        const unsigned value = fingerprint << 4 | (held & 0xf) | entry.listed;
        slot[0] = static_cast<char>(value);
        slot[1] = static_cast<char>(value >> 8);
        placed = true;
      }
      at = (at + 1) % (buckets * WordLists::kBucketSlots);
    }
    if (!placed) return {};
  }
  return slots;
}

}  // namespace hearth::train_entities
