#include "tools/hearth/cascade_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace hearth::tool {
namespace {

using Samples = std::vector<const CascadeSample*>;

double share(double part, std::size_t whole) { return whole == 0 ? 0 : part / static_cast<double>(whole); }

/// What is not a number asks the cloud, as in the runtime.
float confidence_in(const CascadeSample& sample, Scores kind, const ConfidenceRule& rule) {
  const float value =
      sample.edge_scores.empty() ? sample.own_confidence : confidence_of(sample.edge_scores, kind, rule);
  return std::isnan(value) ? -1.0f : value;
}

CascadePoint at_threshold(const Samples& samples, Scores kind, const ConfidenceRule& rule, double threshold) {
  std::size_t sent = 0, right = 0;
  for (const auto* sample : samples) {
    const bool send = confidence_in(*sample, kind, rule) < static_cast<float>(threshold);
    sent += send;
    right += send ? sample->cloud_right : sample->edge_right;
  }
  return {threshold, share(static_cast<double>(sent), samples.size()),
          share(static_cast<double>(right), samples.size())};
}

/// Sends the least sure ones first, until the target is met.
CascadePoint choose(const Samples& samples, Scores kind, const ConfidenceRule& rule, double target) {
  std::vector<std::pair<float, const CascadeSample*>> sorted;
  double right = 0, cloud_right = 0, differ = 0;
  for (const auto* sample : samples) {
    sorted.emplace_back(confidence_in(*sample, kind, rule), sample);
    right += sample->edge_right;
    cloud_right += sample->cloud_right;
    differ += sample->edge_right != sample->cloud_right;
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const double n = static_cast<double>(samples.size());
  std::size_t sent = 0;
  // Samples that are equally sure go together: a threshold cannot part them.
  while (sent < sorted.size()) {
    const bool may_stop = sent == 0 || sorted[sent].first > sorted[sent - 1].first;
    if (may_stop && (right - std::sqrt(differ)) / n >= target * cloud_right / n) break;
    const CascadeSample& next = *sorted[sent++].second;
    right += next.cloud_right - next.edge_right;
    differ -= next.edge_right != next.cloud_right;
  }
  const double threshold = sent < sorted.size() ? std::max(0.0, double{sorted[sent].first}) : 1.0;
  return {threshold, share(static_cast<double>(sent), sorted.size()), right / n};
}

double negative_log_likelihood(const Samples& samples, Scores kind, double temperature) {
  double sum = 0;
  for (const auto* sample : samples) {
    const auto& scores = sample->edge_scores;
    std::vector<double> logits;
    for (const float score : scores)
      logits.push_back((kind == Scores::kLogits ? double{score} : std::log(std::max(score, 1e-30f))) / temperature);
    const double top = *std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (const double logit : logits) total += std::exp(logit - top);
    sum += std::log(total) - (logits[sample->label] - top);
  }
  return sum;
}

/// Golden section over the logarithm: the likelihood has one peak in it.
double fit_temperature(const Samples& samples, Scores kind) {
  double low = std::log(0.05), high = std::log(20.0);
  const double golden = (std::sqrt(5.0) - 1) / 2;
  const auto cost = [&](double log_temperature) {
    return negative_log_likelihood(samples, kind, std::exp(log_temperature));
  };
  double left = high - golden * (high - low), right = low + golden * (high - low);
  double cost_left = cost(left), cost_right = cost(right);
  while (high - low > 1e-3) {
    if (cost_left < cost_right) {
      high = right, right = left, cost_right = cost_left;
      cost_left = cost(left = high - golden * (high - low));
    } else {
      low = left, left = right, cost_left = cost_right;
      cost_right = cost(right = low + golden * (high - low));
    }
  }
  return std::exp((low + high) / 2);
}

/// Over 15 bins: how far the mean confidence is from the share that is right.
double calibration_error(const Samples& samples, Scores kind, const ConfidenceRule& rule) {
  constexpr std::size_t kBins = 15;
  std::array<double, kBins> gap{};
  for (const auto* sample : samples) {
    const double confidence = std::max(0.0, double{confidence_in(*sample, kind, rule)});
    gap[std::min(kBins - 1, static_cast<std::size_t>(confidence * kBins))] += confidence - sample->edge_right;
  }
  return share(std::accumulate(gap.begin(), gap.end(), 0.0, [](double sum, double g) { return sum + std::abs(g); }),
               samples.size());
}

double accuracy(const Samples& samples, bool CascadeSample::*right) {
  double sum = 0;
  for (const auto* sample : samples) sum += sample->*right;
  return share(sum, samples.size());
}

std::vector<CascadeFit> candidates_for(const Samples& fitted, Scores kind, double& temperature) {
  if (fitted.front()->edge_scores.empty()) return {{"own", {}, {}, {}}};
  temperature = fit_temperature(fitted, kind);
  return {{"max_probability", {ConfidenceKind::kMaxProbability, 1}, {}, {}},
          {"max_probability, temperature", {ConfidenceKind::kMaxProbability, temperature}, {}, {}},
          {"margin", {ConfidenceKind::kMargin, temperature}, {}, {}},
          {"entropy", {ConfidenceKind::kEntropy, temperature}, {}, {}}};
}

}  // namespace

CascadeAnswer fit_cascade(std::span<const CascadeSample> samples, Scores kind, double target) {
  Samples all, fitted, held_out;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    all.push_back(&samples[i]);
    (i % 2 == 0 ? fitted : held_out).push_back(&samples[i]);
  }
  CascadeAnswer answer;
  double temperature = 1;
  answer.candidates = candidates_for(fitted, kind, temperature);
  for (auto& candidate : answer.candidates) {
    candidate.chosen = choose(fitted, kind, candidate.rule, target);
    candidate.held_out = at_threshold(held_out, kind, candidate.rule, candidate.chosen.confidence_below);
  }
  std::stable_sort(answer.candidates.begin(), answer.candidates.end(),
                   [](const auto& a, const auto& b) { return a.chosen.cloud_share < b.chosen.cloud_share; });
  answer.edge_accuracy = accuracy(all, &CascadeSample::edge_right);
  answer.cloud_accuracy = accuracy(all, &CascadeSample::cloud_right);
  answer.held_out_cloud_accuracy = accuracy(held_out, &CascadeSample::cloud_right);
  answer.calibration_error = calibration_error(held_out, kind, {});
  answer.calibration_error_fitted = calibration_error(held_out, kind, {ConfidenceKind::kMaxProbability, temperature});
  for (int percent = 0; percent <= 100; ++percent)
    answer.curve.push_back(at_threshold(all, kind, answer.candidates.front().rule, percent / 100.0));
  return answer;
}

}  // namespace hearth::tool
