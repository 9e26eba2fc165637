#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/script.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "runtime/edge/linear_ops.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
using Catch::Matchers::Contains;
using edge::kernels::Format;

namespace {

/// Sources made in C++ know only `torch`; with it they know `hearth` too.
struct WithOperators final : torch::jit::Resolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(const std::string& name, torch::jit::GraphFunction& function,
                                                         const torch::jit::SourceRange& place) override {
    if (name == "hearth") return std::make_shared<torch::jit::BuiltinModule>("hearth");
    return torch::jit::nativeResolver()->resolveValue(name, function, place);
  }
};

void define(torch::jit::Module& module, const std::string& source) {
  module.define(source, std::make_shared<WithOperators>());
}

constexpr std::int64_t kIn = 70, kHidden = 45, kOut = 10;

at::Tensor numbers(at::IntArrayRef shape, float size) {
  const at::Tensor made = torch::zeros(shape);
  for (std::int64_t i = 0; i < made.numel(); ++i) {
    made.data_ptr<float>()[i] = size * std::sin(static_cast<float>(i + 1) * 12.9898F);
  }
  return made;
}

/// The same two layers in float, and with the operators.
void save_pair(Format format, const std::string& plain_file, const std::string& quantized_file) {
  edge::register_linear_ops();
  const std::vector<at::Tensor> weights = {numbers({kHidden, kIn}, 0.2F), numbers({kOut, kHidden}, 0.2F)};
  const std::vector<at::Tensor> biases = {numbers({kHidden}, 0.5F), numbers({kOut}, 0.5F)};
  torch::jit::Module plain("plain");
  torch::jit::Module quantized("quantized");
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string number = std::to_string(i);
    plain.register_parameter("w" + number, weights[i], false);
    plain.register_parameter("b" + number, biases[i], false);
    const auto layer = edge::make_linear_layer(format, weights[i], biases[i]);
    REQUIRE(layer.ok());
    quantized.register_attribute("layer" + number, c10::getCustomClassType<c10::intrusive_ptr<edge::LinearLayer>>(),
                                 c10::IValue(layer.value()));
  }
  plain.define(
      "def forward(self, x):\n"
      "  return torch.linear(torch.relu(torch.linear(x, self.w0, self.b0)), self.w1, self.b1)\n");
  const std::string op = format == Format::kInt8 ? "hearth.linear_int8" : "hearth.linear_int4";
  define(quantized, "def forward(self, x):\n  return " + op + "(" + op + "(x, self.layer0, 1), self.layer1, 0)\n");
  plain.save(plain_file);
  quantized.save(quantized_file);
}

std::vector<float> run(edge::TorchEngine& engine, const std::string& file, std::int64_t batch) {
  const auto model = engine.load(bind(file, {-1, kIn}, {-1, kOut}));
  INFO((model.ok() ? "" : model.error().message));
  REQUIRE(model.ok());
  std::vector<float> values(static_cast<std::size_t>(batch * kIn));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::cos(static_cast<float>(i) * 0.37F);
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {batch, kIn}, values)};
  const auto outputs = model.value()->run(inputs);
  INFO((outputs.ok() ? "" : outputs.error().message));
  REQUIRE(outputs.ok());
  const auto floats = outputs.value()[0].floats();
  return {floats.begin(), floats.end()};
}

float largest_of(const std::vector<float>& values) {
  float largest = 0;
  for (const float x : values) largest = std::max(largest, std::abs(x));
  return largest;
}

}  // namespace

TEST_CASE(
    "A TorchScript file with our operators loads in the engine, answers nearly as the float model, and is smaller") {
  TempFolder folder;
  edge::TorchEngine engine(1);
  for (const auto& [format, tolerance] : {std::pair(Format::kInt8, 0.02F), std::pair(Format::kInt4, 0.2F)}) {
    const std::string plain = folder.path() / "float.pt";
    const std::string quantized = folder.path() / "quantized.pt";
    save_pair(format, plain, quantized);
    for (const std::int64_t batch : {1, 3}) {
      const auto exact = run(engine, plain, batch);
      const auto near = run(engine, quantized, batch);
      REQUIRE(near.size() == exact.size());
      std::vector<float> misses;
      for (std::size_t i = 0; i < exact.size(); ++i) misses.push_back(near[i] - exact[i]);
      CHECK(largest_of(misses) < tolerance * largest_of(exact));
      CHECK(largest_of(misses) > 0);  // Else nothing was quantized.
      CHECK(run(engine, quantized, batch) == near);
    }
    CHECK(std::filesystem::file_size(quantized) < std::filesystem::file_size(plain));
  }
}

