// LibTorch on a stack: float, and what hearth's own quantize_dynamic makes of it, with both of its engines.
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/script.h>

#include <cstdio>

#include "bench/stack_engine.h"
#include "runtime/edge/quantize.h"
#include "runtime/edge/torch_file.h"

namespace hearth::bench {
namespace {

void write_stack(const Stack& stack, const std::string& file) {
  torch::jit::Module module("stack");
  const auto width = static_cast<std::int64_t>(stack.width);
  std::string source = "def forward(self, x):\n";
  for (std::size_t i = 0; i < kLayers; ++i) {
    const std::string number = std::to_string(i);
    const auto tensor = [](const std::vector<float>& values, at::IntArrayRef shape) {
      return torch::from_blob(const_cast<float*>(values.data()), shape).clone();
    };
    module.register_parameter("w" + number, tensor(stack.weights[i], {width, width}), false);
    module.register_parameter("b" + number, tensor(stack.biases[i], {width}), false);
    source += "  x = torch.linear(x, self.w" + number + ", self.b" + number + ")\n";
  }
  module.define(source + "  return x\n");
  module.save(file);
}

void use_threads(std::size_t threads) {
  at::set_num_threads(static_cast<int>(threads));
  // at::set_num_threads does not bound OpenBLAS's own.
  const auto openblas = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (openblas != nullptr) openblas(static_cast<int>(threads));
}

class TorchStack final : public StackEngine {
 public:
  TorchStack(std::string name, at::QEngine engine, const std::string& file) : name_(std::move(name)) {
    at::globalContext().setQEngine(engine);  // Weights are packed for it as they are loaded.
    auto module = torch::jit::load(file);
    module.eval();
    if (engine == at::QEngine::QNNPACK) edge::calm_qnnpack(module);
    module_ = edge::freeze_module(module);
  }

  std::string name() const override { return name_; }

  bool prepare(const Case& c) override {
    threads_ = c.threads;
    input_ = bench_input(c.batch * c.width);
    shape_ = {static_cast<std::int64_t>(c.batch), static_cast<std::int64_t>(c.width)};
    return true;
  }

  std::vector<double> run(double seconds, std::size_t runs_max) override {
    const c10::InferenceMode inference;
    use_threads(threads_);
    const auto input = torch::from_blob(input_.data(), shape_);
    return time_runs(seconds, runs_max, [&] { output_ = module_.forward({input}).toTensor(); });
  }

  std::vector<float> output() const override {
    const auto* values = output_.data_ptr<float>();
    return {values, values + output_.numel()};
  }

 private:
  std::string name_;
  torch::jit::Module module_;
  std::size_t threads_ = 1;
  std::vector<float> input_;
  std::vector<std::int64_t> shape_;
  at::Tensor output_;
};

}  // namespace

void add_torch_engines(const Stack& stack, const std::string& folder, Engines& engines) {
  edge::silence_torch();
  const std::string plain = folder + "/float.pt";
  const std::string int8 = folder + "/int8.pt";
  write_stack(stack, plain);
  engines.push_back(std::make_unique<TorchStack>("torch_fp32", at::QEngine::NoQEngine, plain));
  const auto quantized = edge::quantize_dynamic(plain, int8);
  if (!quantized.ok()) {
    std::printf("torch_int8: not measured: %s\n", quantized.error().message.c_str());
    return;
  }
  engines.push_back(std::make_unique<TorchStack>("torch_int8_qnnpack", at::QEngine::QNNPACK, int8));
  engines.push_back(std::make_unique<TorchStack>("torch_int8_onednn", at::QEngine::ONEDNN, int8));
}

}  // namespace hearth::bench
