/// \file Writes a TorchScript model of one linear layer, 4 inputs to 3 scores. usage: make_tiny_model FILE
#include <cstdio>

#include <torch/script.h>

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: make_tiny_model FILE\n"), 2;
  torch::jit::Module module("tiny");
  module.register_parameter("weight", torch::arange(12, torch::kFloat).reshape({3, 4}), false);
  module.register_parameter("bias", torch::tensor({0.0f, 1.0f, 2.0f}), false);
  module.define("def forward(self, x):\n  return torch.linear(x, self.weight, self.bias)\n");
  module.save(argv[1]);
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "make_tiny_model: %s\n", failure.what());
  return 1;
}
