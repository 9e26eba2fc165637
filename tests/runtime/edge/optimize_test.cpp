#include <torch/library.h>
#include <torch/script.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "runtime/edge/optimize.h"
#include "runtime/edge/quantize.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;
using edge::LayerKind;
using edge::Spread;

namespace {

std::vector<float> numbers(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::cos(static_cast<float>(i) * 0.37F);
  return values;
}

/// Times that no clock gave: `layer` by LayerKind, `model` for the float one and the candidate. Each call runs once.
auto pretend(std::vector<double> layer, std::vector<double> model) {
  return [=](std::span<const std::function<void()>> calls) {
    std::vector<Spread> spreads;
    const auto& times = calls.size() == 2 ? model : layer;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      calls[i]();
      spreads.push_back({times.at(i), times.at(i), times.at(i)});
    }
    return spreads;
  };
}

std::vector<double> fastest(LayerKind kind) {
  std::vector<double> times = {100, 90, 80, 70};
  times[static_cast<std::size_t>(kind)] = 10;
  return times;
}

std::vector<float> answers_of(EdgeModel& model, std::int64_t batch, std::int64_t in) {
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {batch, in}, numbers(batch * in))};
  const auto outputs = model.run(inputs);
  INFO((outputs.ok() ? "" : outputs.error().message));
  REQUIRE(outputs.ok());
  const auto floats = outputs.value()[0].floats();
  return {floats.begin(), floats.end()};
}

/// Largest difference as a share of the largest exact value.
double difference(const std::vector<float>& exact, const std::vector<float>& near) {
  REQUIRE(exact.size() == near.size());
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    worst = std::max(worst, static_cast<double>(std::abs(exact[i] - near[i])));
    largest = std::max(largest, static_cast<double>(std::abs(exact[i])));
  }
  return worst / largest;
}

/// A model file, where its optimized twin goes, and what optimize() is asked by default.
struct Bench {
  Bench(std::int64_t inputs, std::int64_t outputs) : in(inputs), out(outputs) {}

  edge::OptimizeOptions options() {
    edge::OptimizeOptions asked;
    asked.binding = bind(file, {-1, in}, {-1, out});
    asked.out_file = out_file;
    asked.inputs = {Tensor::of_floats("x", {2, in}, numbers(2 * in))};
    asked.loss = [](EdgeModel&) -> Result<double> { return 0.0; };
    asked.measure = pretend(fastest(LayerKind::kInt8), {100, 50});
    return asked;
  }
  edge::Optimized optimize(const edge::OptimizeOptions& asked) {
    auto done = edge::optimize(engine, asked);
    INFO((done.ok() ? "" : done.error().message));
    REQUIRE(done.ok());
    return std::move(done).value();
  }
  std::vector<float> answers(const std::string& of, std::int64_t batch = 3) {
    const auto model = engine.load(bind(of, {-1, in}, {-1, out}));
    INFO((model.ok() ? "" : model.error().message));
    REQUIRE(model.ok());
    return answers_of(**model, batch, in);
  }
  Error refusal() {
    const auto done = edge::optimize(engine, options());
    REQUIRE_FALSE(done.ok());
    CHECK(is_one_line(done.error().message));
    CHECK(only_the_model());
    return done.error();
  }
  bool only_the_model() const {
    const auto files = std::distance(std::filesystem::directory_iterator(folder.path()), {});
    return files <= 1 && !std::filesystem::exists(out_file);
  }

  TempFolder folder;
  edge::TorchEngine engine{1};
  std::int64_t in, out;
  std::string file = folder.path() / "model.pt", out_file = folder.path() / "fast.pt";
};

}  // namespace

