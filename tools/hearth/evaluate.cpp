#include "tools/hearth/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include <hearth/confidence.h>

namespace hearth::tool {
namespace {

constexpr std::size_t kTurn = 50;

Tensor input_of(const LabelledImages& images, std::size_t i, std::span<const std::int64_t> shape) {
  return Tensor::of_floats("image", {shape.begin(), shape.end()}, images.scaled(i));
}

double share_of(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Latency latency_of(std::vector<double>& times) {
  std::ranges::sort(times);
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size()))];
  };
  return {at(0.1), at(0.5), at(0.9)};
}

}  // namespace

Result<Answers> answer(EdgeModel& model, std::span<const std::int64_t> shape, const LabelledImages& images,
                       const std::function<void(double)>& progress) {
  Answers answers;
  std::size_t right = 0;
  for (std::size_t i = 0; i < images.count(); ++i) {
    const Tensor input = input_of(images, i, shape);
    const auto outputs = model.run({&input, 1});
    if (!outputs.ok()) return outputs.error();
    const auto logits = outputs.value().front().floats();
    const auto label = static_cast<std::uint8_t>(std::ranges::max_element(logits) - logits.begin());
    answers.labels.push_back(label);
    answers.confidences.push_back(confidence_of(logits, Scores::kLogits, {}));
    answers.scores.insert(answers.scores.end(), logits.begin(), logits.end());
    right += label == images.labels[i] ? 1 : 0;
    if (progress && i % 100 == 0) progress(share_of(i, images.count()));
  }
  answers.accuracy = share_of(right, images.count());
  return answers;
}

Result<std::vector<Latency>> time_in_turns(std::span<const Timed> models, const LabelledImages& images,
                                           std::size_t passes) {
  std::vector<std::vector<double>> times(models.size());
  for (std::size_t image = 0; times.back().size() < passes; image += kTurn) {
    for (std::size_t m = 0; m < models.size(); ++m) {
      for (std::size_t i = 0; i < kTurn; ++i) {
        const Tensor input = input_of(images, (image + i) % images.count(), models[m].shape);
        const auto began = std::chrono::steady_clock::now();
        const auto outputs = models[m].model->run({&input, 1});
        const auto took = std::chrono::steady_clock::now() - began;
        if (!outputs.ok()) return outputs.error();
        times[m].push_back(std::chrono::duration<double, std::micro>(took).count());
      }
    }
  }
  std::vector<Latency> latencies;
  for (auto& of_one : times) latencies.push_back(latency_of(of_one));
  return latencies;
}

std::string cascade_records(const Answers& edge, const Answers& cloud, std::span<const std::uint8_t> truth) {
  std::string lines;
  const std::size_t classes = edge.scores.size() / truth.size();
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const auto* scores = edge.scores.data() + i * classes;
    lines +=
        nlohmann::ordered_json{
            {"edge_scores", std::span(scores, classes)}, {"label", truth[i]}, {"cloud_label", cloud.labels[i]}}
            .dump() +
        "\n";
  }
  return lines;
}

std::vector<CascadeFigures> cascade_curve(const Answers& edge, const Answers& cloud,
                                          std::span<const std::uint8_t> truth) {
  std::vector<CascadeFigures> curve;
  for (int hundredths = 1; hundredths < 100; ++hundredths) {
    const double threshold = hundredths / 100.0;
    std::size_t sent = 0;
    std::size_t right = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const bool send = edge.confidences[i] < static_cast<float>(threshold);
      sent += send ? 1 : 0;
      right += (send ? cloud : edge).labels[i] == truth[i] ? 1 : 0;
    }
    curve.push_back({threshold, share_of(sent, truth.size()), share_of(right, truth.size())});
  }
  return curve;
}

CascadeFigures pick_point(std::span<const CascadeFigures> curve, double cloud_accuracy, double accuracy_loss_max,
                          double cloud_share_max) {
  CascadeFigures picked = curve.front();
  for (const CascadeFigures& point : curve) {  // The share only rises.
    if (point.cloud_share > cloud_share_max) break;
    picked = point;
    if (point.accuracy >= cloud_accuracy - accuracy_loss_max) break;
  }
  return picked;
}

}  // namespace hearth::tool
