// Recipes, examples, the memory of finished steps and the page: all that needs no LibTorch.
#include <filesystem>
#include <fstream>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/json_reader.h"
#include "tests/support/temp_folder.h"
#include "tools/hearth/examples.h"
#include "tools/hearth/recipe.h"
#include "tools/hearth/recipe_page.h"
#include "tools/hearth/step_memory.h"

using namespace hearth;
using namespace hearth::tool;
using namespace hearth::test;
using Catch::Matchers::Contains;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

namespace fs = std::filesystem;

std::string write(const TempFolder& folder, const std::string& name, const std::string& text) {
  const std::string file = (folder.path() / name).string();
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

std::string refusal(const TempFolder& folder, const std::string& steps) {
  const auto recipe = load_recipe(write(folder, "r.json", R"({"version": 1, "name": "r", "steps": [)" + steps + "]}"));
  return recipe.ok() ? "loads" : recipe.error().message;
}

EdgeBinding binding() {
  EdgeBinding made;
  made.file = "m.pt";
  made.inputs = {{"x", Datatype::kFp32, {-1, 2}}};
  made.outputs = {{"y", Datatype::kFp32, {-1, 3}}};
  return made;
}

std::string lines(std::size_t count, const std::string& more = R"(, "label": 1)") {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += R"({"inputs": {"x": [)" + std::to_string(i) + ", 0.5]}" + more + "}\n";
  return text;
}

}  // namespace

TEST_CASE("every recipe that ships loads, and is known by its name") {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("configs/recipes")) {
    const auto recipe = load_recipe(entry.path().stem().string());
    INFO((recipe.ok() ? "" : recipe.error().message));
    REQUIRE(recipe.ok());
    CHECK(recipe->name == entry.path().stem().string());
    ++count;
  }
  CHECK(count >= 3);
}

TEST_CASE("the recipe schema names exactly the keys of each kind of step") {
  const json schema = JsonDocument::read_file("configs/schema/recipe.schema.json").value()->root();
  const TempFolder folder;
  for (const json& step : schema.at("properties").at("steps").at("items").at("oneOf")) {
    const std::string kind = step.at("properties").at("do").at("const").get<std::string>();
    std::set<std::string> keys;
    for (const auto& [key, value] : step.at("properties").items()) keys.insert(key);
    const std::string message = refusal(folder, R"({"do": ")" + kind + R"(", "qqqqqqqqqqqqqq": 0})");
    INFO(message);
    for (const std::string& key : keys) CHECK_THAT(message, Contains(key));
    const std::string list = message.substr(message.find("valid keys: ") + 12);
    CHECK(static_cast<std::size_t>(std::count(list.begin(), list.end(), ',')) + 1 == keys.size());
  }
}

TEST_CASE("what is wrong with a recipe is told with its place and the nearest valid thing") {
  const TempFolder folder;
  CHECK_THAT(refusal(folder, R"({"do": "distill"})"), Contains("/steps/0/do") && Contains("distil"));
  CHECK_THAT(refusal(folder, R"({"do": "prune", "kep": 0.5})"), Contains("did you mean \"keep\""));
  CHECK_THAT(refusal(folder, R"({"do": "prune", "keep": 0})"), Contains("/steps/0/keep"));
  CHECK_THAT(refusal(folder, R"({"do": "quantize"}, {"do": "train"})"), Contains("\"quantize\" goes last"));
  CHECK_THAT(refusal(folder, ""), Contains("expected one or more"));
  CHECK_THAT(refusal(folder, R"({"do": "train", "temperature": 2})"), Contains("temperature"));
  const auto unknown = load_recipe("fastes");
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().code == ErrorCode::kNotFound);
  CHECK_THAT(unknown.error().message, Contains("did you mean \"fastest\"") && Contains("photo-tagger"));
}

TEST_CASE("examples split into parts that share nothing and together are all") {
  const TempFolder folder;
  const auto examples = read_examples(write(folder, "e.jsonl", lines(100)), binding());
  INFO((examples.ok() ? "" : examples.error().message));
  REQUIRE(examples.ok());
  CHECK(examples->labelled);
  CHECK(examples->train.size() == 80);
  CHECK(examples->validation.size() == 10);
  CHECK(examples->test.size() == 10);
  std::set<float> seen;
  for (const auto* part : {&examples->train, &examples->validation, &examples->test}) {
    for (const Example& example : *part) {
      CHECK(example.inputs[0].shape == std::vector<std::int64_t>{1, 2});
      CHECK(example.label == 1);
      seen.insert(example.inputs[0].floats()[0]);
    }
  }
  CHECK(seen.size() == 100);
  const auto set = training_set(examples->train, binding());
  REQUIRE(set.ok());
  CHECK(set->shape == std::vector<std::int64_t>{2});
  CHECK(set->values.size() == 160);
  CHECK(training_set(read_examples(write(folder, "u.jsonl", lines(10, "")), binding())->train, binding())
            .error()
            .message == "m.pt: cannot be trained: the examples have no labels");
}

