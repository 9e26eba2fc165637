#include "tests/runtime/edge/scripts.h"

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

}  // namespace hearth::test
