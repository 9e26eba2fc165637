#include "tools/hearth/train.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

namespace hearth::tool {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kBatch = 128;
constexpr double kDropped = 0.3;
constexpr double kPi = 3.14159265358979323846;
// Fashion-MNIST's published mean and deviation; folded into the models so that callers give plain 0 to 1.
constexpr double kMean = 0.2860;
constexpr double kDeviation = 0.3530;

/// Made on one thread, so that every random draw comes in one order.
struct Batch {
  torch::Tensor images, labels;
  torch::Tensor keep;  // [n, Net::kKept]: 0 where dropout drops, else what scales the rest up.

  Batch shard(std::int64_t at, std::int64_t size) const {
    return {images.narrow(0, at, size), labels.narrow(0, at, size), keep.narrow(0, at, size)};
  }
};

nn::Conv2d conv(std::int64_t in, std::int64_t out) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(false));
}

struct CloudNet : nn::Module {
  static constexpr std::int64_t kFeatures = 96 * 3 * 3;
  static constexpr std::int64_t kHidden = 128;
  static constexpr std::int64_t kKept = kFeatures + kHidden;
  nn::Conv2d conv1 = register_module("conv1", conv(1, 24));
  nn::Conv2d conv2 = register_module("conv2", conv(24, 48));
  nn::Conv2d conv3 = register_module("conv3", conv(48, 96));
  nn::BatchNorm2d norm1 = register_module("norm1", nn::BatchNorm2d(24));
  nn::BatchNorm2d norm2 = register_module("norm2", nn::BatchNorm2d(48));
  nn::BatchNorm2d norm3 = register_module("norm3", nn::BatchNorm2d(96));
  nn::Linear hidden = register_module("hidden", nn::Linear(kFeatures, kHidden));
  nn::Linear scores = register_module("scores", nn::Linear(kHidden, 10));

  torch::Tensor forward(const Batch& batch) {
    auto x = (batch.images - kMean) / kDeviation;
    x = torch::relu(norm1(torch::max_pool2d(conv1(x), 2)));
    x = torch::relu(norm2(torch::max_pool2d(conv2(x), 2)));
    x = torch::relu(norm3(torch::max_pool2d(conv3(x), 2)));
    x = torch::relu(hidden(x.flatten(1) * batch.keep.narrow(1, 0, kFeatures)));
    return scores(x * batch.keep.narrow(1, kFeatures, kHidden));
  }
};

/// One thread for each operation. What runs side by side are shards of a batch: LibTorch's own threads meet at every
/// operation, which on a busy machine costs ten times what it gains.
void single_thread() {
  at::set_num_threads(1);
  // OpenBLAS keeps its own count, which at::set_num_threads does not bound.
  if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(1);
}

/// Gradients of a batch, computed in equal shards on as many threads. Replicas share the net's parameters and hold
/// their own gradients; the net itself takes the first shard, and its batch normalization learns from that.
template <class Net>
class Shards {
 public:
  Shards(Net& net, unsigned threads) : nets_{&net}, begin_(threads), end_(threads), failures_(threads) {
    for (unsigned i = 1; i < threads; ++i) {
      Net& replica = *replicas_.emplace_back(std::make_unique<Net>());
      const auto shared = net.parameters();
      auto own = replica.parameters();
      for (std::size_t p = 0; p < own.size(); ++p) own[p].set_data(shared[p].data());
      nets_.push_back(&replica);
    }
    for (Net* each : nets_) each->train();
    for (unsigned i = 1; i < threads; ++i) threads_.emplace_back([this, i] { work(i); });
  }

  ~Shards() {
    stopped_ = true;
    begin_.arrive_and_wait();
    for (auto& thread : threads_) thread.join();
  }

  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  /// Leaves the mean gradients in the net's parameters. The batch divides by the number of threads.
  void gradients(const Batch& batch) {
    batch_ = &batch;
    begin_.arrive_and_wait();
    compute(0);
    end_.arrive_and_wait();
    for (const auto& failure : failures_) {
      if (failure) std::rethrow_exception(failure);
    }
    const torch::NoGradGuard no_gradients;
    auto mean = nets_[0]->parameters();
    for (std::size_t i = 1; i < nets_.size(); ++i) {
      const auto own = nets_[i]->parameters();
      for (std::size_t p = 0; p < mean.size(); ++p) mean[p].mutable_grad().add_(own[p].grad());
    }
    for (auto& parameter : mean) parameter.mutable_grad().div_(static_cast<double>(nets_.size()));
  }

