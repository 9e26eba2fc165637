/// \file What linear.cpp and the vector code share. Internal to runtime/edge/kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/edge/kernels/linear.h"

// For Highway, before it is included: the target with VNNI too, and none whose vectors cannot stand in arrays.
#define HWY_WANT_AVX3_DL                                                                  // NOLINT
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)  // NOLINT

namespace hearth::edge::kernels {

inline constexpr std::size_t kPanel = 64;  ///< Outputs read side by side.
inline constexpr std::size_t kBlock = 16;  ///< Outputs are padded to this: the int32 lanes of the widest vector.
inline constexpr std::size_t kQuad = 4;    ///< Inputs of an output side by side: what one int32 lane sums.

inline constexpr std::size_t rounded_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }

/// int8: [panel][inputs / 4][width][4]. int4: [panel][inputs / 32] of {[4][width][4] pairs of weights (of inputs i and
/// i + 4), [width] scales}. The last panel may be narrower, by whole blocks.
struct PackedView {
  explicit PackedView(const PackedLinear& layer)
      : inputs(layer.inputs_),
        outputs(layer.outputs_),
        padded_inputs(rounded_up(inputs, layer.format_ == Format::kInt8 ? kQuad : kInt4Group)),
        weights(layer.weights_.data()),
        scales(layer.scales_.data()),
        sums(layer.sums_.data()),
        scaled_sums(layer.scaled_sums_.data()),
        bias(layer.bias_.data()) {}

  std::size_t panels() const { return (outputs + kPanel - 1) / kPanel; }
  std::size_t width(std::size_t panel) const {
    const std::size_t rest = rounded_up(outputs, kBlock) - panel * kPanel;
    return rest < kPanel ? rest : kPanel;
  }

  std::size_t inputs;
  std::size_t outputs;
  std::size_t padded_inputs;
  const std::uint8_t* weights;
  const float* scales;
  const std::int32_t* sums;
  const float* scaled_sums;
  const float* bias;
};

constexpr std::size_t int4_group_bytes(std::size_t width) { return width * (kInt4Group / 2 + sizeof(std::uint16_t)); }

/// Rows as the kernels read them: `stride` bytes of q each, zero beyond the inputs. With AVX3_DL an int8 layer gets
/// q + 128 instead, for vpdpbusd wants one side unsigned; the sums of the weights take that back.
struct QuantizedRows {
  QuantizedRows(Scratch& scratch, const PackedView& layer, Format format, std::size_t count);

  std::size_t count;
  std::size_t stride;
  std::size_t groups;  ///< int4: of a row; else 0.
  std::uint8_t* values;
  Scratch::Row* rows;        ///< A row that is not finite has the scale NaN.
  std::int32_t* group_sums;  ///< int4: count x groups, of q.
};

void quantize_rows(const PackedView& layer, Format format, const float* input, const QuantizedRows& rows);
/// All rows, the outputs of panels [first, last).
void run_panels(const PackedView& layer, Format format, const QuantizedRows& rows, std::size_t first, std::size_t last,
                float* output, Activation activation);

/// A range of activations that is known beforehand, as quantize_static() maps it to [-127, 127]: what lies outside goes
/// to its end. `low` <= 0 <= `high`. A range below FLT_MIN counts as zero, and so does everything in it.
struct StaticRange {
  StaticRange(float low, float high);

  float scale = 0;
  float inverse = 0;
  std::int32_t zero_point = 0;
};

/// Bytes as QuantizedRows has them for int8 layers. False when a value is not finite.
bool quantize_static(const float* values, std::size_t size, const StaticRange& range, std::uint8_t* to);

}  // namespace hearth::edge::kernels
