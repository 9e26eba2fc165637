#include "tools/hearth/recipe.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/places.h"

namespace hearth::tool {
namespace {

namespace fs = std::filesystem;
using Kind = RecipeStep::Kind;

constexpr std::array<std::string_view, 4> kKinds = {"train", "distil", "prune", "quantize"};
constexpr std::array<std::string_view, 4> kLayers = {"fastest", "hearth_int8", "hearth_int4", "torch_int8"};
constexpr std::array<std::optional<edge::LayerKind>, 4> kLayerKinds = {
    std::nullopt, edge::LayerKind::kInt8, edge::LayerKind::kInt4, edge::LayerKind::kTorchInt8};
constexpr std::uint64_t kFileBytesMax = 1 << 20;

void read_step(JsonReader& reader, RecipeStep& step) {
  std::size_t kind = 0, layers = 0;
  reader.require({"do"});
  reader.read_choice("do", kind, kKinds);
  step.kind = static_cast<Kind>(kind);
  if (step.kind == Kind::kQuantize) {
    reader.read_choice("as", layers, kLayers);
    step.kind_of_layers = kLayerKinds[layers];
    return;
  }
  reader.read("epochs", step.epochs, 0, 1000);
  reader.read("rate", step.rate, 1e-6, 1);
  if (step.kind == Kind::kTrain) return;
  reader.read("temperature", step.temperature, 0.1, 100);
  reader.read("soft_share", step.soft_share, 0, 1);
  if (step.kind != Kind::kPrune) return;
  reader.read("keep", step.keep, 0.01, 1);
  reader.read("rounds", step.rounds, 1, 100);
}

std::vector<std::string> shipped_recipes() {
  std::vector<std::string> names;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(shipped_file("configs/recipes"), failure)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<std::string> recipe_file(const std::string& file_or_name) {
  std::error_code ignored;
  if (fs::exists(file_or_name, ignored)) return file_or_name;
  const auto names = shipped_recipes();
  if (std::ranges::find(names, file_or_name) != names.end()) {
    return shipped_file("configs/recipes/" + file_or_name + ".json");
  }
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  return {ErrorCode::kNotFound, "recipe " + file_or_name + ": no such file, and none that ships has this name" +
                                    suggestion(file_or_name, names) + "; there are " + known};
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace

bool Recipe::trains() const {
  return std::ranges::any_of(steps, [](const RecipeStep& step) { return step.kind != Kind::kQuantize; });
}

bool Recipe::asks_teacher() const {
  return std::ranges::any_of(steps, [](const RecipeStep& step) { return step.kind == Kind::kDistil; });
}

Result<Recipe> load_recipe(const std::string& file_or_name) {
  const auto file = recipe_file(file_or_name);
  if (!file.ok()) return file.error();
  const auto text = read_whole_file(*file, kFileBytesMax);
  if (!text.ok()) return text.error();
  const auto document = JsonDocument::parse(*text, *file);
  if (!document.ok()) return document.error();
  Problems problems;
  Recipe recipe;
  recipe.sha256 = sha256_hex(*text);
  JsonReader root(**document, (*document)->root(), "", problems);
  std::uint64_t version = 1;
  root.require({"version", "name", "steps"});
  root.read("version", version, 1, 1);
  root.read("name", recipe.name);
  root.objects("steps", [&](JsonReader& reader, std::size_t) { read_step(reader, recipe.steps.emplace_back()); });
  root.finish();
  if (problems.empty() && recipe.steps.empty()) root.problem("steps", "expected one or more");
  for (std::size_t i = 0; i + 1 < recipe.steps.size(); ++i) {
    if (recipe.steps[i].kind == Kind::kQuantize) root.problem("steps", "\"quantize\" goes last");
  }
  if (!problems.empty()) return problems.as_error();
  return recipe;
}

std::string title_of(const RecipeStep& step) {
  switch (step.kind) {
    case Kind::kTrain:
      return "trained on labels";
    case Kind::kDistil:
      return "distilled";
    case Kind::kPrune:
      return "pruned to " + number(100 * step.keep) + " %";
    case Kind::kQuantize:
      break;
  }
  return "quantized: " + (step.kind_of_layers
                              ? std::string(kLayers[static_cast<std::size_t>(
                                    std::ranges::find(kLayerKinds, step.kind_of_layers) - kLayerKinds.begin())])
                              : std::string("fastest"));
}

}  // namespace hearth::tool
