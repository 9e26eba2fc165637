// Training, distilling and pruning of small models made on the spot.
#include <torch/script.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <iterator>

#include "tests/runtime/edge/scripts.h"
#include "tests/support/temp_folder.h"
#include "tools/hearth/prune.h"
#include "tools/hearth/student.h"

using namespace hearth;
using namespace hearth::tool;
using namespace hearth::test;
using Catch::Matchers::Contains;

namespace {

std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Three clouds of points in eight dimensions, far enough apart to be told from each other.
TrainingSet clouds(std::int64_t count) {
  TrainingSet set;
  set.shape = {8};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = i % 3;
    for (std::int64_t k = 0; k < 8; ++k) {
      const float noise = std::sin(static_cast<float>(i * 8 + k) * 12.9898F);
      set.values.push_back(noise * 0.4F + (k % 3 == label ? 1.0F : 0.0F));
    }
    set.labels.push_back(label);
  }
  return set;
}

at::Tensor scores_of(const std::string& file, const TrainingSet& set) {
  auto module = torch::jit::load(file);
  module.eval();
  const torch::NoGradGuard no_gradients;
  const auto values = torch::from_blob(const_cast<float*>(set.values.data()),
                                       {static_cast<std::int64_t>(set.count()), 8}, torch::kFloat);
  return module.forward({values}).toTensor();
}

double accuracy_of(const std::string& file, const TrainingSet& set) {
  const auto labels = torch::tensor(set.labels, torch::kLong);
  return scores_of(file, set).argmax(1).eq(labels).to(torch::kDouble).mean().item<double>();
}

RecipeStep step_of(RecipeStep::Kind kind, double epochs) {
  RecipeStep step;
  step.kind = kind;
  step.epochs = epochs;
  step.rate = 0.02;
  step.rounds = 1;
  return step;
}

EdgeBinding teacher_of(const std::string& file) {
  EdgeBinding binding;
  binding.file = file;
  binding.inputs = {{"x", Datatype::kFp32, {-1, 8}}};
  return binding;
}

struct Class {
  TempFolder folder;
  StudentOptions options;
  std::string at(const std::string& name) const { return (folder.path() / name).string(); }
  void fresh(const std::string& name, std::int64_t hidden, std::uint64_t seed = 1) const {
    REQUIRE(write_perceptron({8, hidden, 3}, seed, 1, 0, at(name)).ok());
  }
  void take(const RecipeStep& step, const std::string& from, const std::string& to, const TrainingSet& set,
            const SoftTargets* soft = nullptr) const {
    const auto done = take_step(step, at(from), at(to), set, soft, options);
    INFO((done.ok() ? "" : done.error().message));
    REQUIRE(done.ok());
  }
  std::string refusal(const RecipeStep& step, const std::string& from, const TrainingSet& set) const {
    const auto done = take_step(step, at(from), at("refused.pt"), set, nullptr, options);
    CHECK_FALSE(std::filesystem::exists(at("refused.pt")));
    return done.ok() ? "taken" : done.error().message;
  }
};

constexpr auto kTrain = RecipeStep::Kind::kTrain;
constexpr auto kDistil = RecipeStep::Kind::kDistil;
constexpr auto kPrune = RecipeStep::Kind::kPrune;

}  // namespace

TEST_CASE("a student learns from labels, and the same seed makes the same file") {
  const Class room;
  const auto set = clouds(300);
  room.fresh("s.pt", 16);
  room.take(step_of(kTrain, 60), "s.pt", "a.pt", set);
  CHECK(accuracy_of(room.at("a.pt"), set) > 0.95);
  const std::string first = bytes_of(room.at("a.pt"));
  room.take(step_of(kTrain, 60), "s.pt", "a.pt", set);  // A file holds its own name.
  const bool same = bytes_of(room.at("a.pt")) == first;
  CHECK(same);
}

