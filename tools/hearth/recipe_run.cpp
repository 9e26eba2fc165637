#include "tools/hearth/recipe_run.h"

#include <iostream>
#include <utility>

#include "tools/hearth/training_line.h"

namespace hearth::tool {
namespace {

using Kind = RecipeStep::Kind;

/// Examples and the teacher's answers to them, once a step needs them.
class School {
 public:
  explicit School(RecipeRun& run) : run_(run) {}

  Status open() {
    if (set_) return Done{};
    auto set = run_.examples();
    if (!set.ok()) return set.error();
    if (set->count() == 0) return Error{ErrorCode::kInvalidArgument, "recipe: no examples to train on"};
    set_ = std::move(set).value();
    if (!run_.teacher) return Done{};
    TrainingLine line("asking the teacher");
    StudentOptions options = run_.options;
    options.progress = [&](double done) { line.show(done); };
    auto soft = ask_teacher(*run_.teacher, *set_, options);
    if (!soft.ok()) return soft.error();
    soft_ = std::move(soft).value();
    return Done{};
  }

  Status take(const RecipeStep& step, const std::string& from, const std::string& to) const {
    constexpr const char* kTitles[] = {"training the student", "distilling", "pruning"};
    TrainingLine line(kTitles[static_cast<std::size_t>(step.kind)]);
    StudentOptions options = run_.options;
    options.progress = [&](double done) { line.show(done); };
    options.said = [](const std::string& said) { std::cerr << "  " << said << '\n'; };
    return take_step(step, from, to, *set_, soft_ ? &*soft_ : nullptr, options);
  }

 private:
  RecipeRun& run_;
  std::optional<TrainingSet> set_;
  std::optional<SoftTargets> soft_;
};

}  // namespace

Result<std::vector<StepFile>> train_by_recipe(RecipeRun run) {
  if (run.recipe.asks_teacher() && !run.teacher) {
    return {ErrorCode::kInvalidArgument, "recipe " + run.recipe.name + ": distils, so a teacher has to be given"};
  }
  School school(run);
  std::vector<StepFile> files;
  std::string from = run.student;
  for (const RecipeStep& step : run.recipe.steps) {
    if (step.kind == Kind::kQuantize) break;
    const std::string name = "step_" + std::to_string(files.size() + 1) + ".pt";
    const std::string to = run.place(name);
    if (run.memory != nullptr && run.memory->has(name)) {
      std::cerr << "  " << title_of(step) << ": taken from the run before\n";
    } else {
      if (auto opened = school.open(); !opened.ok()) return opened.error();
      if (auto taken = school.take(step, from, to); !taken.ok()) return taken.error();
      if (run.memory != nullptr) {
        if (auto kept = run.memory->finished(name); !kept.ok()) return kept.error();
      }
    }
    files.push_back({title_of(step), to});
    from = to;
  }
  return files;
}

}  // namespace hearth::tool
