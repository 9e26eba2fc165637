#include "tools/hearth/optimize_judge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include <hearth/random.h>

#include "tools/hearth/evaluate.h"
#include "tools/hearth/fashion_mnist.h"

namespace hearth::tool {
namespace {

constexpr std::size_t kRandomInputs = 16;
constexpr std::size_t kCalibrationPasses = 100;
constexpr std::size_t kElementsMax = std::size_t{1} << 26;

class PhotoJudge final : public Judge {
 public:
  PhotoJudge(const TensorSpec& input, LabelledImages validation, LabelledImages test)
      : name_(input.name), shape_(closed(input.shape)), validation_(std::move(validation)), test_(std::move(test)) {}

  std::string judged_on() const override {
    return std::to_string(validation_.count()) + " validation photos of Fashion-MNIST";
  }
  std::vector<Tensor> inputs() const override { return {Tensor::of_floats(name_, shape_, validation_.scaled(0))}; }
  std::vector<std::vector<Tensor>> calibration() const override {
    std::vector<std::vector<Tensor>> passes;
    for (std::size_t i = 0; i < std::min(kCalibrationPasses, validation_.count()); ++i) {
      passes.push_back({Tensor::of_floats(name_, shape_, validation_.scaled(i))});
    }
    return passes;
  }
  Status look_at_float(EdgeModel& model) override {
    const auto answers = answer(model, shape_, validation_);
    if (!answers.ok()) return answers.error();
    float_accuracy_ = answers->accuracy;
    return Done{};
  }
  Result<double> loss(EdgeModel& candidate) override {
    const auto answers = answer(candidate, shape_, validation_);
    if (!answers.ok()) return answers.error();
    // The label of scores that are no numbers means nothing.
    const bool finite = std::ranges::all_of(answers->scores, [](float score) { return std::isfinite(score); });
    return finite ? float_accuracy_ - answers->accuracy : std::nan("");
  }
  Result<nlohmann::ordered_json> figures(EdgeModel& model) override {
    const auto on_validation = answer(model, shape_, validation_);
    if (!on_validation.ok()) return on_validation.error();
    const auto on_test = answer(model, shape_, test_);
    if (!on_test.ok()) return on_test.error();
    return nlohmann::ordered_json{{"validation_accuracy", on_validation->accuracy},
                                  {"test_accuracy", on_test->accuracy}};
  }

 private:
  const std::string name_;
  const std::vector<std::int64_t> shape_;
  const LabelledImages validation_, test_;
  double float_accuracy_ = 0;
};

class OutputJudge final : public Judge {
 public:
  OutputJudge(std::vector<std::vector<Tensor>> inputs, std::string judged_on)
      : inputs_(std::move(inputs)), judged_on_(std::move(judged_on)) {}

  std::string judged_on() const override { return judged_on_; }
  std::vector<Tensor> inputs() const override { return inputs_.front(); }
  std::vector<std::vector<Tensor>> calibration() const override { return inputs_; }
  Status look_at_float(EdgeModel& model) override {
    auto answers = answers_of(model);
    if (!answers.ok()) return answers.error();
    reference_ = std::move(answers).value();
    return Done{};
  }
  Result<double> loss(EdgeModel& candidate) override {
    const auto answers = answers_of(candidate);
    if (!answers.ok()) return answers.error();
    if (answers->size() != reference_.size()) return std::nan("");
    double error = 0, size = 0;
    for (std::size_t i = 0; i < reference_.size(); ++i) {
      const double exact = reference_[i];
      error += std::pow(static_cast<double>((*answers)[i]) - exact, 2);
      size += exact * exact;
    }
    return error == 0 ? 0 : std::sqrt(error / size);
  }
  Result<nlohmann::ordered_json> figures(EdgeModel& model) override {
    const auto error = loss(model);
    if (!error.ok()) return error.error();
    return nlohmann::ordered_json{{"output_error", *error}};
  }