TEST_CASE(
    "Each layer gets its fastest kind, and the written file loads in the engine and answers nearly as the float") {
  for (const auto& [kind, tolerance] :
       {std::pair(LayerKind::kTorchInt8, 0.03), std::pair(LayerKind::kInt8, 0.03), std::pair(LayerKind::kInt4, 0.3)}) {
    INFO(edge::name_of(kind));
    Bench bench(64, 10);
    save_perceptron(bench.file);
    auto asked = bench.options();
    asked.measure = pretend(fastest(kind), {100, 50});
    const auto done = bench.optimize(asked);
    CHECK(done.written);
    REQUIRE(done.layers.size() == 2);
    CHECK(done.layers[0].activation == "relu");
    CHECK(done.layers[1].activation == "none");
    CHECK(done.layers[0].rows == 2);
    for (const auto& layer : done.layers) CHECK(layer.chosen == kind);
    const auto exact = bench.answers(bench.file);
    const auto near = bench.answers(bench.out_file);
    CHECK(difference(exact, near) < tolerance);
    CHECK(difference(exact, near) > 0);  // Else nothing was quantized.
    CHECK(bench.answers(bench.out_file) == near);
    CHECK(done.bytes_after == std::filesystem::file_size(bench.out_file));
    CHECK(done.bytes_after < done.bytes_before);
    CHECK_FALSE(std::filesystem::exists(bench.out_file + ".candidate"));
  }
}

TEST_CASE("Odd widths, GELU, no bias and an empty batch come out as they went in") {
  Bench bench(61, 7);
  save_script(bench.file,
              "def forward(self, x: Tensor):\n"
              "  return torch.linear(torch.gelu(torch.linear(x, self.w1, None)), self.w2, self.b2)\n",
              {{"w1", {33, 61}, {}}, {"w2", {7, 33}, {}}, {"b2", {7}, {}}});
  const auto done = bench.optimize(bench.options());
  REQUIRE(done.layers.size() == 2);
  CHECK(done.layers[0].activation == "gelu");
  for (const auto& layer : done.layers) CHECK(layer.chosen == LayerKind::kInt8);
  CHECK(difference(bench.answers(bench.file), bench.answers(bench.out_file)) < 0.03);
  CHECK(bench.answers(bench.out_file, 0).empty());
}

TEST_CASE("An activation that others read too is not fused away") {
  Bench bench(64, 16);
  save_script(bench.file,
              "def forward(self, x: Tensor):\n"
              "  h = torch.linear(x, self.w, self.b)\n"
              "  return torch.relu(h) + h\n",
              {{"w", {16, 64}, {}}, {"b", {16}, {}}});
  const auto done = bench.optimize(bench.options());
  CHECK(done.layers.at(0).activation == "none");
  CHECK(difference(bench.answers(bench.file), bench.answers(bench.out_file)) < 0.03);
}

TEST_CASE("Shared weights and layers 1 wide stay as they are, beside one that is optimized") {
  Bench bench(16, 1);
  save_script(bench.file,
              "def forward(self, x: Tensor):\n"
              "  h = torch.linear(torch.relu(torch.linear(x, self.w, self.b)), self.w, self.b)\n"
              "  return torch.linear(torch.linear(h, self.v, None), self.u, None)\n",
              {{"w", {16, 16}, {}}, {"b", {16}, {}}, {"v", {12, 16}, {}}, {"u", {1, 12}, {}}});
  const auto done = bench.optimize(bench.options());
  REQUIRE(done.layers.size() == 4);
  CHECK(done.layers[0].why_float == "shared weights");
  CHECK(done.layers[1].why_float == "shared weights");
  CHECK(done.layers[2].chosen == LayerKind::kInt8);
  CHECK(done.layers[3].why_float == "1 wide");
  CHECK_FALSE(done.layers[3].times[0]);
  CHECK(difference(bench.answers(bench.file), bench.answers(bench.out_file)) < 0.03);
}

TEST_CASE("A layer that the measured pass does not reach stays as it is") {
  Bench bench(16, 16);
  save_script(bench.file,
              "def forward(self, x: Tensor):\n"
              "  if bool(x.sum() > 1000.0):\n"
              "    x = torch.linear(x, self.w, None)\n"
              "  return torch.linear(x, self.v, None)\n",
              {{"w", {16, 16}, {}}, {"v", {16, 16}, std::vector<float>(256, 0.25F)}});
  const auto done = bench.optimize(bench.options());
  REQUIRE(done.layers.size() == 2);
  CHECK_THAT(done.layers[0].why_float, Contains("not reached"));
  CHECK(done.layers[1].chosen == LayerKind::kInt8);
}

