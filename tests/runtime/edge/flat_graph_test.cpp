// Goal: a model that runs as a flat plan answers as LibTorch's interpreter does, and what no plan can do LibTorch does.
// Method: random stacks, saved, loaded and frozen, run by both.
#include <rapidcheck.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/script.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "runtime/edge/flat_graph.h"
#include "runtime/edge/linear_ops.h"
#include "tests/runtime/edge/fixture.h"
#include "tests/runtime/edge/scripts.h"

using namespace hearth;
using namespace hearth::test;
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

at::Tensor numbers(at::IntArrayRef shape, float size) {
  const at::Tensor made = torch::zeros(shape);
  for (std::int64_t i = 0; i < made.numel(); ++i) {
    made.data_ptr<float>()[i] = size * std::sin(static_cast<float>(i + 1) * 12.9898F);
  }
  return made;
}

/// A random net, line by line.
class Net {
 public:
  explicit Net(std::int64_t width) : module_("net"), width_(width) { edge::register_linear_ops(); }

  /// Float layers may differ in the last bits, ours may not: with `ours` alone the answers are equal.
  void add_layer(bool ours) {
    const std::string number = std::to_string(count_++);
    const auto outputs = *rc::gen::inRange<std::int64_t>(1, 40);
    const at::Tensor weight = numbers({outputs, width_}, 1 / std::sqrt(static_cast<float>(width_)));
    const at::Tensor bias = numbers({outputs}, 0.3F);
    if (ours) {
      const bool int8 = *rc::gen::arbitrary<bool>();
      const auto layer = edge::make_linear_layer(int8 ? Format::kInt8 : Format::kInt4, weight, bias).value();
      module_.register_attribute("layer" + number, c10::getCustomClassType<c10::intrusive_ptr<edge::LinearLayer>>(),
                                 c10::IValue(layer));
      line("x = hearth.linear_int" + std::string(int8 ? "8" : "4") + "(x, self.layer" + number + ", " +
           std::to_string(*rc::gen::inRange(0, 3)) + ")");
    } else {
      module_.register_parameter("w" + number, weight, false);
      module_.register_parameter("b" + number, bias, false);
      const char* const ways[] = {"torch.linear(x, self.w#, self.b#)", "torch.matmul(x, self.w#.t()) + self.b#",
                                  "torch.addmm(self.b#, x, self.w#.t())", "torch.linear(x, self.w#)"};
      std::string way = ways[*rc::gen::inRange(0, 4)];
      for (std::size_t at; (at = way.find('#')) != std::string::npos;) way.replace(at, 1, number);
      line("x = " + way);
    }
    width_ = outputs;
  }

  void add_between() {
    const char* const lines[] = {"x = torch.relu(x)",
                                 "x = torch.relu_(x + 0.5)",
                                 "x = torch.sigmoid(x)",
                                 "x = torch.tanh(x)",
                                 "x = torch.gelu(x)",
                                 "x = torch.gelu(x, approximate='tanh')",
                                 "x = x + torch.tanh(x) * 0.25",
                                 "x = x.view(x.size(0), -1)",
                                 "x = x.reshape([-1, x.size(1)]).contiguous()",
                                 "x = torch.flatten(x, 1).detach()",
                                 "x = torch.dropout(x, 0.5, False)",
                                 "x = torch.softmax(x, -1)",
                                 "x = torch.log_softmax(x, 1)"};
    line(lines[*rc::gen::inRange<std::size_t>(0, std::size(lines))]);
  }
  void add_reshape() { line("x = torch.relu(x.reshape([x.size(0), " + std::to_string(width_) + ", 1]).flatten(1))"); }

  std::int64_t width() const { return width_; }
  void save(const std::string& file) {
    module_.define("def forward(self, x):\n" + source_ + "  return x\n", std::make_shared<WithOperators>());
    module_.save(file);
  }
  const std::string& source() const { return source_; }

 private:
  void line(const std::string& text) { source_ += "  " + text + "\n"; }
  torch::jit::Module module_;
  std::int64_t width_;
  std::string source_;
  int count_ = 0;
};

struct Answers {
  std::vector<float> plan;
  std::vector<float> interpreter;
};

/// Asserts that the file runs as a plan.
Answers both(const std::string& file, std::int64_t inputs, std::int64_t outputs, std::int64_t rows) {
  const torch::NoGradGuard no_gradients;
  auto module = torch::jit::load(file);
  module.eval();
  const auto frozen = edge::freeze_module(module);
  const auto plan = edge::flat_plan_of(frozen, bind(file, {-1, inputs}, {-1, outputs}));
  RC_ASSERT(plan.has_value());
  const at::Tensor x = numbers({rows, inputs}, 1);
  const std::vector<Tensor> input = {
      Tensor::of_floats("x", {rows, inputs}, {x.data_ptr<float>(), static_cast<std::size_t>(x.numel())})};
  edge::FlatPlan::Workspace workspace;
  const Status done = plan->run(input, workspace);
  RC_ASSERT(done.ok());
  const auto view = plan->output(workspace, 0);
  const at::Tensor exact = torch::jit::load(file).forward({x}).toTensor().contiguous();
  RC_ASSERT(std::ranges::equal(view.shape, exact.sizes()));
  return {{view.values.begin(), view.values.end()}, {exact.data_ptr<float>(), exact.data_ptr<float>() + exact.numel()}};
}

}  // namespace

