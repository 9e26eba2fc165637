/// \file What stands between linear layers: activations, softmax, sums, in FP32. Within 1e-6 of the largest output of
/// the exact function; NaN stays NaN. Threads: any; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hearth::edge::kernels {

enum class Unary : std::uint8_t { kRelu, kGelu, kGeluTanh, kTanh, kSigmoid };
enum class Binary : std::uint8_t { kAdd, kMultiply };

/// `to` may be `from`; as many values.
void apply(Unary function, std::span<const float> from, std::span<float> to);

/// Of each row of `width` values; `log`: the logarithm of the softmax. `to` may be `from`.
void softmax(std::span<const float> from, std::size_t width, bool log, std::span<float> to);

/// `b` is repeated as often as it fits into `a`, a whole number of times. `to` may be `a`.
void apply(Binary function, std::span<const float> a, std::span<const float> b, std::span<float> to);

}  // namespace hearth::edge::kernels
