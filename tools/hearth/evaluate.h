/// \file Measuring models on labelled images, and picking the threshold of a cascade. Knows EdgeModel, not LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <hearth/edge_model.h>
#include <hearth/result.h>

#include "tools/hearth/fashion_mnist.h"

namespace hearth::tool {

/// What a model answered, by image.
struct Answers {
  std::vector<std::uint8_t> labels;
  std::vector<float> confidences;  ///< The largest softmax probability.
  std::vector<float> scores;       ///< Ten logits of each image, one image after the other.
  double accuracy = 0;             ///< A fraction.
};

/// One forward pass per image. `shape` is that of the model's only input; its first output are ten logits.
Result<Answers> answer(EdgeModel& model, std::span<const std::int64_t> shape, const LabelledImages& images,
                       const std::function<void(double)>& progress = {});

/// Microseconds of one forward pass, copies in and out included.
struct Latency {
  double p10_us = 0, p50_us = 0, p90_us = 0;
};

struct Timed {
  EdgeModel* model = nullptr;
  std::vector<std::int64_t> shape;
};

/// Times several models in turns of 50 passes each, so that what else the machine does falls on all of them alike.
/// One thread, batch 1, `images` one after the other; every model runs `passes` times, rounded up to whole turns.
Result<std::vector<Latency>> time_in_turns(std::span<const Timed> models, const LabelledImages& images,
                                           std::size_t passes);

/// What one threshold does: an image goes to the cloud when the edge model's confidence is under it.
struct CascadeFigures {
  double threshold = 0, cloud_share = 0, accuracy = 0;
};

/// The answers to labelled images as `hearth calibrate cascade` reads them: JSON lines.
std::string cascade_records(const Answers& edge, const Answers& cloud, std::span<const std::uint8_t> truth);

/// By rising threshold: 0.01, 0.02 to 0.99. All three hold the same images, in the same order.
std::vector<CascadeFigures> cascade_curve(const Answers& edge, const Answers& cloud,
                                          std::span<const std::uint8_t> truth);

/// The point with the least cloud share whose accuracy is within `accuracy_loss_max` of `cloud_accuracy`; when that one
/// or every one is above `cloud_share_max`, the last point that is not. `curve` is not empty.
CascadeFigures pick_point(std::span<const CascadeFigures> curve, double cloud_accuracy, double accuracy_loss_max,
                          double cloud_share_max);

}  // namespace hearth::tool