TEST_CASE("A plan of our layers gives bit for bit what the interpreter gives") {
  TempFolder folder;
  const std::string file = folder.path() / "m.pt";
  const bool held = rc::check([&] {
    const auto inputs = *rc::gen::inRange<std::int64_t>(1, 50);
    Net net(inputs);
    const auto layers = *rc::gen::inRange(1, 5);
    for (int i = 0; i < layers; ++i) {
      net.add_layer(true);
      if (*rc::gen::arbitrary<bool>()) net.add_reshape();
    }
    net.save(file);
    const auto answers = both(file, inputs, net.width(), *rc::gen::inRange(0, 5));
    RC_ASSERT(answers.plan == answers.interpreter);
  });
  CHECK(held);
}

TEST_CASE("A plan of float layers and what stands between them gives nearly what the interpreter gives") {
  TempFolder folder;
  const std::string file = folder.path() / "m.pt";
  const bool held = rc::check([&] {
    const auto inputs = *rc::gen::inRange<std::int64_t>(1, 50);
    Net net(inputs);
    const auto steps = *rc::gen::inRange(1, 7);
    for (int i = 0; i < steps; ++i) {
      if (*rc::gen::arbitrary<bool>()) {
        net.add_layer(false);
      } else {
        net.add_between();
      }
    }
    RC_LOG() << net.source();
    net.save(file);
    const auto answers = both(file, inputs, net.width(), *rc::gen::inRange(1, 5));
    for (std::size_t i = 0; i < answers.plan.size(); ++i) {
      RC_ASSERT(std::abs(answers.plan[i] - answers.interpreter[i]) <= 2e-5F * (1 + std::abs(answers.interpreter[i])));
    }
  });
  CHECK(held);
}

TEST_CASE("What no plan can do LibTorch does: its own operators, control flow, other types, work in place") {
  TempFolder folder;
  const std::string file = folder.path() / "m.pt";
  edge::TorchEngine engine(1);
  for (const char* const source :
       {"  return torch.cumsum(x, 1)\n", "  if bool(x.sum() > 0.0):\n    x = x + 1.0\n  return x\n",
        "  return torch.softmax(x, 0)\n", "  return torch.relu_(x)\n",
        "  y = x + 1.0\n  z = torch.relu_(y.view(-1, 4))\n  return y\n", "  return torch.dropout(x, 0.5, True)\n",
        "  return x + torch.ones([2, 1])\n", "  return torch.add(x, x, alpha=2)\n"}) {
    INFO(source);
    save_script(file, "def forward(self, x: Tensor):\n" + std::string(source), {});
    auto module = torch::jit::load(file);
    module.eval();
    const auto binding = bind(file, {2, 4}, {2, 4});
    const auto plan = edge::flat_plan_of(edge::freeze_module(module), binding);
    edge::FlatPlan::Workspace workspace;
    const std::vector<Tensor> input = {Tensor::of_floats("x", {2, 4}, std::vector<float>{-1, 2, -3, 4, 5, -6, 7, -8})};
    CHECK((!plan || !plan->run(input, workspace).ok()));
    const auto model = engine.load(binding);
    REQUIRE(model.ok());
    CHECK(model.value()->run(input).ok());
  }
}

TEST_CASE("Two inputs, and outputs in a tuple, keep their order") {
  TempFolder folder;
  const std::string file = folder.path() / "m.pt";
  save_script(file, "def forward(self, x: Tensor, y: Tensor):\n  return y + y, x, x + y\n", {});
  auto binding = bind(file, {-1, 2}, {-1, 2});
  binding.inputs.push_back({"y", Datatype::kFp32, {-1, 2}});
  binding.outputs.push_back(binding.outputs[0]);
  binding.outputs.push_back(binding.outputs[0]);
  auto module = torch::jit::load(file);
  module.eval();
  CHECK(edge::flat_plan_of(edge::freeze_module(module), binding).has_value());
  edge::TorchEngine engine(1);
  const auto model = engine.load(binding);
  REQUIRE(model.ok());
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {1, 2}, std::vector<float>{1, 2}),
                                      Tensor::of_floats("y", {1, 2}, std::vector<float>{10, 20})};
  const auto outputs = model.value()->run(inputs);
  REQUIRE(outputs.ok());
  CHECK(outputs.value()[0].floats()[1] == 40);
  CHECK(outputs.value()[1].floats()[1] == 2);
  CHECK(outputs.value()[2].floats()[1] == 22);
}
