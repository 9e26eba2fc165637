#include "runtime/edge/kernels/linear.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <string>

#include "runtime/edge/kernels/linear_kernels.h"

namespace hearth::edge::kernels {
namespace {

// Below this a second thread costs more than it saves: some 2 us of products against up to 2 us to call it.
constexpr std::size_t kProductsPerThread = std::size_t{1} << 18;
// So that a thread that was held up leaves its work to the others.
constexpr std::size_t kPartsPerThread = 8;

float bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

Error wrong(const std::string& what) { return {ErrorCode::kInvalidArgument, "linear layer: " + what}; }

Status check_sides(std::size_t outputs, std::size_t inputs) {
  if (inputs == 0 || inputs > kInputsMax) {
    return wrong(std::to_string(inputs) + " inputs, expected 1 to " + std::to_string(kInputsMax));
  }
  constexpr std::size_t kOutputsMax = std::size_t{1} << 30;
  if (outputs == 0 || outputs > kOutputsMax) {
    return wrong(std::to_string(outputs) + " outputs, expected 1 to " + std::to_string(kOutputsMax));
  }
  return Done{};
}

Status check_size(const char* what, std::size_t size, std::size_t expected) {
  if (size == expected) return Done{};
  return wrong(std::to_string(size) + " " + what + ", expected " + std::to_string(expected));
}

Status check_bias(std::span<const float> bias, std::size_t outputs) {
  if (bias.empty()) return Done{};
  if (const auto size = check_size("bias values", bias.size(), outputs); !size.ok()) return size;
  if (!std::ranges::all_of(bias, [](float x) { return std::isfinite(x); })) return wrong("a bias is not finite");
  return Done{};
}

/// Where input k of output n stands in int8 panels that are `padded_inputs` long.
std::size_t int8_place(const PackedView& layer, std::size_t n, std::size_t k) {
  const std::size_t panel = n / kPanel;
  return panel * kPanel * layer.padded_inputs + (k / kQuad) * layer.width(panel) * kQuad + (n % kPanel) * kQuad +
         k % kQuad;
}

std::size_t int4_group_place(const PackedView& layer, std::size_t n, std::size_t group) {
  const std::size_t panel = n / kPanel;
  return panel * int4_group_bytes(kPanel) * (layer.padded_inputs / kInt4Group) +
         group * int4_group_bytes(layer.width(panel));
}

struct Int4Place {
  std::size_t byte;
  int shift;
};

Int4Place int4_place(const PackedView& layer, std::size_t n, std::size_t k) {
  const std::size_t i = k % kInt4Group;
  const std::size_t byte = (i / (2 * kQuad) * layer.width(n / kPanel) + n % kPanel) * kQuad + i % kQuad;
  return {int4_group_place(layer, n, k / kInt4Group) + byte, i / kQuad % 2 == 0 ? 0 : 4};
}

std::size_t int4_scale_place(const PackedView& layer, std::size_t n, std::size_t group) {
  return int4_group_place(layer, n, group) + layer.width(n / kPanel) * (kInt4Group / 2) +
         n % kPanel * sizeof(std::uint16_t);
}

}  // namespace

PackedLinear::PackedLinear(Format format, std::size_t outputs, std::size_t inputs, std::span<const float> bias)
    : format_(format), outputs_(outputs), inputs_(inputs), bias_(rounded_up(outputs, kBlock)) {
  std::ranges::copy(bias, bias_.begin());
}

Result<PackedLinear> PackedLinear::pack(const Int8Weights& weights) {
  const auto [outputs, inputs, values, scales, bias] = weights;
  for (const auto& checked : {check_sides(outputs, inputs), check_size("int8 weights", values.size(), outputs * inputs),
                              check_size("scales", scales.size(), outputs), check_bias(bias, outputs)}) {
    if (!checked.ok()) return checked.error();
  }
  if (!std::ranges::all_of(scales, [](float x) { return std::isfinite(x); })) return wrong("a scale is not finite");

  PackedLinear layer(Format::kInt8, outputs, inputs, bias);
  const std::size_t padded = rounded_up(outputs, kBlock);
  layer.weights_ = AlignedBytes(padded * rounded_up(inputs, kQuad));
  layer.scales_.resize(padded);
  layer.sums_.resize(padded);
  std::ranges::copy(scales, layer.scales_.begin());
  const PackedView view(layer);
  std::uint8_t* const packed = layer.weights_.data();
  for (std::size_t n = 0; n < outputs; ++n) {
    for (std::size_t k = 0; k < inputs; ++k) {
      const std::int8_t w = values[n * inputs + k];
      packed[int8_place(view, n, k)] = static_cast<std::uint8_t>(w);
      layer.sums_[n] += w;
    }
  }
  return layer;
}

Result<PackedLinear> PackedLinear::pack(const Int4Weights& weights) {
  const auto [outputs, inputs, values, scales, bias] = weights;
  const std::size_t groups = (inputs + kInt4Group - 1) / kInt4Group;
  const std::size_t row_bytes = (inputs + 1) / 2;
  for (const auto& checked :
       {check_sides(outputs, inputs), check_size("bytes of int4 weights", values.size(), outputs * row_bytes),
        check_size("scales", scales.size(), outputs * groups), check_bias(bias, outputs)}) {
    if (!checked.ok()) return checked.error();
  }
  if (!std::ranges::all_of(scales, [](std::uint16_t x) { return std::isfinite(bfloat16(x)); })) {
    return wrong("a scale is not finite");
  }

  PackedLinear layer(Format::kInt4, outputs, inputs, bias);
  const std::size_t padded = rounded_up(outputs, kBlock);
  layer.weights_ = AlignedBytes(int4_group_bytes(padded) * groups);
  layer.scaled_sums_.resize(padded);
  const PackedView view(layer);
  std::uint8_t* const packed = layer.weights_.data();
  for (std::size_t n = 0; n < outputs; ++n) {
    for (std::size_t g = 0; g < groups; ++g) {
      std::int32_t sum = 0;
      for (std::size_t k = g * kInt4Group; k < std::min((g + 1) * kInt4Group, inputs); ++k) {
        const int w = values[n * row_bytes + k / 2] >> (k % 2 == 0 ? 0 : 4) & 15;
        const Int4Place place = int4_place(view, n, k);
        packed[place.byte] = static_cast<std::uint8_t>(packed[place.byte] | w << place.shift);
        sum += w - 8;
      }
      const std::uint16_t scale = scales[n * groups + g];
      std::memcpy(packed + int4_scale_place(view, n, g), &scale, sizeof scale);
      layer.scaled_sums_[n] = layer.scaled_sums_[n] + bfloat16(scale) * static_cast<float>(sum);
    }
  }
  return layer;
}

PlainWeights PackedLinear::unpack() const {
  PlainWeights plain;
  plain.outputs = outputs_;
  plain.inputs = inputs_;
  plain.bias.assign(bias_.begin(), bias_.begin() + static_cast<std::ptrdiff_t>(outputs_));
  const PackedView view(*this);
  if (format_ == Format::kInt8) {
    plain.int8_scales.assign(scales_.begin(), scales_.begin() + static_cast<std::ptrdiff_t>(outputs_));
    for (std::size_t n = 0; n < outputs_; ++n) {
      for (std::size_t k = 0; k < inputs_; ++k) {
        plain.int8.push_back(static_cast<std::int8_t>(view.weights[int8_place(view, n, k)]));
      }
    }
    return plain;
  }
  const std::size_t row_bytes = (inputs_ + 1) / 2;
  plain.int4.assign(outputs_ * row_bytes, 0x80);
  for (std::size_t n = 0; n < outputs_; ++n) {
    for (std::size_t k = 0; k < inputs_; ++k) {
      const Int4Place place = int4_place(view, n, k);
      const int w = view.weights[place.byte] >> place.shift & 15;
      std::uint8_t& pair = plain.int4[n * row_bytes + k / 2];
      pair = static_cast<std::uint8_t>(k % 2 == 0 ? (pair & 0xF0) | w : (pair & 0x0F) | w << 4);
    }
    for (std::size_t g = 0; g * kInt4Group < inputs_; ++g) {
      std::uint16_t scale;
      std::memcpy(&scale, view.weights + int4_scale_place(view, n, g), sizeof scale);
      plain.int4_scales.push_back(scale);
    }
  }
  return plain;
}

std::size_t PackedLinear::bytes() const {
  return weights_.size() + sizeof(float) * (scales_.size() + sums_.size() + scaled_sums_.size() + bias_.size());
}

QuantizedRows::QuantizedRows(Scratch& scratch, const PackedView& layer, Format format, std::size_t n)
    : count(n), stride(layer.padded_inputs), groups(format == Format::kInt4 ? stride / kInt4Group : 0) {
  if (scratch.values_.size() < count * stride) scratch.values_ = AlignedBytes(count * stride);
  if (scratch.rows_.size() < count) scratch.rows_.resize(count);
  if (scratch.group_sums_.size() < count * groups) scratch.group_sums_.resize(count * groups);
  values = scratch.values_.data();
  rows = scratch.rows_.data();
  group_sums = scratch.group_sums_.data();
}

void run_linear(const PackedLinear& layer, std::span<const float> input, std::size_t rows, std::span<float> output,
                Activation activation, Scratch& scratch, const Threads& threads) {
  assert(input.size() == rows * layer.inputs() && output.size() == rows * layer.outputs());
  if (rows == 0) return;
  const PackedView view(layer);
  const QuantizedRows quantized(scratch, view, layer.format(), rows);
  quantize_rows(view, layer.format(), input.data(), quantized);

  const std::size_t panels = view.panels();
  const std::size_t worth = rows * view.inputs * view.outputs / kProductsPerThread;
  const std::size_t parts = std::min(threads.count, worth) < 2 ? 1 : std::min(panels, threads.count * kPartsPerThread);
  const auto run_part = [&](std::size_t part) {
    run_panels(view, layer.format(), quantized, panels * part / parts, panels * (part + 1) / parts, output.data(),
               activation);
  };
  if (parts == 1) {
    run_part(0);
  } else {
    threads.run(parts, std::cref(run_part));
  }
}

}  // namespace hearth::edge::kernels