TEST_CASE("A file that was frozen before, its weights transposed in a product, is optimized too") {
  Bench bench(64, 10);
  const std::string plain = bench.folder.path() / "plain.pt";
  save_script(plain,
              "def forward(self, x: Tensor):\n  return torch.addmm(self.b, x, torch.t(self.w), beta=1, alpha=1)\n",
              {{"w", {10, 64}, {}}, {"b", {10}, {}}});
  auto module = torch::jit::load(plain);
  module.eval();
  module.register_attribute("training", c10::BoolType::get(), false);
  torch::jit::freeze(module).save(bench.file);
  const auto done = bench.optimize(bench.options());
  REQUIRE(done.layers.size() == 1);
  CHECK(done.layers[0].why_float == "");
  CHECK(done.layers[0].chosen == LayerKind::kInt8);
  CHECK(difference(bench.answers(bench.file), bench.answers(bench.out_file)) < 0.03);
}

TEST_CASE("A kind that misses the budget gives way to the next fastest one that does not") {
  Bench bench(64, 10);
  save_perceptron(bench.file);
  const auto exact = bench.answers(bench.file, 2);
  auto asked = bench.options();
  asked.measure = pretend({100, 90, 20, 10}, {100, 50});  // int4 is fastest.
  asked.loss = [&](EdgeModel& model) -> Result<double> { return difference(exact, answers_of(model, 2, 64)); };
  asked.loss_max = 0.03;
  const auto done = bench.optimize(asked);
  CHECK(done.written);
  for (const auto& layer : done.layers) CHECK(layer.chosen == LayerKind::kInt8);
  CHECK(done.loss <= 0.03);
  CHECK(done.loss == difference(exact, bench.answers(bench.out_file, 2)));
}

TEST_CASE("Where nothing stays within the budget, or is a number, nothing is written and every layer says why") {
  for (const double loss : {1.0, std::numeric_limits<double>::quiet_NaN()}) {
    Bench bench(64, 10);
    save_perceptron(bench.file);
    auto asked = bench.options();
    asked.loss = [&](EdgeModel&) -> Result<double> { return loss; };
    asked.loss_max = 0.5;
    const auto done = bench.optimize(asked);
    CHECK_FALSE(done.written);
    CHECK_THAT(done.why_not, Contains("no layer can be made faster"));
    for (const auto& layer : done.layers) CHECK_THAT(layer.why_float, Contains("misses the accuracy budget"));
    CHECK(bench.only_the_model());
  }
}

TEST_CASE("A model that is not faster as a whole is not written, however fast its layers are alone") {
  Bench bench(64, 10);
  save_perceptron(bench.file);
  auto asked = bench.options();
  asked.measure = pretend(fastest(LayerKind::kInt8), {100, 99});
  const auto done = bench.optimize(asked);
  CHECK_FALSE(done.written);
  for (const auto& layer : done.layers) {
    CHECK(layer.chosen == LayerKind::kFloat);
    CHECK_THAT(layer.why_float, Contains("the whole model was not faster"));
  }
  CHECK(bench.only_the_model());

  asked.measure = pretend({10, 20, 30, 40}, {100, 50});
  CHECK(bench.optimize(asked).layers.at(0).why_float == "float is fastest");
}

TEST_CASE("Real clocks measure every kind, with a spread, and what is written is faster than what was there") {
  Bench bench(64, 10);
  save_perceptron(bench.file);
  auto asked = bench.options();
  asked.measure = {};
  const auto done = bench.optimize(asked);
  for (const auto& layer : done.layers) {
    for (const auto& spread : layer.times) {
      REQUIRE(spread);
      CHECK(0 < spread->p10_us);
      CHECK(spread->p10_us <= spread->p50_us);
      CHECK(spread->p50_us <= spread->p90_us);
    }
  }
  CHECK(done.written == std::filesystem::exists(bench.out_file));
  CHECK((!done.written || done.after.p50_us < done.before.p50_us));
}

