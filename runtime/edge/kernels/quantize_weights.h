/// \file FP32 weights to the int8 and int4 weights that linear.h takes. Threads: any; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <hearth/result.h>

namespace hearth::edge::kernels {

struct QuantizedInt8 {
  std::vector<std::int8_t> values;  ///< outputs x inputs, within [-127, 127].
  std::vector<float> scales;        ///< outputs.
};
struct QuantizedInt4 {
  std::vector<std::uint8_t> values;   ///< outputs x ceil(inputs / 2); w + 8, the lower half first.
  std::vector<std::uint16_t> scales;  ///< outputs x ceil(inputs / kInt4Group), the bits of bfloat16.
};

/// Symmetric, one scale for each output: its largest weight over 127. kInvalidArgument when a weight is not finite.
/// `weights` holds outputs rows of inputs.
Result<QuantizedInt8> quantize_int8(std::span<const float> weights, std::size_t outputs);
/// Symmetric, one scale for each kInt4Group inputs: of a few near the largest weight over 8, the one with the least
/// squared error. kInvalidArgument as above.
Result<QuantizedInt4> quantize_int4(std::span<const float> weights, std::size_t outputs);

}  // namespace hearth::edge::kernels
