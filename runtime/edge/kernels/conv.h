/// \file Convolutions with int8 weights and a static range of activations: what linear.h computes, over the patches of
/// an image.
///
/// Arithmetic. The image is mapped to q in [-127, 127] once, with one scale and one zero point that calibration gave;
/// what lies outside the range counts as its end. Products are summed exactly in int32 and scaled as in linear.h: the
/// same bits on every processor. An image that holds a NaN or an infinity gives NaN everywhere.
/// Threads: a PackedConv may be used from any number of threads, a ConvScratch from one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <hearth/result.h>

#include "runtime/edge/kernels/linear.h"

namespace hearth::edge::kernels {

/// One group; heights before widths.
struct ConvShape {
  std::size_t channels = 1, outputs = 1;
  std::size_t kernel[2] = {1, 1}, stride[2] = {1, 1}, padding[2] = {0, 0}, dilation[2] = {1, 1};

  std::size_t patch() const { return kernel[0] * kernel[1] * channels; }  ///< Inputs of one output.
  /// Outputs along an axis of `size`; 0 when the kernel is larger than the padded image.
  std::size_t out(std::size_t axis, std::size_t size) const {
    const std::size_t reach = dilation[axis] * (kernel[axis] - 1) + 1, padded = size + 2 * padding[axis];
    return padded < reach ? 0 : (padded - reach) / stride[axis] + 1;
  }
};

/// Of the activations that a layer is given; zero is taken in, so that padding is exact.
struct ActivationRange {
  float low = 0, high = 0;
};

class PackedConv {
 public:
  /// Weights: a row of kernel[0] x kernel[1] x channels for each output. kInvalidArgument, one line: as
  /// PackedLinear::pack(); a side, stride or dilation of zero or above 4096; a range that is not finite.
  static Result<PackedConv> pack(const ConvShape& shape, ActivationRange range, const Int8Weights& weights);

  const ConvShape& shape() const { return shape_; }
  ActivationRange range() const { return range_; }
  const PackedLinear& linear() const { return linear_; }  ///< Of the patches.

 private:
  friend void run_conv(const PackedConv&, std::span<const float>, std::size_t, std::size_t, std::size_t,
                       std::span<float>, Activation, class ConvScratch&);
  PackedConv(const ConvShape& shape, ActivationRange range, PackedLinear linear)
      : shape_(shape), range_(range), linear_(std::move(linear)) {}

  ConvShape shape_;
  ActivationRange range_;
  PackedLinear linear_;
};

/// Where a call keeps its quantized image and patches; grows to the largest call it has served.
class ConvScratch {
 private:
  friend void run_conv(const PackedConv&, std::span<const float>, std::size_t, std::size_t, std::size_t,
                       std::span<float>, Activation, ConvScratch&);
  AlignedBytes image_;
  Scratch patches_;
};

/// `input` holds images x height x width x channels, `output` images x out(0, height) x out(1, width) x outputs; they
/// must not overlap. On the caller's thread.
void run_conv(const PackedConv& conv, std::span<const float> input, std::size_t images, std::size_t height,
              std::size_t width, std::span<float> output, Activation activation, ConvScratch& scratch);

}  // namespace hearth::edge::kernels
