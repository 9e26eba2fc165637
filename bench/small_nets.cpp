#include "bench/small_nets.h"

#include <malloc.h>
#include <torch/script.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "bench/stack_engine.h"
#include "runtime/edge/kernels/elementwise.h"
#include "runtime/edge/kernels/float_linear.h"
#include "runtime/edge/kernels/linear.h"
#include "runtime/edge/kernels/quantize_weights.h"
#include "runtime/edge/quantize.h"
#include "runtime/edge/torch_engine.h"
#include "runtime/edge/torch_file.h"

namespace hearth::bench {
namespace {

using namespace edge::kernels;

template <class T>
T value_or_throw(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

/// Layers with ReLU between them.
struct Net {
  std::string name;
  std::vector<std::size_t> widths;
  std::vector<std::vector<float>> weights;

  Net(std::string title, std::vector<std::size_t> sizes) : name(std::move(title)), widths(std::move(sizes)) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      weights.push_back(bench_input(widths[i] * widths[i + 1]));
      const float size =
          std::sqrt(3.0F / static_cast<float>(widths[i])) * (1 + static_cast<float>(i) / 8);  // No two alike.
      for (float& w : weights.back()) w *= size;
    }
  }

  void save(const std::string& file) const {
    torch::jit::Module module("net");
    std::string source = "def forward(self, x):\n";
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto sizes = {static_cast<std::int64_t>(widths[i + 1]), static_cast<std::int64_t>(widths[i])};
      const std::string number = std::to_string(i);
      module.register_parameter("w" + number, torch::from_blob(const_cast<float*>(weights[i].data()), sizes).clone(),
                                false);
      module.register_parameter("b" + number, torch::zeros(sizes.begin()[0]), false);
      const std::string layer = "torch.linear(x, self.w" + number + ", self.b" + number + ")";
      source += "  x = " + (i + 1 < weights.size() ? "torch.relu(" + layer + ")" : layer) + "\n";
    }
    module.define(source + "  return x\n");
    module.save(file);
  }

  EdgeBinding binding(const std::string& file) const {
    EdgeBinding bound;
    bound.file = file;
    bound.inputs = {{"x", Datatype::kFp32, {1, static_cast<std::int64_t>(widths.front())}}};
    bound.outputs = {{"y", Datatype::kFp32, {1, static_cast<std::int64_t>(widths.back())}}};
    return bound;
  }
};

/// The net's kernels and nothing around them.
class Arithmetic {
 public:
  Arithmetic(const Net& net, bool int8) : input_(bench_input(net.widths.front())), int8_(int8) {
    for (std::size_t i = 0; i < net.weights.size(); ++i) {
      const std::size_t in = net.widths[i], out = net.widths[i + 1];
      const std::vector<float> bias(out);
      if (int8) {
        const auto q = value_or_throw(quantize_int8(net.weights[i], out));
        packed_.push_back(value_or_throw(PackedLinear::pack(Int8Weights{out, in, q.values, q.scales, bias})));
      } else {
        plain_.push_back(value_or_throw(FloatLinear::pack(out, in, net.weights[i], bias)));
      }
      between_.emplace_back(out);
    }
  }

  void run() {
    const std::vector<float>* x = &input_;
    for (std::size_t i = 0; i < between_.size(); ++i) {
      const bool last = i + 1 == between_.size();
      if (int8_) {
        run_linear(packed_[i], *x, 1, between_[i], last ? Activation::kNone : Activation::kRelu, scratch_);
      } else {
        run_linear(plain_[i], *x, 1, between_[i]);
        if (!last) apply(Unary::kRelu, between_[i], between_[i]);
      }
      x = &between_[i];
    }
  }

 private:
  std::vector<float> input_;
  bool int8_;
  std::vector<PackedLinear> packed_;
  std::vector<FloatLinear> plain_;
  std::vector<std::vector<float>> between_;
  Scratch scratch_;
};

