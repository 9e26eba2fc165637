/// \file RecipeRun: takes the training steps of a recipe one after the other.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/result.h>

#include "tools/hearth/examples.h"
#include "tools/hearth/recipe.h"
#include "tools/hearth/step_memory.h"
#include "tools/hearth/student.h"

namespace hearth::tool {

/// What a step made.
struct StepFile {
  std::string title;
  std::string file;  ///< TorchScript, parameters not frozen.
};

struct RecipeRun {
  Recipe recipe;
  std::string student;                                        ///< The file that the first step reads.
  std::optional<EdgeBinding> teacher;                         ///< Of recipes that ask one.
  std::function<Result<TrainingSet>()> examples;              ///< Called once, when a step is to be taken.
  StudentOptions options;                                     ///< Its callbacks are set here.
  std::function<std::string(const std::string& name)> place;  ///< Where a step's file goes.
  StepMemory* memory = nullptr;                               ///< Finished steps are taken from it and kept in it.
};

/// All steps but kQuantize, each with a line on standard error that says how far it is. Errors: those of ask_teacher(),
/// take_step() and `examples`; kInvalidArgument when a teacher is missing.
Result<std::vector<StepFile>> train_by_recipe(RecipeRun run);

}  // namespace hearth::tool
