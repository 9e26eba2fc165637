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
constexpr std::size_t kElementsMax = std::size_t{1} << 26;

std::vector<std::int64_t> closed(std::vector<std::int64_t> shape) {
  std::ranges::replace_if(
      shape, [](std::int64_t size) { return size < 0; }, 1);
  return shape;
}

class PhotoJudge final : public Judge {
 public:
  PhotoJudge(const TensorSpec& input, FashionMnist data)
      : name_(input.name), shape_(closed(input.shape)), data_(std::move(data)) {}

  std::string judged_on() const override {
    return std::to_string(data_.validation.count()) + " validation photos of Fashion-MNIST";
  }
  std::vector<Tensor> inputs() const override { return {Tensor::of_floats(name_, shape_, data_.validation.scaled(0))}; }
  Status look_at_float(EdgeModel& model) override {
    const auto answers = answer(model, shape_, data_.validation);
    if (!answers.ok()) return answers.error();
    float_accuracy_ = answers->accuracy;
    return Done{};
  }
  Result<double> loss(EdgeModel& candidate) override {
    const auto answers = answer(candidate, shape_, data_.validation);
    if (!answers.ok()) return answers.error();
    // The label of scores that are no numbers means nothing.
    const bool finite = std::ranges::all_of(answers->scores, [](float score) { return std::isfinite(score); });
    return finite ? float_accuracy_ - answers->accuracy : std::nan("");
  }
  Result<nlohmann::ordered_json> figures(EdgeModel& model) override {
    const auto on_validation = answer(model, shape_, data_.validation);
    if (!on_validation.ok()) return on_validation.error();
    const auto on_test = answer(model, shape_, data_.test);
    if (!on_test.ok()) return on_test.error();
    return nlohmann::ordered_json{{"validation_accuracy", on_validation->accuracy},
                                  {"test_accuracy", on_test->accuracy}};
  }

 private:
  const std::string name_;
  const std::vector<std::int64_t> shape_;
  const FashionMnist data_;
  double float_accuracy_ = 0;
};

class RandomJudge final : public Judge {
 public:
  explicit RandomJudge(std::vector<std::vector<Tensor>> inputs) : inputs_(std::move(inputs)) {}

  std::string judged_on() const override {
    return std::to_string(inputs_.size()) + " random inputs, for want of calibration data";
  }
  std::vector<Tensor> inputs() const override { return inputs_.front(); }
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
  std::vector<float> reference_;
};

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

Result<std::unique_ptr<Judge>> judge_by_photos(const ModelPair& pair, const std::string& folder) {
  auto data = load_fashion_mnist(folder);
  if (!data.ok()) return data.error();
  data->train = {};
  return std::unique_ptr<Judge>(std::make_unique<PhotoJudge>(pair.edge.inputs[0], std::move(data).value()));
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
  return std::unique_ptr<Judge>(std::make_unique<RandomJudge>(std::move(inputs)));
}

}  // namespace hearth::tool
