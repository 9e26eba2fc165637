#include "tests/runtime/edge/scripts.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/script.h>

#include <cmath>

namespace hearth::test {

void save_script(const std::string& file, const std::string& source, const std::vector<Parameter>& parameters) {
  torch::jit::Module module("script");
  for (const Parameter& parameter : parameters) {
    auto values = torch::zeros(parameter.shape);
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      values.data_ptr<float>()[i] = parameter.values.empty() ? std::sin(static_cast<float>(i + 1) * 12.9898f)
                                                             : parameter.values.at(static_cast<std::size_t>(i));
    }
    module.register_parameter(parameter.name, values, false);
  }
  module.define(source);
  module.save(file);
}

void save_linear(const std::string& file) {
  save_script(file, "def forward(self, x: Tensor):\n  return torch.linear(x, self.weight, self.bias)\n",
              {{"weight", {2, 2}, {1, 2, 3, 4}}, {"bias", {2}, {0.5f, -0.5f}}});
}

void save_perceptron(const std::string& file) {
  save_script(file,
              "def forward(self, x: Tensor):\n"
              "  hidden = torch.relu(torch.linear(x, self.w1, self.b1))\n"
              "  return torch.linear(hidden, self.w2, self.b2)\n",
              {{"w1", {32, 64}, {}}, {"b1", {32}, {}}, {"w2", {10, 32}, {}}, {"b2", {10}, {}}});
}

void save_convolutions(const std::string& file) {
  save_script(file,
              "def forward(self, x: Tensor):\n"
              "  x = torch.relu(torch.conv2d(torch.reshape(x, [-1, 1, 8, 8]), self.w1, self.b1, [1, 1], [1, 1]))\n"
              "  x = torch.conv2d(torch.max_pool2d(x, [2, 2]), self.w2, None, [2, 2], [0, 0], [1, 1], 1)\n"
              "  return torch.flatten(x, 1)\n",
              {{"w1", {18, 1, 3, 3}, {}}, {"b1", {18}, {}}, {"w2", {4, 18, 3, 3}, {}}});
}

std::string save_with_built_in_relu(const std::string& file) {
  auto module = torch::jit::load(file);
  const auto graph = module.get_method("forward").graph();
  for (auto* node : graph->nodes()) {
    if (node->kind() != c10::aten::relu) continue;
    auto* const linear = node->input()->node();
    const torch::jit::WithInsertPoint here(node);
    auto* const fused = graph->insert(c10::Symbol::fromQualString("quantized::linear_relu_dynamic"),
                                      {linear->input(0), linear->input(1), linear->input(2)});
    node->output()->replaceAllUsesWith(fused);
    node->destroy();
    linear->destroy();
    break;
  }
  const std::string made = file + ".fused.pt";
  module.save(made);
  return made;
}

void save_static_int8(const std::string& file) {
  torch::jit::Module module("module");
  const auto weight = at::quantize_per_tensor(torch::linspace(-1, 1, 18).view({2, 1, 3, 3}), 1.0 / 127, 0, at::kQInt8);
  const auto prepack = c10::Dispatcher::singleton().findSchemaOrThrow("quantized::conv2d_prepack", "");
  const c10::List<std::int64_t> ones({1, 1}), none({0, 0});
  torch::jit::Stack stack = {weight, torch::zeros({2}), ones, none, ones, std::int64_t{1}};
  at::globalContext().setQEngine(at::QEngine::QNNPACK);
  prepack.callBoxed(&stack);
  module.register_attribute("packed", stack.front().type(), stack.front());
  module.register_parameter("w", torch::linspace(-1, 1, 96).view({3, 32}), false);
  auto graph = std::make_shared<torch::jit::Graph>();
  auto* const self = graph->addInput("self");
  self->setType(module.type());
  auto* const x = graph->addInput("x");
  const auto op = [&](const char* name, const std::vector<torch::jit::NamedValue>& arguments) {
    return graph->insert(c10::Symbol::fromQualString(name), arguments);
  };
  auto* const image = op("aten::view", {x, std::vector<std::int64_t>{-1, 1, 6, 6}});
  auto* const bytes = op("aten::quantize_per_tensor", {image, 1.0 / 127, 64, static_cast<std::int64_t>(at::kQUInt8)});
  auto* const packed = graph->insertGetAttr(self, "packed")->setType(stack.front().type());
  auto* const made = op("quantized::conv2d_relu", {bytes, packed, 4.0 / 255, 0});
  auto* const flat = op("aten::flatten", {op("aten::dequantize", {made}), 1, -1});
  auto* const w = graph->insertGetAttr(self, "w");
  auto* const nothing = graph->insertConstant(c10::IValue());
  graph->registerOutput(op("aten::linear", {flat, w, nothing}));
  module.type()->addMethod(module._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*module.type()->name(), "forward"), graph));
  module.save(file);
}

}  // namespace hearth::test