TEST_CASE("Layers that PyTorch quantized become ours where that is faster, weights bit for bit") {
  for (const bool relu : {false, true}) {
    Bench bench(64, 10);
    const std::string plain = bench.folder.path() / "float.pt";
    save_perceptron(plain);
    REQUIRE(edge::quantize_dynamic(plain, bench.file, LayerKind::kTorchInt8).ok());
    if (relu) bench.file = save_with_built_in_relu(bench.file);
    const auto before = bench.answers(bench.file);
    auto asked = bench.options();
    asked.measure = pretend({100, 10, 70}, {100, 50});  // LibTorch's int8, ours, our int4.
    const auto done = bench.optimize(asked);
    REQUIRE(done.layers.size() == 2);
    CHECK(done.layers[0].activation == "relu");
    for (const auto& layer : done.layers) {
      CHECK(layer.was == LayerKind::kTorchInt8);
      CHECK(layer.chosen == LayerKind::kInt8);
      CHECK_FALSE(layer.times[0]);  // Float would be larger, so it is not measured.
    }
    // Only the activations' eighth bit differs.
    CHECK(difference(before, bench.answers(bench.out_file)) < 0.02);
    CHECK(difference(bench.answers(plain), bench.answers(bench.out_file)) < 0.02);

    asked.measure = pretend({10, 20, 30}, {100, 50});
    CHECK(bench.optimize(asked).layers.at(0).why_float == "LibTorch's int8 is fastest");
  }
}

TEST_CASE("Static int8 convolutions of PyTorch's run as they are, beside a linear layer that becomes ours") {
  Bench bench(36, 3);
  save_static_int8(bench.file);
  const auto before = bench.answers(bench.file, 1);
  const auto done = bench.optimize(bench.options());
  REQUIRE(done.layers.size() == 1);
  CHECK(done.layers[0].chosen == LayerKind::kInt8);
  CHECK(difference(before, bench.answers(bench.out_file, 1)) < 0.03);
}

TEST_CASE("Convolutions become int8 with the range that calibration shows, load again, and take an empty batch") {
  Bench bench(64, 4);
  save_convolutions(bench.file);
  auto asked = bench.options();
  asked.measure = [](std::span<const std::function<void()>> calls) {
    for (const auto& call : calls) call();
    std::vector<Spread> spreads = {{100, 100, 100}, {10, 10, 10}};  // Float, then our int8: of a layer, of the model.
    CHECK(calls.size() == 2);
    return spreads;
  };
  const auto done = bench.optimize(asked);
  REQUIRE(done.layers.size() == 2);
  CHECK(done.layers[0].op == "conv2d");
  CHECK(done.layers[0].activation == "relu");
  CHECK(done.layers[0].inputs == 9);
  CHECK(done.layers[0].rows == 2 * 64);
  CHECK(done.layers[1].inputs == 9 * 18);
  for (const auto& layer : done.layers) CHECK(layer.chosen == LayerKind::kInt8);
  const auto exact = bench.answers(bench.file, 2), near = bench.answers(bench.out_file, 2);
  CHECK(difference(exact, near) < 0.03);
  CHECK(difference(exact, near) > 0);
  CHECK(bench.answers(bench.out_file, 2) == near);
  CHECK(done.bytes_after < done.bytes_before);
  CHECK(bench.answers(bench.out_file, 0).empty());

  // A range from other passes: what is beyond it is cut off.
  asked.calibration = {{Tensor::of_floats("x", {1, 64}, std::vector<float>(64, 50.0F))}};
  CHECK(bench.optimize(asked).written);
  CHECK(difference(exact, bench.answers(bench.out_file, 2)) > difference(exact, near));
}

TEST_CASE("Convolutions of several groups stay as they are") {
  Bench bench(64, 64);
  save_script(bench.file,
              "def forward(self, x: Tensor):\n"
              "  y = torch.conv2d(torch.reshape(x, [-1, 2, 4, 8]), self.w, None, [1, 1], [1, 1], [1, 1], 2)\n"
              "  return torch.linear(torch.flatten(y, 1), self.v, None)\n",
              {{"w", {2, 1, 3, 3}, {}}, {"v", {64, 64}, {}}});
  const auto done = bench.optimize(bench.options());
  REQUIRE(done.layers.size() == 1);
  CHECK(done.layers[0].op == "linear");
}

