#include "tests/runtime/edge/kernels/reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

namespace hearth::test {
namespace {

using namespace edge::kernels;

struct Row {
  std::vector<std::int64_t> q;
  float scale = 0;
  std::int64_t zero_point = 0;
};

Row quantize(std::span<const float> x) {
  Row row{std::vector<std::int64_t>(x.size()), 0, 0};
  if (!std::ranges::all_of(x, [](float v) { return std::isfinite(v); })) {
    row.scale = std::numeric_limits<float>::quiet_NaN();
    return row;
  }
  float low = 0;
  float high = 0;
  for (const float v : x) low = std::min(low, v), high = std::max(high, v);
  const float scale = high * (1.0F / 254) - low * (1.0F / 254);
  if (scale < std::numeric_limits<float>::min()) return row;
  row.scale = scale;
  const float inverse = 1 / scale;
  row.zero_point = std::clamp<std::int64_t>(std::llrint(-127 - low * inverse), -127, 127);
  for (std::size_t k = 0; k < x.size(); ++k) {
    row.q[k] = std::clamp<std::int64_t>(std::llrint(x[k] * inverse) + row.zero_point, -127, 127);
  }
  return row;
}

float exp_minus(float y) {
  const float n = std::nearbyint(y * -1.44269504F);
  const float r = -y - n * 0.693359375F - n * -2.12194440e-4F;
  float p = 1.0F / 720;
  for (const float c : {1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F}) p = p * r + c;
  return p * std::ldexp(1.0F, static_cast<int>(n));
}

float gelu(float x) {
  const float size = std::min(std::abs(x), 12.0F);
  const float z = size * 0.707106781F;
  const float t = 1 / (1 + z * 0.3275911F);
  float p = 1.061405429F;
  for (const float c : {-1.453152027F, 1.421413741F, -0.284496736F, 0.254829592F}) p = p * t + c;
  const float rest = p * t * exp_minus(z * z) * (size * 0.5F);
  return x < 0 ? -rest : x - rest;
}

float activated(float x, Activation activation) {
  if (std::isnan(x) || activation == Activation::kNone) return x;
  if (activation == Activation::kGelu) return gelu(x);
  return x < 0 ? 0 : x;
}

float as_float(std::int64_t sum) {
  if (sum != static_cast<std::int32_t>(sum)) throw std::logic_error("the sum leaves an int32");
  return static_cast<float>(static_cast<std::int32_t>(sum));
}

float bias_of(std::span<const float> bias, std::size_t n) { return bias.empty() ? 0 : bias[n]; }

}  // namespace

std::vector<float> reference_linear(const Int8Weights& weights, std::span<const float> input, std::size_t rows,
                                    Activation activation) {
  std::vector<float> output;
  for (std::size_t r = 0; r < rows; ++r) {
    const Row row = quantize(input.subspan(r * weights.inputs, weights.inputs));
    for (std::size_t n = 0; n < weights.outputs; ++n) {
      std::int64_t sum = 0;
      for (std::size_t k = 0; k < weights.inputs; ++k) {
        sum += (row.q[k] - row.zero_point) * weights.values[n * weights.inputs + k];
      }
      const float scaled = as_float(sum) * (row.scale * weights.scales[n]);
      output.push_back(activated(scaled + bias_of(weights.bias, n), activation));
    }
  }
  return output;
}

std::vector<float> reference_linear(const Int4Weights& weights, std::span<const float> input, std::size_t rows,
                                    Activation activation) {
  const std::size_t row_bytes = (weights.inputs + 1) / 2;
  const std::size_t groups = (weights.inputs + kInt4Group - 1) / kInt4Group;
  std::vector<float> output;
  for (std::size_t r = 0; r < rows; ++r) {
    const Row row = quantize(input.subspan(r * weights.inputs, weights.inputs));
    for (std::size_t n = 0; n < weights.outputs; ++n) {
      float total = 0;         // of w * q
      float total_weight = 0;  // of w
      for (std::size_t g = 0; g < groups; ++g) {
        std::int64_t sum = 0;
        std::int64_t sum_weights = 0;
        for (std::size_t k = g * kInt4Group; k < std::min((g + 1) * kInt4Group, weights.inputs); ++k) {
          const int w = (weights.values[n * row_bytes + k / 2] >> (k % 2 == 0 ? 0 : 4) & 15) - 8;
          sum += w * row.q[k];
          sum_weights += w;
        }
        const float scale = std::bit_cast<float>(std::uint32_t{weights.scales[n * groups + g]} << 16);
        total += as_float(sum) * scale;
        total_weight += as_float(sum_weights) * scale;
      }
      const float scaled = (total - static_cast<float>(row.zero_point) * total_weight) * row.scale;
      output.push_back(activated(scaled + bias_of(weights.bias, n), activation));
    }
  }
  return output;
}

}  // namespace hearth::test
