#include "tools/hearth/train.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include <hearth/random.h>

namespace hearth::tool {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kBatch = 128;
constexpr double kPi = 3.14159265358979323846;
// Fashion-MNIST's published mean and deviation; folded into the models so that callers give plain 0 to 1.
constexpr double kMean = 0.2860;
constexpr double kDeviation = 0.3530;

struct EdgeNet : nn::Module {
  nn::Linear hidden = register_module("hidden", nn::Linear(static_cast<std::int64_t>(kImagePixels), 64));
  nn::Linear scores = register_module("scores", nn::Linear(64, 10));

  torch::Tensor forward(const torch::Tensor& image) {
    return scores(torch::relu(hidden((image.flatten(1) - kMean) / kDeviation)));
  }
};

nn::Conv2d conv(std::int64_t in, std::int64_t out) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(false));
}

struct CloudNet : nn::Module {
  nn::Conv2d conv1 = register_module("conv1", conv(1, 24));
  nn::Conv2d conv2 = register_module("conv2", conv(24, 48));
  nn::Conv2d conv3 = register_module("conv3", conv(48, 96));
  nn::BatchNorm2d norm1 = register_module("norm1", nn::BatchNorm2d(24));
  nn::BatchNorm2d norm2 = register_module("norm2", nn::BatchNorm2d(48));
  nn::BatchNorm2d norm3 = register_module("norm3", nn::BatchNorm2d(96));
  nn::Dropout dropout = register_module("dropout", nn::Dropout(0.3));
  nn::Linear hidden = register_module("hidden", nn::Linear(96 * 3 * 3, 128));
  nn::Linear scores = register_module("scores", nn::Linear(128, 10));

  torch::Tensor forward(const torch::Tensor& image) {
    auto x = (image - kMean) / kDeviation;
    x = torch::relu(norm1(torch::max_pool2d(conv1(x), 2)));
    x = torch::relu(norm2(torch::max_pool2d(conv2(x), 2)));
    x = torch::relu(norm3(torch::max_pool2d(conv3(x), 2)));
    return scores(dropout(torch::relu(hidden(dropout(x.flatten(1))))));
  }
};

void set_threads(unsigned threads) {
  at::set_num_threads(static_cast<int>(threads));
  // OpenBLAS keeps its own count, which at::set_num_threads does not bound.
  if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) {
    set(static_cast<int>(threads));
  }
}

/// Adam with a warm-up over the first fifth and a cosine descent. The last batch of an epoch is dropped when short.
template <class Net>
void fit(Net& net, const LabelledImages& train, const TrainOptions& options, double rate_max, bool mirror) {
  const auto count = static_cast<std::int64_t>(train.count());
  const auto images =
      torch::from_blob(const_cast<std::uint8_t*>(train.pixels.data()), {count, 1, 28, 28}, torch::kUInt8);
  const auto labels =
      torch::from_blob(const_cast<std::uint8_t*>(train.labels.data()), {count}, torch::kUInt8).to(torch::kLong);
  const std::int64_t batch = std::min(kBatch, count);
  const std::int64_t steps = count / batch * options.epochs;
  torch::optim::AdamW optimizer(net.parameters(), torch::optim::AdamWOptions(rate_max).weight_decay(1e-2));
  net.train();
  auto reported = std::chrono::steady_clock::now();
  std::int64_t step = 0;
  for (unsigned epoch = 0; epoch < options.epochs; ++epoch) {
    const auto order = torch::randperm(count, torch::kLong);
    for (std::int64_t at = 0; at + batch <= count; at += batch, ++step) {
      const double done = static_cast<double>(step) / static_cast<double>(steps);
      const double rate = done < 0.2 ? rate_max * (0.04 + 0.96 * done / 0.2)
                                     : rate_max * 0.5 * (1 + std::cos(kPi * (done - 0.2) / 0.8));
      static_cast<torch::optim::AdamWOptions&>(optimizer.param_groups()[0].options()).lr(rate);
      const auto which = order.narrow(0, at, batch);
      auto x = images.index_select(0, which).to(torch::kFloat).div_(255.0);
      if (mirror) x = torch::where(torch::rand({batch, 1, 1, 1}) < 0.5, x, x.flip({3}));
      optimizer.zero_grad();
      auto loss =
          torch::nn::functional::cross_entropy(net.forward(x), labels.index_select(0, which),
                                               torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(0.05));
      loss.backward();
      optimizer.step();
      const auto now = std::chrono::steady_clock::now();
      if (options.progress && now - reported > std::chrono::milliseconds(100)) {
        reported = now;
        options.progress(done);
      }
    }
  }
  net.eval();
}