 private:
  /// All FP32 outputs, one after the other.
  Result<std::vector<float>> answers_of(EdgeModel& model) const {
    std::vector<float> answers;
    for (const auto& input : inputs_) {
      const auto outputs = model.run(input);
      if (!outputs.ok()) return outputs.error();
      for (const Tensor& output : *outputs) {
        if (output.datatype != Datatype::kFp32) continue;
        const auto floats = output.floats();
        answers.insert(answers.end(), floats.begin(), floats.end());
      }
    }
    return answers;
  }

  const std::vector<std::vector<Tensor>> inputs_;
  const std::string judged_on_;
  std::vector<float> reference_;
};

class ExampleJudge final : public Judge {
 public:
  ExampleJudge(std::vector<Example> validation, std::vector<Example> test, std::string name)
      : validation_(std::move(validation)), test_(std::move(test)), name_(std::move(name)) {}

  std::string judged_on() const override {
    return std::to_string(validation_.size()) + " validation examples of " + name_;
  }
  std::vector<Tensor> inputs() const override { return validation_.front().inputs; }
  std::vector<std::vector<Tensor>> calibration() const override {
    std::vector<std::vector<Tensor>> passes;
    for (std::size_t i = 0; i < std::min(kCalibrationPasses, validation_.size()); ++i) {
      passes.push_back(validation_[i].inputs);
    }
    return passes;
  }
  Status look_at_float(EdgeModel& model) override {
    const auto accuracy = accuracy_of(model, validation_);
    if (!accuracy.ok()) return accuracy.error();
    float_accuracy_ = *accuracy;
    return Done{};
  }
  Result<double> loss(EdgeModel& candidate) override {
    const auto accuracy = accuracy_of(candidate, validation_);
    if (!accuracy.ok()) return accuracy.error();
    return float_accuracy_ - *accuracy;
  }
  Result<nlohmann::ordered_json> figures(EdgeModel& model) override {
    const auto on_validation = accuracy_of(model, validation_);
    if (!on_validation.ok()) return on_validation.error();
    const auto on_test = accuracy_of(model, test_);
    if (!on_test.ok()) return on_test.error();
    return nlohmann::ordered_json{{"validation_accuracy", *on_validation}, {"test_accuracy", *on_test}};
  }

 private:
  /// Not a number when a score is none.
  static Result<double> accuracy_of(EdgeModel& model, const std::vector<Example>& examples) {
    std::size_t right = 0;
    for (const Example& example : examples) {
      const auto outputs = model.run(example.inputs);
      if (!outputs.ok()) return outputs.error();
      const auto scores = outputs->front().floats();
      if (!std::ranges::all_of(scores, [](float score) { return std::isfinite(score); })) return std::nan("");
      right += static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin()) == *example.label ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(examples.size());
  }

