#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "runtime/edge/quantize.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;

namespace {

std::vector<float> perceptron_input() {
  std::vector<float> values(64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) / 7;
  return values;
}

std::vector<float> scores_of(edge::TorchEngine& engine, const std::string& file) {
  const auto model = engine.load(bind(file, {1, 64}, {1, 10}));
  INFO((model.ok() ? "" : model.error().message));
  REQUIRE(model.ok());
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {1, 64}, perceptron_input())};
  const auto outputs = model.value()->run(inputs);
  REQUIRE(outputs.ok());
  const auto floats = outputs.value()[0].floats();
  return {floats.begin(), floats.end()};
}

}  // namespace

TEST_CASE("A quantized file is smaller, answers nearly the same, and the same after each load") {
  TempFolder folder;
  const std::string plain = folder.path() / "float.pt";
  const std::string int8 = folder.path() / "int8.pt";
  save_perceptron(plain);
  const auto quantized = edge::quantize_dynamic(plain, int8);
  REQUIRE(quantized.ok());
  CHECK(quantized.value().layers == 2);

  edge::TorchEngine engine(1);
  const auto exact = scores_of(engine, plain);
  const auto near = scores_of(engine, int8);
  const float largest = std::abs(*std::ranges::max_element(exact, {}, [](float x) { return std::abs(x); }));
  float worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) worst = std::max(worst, std::abs(exact[i] - near[i]));
  CHECK(worst < 0.03f * largest);  // A hundredth is the step of an 8-bit activation; two layers, some slack.
  CHECK(worst > 0);                // Else nothing was quantized.
  CHECK(scores_of(engine, int8) == near);
  CHECK(std::filesystem::file_size(int8) < std::filesystem::file_size(plain));
}

TEST_CASE("A large quantized file gets the engine for large layers, and both kinds run side by side") {
  TempFolder folder;
  const std::string small = folder.path() / "small.pt";
  const std::string large = folder.path() / "large.pt";
  save_perceptron(folder.path() / "float.pt");
  REQUIRE(edge::quantize_dynamic(folder.path() / "float.pt", small).ok());
  save_script(folder.path() / "wide.pt",
              "def forward(self, x: Tensor):\n  return torch.narrow(torch.linear(x, self.w, None), 1, 0, 10)\n",
              {{"w", {6000, 64}, {}}});
  REQUIRE(edge::quantize_dynamic(folder.path() / "wide.pt", large).value().layers == 1);
  edge::TorchEngine engine(1);
  const auto before = scores_of(engine, small);
  const auto wide = scores_of(engine, large);
  CHECK(scores_of(engine, small) == before);
  const auto exact = scores_of(engine, folder.path() / "wide.pt");
  CHECK(std::abs(wide[0] - exact[0]) < 0.03f * std::abs(*std::ranges::max_element(exact)));
  CHECK(edge::TorchEngine::quantized_engine(std::filesystem::file_size(small)) != "none");
}

TEST_CASE("Quantized layers log nothing, call after call") {
  TempFolder folder;
  save_perceptron(folder.path() / "float.pt");
  Terminal terminal(folder.path() / "terminal.txt");
  std::vector<std::string> lines;
  edge::TorchEngine engine(1, [&](std::string_view line) { lines.emplace_back(line); });
  const bool quantized = edge::quantize_dynamic(folder.path() / "float.pt", folder.path() / "int8.pt").ok();
  const auto model = engine.load(bind(folder.path() / "int8.pt", {1, 64}, {1, 10}));
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {1, 64}, perceptron_input())};
  const bool ran = model.ok() && model.value()->run(inputs).ok() && model.value()->run(inputs).ok();
  CHECK(terminal.text() == "");
  CHECK(quantized);
  CHECK(ran);
  CHECK(lines.empty());
}

TEST_CASE("A linear layer written as matrix products is found too") {
  TempFolder folder;
  save_script(folder.path() / "m.pt",
              "def forward(self, x: Tensor):\n  return torch.addmm(self.b, x, torch.t(self.w), beta=1, alpha=1)\n",
              {{"w", {10, 64}, {}}, {"b", {10}, {}}});
  const auto quantized = edge::quantize_dynamic(folder.path() / "m.pt", folder.path() / "int8.pt");
  INFO((quantized.ok() ? "" : quantized.error().message));
  REQUIRE(quantized.ok());
  CHECK(quantized.value().layers == 1);
}

TEST_CASE("Our own kernels make a file that is the same each time, smaller, and answers nearly as the float one") {
  TempFolder folder;
  const std::string plain = folder.path() / "float.pt";
  const std::string ours = folder.path() / "ours.pt";
  save_perceptron(plain);
  edge::TorchEngine engine(1);
  const auto exact = scores_of(engine, plain);
  const float largest = std::abs(*std::ranges::max_element(exact, {}, [](float x) { return std::abs(x); }));
  for (const auto& [kind, tolerance] :
       {std::pair(edge::LayerKind::kInt8, 0.03f), std::pair(edge::LayerKind::kInt4, 0.3f)}) {
    REQUIRE(edge::quantize_dynamic(plain, ours, kind).value().layers == 2);
    const std::string bytes = bytes_of(ours);
    CHECK(bytes.size() < std::filesystem::file_size(plain));
    const auto near = scores_of(engine, ours);
    float worst = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) worst = std::max(worst, std::abs(exact[i] - near[i]));
    CHECK(worst < tolerance * largest);
    CHECK(worst > 0);
    REQUIRE(edge::quantize_dynamic(plain, ours, kind).ok());
    CHECK(bytes_of(ours) == bytes);
  }
}

TEST_CASE("What cannot be quantized is refused in one line and leaves no file") {
  TempFolder folder;
  const std::string out = folder.path() / "out.pt";
  const auto refusal = [&](const std::string& in) {
    const auto quantized = edge::quantize_dynamic(in, out);
    REQUIRE_FALSE(quantized.ok());
    CHECK(is_one_line(quantized.error().message));
    CHECK_FALSE(std::filesystem::exists(out));
    return quantized.error();
  };
  CHECK(refusal(folder.path() / "none.pt").code == ErrorCode::kNotFound);

  write_bytes(folder.path() / "text.pt", "not a model");
  CHECK(refusal(folder.path() / "text.pt").code == ErrorCode::kCorrupt);

  save_script(folder.path() / "plain.pt", "def forward(self, x: Tensor):\n  return x + 1.0\n", {});
  CHECK_THAT(refusal(folder.path() / "plain.pt").message, Contains("nothing to quantize: no linear layer"));

  save_perceptron(folder.path() / "float.pt");
  const auto nowhere = edge::quantize_dynamic(folder.path() / "float.pt", folder.path() / "none" / "out.pt");
  REQUIRE_FALSE(nowhere.ok());
  CHECK_THAT(nowhere.error().message, Contains("none/out.pt: cannot be written"));
  CHECK(is_one_line(nowhere.error().message));
}