void time_net(const Net& net, const std::string& folder, bool quick, std::vector<NetTime>& times) {
  edge::TorchEngine engine(1);
  const std::string plain = folder + "/net.pt", int8 = folder + "/net_int8.pt";
  net.save(plain);
  const std::vector<float> values = bench_input(net.widths.front());
  const std::vector<Tensor> inputs = {Tensor::of_floats("x", {1, static_cast<std::int64_t>(values.size())}, values)};
  std::vector<std::string> names;
  std::vector<std::function<void()>> calls;
  const auto add = [&](const char* name, std::function<void()> call) {
    names.emplace_back(name);
    calls.push_back(std::move(call));
  };
  const auto add_model = [&](const char* name, const std::string& file, edge::Executor executor) {
    const auto model = value_or_throw(engine.load(net.binding(file), executor));
    add(name, [model, &inputs] { value_or_throw(model->run(inputs)); });
  };
  auto module = torch::jit::load(plain);
  module.eval();
  const auto frozen = std::make_shared<torch::jit::Module>(edge::freeze_module(module));
  const auto width = static_cast<std::int64_t>(values.size());
  add("torch_fp32", [&, frozen] {
    const c10::InferenceMode inference;
    frozen->forward({torch::from_blob(const_cast<float*>(values.data()), {1, width})});
  });
  add_model("hearth_torch", plain, edge::Executor::kTorch);
  add_model("hearth_fp32", plain, edge::Executor::kFastest);
  const auto fp32 = std::make_shared<Arithmetic>(net, false);
  add("arithmetic_fp32", [fp32] { fp32->run(); });
  if (!net.weights.empty()) {
    value_or_throw(edge::quantize_dynamic(plain, int8, edge::LayerKind::kInt8));
    add_model("hearth_int8", int8, edge::Executor::kFastest);
    const auto ours = std::make_shared<Arithmetic>(net, true);
    add("arithmetic_int8", [ours] { ours->run(); });
  }
  const auto spreads = edge::measure_in_turns(calls, quick ? 20 : 400, 200);
  for (std::size_t i = 0; i < names.size(); ++i) times.push_back({net.name, names[i], spreads[i]});
}

/// Kilobytes of a line of /proc/self/status.
double status_mib(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key + ":")) return std::stod(line.substr(key.size() + 1)) / 1024;
  }
  return std::nan("");
}

Held hold(const std::string& name, const Net& net, const std::string& file, edge::Executor executor) {
  edge::TorchEngine engine(1);
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;  // The peak begins anew.
  const double before = status_mib("VmRSS");
  const auto began = std::chrono::steady_clock::now();
  const auto model = value_or_throw(engine.load(net.binding(file), executor));
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  const double peak = status_mib("VmHWM");
  malloc_trim(0);
  return {name, static_cast<double>(std::filesystem::file_size(file)) / (1 << 20), status_mib("VmRSS") - before,
          peak - before, ms};
}

double median_of(const std::vector<NetTime>& times, const std::string& net, const std::string& engine) {
  for (const NetTime& time : times) {
    if (time.net == net && time.engine == engine) return time.time.p50_us;
  }
  return std::nan("");
}

}  // namespace

std::vector<NetTime> time_small_nets(const std::string& folder, bool quick) {
  std::vector<NetTime> times;
  for (const Net& net :
       {Net("identity", {64}), Net("784-32-10", {784, 32, 10}), Net("128 wide", {128, 128, 128, 128, 128})}) {
    time_net(net, folder, quick, times);
  }
  return times;
}

std::vector<Held> measure_memory(const std::string& folder, bool quick) {
  const std::size_t width = quick ? 512 : 2048;
  const Net net("stack", {width, width, width, width, width});
  const std::string plain = folder + "/stack.pt", int8 = folder + "/stack_int8.pt";
  net.save(plain);
  value_or_throw(edge::quantize_dynamic(plain, int8, edge::LayerKind::kInt8));
  std::vector<Held> held;
  for (int round = 0; round < 2; ++round) {  // The first finds memory that earlier work left behind.
    held.clear();
    for (const auto& [name, executor] :
         {std::pair("LibTorch", edge::Executor::kTorch), std::pair("plan", edge::Executor::kFastest)}) {
      held.push_back(hold(std::string("float, ") + name, net, plain, executor));
      held.push_back(hold(std::string("int8, ") + name, net, int8, executor));
    }
  }
  return held;
}

void print(const std::vector<NetTime>& times) {
  std::printf("\nsmall nets, batch 1, one thread, microseconds: median (p10-p90) of turns\n");
  std::string net;
  for (const NetTime& time : times) {
    if (time.net != net) std::printf("%s\n", (net = time.net).c_str());
    std::printf("  %-16s %7.2f (%.2f-%.2f)\n", time.engine.c_str(), time.time.p50_us, time.time.p10_us,
                time.time.p90_us);
    if (time.engine == "arithmetic_fp32" || time.engine == "arithmetic_int8") {
      const std::string hearth = "hearth" + time.engine.substr(time.engine.find('_'));
      std::printf("    %s adds %.2f to it (goal: at most 10)", hearth.c_str(),
                  median_of(times, net, hearth) - time.time.p50_us);
      std::printf(", takes %.2f of torch_fp32 (goal: at most 1.00)\n",
                  median_of(times, net, hearth) / median_of(times, net, "torch_fp32"));
    }
  }
}

void print(const std::vector<Held>& held) {
  std::printf("\nmemory of a loaded stack, MiB: file, resident, peak while loading\n");
  for (const Held& one : held) {
    std::printf("  %-16s %6.1f %6.1f %6.1f  loaded in %.0f ms\n", one.model.c_str(), one.file_mib, one.resident_mib,
                one.peak_mib, one.load_ms);
  }
}

}  // namespace hearth::bench