void keep(torch::jit::Module& module, const std::string& name, const torch::Tensor& value) {
  module.register_parameter(name, value.detach().clone().contiguous(), false);
}

/// What batch normalization does once training is over: x * scale + shift.
void keep_norm(torch::jit::Module& module, const std::string& name, const nn::BatchNorm2d& norm) {
  const auto scale = norm->weight / torch::sqrt(norm->running_var + norm->options.eps());
  keep(module, name + "_scale", scale.view({1, -1, 1, 1}));
  keep(module, name + "_shift", (norm->bias - norm->running_mean * scale).view({1, -1, 1, 1}));
}

void keep_linear(torch::jit::Module& module, const std::string& name, const nn::Linear& linear) {
  keep(module, name + "_weight", linear->weight);
  keep(module, name + "_bias", linear->bias);
}

void save(torch::jit::Module& module, const std::string& file) {
  module.register_attribute("training", c10::BoolType::get(), false);
  module.save(file);
}

/// Seeds, trains and saves; LibTorch's exceptions end here.
template <class Net, class Export>
Status train_and_save(const LabelledImages& train, const TrainOptions& options, const std::string& out_file,
                      double rate_max, bool mirror, const Export& export_to) {
  if (train.count() == 0) return Error{ErrorCode::kInvalidArgument, "no images to train on"};
  try {
    set_threads(options.threads);
    torch::manual_seed(options.seed);
    Net net;
    fit(net, train, options, rate_max, mirror);
    const torch::NoGradGuard no_gradients;
    torch::jit::Module module("hearth");
    export_to(net, module);
    save(module, out_file);
  } catch (const c10::Error& error) {
    return Error{ErrorCode::kInternal, out_file + ": " + error.what_without_backtrace()};
  } catch (const std::exception& error) { return Error{ErrorCode::kInternal, out_file + ": " + error.what()}; }
  return Done{};
}

}  // namespace

Status train_edge(const LabelledImages& train, const TrainOptions& options, const std::string& out_file) {
  return train_and_save<EdgeNet>(train, options, out_file, 4e-3, false, [](EdgeNet& net, torch::jit::Module& module) {
    // (x - mean) / deviation is linear too: fold it into the first layer.
    keep(module, "hidden_weight", net.hidden->weight / kDeviation);
    keep(module, "hidden_bias", net.hidden->bias - net.hidden->weight.sum(1) * (kMean / kDeviation));
    keep_linear(module, "scores", net.scores);
    module.define(R"(
def forward(self, image: Tensor) -> Tensor:
    hidden = torch.relu(torch.linear(image, self.hidden_weight, self.hidden_bias))
    return torch.linear(hidden, self.scores_weight, self.scores_bias)
)");
  });
}

Status train_cloud(const LabelledImages& train, const TrainOptions& options, const std::string& out_file) {
  return train_and_save<CloudNet>(train, options, out_file, 4e-3, true, [](CloudNet& net, torch::jit::Module& module) {
    keep(module, "conv1_weight", net.conv1->weight);
    keep(module, "conv2_weight", net.conv2->weight);
    keep(module, "conv3_weight", net.conv3->weight);
    keep_norm(module, "norm1", net.norm1);
    keep_norm(module, "norm2", net.norm2);
    keep_norm(module, "norm3", net.norm3);
    keep_linear(module, "hidden", net.hidden);
    keep_linear(module, "scores", net.scores);
    // The mean is taken off before padding, as in training.
    module.define(R"(
def forward(self, image: Tensor) -> Tensor:
    x = (image - 0.2860) / 0.3530
    x = torch.max_pool2d(torch.conv2d(x, self.conv1_weight, None, [1, 1], [1, 1]), [2, 2])
    x = torch.relu(torch.addcmul(self.norm1_shift, x, self.norm1_scale))
    x = torch.max_pool2d(torch.conv2d(x, self.conv2_weight, None, [1, 1], [1, 1]), [2, 2])
    x = torch.relu(torch.addcmul(self.norm2_shift, x, self.norm2_scale))
    x = torch.max_pool2d(torch.conv2d(x, self.conv3_weight, None, [1, 1], [1, 1]), [2, 2])
    x = torch.relu(torch.addcmul(self.norm3_shift, x, self.norm3_scale))
    x = torch.relu(torch.linear(torch.flatten(x, 1), self.hidden_weight, self.hidden_bias))
    return torch.linear(x, self.scores_weight, self.scores_bias)
)");
  });
}

}  // namespace hearth::tool
