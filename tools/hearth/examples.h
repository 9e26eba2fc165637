/// \file Examples: inputs of a model, with labels where they are known: what training learns from and judges ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/result.h>
#include <hearth/tensor.h>

#include "tools/hearth/fashion_mnist.h"

namespace hearth::tool {

/// One forward pass.
struct Example {
  std::vector<Tensor> inputs;
  std::optional<std::size_t> label;  ///< Index of the score that should be largest.
};

/// Training, validation and test examples share nothing; see FashionMnist.
struct Examples {
  std::vector<Example> train, validation, test;
  bool labelled = false;  ///< Each has a label; else none.
};

/// JSON lines, `{"inputs": {"x": [0.5, ...]}, "label": 3}`: elements in row-major order, flat or nested as the shape,
/// open dimensions 1. Either every line has a label or none. A fixed shuffle makes a tenth (at least one) of them
/// validation, another tenth test. Errors, one line with file and line and never a value: kNotFound; kInvalidArgument
/// for bad JSON, an unknown or missing input, a wrong number of elements, fewer than 10 lines or more than a million;
/// kResourceExhausted above 2 GiB.
Result<Examples> read_examples(const std::string& file, const EdgeBinding& binding);

/// What training reads: examples of a single FP32 input, one after the other.
struct TrainingSet {
  std::vector<std::int64_t> shape;  ///< Of one, without its batch of 1.
  std::vector<float> values;
  std::vector<std::int64_t> labels;
  bool photos = false;  ///< 28 x 28 pixels: training shifts and mirrors them.

  std::size_t count() const { return labels.size(); }
};

/// `shape` as the binding has it, a batch of 1 first.
TrainingSet training_set(const LabelledImages& photos, const std::vector<std::int64_t>& shape);
/// kInvalidArgument when there are no labels, or the inputs are not one FP32 tensor with a batch of 1 first.
Result<TrainingSet> training_set(const std::vector<Example>& examples, const EdgeBinding& binding);

/// The shape with open dimensions as 1.
std::vector<std::int64_t> closed(std::vector<std::int64_t> shape);

}  // namespace hearth::tool
