#include "bench/encoder.h"

#include <torch/script.h>

#include <cmath>
#include <map>
#include <stdexcept>
#include <vector>

#include "runtime/edge/optimize.h"

namespace hearth::bench {
namespace {

constexpr std::int64_t kWide = 384, kInner = 1536, kTokens = 128;
constexpr double kErrorMax = 0.05;

/// Pre-norm, as in Xiong et al., "On layer normalization in the transformer architecture", ICML 2020.
void write_encoder(const std::string& file, int layers) {
  torch::manual_seed(1);
  torch::jit::Module module("encoder");
  std::string source = "def forward(self, x: Tensor):\n";
  for (int i = 0; i < layers; ++i) {
    const std::string p = "l" + std::to_string(i) + "_";
    const auto add = [&](const std::string& name, const at::Tensor& values) {
      module.register_parameter(p + name, values, false);
    };
    const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
      add(name + "_w", torch::randn({out, in}) / std::sqrt(static_cast<double>(in)));
      add(name + "_b", torch::randn({out}) / 10);
    };
    for (const char* norm : {"n1", "n2"}) {
      add(std::string(norm) + "_w", torch::ones({kWide}));
      add(std::string(norm) + "_b", torch::zeros({kWide}));
    }
    linear("qkv", 3 * kWide, kWide);
    linear("o", kWide, kWide);
    linear("up", kInner, kWide);
    linear("down", kWide, kInner);
    const auto call = [&](const std::string& name, const std::string& of) {
      return "torch.linear(" + of + ", self." + p + name + "_w, self." + p + name + "_b)";
    };
    const auto norm = [&](const std::string& name) {
      return "torch.layer_norm(x, [384], self." + p + name + "_w, self." + p + name + "_b, 1e-05)";
    };
    source += "  h = " + call("qkv", norm("n1")) + ".view([-1, 128, 3, 6, 64])\n";
    source += "  q = h.select(2, 0).transpose(1, 2)\n";
    source += "  k = h.select(2, 1).transpose(1, 2)\n";
    source += "  v = h.select(2, 2).transpose(1, 2)\n";
    source += "  a = torch.softmax(torch.matmul(q, k.transpose(2, 3)) / 8.0, 3)\n";
    source += "  a = torch.matmul(a, v).transpose(1, 2).reshape([-1, 128, 384])\n";
    source += "  x = x + " + call("o", "a") + "\n";
    source += "  x = x + " + call("down", "torch.gelu(" + call("up", norm("n2")) + ")") + "\n";
  }
  module.define(source + "  return x\n");
  module.save(file);
}

std::vector<float> outputs_of(EdgeModel& model, const std::vector<Tensor>& inputs) {
  const auto outputs = model.run(inputs);
  if (!outputs.ok()) throw std::runtime_error(outputs.error().message);
  const auto floats = outputs->front().floats();
  return {floats.begin(), floats.end()};
}

double error_of(const std::vector<float>& exact, const std::vector<float>& near) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    error += std::pow(static_cast<double>(near[i]) - static_cast<double>(exact[i]), 2);
    size += std::pow(static_cast<double>(exact[i]), 2);
  }
  return std::sqrt(error / size);
}

}  // namespace

EncoderFigures run_encoder(const std::string& folder, bool quick) {
  edge::OptimizeOptions options;
  options.binding.file = folder + "/encoder.pt";
  options.binding.inputs = {{"x", Datatype::kFp32, {1, kTokens, kWide}}};
  options.binding.outputs = {{"y", Datatype::kFp32, {1, kTokens, kWide}}};
  options.out_file = folder + "/encoder_fast.pt";
  write_encoder(options.binding.file, quick ? 1 : 6);
  torch::manual_seed(2);
  const auto x = torch::randn({1, kTokens, kWide});
  options.inputs = {
      Tensor::of_floats("x", {1, kTokens, kWide}, {x.data_ptr<float>(), static_cast<std::size_t>(x.numel())})};
  edge::TorchEngine engine(1);
  const auto model = engine.load(options.binding);
  if (!model.ok()) throw std::runtime_error(model.error().message);
  const auto exact = outputs_of(**model, options.inputs);
  options.loss = [&](EdgeModel& candidate) -> Result<double> {
    return error_of(exact, outputs_of(candidate, options.inputs));
  };
  options.loss_max = kErrorMax;
  options.measure = [&](std::span<const std::function<void()>> calls) {
    return edge::measure_in_turns(calls, quick ? 3 : 25, 200);
  };
  const auto done = edge::optimize(engine, options);
  if (!done.ok()) throw std::runtime_error(done.error().message);
  std::map<std::string, int> kinds;
  for (const auto& layer : done->layers) ++kinds[std::string(edge::name_of(layer.chosen))];
  EncoderFigures figures;
  for (const auto& [kind, count] : kinds) figures.layers += " " + std::to_string(count) + " " + kind;
  figures.written = done->written;
  figures.why_not = done->why_not;
  figures.float_us = done->before.p50_us;
  figures.float_p10_us = done->before.p10_us;
  figures.float_p90_us = done->before.p90_us;
  figures.fast_us = done->after.p50_us;
  figures.fast_p10_us = done->after.p10_us;
  figures.fast_p90_us = done->after.p90_us;
  figures.float_bytes = done->bytes_before;
  figures.fast_bytes = done->bytes_after;
  figures.output_error = done->loss;
  return figures;
}

}  // namespace hearth::bench
