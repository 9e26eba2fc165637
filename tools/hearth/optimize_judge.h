/// \file Judges: how much worse a candidate of `hearth optimize` answers than the float model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/config.h>
#include <hearth/edge_model.h>
#include <hearth/random.h>
#include <hearth/result.h>

#include "tools/hearth/examples.h"

namespace hearth::tool {

/// Compares models on inputs of its own. Threads: one.
class Judge {
 public:
  virtual ~Judge() = default;
  /// In words.
  virtual std::string judged_on() const = 0;
  /// Of one pass, for latencies.
  virtual std::vector<Tensor> inputs() const = 0;
  /// Of further passes, for the ranges of activations; never test examples.
  virtual std::vector<std::vector<Tensor>> calibration() const = 0;
  /// Keeps what `model` answers as the reference.
  virtual Status look_at_float(EdgeModel& model) = 0;
  /// How much worse than the reference; below 0 is better.
  virtual Result<double> loss(EdgeModel& candidate) = 0;
  /// What the report says of one model: `validation_accuracy` and `test_accuracy` where labels are known, else
  /// `output_error`.
  virtual Result<nlohmann::ordered_json> figures(EdgeModel& model) = 0;
};

/// Random numbers of a spec's type and shape: FP from -1 to 1, others 0 or 1; open dimensions are 1. kInvalidArgument
/// when the type is none that a model takes, or the tensor would be too large.
Result<Tensor> draw_input(const TensorSpec& spec, RandomStream& random);

/// True for pairs that take a Fashion-MNIST photo and give its ten labels' scores; else `why_not`.
bool takes_photos(const ModelPair& pair, std::string& why_not);

/// Judges by accuracy on the validation photos; figures hold the test photos too. The pair must take photos.
std::unique_ptr<Judge> judge_by_photos(const ModelPair& pair, LabelledImages validation, LabelledImages test);

/// Judges by accuracy on the labelled validation examples, the test ones in the figures; without labels as
/// judge_by_random_inputs(), on the validation examples. `name`: of their file. kInvalidArgument when the first output
/// is not FP32 or a label is beyond its scores.
Result<std::unique_ptr<Judge>> judge_by_examples(const EdgeBinding& binding, Examples examples,
                                                 const std::string& name);

/// Without data: by the outputs' root mean square error on 16 random inputs, as a share of the float outputs' root mean
/// square. FP numbers are drawn from -1 to 1, others are 0 or 1; open dimensions are 1. kInvalidArgument when no output
/// is FP32 or an input is too large.
Result<std::unique_ptr<Judge>> judge_by_random_inputs(const EdgeBinding& binding);

}  // namespace hearth::tool
