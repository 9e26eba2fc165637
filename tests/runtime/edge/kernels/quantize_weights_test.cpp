#include <rapidcheck.h>

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/edge/kernels/linear.h"
#include "runtime/edge/kernels/quantize_weights.h"

using namespace hearth;
using namespace hearth::edge::kernels;

namespace {

float bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

std::vector<float> random_weights(std::size_t count) {
  std::vector<float> weights(count);
  for (float& w : weights) w = static_cast<float>(*rc::gen::inRange(-10000, 10001)) / 1000;
  return weights;
}

}  // namespace

TEST_CASE("An int8 weight is within half a step of its FP32 weight, and the largest is 127 steps") {
  const bool held = rc::check("int8", [] {
    const auto outputs = *rc::gen::inRange<std::size_t>(1, 6);
    const auto inputs = *rc::gen::inRange<std::size_t>(1, 40);
    const auto weights = random_weights(outputs * inputs);
    const auto result = quantize_int8(weights, outputs);
    RC_ASSERT(result.ok());
    for (std::size_t n = 0; n < outputs; ++n) {
      const float scale = result.value().scales[n];
      for (std::size_t k = 0; k < inputs; ++k) {
        const int step = result.value().values[n * inputs + k];
        RC_ASSERT(std::abs(step) <= 127);
        RC_ASSERT(std::abs(static_cast<float>(step) * scale - weights[n * inputs + k]) <= scale * 0.50001F);
      }
    }
  });
  CHECK(held);
}

TEST_CASE("Int4 weights are nearer than the plain scale of largest over seven, group by group") {
  const bool held = rc::check("int4", [] {
    const auto outputs = *rc::gen::inRange<std::size_t>(1, 4);
    const auto inputs = *rc::gen::inRange<std::size_t>(1, 80);
    const auto weights = random_weights(outputs * inputs);
    const auto result = quantize_int4(weights, outputs);
    RC_ASSERT(result.ok());
    const std::size_t groups = (inputs + kInt4Group - 1) / kInt4Group;
    for (std::size_t n = 0; n < outputs; ++n) {
      for (std::size_t g = 0; g < groups; ++g) {
        float largest = 0;
        for (std::size_t k = g * kInt4Group; k < std::min(inputs, (g + 1) * kInt4Group); ++k) {
          largest = std::max(largest, std::abs(weights[n * inputs + k]));
        }
        const float plain = largest > 0 ? largest / 7 : 1;
        double ours = 0;
        double theirs = 0;
        for (std::size_t k = g * kInt4Group; k < std::min(inputs, (g + 1) * kInt4Group); ++k) {
          const float w = weights[n * inputs + k];
          const int step = (result.value().values[n * ((inputs + 1) / 2) + k / 2] >> (k % 2 == 0 ? 0 : 4) & 15) - 8;
          ours += std::pow(static_cast<float>(step) * bfloat16(result.value().scales[n * groups + g]) - w, 2);
          theirs += std::pow(std::nearbyint(w / plain) * plain - w, 2);
        }
        // As vectors: bfloat16 moves a scale by 1/512 of it at most, so each weight by 1/512 of the largest.
        RC_ASSERT(std::sqrt(ours) <= std::sqrt(theirs) * 1.0001 + std::sqrt(32.0) * largest / 512);
      }
    }
  });
  CHECK(held);
}

TEST_CASE("Weights of zero, or too small for a scale, become zero; one that is not finite is refused") {
  for (const float w : {0.0F, 1e-39F}) {
    const std::vector<float> weights(33, w);
    const auto int8 = quantize_int8(weights, 1);
    const auto int4 = quantize_int4(weights, 1);
    REQUIRE(int8.ok());
    REQUIRE(int4.ok());
    CHECK(int8.value().values == std::vector<std::int8_t>(33, 0));
    CHECK(int4.value().values == std::vector<std::uint8_t>(17, 0x88));
    CHECK(int4.value().scales == std::vector<std::uint16_t>(2, 0));
  }
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> weights = {1, bad};
    CHECK(quantize_int8(weights, 1).error().code == ErrorCode::kInvalidArgument);
    CHECK(quantize_int4(weights, 2).error().code == ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("The largest FP32 weights have finite scales") {
  const std::vector<float> weights = {std::numeric_limits<float>::max(), -std::numeric_limits<float>::max()};
  const auto int8 = quantize_int8(weights, 1);
  const auto int4 = quantize_int4(weights, 1);
  REQUIRE(int8.ok());
  REQUIRE(int4.ok());
  CHECK(std::isfinite(int8.value().scales[0]));
  CHECK(std::isfinite(bfloat16(int4.value().scales[0])));
}