TEST_CASE("distilled, a student answers as its teacher does, also where the labels say otherwise") {
  const Class room;
  auto set = clouds(300);
  room.fresh("t.pt", 32);
  room.take(step_of(kTrain, 60), "t.pt", "teacher.pt", set);
  const auto taught = ask_teacher(teacher_of(room.at("teacher.pt")), set, room.options);
  REQUIRE(taught.ok());
  CHECK(taught->variants == 1);
  CHECK(taught->scores.size() == 900);
  for (auto& label : set.labels) label = (label + 1) % 3;  // Wrong, all of them.
  room.fresh("s.pt", 16, 2);
  auto step = step_of(kDistil, 60);
  step.soft_share = 1;
  room.take(step, "s.pt", "d.pt", set, &*taught);
  const auto agree = scores_of(room.at("d.pt"), set).argmax(1).eq(scores_of(room.at("teacher.pt"), set).argmax(1));
  CHECK(agree.to(torch::kDouble).mean().item<double>() > 0.95);
}

TEST_CASE("units that count for nothing go, and the answers stay the same bit for bit") {
  const Class room;
  const auto set = clouds(30);
  std::vector<float> first(40 * 8), second(3 * 40, 0.0F);
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = std::cos(static_cast<float>(i));
  for (std::size_t unit = 0; unit < 40; unit += 2) {  // The odd ones lead nowhere.
    for (std::size_t score = 0; score < 3; ++score)
      second[score * 40 + unit] = std::sin(static_cast<float>(unit + score));
  }
  save_script(room.at("m.pt"),
              "def forward(self, x: Tensor):\n"
              "  return torch.linear(torch.relu(torch.linear(x, self.w1, self.b1)), self.w2, None)\n",
              {{"w1", {40, 8}, first}, {"b1", {40}, {}}, {"w2", {3, 40}, second}});
  auto step = step_of(kPrune, 0);
  step.keep = 0.5;  // 20, rounded up to a multiple of 16: 32.
  room.take(step, "m.pt", "p.pt", set);
  CHECK(torch::jit::load(room.at("p.pt")).attr("w1").toTensor().size(0) == 32);
  CHECK(torch::jit::load(room.at("p.pt")).attr("w2").toTensor().size(1) == 32);
  CHECK(scores_of(room.at("m.pt"), set).allclose(scores_of(room.at("p.pt"), set), 1e-6, 1e-6));
  auto module = torch::jit::load(room.at("m.pt"));
  prune(module, {20});
  CHECK(module.attr("w1").toTensor().size(0) == 20);
  const auto values = torch::from_blob(const_cast<float*>(set.values.data()), {30, 8}, torch::kFloat);
  CHECK(module.forward({values}).toTensor().allclose(scores_of(room.at("m.pt"), set), 1e-6, 1e-6));
}

TEST_CASE("channels go with their normalization and with what flatten makes of them") {
  const TempFolder folder;
  const std::string file = (folder.path() / "conv.pt").string();
  std::vector<float> positive(6, 1.0F), next(4 * 6 * 2 * 2);
  for (std::size_t i = 0; i < next.size(); ++i) next[i] = i / 4 % 6 == 2 || i / 4 % 6 == 5 ? 0.0F : std::sin(i + 1.0F);
  std::vector<float> linear(3 * 16);
  for (std::size_t i = 0; i < linear.size(); ++i) linear[i] = i % 16 / 4 == 1 ? 0.0F : std::cos(i + 1.0F);
  save_script(file,
              "def forward(self, x: Tensor):\n"
              "  x = torch.conv2d(x, self.w1, None, [1, 1], [1, 1])\n"
              "  x = torch.batch_norm(x, self.g, self.s, self.m, self.v, False, 0.1, 1e-05, False)\n"
              "  x = torch.max_pool2d(torch.relu(x), [2, 2])\n"
              "  x = torch.relu(torch.conv2d(x, self.w2, self.b2, [1, 1], [0, 0]))\n"
              "  return torch.linear(torch.flatten(x, 1), self.w3, None)\n",
              {{"w1", {6, 1, 3, 3}, {}},
               {"g", {6}, {}},
               {"s", {6}, {}},
               {"m", {6}, {}},
               {"v", {6}, positive},
               {"w2", {4, 6, 2, 2}, next},
               {"b2", {4}, {}},
               {"w3", {3, 16}, linear}});
  auto module = torch::jit::load(file);
  module.eval();
  const torch::NoGradGuard no_gradients;
  const auto x = torch::linspace(-1, 1, 2 * 36).view({2, 1, 6, 6});
  const auto exact = module.forward({x}).toTensor();
  auto narrow = torch::jit::load(file);
  narrow.eval();
  CHECK(hidden_widths(narrow) == std::vector<std::size_t>{6, 4});
  prune(narrow, {4, 3});
  CHECK(narrow.attr("w1").toTensor().size(0) == 4);
  CHECK(narrow.attr("v").toTensor().size(0) == 4);
  CHECK(narrow.attr("w2").toTensor().sizes().vec() == std::vector<std::int64_t>{3, 4, 2, 2});
  CHECK(narrow.attr("b2").toTensor().size(0) == 3);
  CHECK(narrow.attr("w3").toTensor().sizes().vec() == std::vector<std::int64_t>{3, 12});
  CHECK(narrow.forward({x}).toTensor().allclose(exact, 1e-5, 1e-5));
}

