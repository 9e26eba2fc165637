#include "tools/hearth/examples.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "runtime/base/json_reader.h"
#include "runtime/cloud/oip_elements.h"
#include "tools/hearth/json_lines.h"

namespace hearth::tool {
namespace {

using nlohmann::json;

constexpr std::size_t kLineBytesMax = std::size_t{256} << 20;
constexpr std::size_t kExamplesMin = 10, kExamplesMax = 1'000'000;
constexpr std::uint64_t kBytesMax = std::uint64_t{2} << 30;
constexpr std::size_t kLabelMax = 1'000'000;

std::string shape_text(const TensorSpec& spec) {
  std::string text(name_of(spec.datatype));
  text += " [";
  for (std::size_t i = 0; i < spec.shape.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(spec.shape[i]);
  return text + "]";
}

/// What is wrong, or nothing.
std::string read_input(const json& inputs, const TensorSpec& spec, Example& example) {
  const auto found = inputs.find(spec.name);
  if (found == inputs.end()) return "input \"" + spec.name + "\" is missing";
  Tensor& tensor = example.inputs.emplace_back(Tensor{spec.name, spec.datatype, closed(spec.shape), {}});
  const char* wrong = cloud::read_json_elements(*found, spec.datatype, tensor.shape, tensor.data);
  if (wrong == nullptr) return "";
  const std::string given = found->is_array() ? std::to_string(found->size()) + " elements" : found->type_name();
  return "input \"" + spec.name + "\": " + wrong + " (" + given + " given, expected " + shape_text(spec) + ")";
}

std::string read_line(std::string_view text, const EdgeBinding& binding, Example& example) {
  const json line = json::parse(text, nullptr, false);
  if (!line.is_object()) return "not a JSON object";
  std::vector<std::string> names;
  for (const TensorSpec& spec : binding.inputs) names.push_back(spec.name);
  for (const auto& [key, value] : line.items()) {
    if (key != "inputs" && key != "label") return "unknown key" + suggestion(key, {"inputs", "label"});
  }
  const auto inputs = line.find("inputs");
  if (inputs == line.end() || !inputs->is_object())
    return "\"inputs\" is missing, expected an object of inputs by name";
  for (const auto& [key, value] : inputs->items()) {
    if (std::ranges::find(names, key) == names.end()) return "an input that the model has not" + suggestion(key, names);
  }
  for (const TensorSpec& spec : binding.inputs) {
    if (auto wrong = read_input(*inputs, spec, example); !wrong.empty()) return wrong;
  }
  if (const auto label = line.find("label"); label != line.end()) {
    if (!label->is_number_unsigned() || label->get<std::uint64_t>() > kLabelMax) {
      return "\"label\": expected a whole number from 0 to " + std::to_string(kLabelMax);
    }
    example.label = label->get<std::size_t>();
  }
  return "";
}

Examples split(std::vector<Example> all) {
  RandomStream random(1, "examples");
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
  const std::size_t tenth = all.size() / 10;
  Examples examples;
  examples.labelled = all.front().label.has_value();
  const auto move = [&](std::size_t begin, std::size_t end, std::vector<Example>& to) {
    for (std::size_t i = begin; i < end; ++i) to.push_back(std::move(all[i]));
  };
  move(0, tenth, examples.validation);
  move(tenth, 2 * tenth, examples.test);
  move(2 * tenth, all.size(), examples.train);
  return examples;
}

}  // namespace

std::vector<std::int64_t> closed(std::vector<std::int64_t> shape) {
  std::ranges::replace_if(
      shape, [](std::int64_t size) { return size < 0; }, 1);
  return shape;
}

Result<Examples> read_examples(const std::string& file, const EdgeBinding& binding) {
  auto reader = LineReader::open(file, kLineBytesMax, [] {});
  if (!reader.ok()) return reader.error();
  std::vector<Example> all;
  std::uint64_t bytes = 0;
  const auto refuse = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, file + ":" + std::to_string(reader->line()) + ": " + what};
  };
  while (const auto line = reader->next()) {
    if (reader->too_long()) return refuse("a line of more than 256 MiB");
    if (line->find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Example example;
    if (const auto wrong = read_line(*line, binding, example); !wrong.empty()) return refuse(wrong);
    for (const Tensor& tensor : example.inputs) bytes += tensor.data.size();
    if (bytes > kBytesMax) return Error{ErrorCode::kResourceExhausted, file + ": more than 2 GiB of examples"};
    if (!all.empty() && all.front().label.has_value() != example.label.has_value()) {
      return refuse("either every line has a label or none");
    }
    all.push_back(std::move(example));
    if (all.size() > kExamplesMax) return refuse("more than a million examples");
  }
  if (reader->failed()) return Error{ErrorCode::kUnavailable, file + ": cannot be read to its end"};
  if (all.size() < kExamplesMin) {
    return Error{ErrorCode::kInvalidArgument, file + ": " + std::to_string(all.size()) +
                                                  " examples, expected at least " + std::to_string(kExamplesMin)};
  }
  return split(std::move(all));
}

TrainingSet training_set(const LabelledImages& photos, const std::vector<std::int64_t>& shape) {
  TrainingSet set;
  set.shape.assign(shape.begin() + 1, shape.end());
  set.photos = true;
  set.labels.assign(photos.labels.begin(), photos.labels.end());
  set.values.reserve(photos.pixels.size());
  for (std::size_t i = 0; i < photos.count(); ++i) {
    const auto image = photos.scaled(i);
    set.values.insert(set.values.end(), image.begin(), image.end());
  }
  return set;
}

Result<TrainingSet> training_set(const std::vector<Example>& examples, const EdgeBinding& binding) {
  const auto refuse = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, binding.file + ": cannot be trained: " + what};
  };
  if (binding.inputs.size() != 1 || binding.inputs[0].datatype != Datatype::kFp32) {
    return refuse("expected one input, of FP32");
  }
  const auto shape = closed(binding.inputs[0].shape);
  if (shape.empty() || shape[0] != 1) return refuse("expected an input with a batch of 1 first");
  TrainingSet set;
  set.shape.assign(shape.begin() + 1, shape.end());
  for (const Example& example : examples) {
    if (!example.label) return refuse("the examples have no labels");
    const auto values = example.inputs[0].floats();
    set.values.insert(set.values.end(), values.begin(), values.end());
    set.labels.push_back(static_cast<std::int64_t>(*example.label));
  }
  return set;
}

}  // namespace hearth::tool
