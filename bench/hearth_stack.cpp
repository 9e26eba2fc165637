// The kernels of runtime/edge/kernels on a stack.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>

#include "bench/stack_engine.h"
#include "runtime/edge/kernels/linear.h"
#include "runtime/edge/kernels/quantize_weights.h"
#include "runtime/edge/kernels/thread_team.h"

namespace hearth::bench {
namespace {

using namespace edge::kernels;

PackedLinear pack_layer(Format format, const std::vector<float>& weights, const std::vector<float>& bias) {
  const std::size_t width = bias.size();
  const auto packed = [&] {
    if (format == Format::kInt8) {
      const auto q = quantize_int8(weights, width).value();
      return PackedLinear::pack(Int8Weights{width, width, q.values, q.scales, bias});
    }
    const auto q = quantize_int4(weights, width).value();
    return PackedLinear::pack(Int4Weights{width, width, q.values, q.scales, bias});
  };
  auto layer = packed();
  if (!layer.ok()) throw std::runtime_error(layer.error().message);
  return std::move(layer.value());
}

class HearthStack final : public StackEngine {
 public:
  HearthStack(Format format, const Stack& stack) : format_(format) {
    for (std::size_t i = 0; i < kLayers; ++i) layers_.push_back(pack_layer(format, stack.weights[i], stack.biases[i]));
  }

  std::string name() const override { return format_ == Format::kInt8 ? "hearth_int8" : "hearth_int4"; }

  bool prepare(const Case& c) override {
    batch_ = c.batch;
    input_ = bench_input(c.batch * c.width);
    for (auto& values : between_) values.assign(c.batch * c.width, 0);
    team_ = std::make_unique<ThreadTeam>(c.threads);
    threads_ = team_->threads();
    return true;
  }

  std::vector<double> run(double seconds, std::size_t runs_max) override {
    return time_runs(seconds, runs_max, [&] {
      const std::vector<float>* input = &input_;
      for (std::size_t i = 0; i < kLayers; ++i) {
        run_linear(layers_[i], *input, batch_, between_[i % 2], Activation::kNone, scratch_, threads_);
        input = &between_[i % 2];
      }
    });
  }

  std::vector<float> output() const override { return between_[(kLayers - 1) % 2]; }

 private:
  Format format_;
  std::vector<PackedLinear> layers_;
  std::size_t batch_ = 0;
  std::vector<float> input_;
  std::vector<float> between_[2];
  Scratch scratch_;
  std::unique_ptr<ThreadTeam> team_;
  Threads threads_;
};

}  // namespace

std::vector<double> time_runs(double seconds, std::size_t runs_max, const std::function<void()>& once) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> us;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (auto begin = Clock::now(); us.size() < runs_max && begin < end; begin = Clock::now()) {
    once();
    us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  return us;
}

std::vector<float> bench_input(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i * 7919 % 2003) / 1001 - 1;
  return values;
}

void add_hearth_engines(const Stack& stack, Engines& engines) {
  for (const Format format : {Format::kInt8, Format::kInt4})
    engines.push_back(std::make_unique<HearthStack>(format, stack));
}

}  // namespace hearth::bench
