#include "runtime/edge/kernels/quantize_weights.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

#include "runtime/edge/kernels/linear.h"

namespace hearth::edge::kernels {
namespace {

constexpr float kScaleMin = std::numeric_limits<float>::min();  // Below, the weights count as zero.

Status check_finite(std::span<const float> weights) {
  if (std::ranges::all_of(weights, [](float w) { return std::isfinite(w); })) return Done{};
  return Error{ErrorCode::kInvalidArgument, "a weight is not finite"};
}

std::uint16_t to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);  // To the nearest, ties to even.
}

float from_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

float step_of(float w, float inverse, float low, float high) {
  return std::clamp(std::nearbyint(w * inverse), low, high);
}

float squared_error(std::span<const float> group, float scale) {
  const float inverse = 1 / scale;
  float sum = 0;
  for (const float w : group) {
    const float miss = w - scale * step_of(w, inverse, -8, 7);
    sum += miss * miss;
  }
  return sum;
}

/// The scale may be negative: -8 then stands for the largest weight, whatever its sign.
std::uint16_t best_scale(std::span<const float> group) {
  const float largest = *std::ranges::max_element(group, {}, [](float w) { return std::abs(w); });
  if (std::abs(largest) / 8 < 2 * kScaleMin) return 0;
  std::uint16_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (const float reach : {-8.9F, -8.5F, -8.2F, -8.0F, -7.7F, -7.5F, -7.2F, 7.0F, 7.2F, 7.5F}) {
    const std::uint16_t scale = to_bfloat16(largest / reach);
    const float error = squared_error(group, from_bfloat16(scale));
    if (error < least) least = error, best = scale;
  }
  return best;
}

}  // namespace

Result<QuantizedInt8> quantize_int8(std::span<const float> weights, std::size_t outputs) {
  assert(outputs > 0 && weights.size() % outputs == 0);
  if (const auto finite = check_finite(weights); !finite.ok()) return finite.error();
  const std::size_t inputs = weights.size() / outputs;
  QuantizedInt8 result{std::vector<std::int8_t>(weights.size()), std::vector<float>(outputs)};
  for (std::size_t n = 0; n < outputs; ++n) {
    const auto row = weights.subspan(n * inputs, inputs);
    float largest = 0;
    for (const float w : row) largest = std::max(largest, std::abs(w));
    const float scale = largest / 127;
    if (scale < kScaleMin) continue;
    result.scales[n] = scale;
    for (std::size_t k = 0; k < inputs; ++k) {
      result.values[n * inputs + k] = static_cast<std::int8_t>(step_of(row[k], 1 / scale, -127, 127));
    }
  }
  return result;
}

Result<QuantizedInt4> quantize_int4(std::span<const float> weights, std::size_t outputs) {
  assert(outputs > 0 && weights.size() % outputs == 0);
  if (const auto finite = check_finite(weights); !finite.ok()) return finite.error();
  const std::size_t inputs = weights.size() / outputs;
  const std::size_t row_bytes = (inputs + 1) / 2;
  const std::size_t groups = (inputs + kInt4Group - 1) / kInt4Group;
  QuantizedInt4 result{std::vector<std::uint8_t>(outputs * row_bytes, 0x88),
                       std::vector<std::uint16_t>(outputs * groups)};
  for (std::size_t n = 0; n < outputs; ++n) {
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t begin = g * kInt4Group;
      const auto group = weights.subspan(n * inputs + begin, std::min(kInt4Group, inputs - begin));
      const std::uint16_t scale = best_scale(group);
      result.scales[n * groups + g] = scale;
      if (scale == 0) continue;
      for (std::size_t i = 0; i < group.size(); ++i) {
        const int step = static_cast<int>(step_of(group[i], 1 / from_bfloat16(scale), -8, 7)) + 8;
        std::uint8_t& pair = result.values[n * row_bytes + (begin + i) / 2];
        pair = static_cast<std::uint8_t>(i % 2 == 0 ? (pair & 0xF0) | step : (pair & 0x0F) | step << 4);
      }
    }
  }
  return result;
}

}  // namespace hearth::edge::kernels
