// Compiled once for each processor; see linear_kernels.cpp.
#include "runtime/edge/kernels/float_linear.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "runtime/edge/kernels/linear_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/edge/kernels/float_linear.cpp"  // NOLINT
#include <hwy/foreach_target.h>                                     // NOLINT: must come before highway.h
#include <hwy/highway.h>

#include "runtime/edge/kernels/vector_math.inc"

HWY_BEFORE_NAMESPACE();
namespace hearth::edge::kernels {
namespace HWY_NAMESPACE {

struct FloatTile {
  const FloatLinear& layer;
  const float* input;  ///< Of the first row.
  float* output;       ///< Of the first row.
  const float* weights;
  std::size_t width;  ///< Of the panel.
  std::size_t first;  ///< Output.
};

/// R rows and V vectors of outputs.
template <std::size_t R, std::size_t V>
void float_tile(const FloatTile& tile) {
  const std::size_t inputs = tile.layer.inputs();
  VF sums[2][R][V];
  HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) sums[0][r][v] = sums[1][r][v] = hn::Zero(kFloats);
  }
  const auto add = [&](VF(&sum)[R][V], std::size_t k) HWY_ATTR {
    VF w[V];
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
      w[v] = hn::LoadU(kFloats, tile.weights + k * tile.width + v * kLanes);
    }
    HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
      const VF x = hn::Set(kFloats, tile.input[r * inputs + k]);
      HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) sum[r][v] = hn::MulAdd(w[v], x, sum[r][v]);
    }
  };
  std::size_t k = 0;
  for (; k + 2 <= inputs; k += 2) {
    add(sums[0], k);
    add(sums[1], k + 1);
  }
  if (k < inputs) add(sums[0], k);
  const std::size_t outputs = tile.layer.outputs();
  HWY_UNROLL(8) for (std::size_t r = 0; r < R; ++r) {
    HWY_UNROLL(8) for (std::size_t v = 0; v < V; ++v) {
      const std::size_t n = tile.first + v * kLanes;
      if (n >= outputs) continue;
      const VF sum = hn::Add(hn::Add(sums[0][r][v], sums[1][r][v]), hn::LoadU(kFloats, tile.layer.bias() + n));
      store_some(sum, tile.output + r * outputs + n, outputs - n);
    }
  }
}

/// R rows across a panel, V vectors at a time, then what is left.
template <std::size_t R, std::size_t V>
void float_rows(FloatTile tile, std::size_t done = 0) {
  for (; done + V * kLanes <= tile.width; done += V * kLanes) {
    float_tile<R, V>(tile);
    tile.weights += V * kLanes;
    tile.first += V * kLanes;
  }
  if constexpr (V > 1) float_rows<R, V / 2>(tile, done);
}

void float_panels(const FloatLinear& layer, const float* input, std::size_t rows, float* output) {
  constexpr bool kMany = HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;
  const std::size_t padded = rounded_up(layer.outputs(), kBlock);
  for (std::size_t first = 0; first < padded; first += kPanel) {
    FloatTile tile{layer, input, output, layer.weights() + first * layer.inputs(), std::min(kPanel, padded - first),
                   first};
    const auto next = [&](std::size_t count) {
      tile.input += count * layer.inputs();
      tile.output += count * layer.outputs();
    };
    std::size_t left = rows;
    for (; left >= 4; left -= 4, next(4)) float_rows<4, kMany ? 2 : 1>(tile);
    for (; left > 0; --left, next(1)) float_rows<1, 4>(tile);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace hearth::edge::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearth::edge::kernels {

Result<FloatLinear> FloatLinear::pack(std::size_t outputs, std::size_t inputs, std::span<const float> weights,
                                      std::span<const float> bias) {
  if (outputs == 0 || inputs == 0 || weights.size() != outputs * inputs || (!bias.empty() && bias.size() != outputs)) {
    return Error{ErrorCode::kInvalidArgument, "linear layer: " + std::to_string(weights.size()) + " weights and " +
                                                  std::to_string(bias.size()) + " bias values, expected " +
                                                  std::to_string(outputs) + " x " + std::to_string(inputs)};
  }
  FloatLinear layer(outputs, inputs);
  const std::size_t padded = rounded_up(outputs, kBlock);
  layer.weights_ = AlignedBytes(padded * inputs * sizeof(float));
  layer.bias_.resize(padded);
  std::ranges::copy(bias, layer.bias_.begin());
  auto* const packed = reinterpret_cast<float*>(layer.weights_.data());
  for (std::size_t n = 0; n < outputs; ++n) {
    const std::size_t first = n / kPanel * kPanel;
    float* const column = packed + first * inputs + n % kPanel;
    const std::size_t width = std::min(kPanel, padded - first);
    for (std::size_t k = 0; k < inputs; ++k) column[k * width] = weights[n * inputs + k];
  }
  return layer;
}

HWY_EXPORT(float_panels);

void run_linear(const FloatLinear& layer, std::span<const float> input, std::size_t rows, std::span<float> output) {
  assert(input.size() == rows * layer.inputs() && output.size() == rows * layer.outputs());
  HWY_DYNAMIC_DISPATCH(float_panels)(layer, input.data(), rows, output.data());
}

}  // namespace hearth::edge::kernels
#endif  // HWY_ONCE
