/// \file Confidence: how sure a local answer is, from its scores.
#pragma once

#include <cstdint>
#include <span>

#include <hearth/tensor.h>

namespace hearth {

/// How `outputs[0]` is to be read when a confidence is computed.
enum class Scores : std::uint8_t { kLogits, kProbabilities };

enum class ConfidenceKind : std::uint8_t {
  kMaxProbability,  ///< The largest probability.
  kMargin,          ///< The largest less the second largest.
  kEntropy,         ///< 1 - entropy / log(classes): 1 when one class has it all, 0 when all are alike.
};

/// Probabilities are softmax(scores / temperature); a temperature above 1 makes an overconfident model honest (Guo et
/// al., "On calibration of modern neural networks", ICML 2017). `hearth calibrate cascade` fits it.
struct ConfidenceRule {
  ConfidenceKind kind = ConfidenceKind::kMaxProbability;
  double temperature = 1;

  bool operator==(const ConfidenceRule&) const = default;
};

/// Of `scores`, the [n] numbers of one answer: 0 to 1, 0 for none, not a number when a score is not finite.
float confidence_of(std::span<const float> scores, Scores kind, const ConfidenceRule& rule);

}  // namespace hearth
