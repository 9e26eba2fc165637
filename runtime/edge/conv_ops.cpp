#include "runtime/edge/conv_ops.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <string>
#include <tuple>
#include <vector>

#include "runtime/edge/kernels/quantize_weights.h"
#include "runtime/edge/saved_tensors.h"

namespace hearth::edge {
namespace {

using kernels::ActivationRange;
using kernels::ConvShape;
using LayerPointer = c10::intrusive_ptr<ConvLayer>;

/// As saved: channels, outputs, then kernel, stride, padding, dilation; low and high of the range; values [outputs,
/// height, width, channels], scales, bias.
using State = std::tuple<std::vector<std::int64_t>, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

State save_layer(const LayerPointer& layer) {
  const auto& [channels, outputs, kernel, stride, padding, dilation] = layer->packed.shape();
  const kernels::PlainWeights plain = layer->packed.linear().unpack();
  std::vector<std::int64_t> shape = {static_cast<std::int64_t>(channels), static_cast<std::int64_t>(outputs)};
  for (const auto* pair : {&kernel, &stride, &padding, &dilation}) {
    for (const std::size_t size : *pair) shape.push_back(static_cast<std::int64_t>(size));
  }
  const std::vector<float> range = {layer->packed.range().low, layer->packed.range().high};
  return {shape, tensor_of(range, {2}, at::kFloat),
          tensor_of(plain.int8, {shape[1], shape[2], shape[3], shape[0]}, at::kChar),
          tensor_of(plain.int8_scales, {shape[1]}, at::kFloat), tensor_of(plain.bias, {shape[1]}, at::kFloat)};
}

LayerPointer load_layer(State state) {
  const auto& [sizes, range, values, scales, bias] = state;
  TORCH_CHECK(sizes.size() == 10, "convolution: a shape of ", sizes.size(), " numbers, expected 10");
  for (const std::int64_t size : sizes) TORCH_CHECK(size >= 0, "convolution: a size below zero");
  for (const auto& [tensor, type] : {std::pair(&range, at::kFloat), std::pair(&values, at::kChar),
                                     std::pair(&scales, at::kFloat), std::pair(&bias, at::kFloat)}) {
    TORCH_CHECK(tensor->scalar_type() == type && tensor->is_contiguous() && tensor->device().is_cpu(),
                "convolution: expected contiguous ", type, " values, given ", tensor->scalar_type());
  }
  TORCH_CHECK(range.numel() == 2, "convolution: a range of ", range.numel(), " numbers, expected 2");
  const auto at = [&sizes = sizes](std::size_t i) { return static_cast<std::size_t>(sizes[i]); };
  const ConvShape shape{at(0), at(1), {at(2), at(3)}, {at(4), at(5)}, {at(6), at(7)}, {at(8), at(9)}};
  const auto ends = values_of<float>(range);
  auto packed =
      kernels::PackedConv::pack(shape, ActivationRange{ends[0], ends[1]},
                                kernels::Int8Weights{shape.outputs, shape.patch(), values_of<std::int8_t>(values),
                                                     values_of<float>(scales), values_of<float>(bias)});
  TORCH_CHECK(packed.ok(), packed.error().message);
  return c10::make_intrusive<ConvLayer>(std::move(packed.value()));
}

at::Tensor run_layer(const at::Tensor& x, const LayerPointer& layer, std::int64_t activation) {
  const ConvShape& shape = layer->packed.shape();
  TORCH_CHECK(activation >= 0 && activation <= 2, "convolution: activation ", activation, ", expected 0, 1 or 2");
  TORCH_CHECK(x.scalar_type() == at::kFloat && x.device().is_cpu(), "convolution: expected an FP32 tensor on the CPU");
  TORCH_CHECK(x.dim() == 4 && x.size(1) == static_cast<std::int64_t>(shape.channels), "convolution: ", x.sizes(),
              " given, expected [n, ", shape.channels, ", height, width]");
  const auto height = static_cast<std::size_t>(x.size(2)), width = static_cast<std::size_t>(x.size(3));
  const auto rows = static_cast<std::int64_t>(shape.out(0, height));
  const auto columns = static_cast<std::int64_t>(shape.out(1, width));
  TORCH_CHECK(rows > 0 && columns > 0, "convolution: ", x.sizes(), " given, smaller than the kernel");
  const at::Tensor input = x.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor output = at::empty({x.size(0), static_cast<std::int64_t>(shape.outputs), rows, columns},
                                x.options().memory_format(at::MemoryFormat::ChannelsLast));
  static thread_local kernels::ConvScratch scratch;  // As in linear_ops.cpp.
  kernels::run_conv(layer->packed, values_of<float>(input), static_cast<std::size_t>(x.size(0)), height, width,
                    {output.data_ptr<float>(), static_cast<std::size_t>(output.numel())},
                    static_cast<kernels::Activation>(activation), scratch);
  return output;
}

}  // namespace

void register_conv_ops() {
  static const torch::class_<ConvLayer> layer =
      torch::class_<ConvLayer>("hearth", "Conv")
          .def_pickle([](const LayerPointer& saved) { return save_layer(saved); },
                      [](State state) { return load_layer(std::move(state)); });
  static const torch::Library library = [] {
    torch::Library made(torch::Library::FRAGMENT, "hearth", c10::nullopt, __FILE__, __LINE__);
    made.def("conv2d_int8", run_layer);
    return made;
  }();
}

Result<LayerPointer> make_conv_layer(const ConvShape& shape, ActivationRange range, const at::Tensor& weight,
                                     const std::optional<at::Tensor>& bias) {
  if (weight.dim() != 4 || weight.scalar_type() != at::kFloat || weight.numel() == 0) {
    return Error{ErrorCode::kInvalidArgument, "convolution: expected FP32 weights of four dimensions"};
  }
  const at::Tensor plain = weight.detach().permute({0, 2, 3, 1}).contiguous();
  const at::Tensor plain_bias = bias ? bias->detach().to(at::kFloat).contiguous() : at::Tensor();
  const auto q = kernels::quantize_int8(values_of<float>(plain), static_cast<std::size_t>(plain.size(0)));
  if (!q.ok()) return q.error();
  auto packed =
      kernels::PackedConv::pack(shape, range,
                                kernels::Int8Weights{shape.outputs, shape.patch(), q->values, q->scales,
                                                     bias ? values_of<float>(plain_bias) : std::span<const float>()});
  if (!packed.ok()) return packed.error();
  return c10::make_intrusive<ConvLayer>(std::move(packed.value()));
}

}  // namespace hearth::edge