TEST_CASE("A file that may only be so large gets smaller kinds, or is refused with its size") {
  Bench bench(64, 10);
  save_perceptron(bench.file);
  auto asked = bench.options();
  const auto int8_bytes = bench.optimize(asked).bytes_after;
  asked.bytes_max = int8_bytes - 200;
  const auto smaller = bench.optimize(asked);
  CHECK(smaller.written);
  CHECK(smaller.bytes_after <= asked.bytes_max);
  CHECK(smaller.layers[0].chosen == LayerKind::kInt4);  // The largest first.
  CHECK(smaller.layers[1].chosen == LayerKind::kInt8);
  std::filesystem::remove(bench.out_file);
  asked.bytes_max = 100;
  const auto refused = bench.optimize(asked);
  CHECK_FALSE(refused.written);
  CHECK_THAT(refused.why_not, Contains("more than the 100 that it may"));
  CHECK(bench.only_the_model());
}

TEST_CASE("What an earlier run measured is not measured again") {
  Bench bench(64, 10);
  save_perceptron(bench.file);
  auto asked = bench.options();
  std::map<std::size_t, edge::LayerTimes> seen;
  asked.measured = [&](std::size_t layer, const edge::LayerTimes& times) { seen[layer] = times; };
  bench.optimize(asked);
  REQUIRE(seen.size() == 2);
  asked.known = std::exchange(seen, {});
  asked.known.erase(1);
  asked.known[0][static_cast<std::size_t>(LayerKind::kInt4)] = Spread{1, 1, 1};
  const auto done = bench.optimize(asked);
  CHECK(seen.size() == 1);
  CHECK(seen.contains(1));
  CHECK(done.layers[0].chosen == LayerKind::kInt4);
}

TEST_CASE("Weights and biases that are not finite are refused, naming the layer") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const auto& [weight, bias] : {std::pair(nan, 0.0F), std::pair(infinity, 0.0F), std::pair(1.0F, -infinity)}) {
    Bench bench(2, 2);
    save_script(bench.file, "def forward(self, x: Tensor):\n  return torch.linear(x, self.w, self.b)\n",
                {{"w", {2, 2}, {1, 2, weight, 4}}, {"b", {2}, {bias, 0}}});
    const auto error = bench.refusal();
    CHECK(error.code == ErrorCode::kInvalidArgument);
    CHECK_THAT(error.message, Contains("layer 0 (2 to 2): a weight or bias is NaN or infinite"));
  }
}

TEST_CASE("A file without linear layers, cut short, missing, or with an operator unknown here is refused in one line") {
  Bench bench(2, 2);
  CHECK(bench.refusal().code == ErrorCode::kNotFound);

  save_script(bench.file, "def forward(self, x: Tensor):\n  return x + 1.0\n", {});
  CHECK_THAT(bench.refusal().message, Contains("no linear layer with constant FP32 weights"));

  save_linear(bench.file);
  const std::string whole = bytes_of(bench.file);
  write_bytes(bench.file, std::string_view(whole).substr(0, whole.size() / 2));
  CHECK(bench.refusal().code == ErrorCode::kCorrupt);

  {
    torch::Library gone(torch::Library::DEF, "hearth_test", c10::nullopt, __FILE__, __LINE__);
    gone.def("gone(Tensor x) -> Tensor", [](const at::Tensor& x) { return x; });
    auto graph = std::make_shared<torch::jit::Graph>();
    torch::jit::Module module("module");
    auto* const self = graph->addInput("self");
    self->setType(module.type());
    auto* const x = graph->addInput("x");
    graph->registerOutput(graph->insert(c10::Symbol::fromQualString("hearth_test::gone"), {x}));
    module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(
        c10::QualifiedName(*module.type()->name(), "forward"), graph));
    module.save(bench.file);
  }
  const auto unknown = bench.refusal();
  CHECK(unknown.code == ErrorCode::kCorrupt);
  CHECK_THAT(unknown.message, Contains("hearth_test::gone"));
}

TEST_CASE("A place that cannot be written is named") {
  Bench bench(64, 10);
  save_perceptron(bench.file);
  bench.out_file = bench.folder.path() / "none" / "fast.pt";
  const auto error = bench.refusal();
  CHECK(error.code == ErrorCode::kUnavailable);
  CHECK_THAT(error.message, Contains("none/fast.pt") && Contains("cannot be written"));
}