TEST_CASE("an example of the wrong shape, type or name is refused with its line and without its values") {
  const TempFolder folder;
  for (const auto& [line, complaint] : std::vector<std::pair<std::string, std::string>>{
           {R"({"inputs": {"x": [77.5, 1, 2]}, "label": 1})", "3 elements given, expected FP32 [-1,2]"},
           {R"({"inputs": {"x": [77.5, "a"]}, "label": 1})", "input \"x\""},
           {R"({"inputs": {"y": [77.5, 1]}, "label": 1})", "an input that the model has not"},
           {R"({"inputs": {}, "label": 1})", "input \"x\" is missing"},
           {R"({"input": {"x": [77.5, 1]}, "label": 1})", "did you mean \"inputs\""},
           {R"({"inputs": {"x": [77.5, 1]}})", "either every line has a label or none"},
           {R"({"inputs": {"x": [77.5, 1]}, "label": -1})", "\"label\": expected a whole number"},
           {"[77.5", "not a JSON object"}}) {
    INFO(line);
    const std::string file = write(folder, "bad.jsonl", lines(11) + line + "\n");
    const auto examples = read_examples(file, binding());
    REQUIRE_FALSE(examples.ok());
    CHECK_THAT(examples.error().message, Contains("bad.jsonl:12: ") && Contains(complaint));
    CHECK_THAT(examples.error().message, !Contains("77.5"));
  }
  CHECK_THAT(read_examples(write(folder, "few.jsonl", lines(9)), binding()).error().message,
             Contains("9 examples, expected at least 10"));
  CHECK(read_examples((folder.path() / "none.jsonl").string(), binding()).error().code == ErrorCode::kNotFound);
}

TEST_CASE("finished steps outlast a run, unless their files or the settings have changed") {
  const TempFolder folder;
  const std::string state = (folder.path() / "out.state").string();
  const ordered_json settings = {{"seed", 1}};
  {
    auto memory = StepMemory::open(state, settings);
    REQUIRE(memory.ok());
    CHECK_FALSE(memory->has("a"));
    std::ofstream(memory->file("a")) << "whole";
    std::ofstream(memory->file("b")) << "whole";
    std::ofstream(memory->file("half")) << "cut off before it was finished";
    REQUIRE(memory->finished("a").ok());
    REQUIRE(memory->finished("b").ok());
    REQUIRE(memory->keep_note("n", 5).ok());
    const auto second = StepMemory::open(state, settings);
    REQUIRE_FALSE(second.ok());
    CHECK_THAT(second.error().message, Contains("another hearth optimize is at work"));
  }
  std::ofstream(state + "/b") << "changed";
  {
    auto memory = StepMemory::open(state, settings);
    REQUIRE(memory.ok());
    CHECK(memory->has("a"));
    CHECK_FALSE(memory->has("b"));
    CHECK_FALSE(memory->has("half"));
    CHECK(memory->note("n") == 5);
    CHECK(memory->note("m").is_null());
  }
  {
    auto memory = StepMemory::open(state, {{"seed", 2}});
    REQUIRE(memory.ok());
    CHECK_FALSE(memory->has("a"));
    CHECK(memory->note("n").is_null());
    memory->forget();
  }
  CHECK_FALSE(fs::exists(state));
}

TEST_CASE("a folder that is not the memory of a run is never cleared") {
  const TempFolder folder;
  const std::string state = (folder.path() / "out.state").string();
  fs::create_directory(state);
  std::ofstream(state + "/thesis.txt") << "precious";
  const auto memory = StepMemory::open(state, {});
  REQUIRE_FALSE(memory.ok());
  CHECK_THAT(memory.error().message, Contains("is in the way"));
  CHECK(fs::exists(state + "/thesis.txt"));
}

TEST_CASE("the page needs nothing from elsewhere, holds each step, and escapes what it shows") {
  const ordered_json spread = {{"p10", 1.0}, {"p50", 2.0}, {"p90", 3.0}};
  const ordered_json report = {
      {"title", "a <b> & c"},
      {"judged_on", "10 examples"},
      {"why_not", "it is <slow>"},
      {"steps",
       {{{"title", "as given"}, {"role", "step"}, {"bytes", 4096}, {"test_accuracy", 0.75}, {"latency_us", spread}},
        {{"title", "pruned"}, {"role", "step"}, {"bytes", 2048}, {"test_accuracy", 0.5}, {"latency_us", spread}}}}};
  const std::string page = make_recipe_page(report);
  for (const char* expected : {"a &lt;b&gt; &amp; c", "it is &lt;slow&gt;", "as given", "pruned", "75 %", "50 %"}) {
    CHECK_THAT(page, Contains(expected));
  }
  for (const char* foreign : {"http://", "https://", "<script", "@import", "url("})
    CHECK_THAT(page, !Contains(foreign));
}