  const std::vector<Example> validation_, test_;
  const std::string name_;
  double float_accuracy_ = 0;
};

/// Of the scores, when there are labels.
Status has_fp32_output(const EdgeBinding& binding) {
  if (!binding.outputs.empty() && binding.outputs[0].datatype == Datatype::kFp32) return Done{};
  return Error{ErrorCode::kInvalidArgument,
               binding.file + ": its first output is not FP32, so an error cannot be told"};
}

template <class T>
std::vector<std::byte> drawn(std::size_t count, const std::function<T()>& draw) {
  std::vector<T> values(count);
  std::ranges::generate(values, draw);
  std::vector<std::byte> bytes(count * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace

Result<Tensor> draw_input(const TensorSpec& spec, RandomStream& random) {
  Tensor tensor{spec.name, spec.datatype, closed(spec.shape), {}};
  const auto count = element_count(tensor.shape);
  if (!count || *count > kElementsMax) return {ErrorCode::kInvalidArgument, "input \"" + spec.name + "\" is too large"};
  const auto number = [&] { return 2 * random.uniform() - 1; };
  const auto bit = [&] { return random.below(2); };
  switch (spec.datatype) {
    case Datatype::kFp32:
      tensor.data = drawn<float>(*count, [&] { return static_cast<float>(number()); });
      return tensor;
    case Datatype::kFp64:
      tensor.data = drawn<double>(*count, number);
      return tensor;
    case Datatype::kInt64:
      tensor.data = drawn<std::int64_t>(*count, [&] { return static_cast<std::int64_t>(bit()); });
      return tensor;
    case Datatype::kInt32:
      tensor.data = drawn<std::int32_t>(*count, [&] { return static_cast<std::int32_t>(bit()); });
      return tensor;
    case Datatype::kBool:
    case Datatype::kUint8:
    case Datatype::kInt8:
      tensor.data = drawn<std::uint8_t>(*count, [&] { return static_cast<std::uint8_t>(bit()); });
      return tensor;
    default:
      return {ErrorCode::kInvalidArgument, "input \"" + spec.name + "\" is " + std::string(name_of(spec.datatype)) +
                                               ", expected FP32, FP64, INT64, INT32, INT8, UINT8 or BOOL"};
  }
}

bool takes_photos(const ModelPair& pair, std::string& why_not) {
  const auto holds = [](const std::vector<TensorSpec>& specs, std::size_t count) {
    return specs.size() == 1 && specs[0].datatype == Datatype::kFp32 && element_count(closed(specs[0].shape)) == count;
  };
  if (!holds(pair.edge.inputs, kImagePixels)) {
    why_not = "edge.inputs: expected one FP32 tensor of 784 elements, a photo of 28 x 28";
  } else if (!holds(pair.edge.outputs, kFashionLabels.size())) {
    why_not = "edge.outputs: expected one FP32 tensor of 10 scores";
  } else if (!std::ranges::equal(pair.labels, kFashionLabels)) {
    why_not = "labels: expected the ten of Fashion-MNIST, in its order";
  } else {
    return true;
  }
  return false;
}

std::unique_ptr<Judge> judge_by_photos(const ModelPair& pair, LabelledImages validation, LabelledImages test) {
  return std::make_unique<PhotoJudge>(pair.edge.inputs[0], std::move(validation), std::move(test));
}

Result<std::unique_ptr<Judge>> judge_by_examples(const EdgeBinding& binding, Examples examples,
                                                 const std::string& name) {
  if (auto good = has_fp32_output(binding); !good.ok()) return good.error();
  if (!examples.labelled) {
    std::vector<std::vector<Tensor>> inputs;
    for (Example& example : examples.validation) inputs.push_back(std::move(example.inputs));
    const std::string words = std::to_string(inputs.size()) + " validation examples of " + name + ", without labels";
    return std::unique_ptr<Judge>(std::make_unique<OutputJudge>(std::move(inputs), words));
  }
  const auto scores = element_count(closed(binding.outputs[0].shape));
  for (const auto* part : {&examples.train, &examples.validation, &examples.test}) {
    for (const Example& example : *part) {
      if (scores && *example.label < *scores) continue;
      return {ErrorCode::kInvalidArgument, name + ": a label is " + std::to_string(*example.label) +
                                               ", expected one below the " + std::to_string(scores.value_or(0)) +
                                               " scores of the model"};
    }
  }
  return std::unique_ptr<Judge>(
      std::make_unique<ExampleJudge>(std::move(examples.validation), std::move(examples.test), name));
}

Result<std::unique_ptr<Judge>> judge_by_random_inputs(const EdgeBinding& binding) {
  if (std::ranges::none_of(binding.outputs, [](const auto& spec) { return spec.datatype == Datatype::kFp32; })) {
    return {ErrorCode::kInvalidArgument, binding.file + ": no output is FP32, so an error cannot be told"};
  }
  RandomStream random(1, "optimize");
  std::vector<std::vector<Tensor>> inputs(kRandomInputs);
  for (auto& input : inputs) {
    for (const TensorSpec& spec : binding.inputs) {
      auto tensor = draw_input(spec, random);
      if (!tensor.ok()) return Error{tensor.error().code, binding.file + ": " + tensor.error().message};
      input.push_back(std::move(tensor).value());
    }
  }
  return std::unique_ptr<Judge>(std::make_unique<OutputJudge>(
      std::move(inputs), std::to_string(kRandomInputs) + " random inputs, for want of calibration data"));
}

}  // namespace hearth::tool