TEST_CASE("Saving what was loaded keeps every bit") {
  TempFolder folder;
  edge::TorchEngine engine(1);
  for (const Format format : {Format::kInt8, Format::kInt4}) {
    const std::string first = folder.path() / "first.pt";
    const std::string second = folder.path() / "second.pt";
    save_pair(format, folder.path() / "float.pt", first);
    torch::jit::load(first).save(second);
    CHECK(run(engine, first, 2) == run(engine, second, 2));
  }
}

TEST_CASE("A layer takes any leading dimensions, an empty batch among them, and refuses what does not fit") {
  edge::register_linear_ops();
  const auto layer = edge::make_linear_layer(Format::kInt8, numbers({4, 6}, 1), std::nullopt);
  REQUIRE(layer.ok());
  torch::jit::Module module("module");
  module.register_attribute("layer", c10::getCustomClassType<c10::intrusive_ptr<edge::LinearLayer>>(),
                            c10::IValue(layer.value()));
  define(module, "def forward(self, x):\n  return hearth.linear_int8(x, self.layer, 0)\n");
  define(module, "def int4(self, x):\n  return hearth.linear_int4(x, self.layer, 0)\n");
  define(module, "def odd(self, x):\n  return hearth.linear_int8(x, self.layer, 3)\n");
  const auto shape = [&](at::IntArrayRef in) { return module.forward({torch::ones(in)}).toTensor().sizes().vec(); };
  CHECK(shape({6}) == std::vector<std::int64_t>{4});
  CHECK(shape({2, 3, 6}) == std::vector<std::int64_t>{2, 3, 4});
  CHECK(shape({0, 6}) == std::vector<std::int64_t>{0, 4});
  // A transposed input is not contiguous.
  const at::Tensor turned = numbers({6, 5}, 1).t();
  CHECK(module.forward({turned}).toTensor().equal(module.forward({turned.contiguous()}).toTensor()));
  CHECK_THROWS_WITH(shape({5}), Contains("[5] given, expected [..., 6]"));
  CHECK_THROWS_WITH(module.forward({torch::ones({6}, at::kDouble)}), Contains("expected an FP32 tensor"));
  CHECK_THROWS_WITH(module.get_method("int4")({torch::ones({6})}), Contains("int8 and int4 mixed up"));
  CHECK_THROWS_WITH(module.get_method("odd")({torch::ones({6})}), Contains("activation 3, expected 0, 1 or 2"));
}

TEST_CASE("Weights that are not finite, or no matrix, make no layer") {
  const auto bad = numbers({4, 6}, 1);
  bad.data_ptr<float>()[7] = std::numeric_limits<float>::infinity();
  for (const Format format : {Format::kInt8, Format::kInt4}) {
    CHECK(edge::make_linear_layer(format, bad, std::nullopt).error().message == "a weight is not finite");
    CHECK_FALSE(edge::make_linear_layer(format, torch::ones({3}), std::nullopt).ok());
    CHECK_FALSE(edge::make_linear_layer(format, torch::ones({0, 3}), std::nullopt).ok());
    CHECK_FALSE(edge::make_linear_layer(format, torch::ones({2, 3}), torch::ones({3})).ok());
  }
}

TEST_CASE("A layer in a file that does not add up is refused and says why") {
  edge::register_linear_ops();
  const auto type = c10::getCustomClassType<c10::intrusive_ptr<edge::LinearLayer>>();
  const auto load = [&](std::int64_t bits, std::int64_t inputs, const at::Tensor& values, const at::Tensor& scales,
                        const at::Tensor& bias) {
    const auto object = c10::ivalue::Object::create(c10::StrongTypePtr(nullptr, type), 1);
    const auto state = c10::ivalue::Tuple::create(bits, inputs, values, scales, bias);
    (*type->findMethod("__setstate__"))({object, state});
  };
  const at::Tensor values = torch::zeros({3, 4}, at::kChar);
  const at::Tensor three = torch::zeros({3});
  CHECK_NOTHROW(load(8, 4, values, three, three));
  CHECK_THROWS_WITH(load(3, 4, values, three, three), Contains("weights of 3 bits, expected 8 or 4"));
  CHECK_THROWS_WITH(load(8, 5, values, three, three), Contains("12 int8 weights, expected 15"));
  CHECK_THROWS_WITH(load(8, -4, values, three, three), Contains("not a matrix"));
  CHECK_THROWS_WITH(load(8, 12, values.reshape({36 / 3}), three, three), Contains("not a matrix"));
  CHECK_THROWS_WITH(load(8, 4, values, torch::zeros({2}), three), Contains("2 scales, expected 3"));
  CHECK_THROWS_WITH(load(8, 4, values, three.to(at::kDouble), three),
                    Contains("expected contiguous Float values, given Double"));
  CHECK_THROWS_WITH(load(4, 4, values, three, three), Contains("expected contiguous Byte values, given Char"));
  CHECK_THROWS_WITH(load(8, 4, values.t(), three, three), Contains("expected contiguous Char values"));
}
