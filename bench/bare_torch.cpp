#include "bench/bare_torch.h"

#include <ATen/Parallel.h>
#include <torch/script.h>

namespace hearth::bench {

void write_mlp(const std::string& file) {
  torch::manual_seed(1);
  torch::jit::Module module("mlp");
  const auto layer = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    module.register_parameter(name + "_weight", torch::randn({out, in}) / 28, false);
    module.register_parameter(name + "_bias", torch::zeros(out), false);
  };
  layer("first", 32, 784);
  layer("second", 10, 32);
  module.define(
      "def forward(self, x):\n"
      "  h = torch.relu(torch.linear(x, self.first_weight, self.first_bias))\n"
      "  return torch.linear(h, self.second_weight, self.second_bias)\n");
  module.save(file);
}

struct BareTorch::Module {
  torch::jit::Module module;
};

BareTorch::BareTorch(const std::string& file) {
  at::set_num_threads(1);
  auto module = torch::jit::load(file);
  module.eval();
  module_ = std::make_unique<Module>(Module{torch::jit::freeze(module)});
}

BareTorch::~BareTorch() = default;

float BareTorch::forward(std::span<const float> image) {
  c10::InferenceMode inference;
  const auto input = torch::from_blob(const_cast<float*>(image.data()), {1, 784});
  return module_->module.forward({input}).toTensor().data_ptr<float>()[0];
}

}  // namespace hearth::bench
