/// \file Fitting a cascade: which confidence, at which temperature, under which threshold. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <hearth/confidence.h>

namespace hearth::tool {

/// One labelled sample: what the edge said, and whether each side was right.
struct CascadeSample {
  std::vector<float> edge_scores;  ///< Empty: `own_confidence` is what the app computes itself.
  float own_confidence = 0;
  bool edge_right = false;
  bool cloud_right = false;
  std::size_t label = 0;  ///< Index into edge_scores.
};

struct CascadePoint {
  double confidence_below = 0, cloud_share = 0, accuracy = 0;
};

struct CascadeFit {
  std::string name;  ///< "max_probability", "max_probability, temperature", "margin", "entropy", "own".
  ConfidenceRule rule;
  CascadePoint chosen;    ///< On the samples it was fitted to.
  CascadePoint held_out;  ///< The same threshold on the others.
};

struct CascadeAnswer {
  std::vector<CascadeFit> candidates;  ///< The one with the least cloud share first.
  double edge_accuracy = 0, cloud_accuracy = 0, held_out_cloud_accuracy = 0;
  double calibration_error = 0,
         calibration_error_fitted = 0;  ///< Expected calibration error of the largest probability.
  std::vector<CascadePoint> curve;      ///< Of the first candidate, on all samples.
};

/// Fits on every other sample and looks at the rest only to report. For each kind of confidence the chosen threshold is
/// the lowest whose accuracy, less one standard error of its difference to the cloud's, reaches `target` times the
/// cloud's: without that margin the luckiest threshold would win. The temperature minimizes the negative log likelihood
/// (Guo et al. 2017). `samples` holds at least two.
CascadeAnswer fit_cascade(std::span<const CascadeSample> samples, Scores kind, double target);

}  // namespace hearth::tool