 private:
  void work(std::size_t number) {
    at::init_num_threads();
    for (;;) {
      begin_.arrive_and_wait();
      if (stopped_) return;
      compute(number);
      end_.arrive_and_wait();
    }
  }

  void compute(std::size_t number) {
    try {
      const std::int64_t size = batch_->images.size(0) / static_cast<std::int64_t>(nets_.size());
      const Batch shard = batch_->shard(static_cast<std::int64_t>(number) * size, size);
      nets_[number]->zero_grad();
      nn::functional::cross_entropy(nets_[number]->forward(shard), shard.labels,
                                    nn::functional::CrossEntropyFuncOptions().label_smoothing(0.05))
          .backward();
    } catch (...) { failures_[number] = std::current_exception(); }
  }

  std::vector<std::unique_ptr<Net>> replicas_;
  std::vector<Net*> nets_;
  std::barrier<> begin_;
  std::barrier<> end_;
  std::vector<std::exception_ptr> failures_;
  const Batch* batch_ = nullptr;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

/// The training images as tensors, and batches of them.
class Batches {
 public:
  explicit Batches(const LabelledImages& train)
      : count_(static_cast<std::int64_t>(train.count())),
        images_(torch::tensor(at::ArrayRef<std::uint8_t>(train.pixels), torch::kUInt8).view({count_, 1, 28, 28})),
        labels_(torch::tensor(at::ArrayRef<std::uint8_t>(train.labels), torch::kUInt8).to(torch::kLong)) {}

  std::int64_t count() const { return count_; }
  void shuffle() { order_ = torch::randperm(count_, torch::kLong); }

  Batch at(std::int64_t begin, std::int64_t size, bool mirror, std::int64_t kept) const {
    const auto which = order_.narrow(0, begin, size);
    auto images = images_.index_select(0, which).to(torch::kFloat).div_(255.0);
    if (mirror) images = torch::where(torch::rand({size, 1, 1, 1}) < 0.5, images, images.flip({3}));
    const auto keep = (torch::rand({size, kept}) >= kDropped).to(torch::kFloat).div_(1 - kDropped);
    return {images, labels_.index_select(0, which), keep};
  }

 private:
  std::int64_t count_;
  torch::Tensor images_, labels_, order_;
};

/// Up over the first fifth of the steps, then down along a cosine.
double rate_at(double done, double rate_max) {
  if (done < 0.2) return rate_max * (0.04 + 0.96 * done / 0.2);
  return rate_max * 0.5 * (1 + std::cos(kPi * (done - 0.2) / 0.8));
}

/// AdamW. The last batch of an epoch is dropped when short.
template <class Net>
void fit(Net& net, const LabelledImages& train, const TrainOptions& options, double rate_max, bool mirror) {
  Batches batches(train);
  const std::int64_t threads = std::min<std::int64_t>(options.threads, batches.count());
  const std::int64_t batch = std::min(kBatch, batches.count()) / threads * threads;
  const std::int64_t steps = batches.count() / batch * options.epochs;
  torch::optim::AdamW optimizer(net.parameters(), torch::optim::AdamWOptions(rate_max).weight_decay(1e-2));
  Shards<Net> shards(net, static_cast<unsigned>(threads));
  auto reported = std::chrono::steady_clock::now();
  std::int64_t step = 0;
  for (unsigned epoch = 0; epoch < options.epochs; ++epoch) {
    batches.shuffle();
    for (std::int64_t at = 0; at + batch <= batches.count(); at += batch, ++step) {
      const double done = static_cast<double>(step) / static_cast<double>(steps);
      static_cast<torch::optim::AdamWOptions&>(optimizer.param_groups()[0].options()).lr(rate_at(done, rate_max));
      shards.gradients(batches.at(at, batch, mirror, Net::kKept));
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
    single_thread();
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
