#include <hearth/confidence.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/base/portable_math.h"

namespace hearth {
namespace {

/// Walks the probabilities, up to the factor that makes them add up to one, without keeping them.
struct Softmax {
  Softmax(std::span<const float> scores, Scores kind, double temperature)
      : scores_(scores), logits_(kind == Scores::kLogits), temperature_(temperature) {
    for (const float score : scores_) top_ = std::max(top_, logit(score));
  }

  /// Log of the probability, up to the same constant for all: at most 0.
  double below_top(float score) const { return (logit(score) - top_) / temperature_; }

 private:
  double logit(float score) const {
    return logits_ ? double{score} : portable_log(std::max(double{score}, std::numeric_limits<double>::min()));
  }

  std::span<const float> scores_;
  bool logits_;
  double temperature_;
  double top_ = -std::numeric_limits<double>::infinity();
};

}  // namespace

float confidence_of(std::span<const float> scores, Scores kind, const ConfidenceRule& rule) {
  if (scores.empty()) return 0;
  if (!std::all_of(scores.begin(), scores.end(), [](float score) { return std::isfinite(score); }))
    return std::numeric_limits<float>::quiet_NaN();
  if (kind == Scores::kProbabilities && rule == ConfidenceRule{}) return std::ranges::max(scores);

  const Softmax softmax(scores, kind, rule.temperature);
  double sum = 0, weighted = 0, second = 0;
  bool top_seen = false;
  for (const float score : scores) {
    const double below = softmax.below_top(score);
    const double share = portable_exp(below);
    sum += share;
    weighted += share * below;
    if (below == 0 && !top_seen) {
      top_seen = true;
    } else {
      second = std::max(second, share);
    }
  }
  switch (rule.kind) {
    case ConfidenceKind::kMaxProbability:
      break;
    case ConfidenceKind::kMargin:
      return static_cast<float>((1 - second) / sum);
    case ConfidenceKind::kEntropy: {
      if (scores.size() == 1) return 1;
      const double entropy = portable_log(sum) - weighted / sum;
      return static_cast<float>(std::clamp(1 - entropy / portable_log(static_cast<double>(scores.size())), 0.0, 1.0));
    }
  }
  return static_cast<float>(1 / sum);
}

}  // namespace hearth