TEST_CASE("layers whose outputs are read twice, or whose weights are shared, keep their width") {
  const TempFolder folder;
  const std::string file = (folder.path() / "m.pt").string();
  const std::vector<Parameter> parameters = {{"w", {8, 8}, {}}, {"v", {8, 8}, {}}, {"u", {3, 8}, {}}};
  for (const char* source : {"def forward(self, x: Tensor):\n  h = torch.relu(torch.linear(x, self.w, None))\n"
                             "  return torch.linear(torch.linear(h, self.v, None) + h, self.u, None)\n",
                             "def forward(self, x: Tensor):\n  h = torch.relu(torch.linear(x, self.w, None))\n"
                             "  return torch.linear(torch.relu(torch.linear(h, self.w, None)), self.w, None)\n",
                             "def forward(self, x: Tensor):\n  h = torch.softmax(torch.linear(x, self.w, None), 1)\n"
                             "  return torch.linear(h, self.u, None)\n"}) {
    INFO(source);
    save_script(file, source, parameters);
    CHECK(hidden_widths(torch::jit::load(file)).empty());
  }
}

TEST_CASE("what cannot be trained or pruned is refused in one line that names the file") {
  const Class room;
  const auto set = clouds(30);
  save_script(room.at("none.pt"), "def forward(self, x: Tensor):\n  return torch.narrow(x, 1, 0, 3) * 2.0\n", {});
  CHECK_THAT(room.refusal(step_of(kTrain, 1), "none.pt", set), Contains("none.pt: nothing to train"));
  save_script(room.at("one.pt"), "def forward(self, x: Tensor):\n  return torch.linear(x, self.w, None)\n",
              {{"w", {3, 8}, {}}});
  CHECK_THAT(room.refusal(step_of(kPrune, 1), "one.pt", set), Contains("one.pt: nothing to prune"));
  save_script(room.at("two.pt"), "def forward(self, x: Tensor):\n  return torch.linear(x, self.w, None)\n",
              {{"w", {2, 8}, {}}});
  CHECK_THAT(room.refusal(step_of(kTrain, 1), "two.pt", set), Contains("gives 2 scores, and the labels go up to 2"));
  CHECK_THAT(room.refusal(step_of(kTrain, 1), "gone.pt", set), Contains("gone.pt: no such file"));
  std::ofstream(room.at("cut.pt")) << bytes_of(room.at("two.pt")).substr(0, 300);
  CHECK_THAT(room.refusal(step_of(kTrain, 1), "cut.pt", set), Contains("cut.pt: "));
  room.fresh("s.pt", 4);
  auto wide = teacher_of(room.at("s.pt"));
  wide.inputs[0].shape = {1, 9};
  CHECK_THAT(ask_teacher(wide, set, room.options).error().message, Contains("does not hold as many elements"));
}
