/// \file Writes a model pair for Fashion-MNIST that needs no training: the nearest class mean, as one linear layer.
/// usage: make_photo_pair FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <torch/script.h>
#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/fashion_mnist.h"

namespace {

using namespace hearth::tool;

/// |x - m|^2 is smallest where m.x - |m|^2 / 2 is largest; a third of it gives confidences that are not all 1.
torch::jit::Module nearest_mean(const LabelledImages& images) {
  auto means = torch::zeros({10, 784});
  auto counts = torch::zeros({10, 1});
  for (std::size_t i = 0; i < images.count(); ++i) {
    auto pixels = images.scaled(i);
    means[images.labels[i]] += torch::from_blob(pixels.data(), {784}, torch::kFloat);
    counts[images.labels[i]] += 1;
  }
  means /= counts;
  torch::jit::Module module("nearest_mean");
  module.register_parameter("weight", means / 3, false);
  module.register_parameter("bias", -means.pow(2).sum(1) / 6, false);
  module.define("def forward(self, x):\n  return torch.linear(x.reshape([-1, 784]), self.weight, self.bias)\n");
  return module;
}

nlohmann::json tensor(const char* name, const std::vector<int>& shape) {
  return {{{"name", name}, {"datatype", "FP32"}, {"shape", shape}}};
}

std::string sha256_of(const std::string& file) {
  return hearth::sha256_hex(hearth::read_whole_file(file, 1 << 24).value());
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: make_photo_pair FOLDER\n"), 2;
  const std::string folder = argv[1];
  std::filesystem::create_directories(folder);
  auto images = load_fashion_mnist_test(std::string(kFashionMnistFolder));
  if (!images) return std::fprintf(stderr, "make_photo_pair: %s\n", images.error().message.c_str()), 1;
  const auto module = nearest_mean(images.value());
  module.save(folder + "/edge.pt");
  module.save(folder + "/cloud.pt");
  const nlohmann::json pair = {{"name", "photo-tagger"},
                               {"edge",
                                {{"file", "edge.pt"},
                                 {"sha256", sha256_of(folder + "/edge.pt")},
                                 {"inputs", tensor("image", {1, 784})},
                                 {"outputs", tensor("scores", {1, 10})}}},
                               {"cloud",
                                {{"model", "photo-tagger-large"},
                                 {"version", "1"},
                                 {"sha256", sha256_of(folder + "/cloud.pt")},
                                 {"inputs", tensor("image", {1, 1, 28, 28})},
                                 {"outputs", tensor("scores", {1, 10})},
                                 {"text_input", "caption"}}},
                               {"scores", "logits"},
                               {"labels", kFashionLabels}};
  std::ofstream(folder + "/pair.json") << pair.dump(2) << '\n';
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "make_photo_pair: %s\n", failure.what());
  return 1;
}
