#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <optional>

#include <catch2/catch.hpp>

#include "runtime/edge/quantize.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;

namespace {

EdgeBinding bind_batch(const std::string& file, std::vector<std::int64_t> in, std::vector<std::int64_t> out) {
  auto binding = bind(file, std::move(in), std::move(out));
  binding.batch_max = 8;
  return binding;
}

/// Rows of `width` numbers, no two alike.
std::vector<std::vector<Tensor>> rows_of(std::int64_t width, std::size_t count) {
  std::vector<std::vector<Tensor>> rows;
  for (std::size_t row = 0; row < count; ++row) {
    std::vector<float> values(static_cast<std::size_t>(width));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(3 * row + i * (row + 1)));
    rows.push_back({Tensor::of_floats("x", {1, width}, values)});
  }
  return rows;
}

std::vector<EdgeModel::Outputs> together(EdgeModel& model, const std::vector<std::vector<Tensor>>& rows) {
  const std::vector<BatchedModel::Inputs> batch(rows.begin(), rows.end());
  std::promise<std::vector<EdgeModel::Outputs>> answers;
  model.batched()->start_batch(batch, [&](auto given) { answers.set_value(std::move(given)); });
  return answers.get_future().get();
}

float difference(const EdgeModel::Outputs& one, const EdgeModel::Outputs& other) {
  REQUIRE(one.ok());
  REQUIRE(other.ok());
  CHECK(one.value()[0].shape == other.value()[0].shape);
  const auto a = one.value()[0].floats(), b = other.value()[0].floats();
  REQUIRE(a.size() == b.size());
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("Requests that share a pass are answered as they are alone", "[batch]") {
  TempFolder folder;
  save_perceptron(folder.path() / "float.pt");
  std::string file = folder.path() / "float.pt";
  if (GENERATE(false, true)) {  // our int8 layers scale each row for itself
    file = folder.path() / "int8.pt";
    REQUIRE(edge::quantize_dynamic(folder.path() / "float.pt", file, edge::LayerKind::kInt8).ok());
  }
  edge::TorchEngine engine(1);
  const auto model = engine.load(bind_batch(file, {1, 64}, {1, 10}));
  REQUIRE(model.ok());
  REQUIRE(model.value()->batched() != nullptr);
  for (std::size_t size = 1; size <= 8; ++size) {
    const auto rows = rows_of(64, size);
    const auto answers = together(*model.value(), rows);
    REQUIRE(answers.size() == size);
    for (std::size_t i = 0; i < size; ++i) {
      CHECK(difference(answers[i], model.value()->run(rows[i])) < 1e-5f);
      if (i > 0) CHECK(difference(answers[i], answers[i - 1]) > 1e-3f);
    }
  }
}

TEST_CASE("A model in which one request has a part in another's answer makes no batches, and the log says so",
          "[batch]") {
  TempFolder folder;
  const std::string file = folder.path() / "m.pt";
  SECTION("a mean over all rows") {
    save_script(file, "def forward(self, x: Tensor):\n  return x - torch.mean(x)\n", {});
  }
  SECTION("LibTorch's int8: one scale for all rows") {
    save_script(folder.path() / "float.pt", "def forward(self, x: Tensor):\n  return torch.linear(x, self.w)\n",
                {{"w", {2, 2}, {1, 2, 3, 4}}});
    if (!edge::quantize_dynamic(folder.path() / "float.pt", file).ok()) return;  // a LibTorch without int8
  }
  SECTION("rows laid end to end") {
    save_script(file, "def forward(self, x: Tensor):\n  return torch.reshape(x, [2]).reshape([1, 2])\n", {});
  }
  std::vector<std::string> lines;
  edge::TorchEngine engine(1, [&](std::string_view line) { lines.emplace_back(line); });
  const auto model = engine.load(bind_batch(file, {1, 2}, {1, 2}));
  INFO((model.ok() ? "" : model.error().message));
  REQUIRE(model.ok());
  CHECK(model.value()->batched() == nullptr);
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], Contains("m.pt: ") && Contains("batch"));
  CHECK(model.value()->run(rows_of(2, 1)[0]).ok());
}

