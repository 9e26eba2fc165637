#include "runtime/edge/kernels/conv.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "runtime/edge/kernels/linear_kernels.h"

namespace hearth::edge::kernels {
namespace {

constexpr std::size_t kSideMax = 4096;
constexpr std::size_t kPatches = 64;  // At a time: with their weights they stay in the first caches.

Status check_shape(const ConvShape& shape) {
  const auto wrong = [](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, "convolution: " + what + ", expected 1 to " + std::to_string(kSideMax)};
  };
  const auto bad = [](std::size_t size) { return size == 0 || size > kSideMax; };
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (bad(shape.kernel[axis])) return wrong("a kernel of " + std::to_string(shape.kernel[axis]));
    if (bad(shape.stride[axis])) return wrong("a stride of " + std::to_string(shape.stride[axis]));
    if (bad(shape.dilation[axis])) return wrong("a dilation of " + std::to_string(shape.dilation[axis]));
    if (shape.padding[axis] > kSideMax) return wrong("a padding of " + std::to_string(shape.padding[axis]));
  }
  if (bad(shape.channels)) return wrong(std::to_string(shape.channels) + " channels");
  return Done{};
}

/// Bytes of one output row's patches, from a quantized image.
struct Gather {
  const ConvShape& shape;
  const std::uint8_t* image;
  std::size_t height, width;
  std::uint8_t zero;

  /// The patch at output (y, x), then zeros up to `stride` bytes.
  void patch(std::size_t y, std::size_t x, std::uint8_t* to, std::size_t stride) const {
    const std::uint8_t* const end = to + stride;
    for (std::size_t ky = 0; ky < shape.kernel[0]; ++ky) {
      const std::size_t row = y * shape.stride[0] + ky * shape.dilation[0] - shape.padding[0];  // May wrap below zero.
      for (std::size_t kx = 0; kx < shape.kernel[1]; ++kx, to += shape.channels) {
        const std::size_t column = x * shape.stride[1] + kx * shape.dilation[1] - shape.padding[1];
        if (row < height && column < width) {
          std::memcpy(to, image + (row * width + column) * shape.channels, shape.channels);
        } else {
          std::memset(to, zero, shape.channels);
        }
      }
    }
    std::memset(to, zero, static_cast<std::size_t>(end - to));  // Meets weights of zero.
  }
};

}  // namespace

Result<PackedConv> PackedConv::pack(const ConvShape& shape, ActivationRange range, const Int8Weights& weights) {
  if (auto good = check_shape(shape); !good.ok()) return good.error();
  if (!std::isfinite(range.low) || !std::isfinite(range.high) || range.low > range.high) {
    return {ErrorCode::kInvalidArgument, "convolution: a range of activations that is none"};
  }
  if (weights.outputs != shape.outputs || weights.inputs != shape.patch()) {
    return {ErrorCode::kInvalidArgument, "convolution: weights of " + std::to_string(weights.outputs) + " x " +
                                             std::to_string(weights.inputs) + ", expected " +
                                             std::to_string(shape.outputs) + " x " + std::to_string(shape.patch())};
  }
  auto linear = PackedLinear::pack(weights);
  if (!linear.ok()) return linear.error();
  range.low = std::min(range.low, 0.0F);
  range.high = std::max(range.high, 0.0F);
  return PackedConv(shape, range, std::move(linear).value());
}

void run_conv(const PackedConv& conv, std::span<const float> input, std::size_t images, std::size_t height,
              std::size_t width, std::span<float> output, Activation activation, ConvScratch& scratch) {
  const ConvShape& shape = conv.shape_;
  const std::size_t rows = shape.out(0, height), columns = shape.out(1, width), pixels = rows * columns;
  const std::size_t image_size = height * width * shape.channels;
  assert(input.size() == images * image_size && output.size() == images * pixels * shape.outputs);
  if (output.empty()) return;
  const PackedView view(conv.linear_);
  if (scratch.image_.size() < image_size + 1) scratch.image_ = AlignedBytes(image_size + 1);
  const StaticRange range(conv.range_.low, conv.range_.high);
  for (std::size_t i = 0; i < images; ++i) {
    std::uint8_t* const image = scratch.image_.data();
    const bool finite = quantize_static(input.data() + i * image_size, image_size, range, image);
    const float nothing = 0;
    quantize_static(&nothing, 1, range, image + image_size);
    const Gather gather{shape, image, height, width, image[image_size]};
    for (std::size_t first = 0; first < pixels; first += kPatches) {
      const std::size_t count = std::min(kPatches, pixels - first);
      const QuantizedRows patches(scratch.patches_, view, Format::kInt8, count);
      for (std::size_t p = 0; p < count; ++p) {
        gather.patch((first + p) / columns, (first + p) % columns, patches.values + p * patches.stride, patches.stride);
        patches.rows[p] = {finite ? range.scale : std::numeric_limits<float>::quiet_NaN(), range.zero_point};
      }
      run_panels(view, Format::kInt8, patches, 0, view.panels(), output.data() + (i * pixels + first) * shape.outputs,
                 activation);
    }
  }
}

}  // namespace hearth::edge::kernels
