/// \file Recipe: the steps that make a model smaller and faster: train, distil, prune, quantize.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <hearth/result.h>

#include "runtime/edge/optimize.h"

namespace hearth::tool {

struct RecipeStep {
  enum class Kind : std::uint8_t { kTrain, kDistil, kPrune, kQuantize };
  Kind kind = Kind::kTrain;
  double epochs = 8;        ///< Passes over the training examples, 0 to 1000; of kPrune, all rounds together.
  double rate = 2e-3;       ///< The largest of the optimizer.
  double temperature = 4;   ///< kDistil, kPrune: of the softmax that teacher and student are compared by.
  double soft_share = 0.9;  ///< kDistil, kPrune: of the loss that asks for the teacher's answers; the rest, for labels.
  double keep = 0.5;        ///< kPrune: share of the units of each hidden layer, or channels of each convolution.
  std::uint64_t rounds = 3;  ///< kPrune: the rest goes in so many portions, each followed by training.
  std::optional<edge::LayerKind> kind_of_layers;  ///< kQuantize: every layer as this; nothing: the fastest, measured.
};

struct Recipe {
  std::string name;
  std::vector<RecipeStep> steps;  ///< At least one; kQuantize only as the last.
  std::string sha256;             ///< Of the file.

  bool trains() const;
  bool asks_teacher() const;
};

/// A file, or the name of one in configs/recipes. Errors: kNotFound names the nearest that ships; kInvalidArgument, all
/// problems with their places.
Result<Recipe> load_recipe(const std::string& file_or_name);

/// What a step does, in words: "distilled, 24 epochs".
std::string title_of(const RecipeStep& step);

}  // namespace hearth::tool