TEST_CASE("Without a batch_max, or with shapes that show no batch, a model makes no batches", "[batch]") {
  TempFolder folder;
  save_linear(folder.path() / "m.pt");
  edge::TorchEngine engine(1);
  const auto alone = engine.load(bind(folder.path() / "m.pt", {1, 2}, {1, 2}));
  REQUIRE(alone.ok());
  CHECK(alone.value()->batched() == nullptr);
  const auto open = engine.load(bind_batch(folder.path() / "m.pt", {-1, 2}, {-1, 2}));
  REQUIRE(open.ok());
  CHECK(open.value()->batched() == nullptr);
}

TEST_CASE("A request that the model cannot compute fails alone", "[batch]") {
  TempFolder folder;
  save_script(folder.path() / "m.pt",
              "def forward(self, x: Tensor):\n  assert float(torch.max(x)) <= 1000.0, \"too large\"\n  return x + x\n",
              {});
  edge::TorchEngine engine(1);
  const auto model = engine.load(bind_batch(folder.path() / "m.pt", {1, 2}, {1, 2}));
  REQUIRE(model.ok());
  REQUIRE(model.value()->batched() != nullptr);
  auto rows = rows_of(2, 4);
  const float large[] = {98765, 0};
  rows[2] = {Tensor::of_floats("x", {1, 2}, large)};
  const auto answers = together(*model.value(), rows);
  REQUIRE(answers.size() == 4);
  for (const std::size_t i : {0u, 1u, 3u}) CHECK(difference(answers[i], model.value()->run(rows[i])) == 0);
  REQUIRE_FALSE(answers[2].ok());
  CHECK_THAT(answers[2].error().message, Contains("raised an exception of its own") && !Contains("98765"));
}

TEST_CASE("A request of the wrong size fails alone", "[batch]") {
  TempFolder folder;
  save_linear(folder.path() / "m.pt");
  edge::TorchEngine engine(1);
  const auto model = engine.load(bind_batch(folder.path() / "m.pt", {1, 2}, {1, 2}));
  REQUIRE(model.ok());
  auto rows = rows_of(2, 3);
  rows[1].clear();
  const auto answers = together(*model.value(), rows);
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].ok());
  CHECK_FALSE(answers[1].ok());
  CHECK(answers[2].ok());
}

TEST_CASE("A model that works in place leaves the requests of a batch as they were", "[batch]") {
  TempFolder folder;
  save_script(folder.path() / "m.pt", "def forward(self, x: Tensor):\n  return x.add_(1.0)\n", {});
  edge::TorchEngine engine(1);
  const auto model = engine.load(bind_batch(folder.path() / "m.pt", {1, 2}, {1, 2}));
  REQUIRE(model.ok());
  REQUIRE(model.value()->batched() != nullptr);
  const auto rows = rows_of(2, 3);
  const auto before = rows;
  const auto answers = together(*model.value(), rows);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(rows[i][0].data == before[i][0].data);
    CHECK(answers[i].value()[0].floats()[0] == before[i][0].floats()[0] + 1);
  }
}

TEST_CASE("An engine that has stopped gives each request of a batch its answer", "[batch]") {
  TempFolder folder;
  save_linear(folder.path() / "m.pt");
  auto engine = std::make_optional<edge::TorchEngine>(1);
  const auto model = engine->load(bind_batch(folder.path() / "m.pt", {1, 2}, {1, 2}));
  REQUIRE(model.ok());
  engine.reset();
  const auto answers = together(*model.value(), rows_of(2, 3));
  REQUIRE(answers.size() == 3);
  for (const auto& answer : answers) CHECK(answer.error().code == ErrorCode::kCancelled);
}
