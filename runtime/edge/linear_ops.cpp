#include "runtime/edge/linear_ops.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <string>
#include <tuple>
#include <vector>

#include "runtime/edge/conv_ops.h"
#include "runtime/edge/kernels/quantize_weights.h"
#include "runtime/edge/saved_tensors.h"

namespace hearth::edge {
namespace {

using kernels::Format;
using kernels::PackedLinear;
using LayerPointer = c10::intrusive_ptr<LinearLayer>;

/// As saved: bits of a weight, inputs (int4 values do not tell), values, scales, bias.
using State = std::tuple<std::int64_t, std::int64_t, at::Tensor, at::Tensor, at::Tensor>;

State save_layer(const LayerPointer& layer) {
  const kernels::PlainWeights plain = layer->packed.unpack();
  const auto outputs = static_cast<std::int64_t>(plain.outputs);
  const auto inputs = static_cast<std::int64_t>(plain.inputs);
  const auto bias = tensor_of(plain.bias, {outputs}, at::kFloat);
  if (layer->packed.format() == Format::kInt8) {
    return {8, inputs, tensor_of(plain.int8, {outputs, inputs}, at::kChar),
            tensor_of(plain.int8_scales, {outputs}, at::kFloat), bias};
  }
  const auto groups = static_cast<std::int64_t>(plain.int4_scales.size()) / outputs;
  return {4, inputs, tensor_of(plain.int4, {outputs, (inputs + 1) / 2}, at::kByte),
          tensor_of(plain.int4_scales, {outputs, groups}, at::kBFloat16), bias};
}

LayerPointer take(Result<PackedLinear> layer) {
  TORCH_CHECK(layer.ok(), layer.error().message);
  return c10::make_intrusive<LinearLayer>(std::move(layer.value()));
}

LayerPointer load_layer(State state) {
  const auto& [bits, inputs, values, scales, bias] = state;
  TORCH_CHECK(bits == 8 || bits == 4, "linear layer: weights of ", bits, " bits, expected 8 or 4");
  TORCH_CHECK(inputs > 0 && values.dim() == 2, "linear layer: weights that are not a matrix");
  const at::ScalarType value_type = bits == 8 ? at::kChar : at::kByte;
  const at::ScalarType scale_type = bits == 8 ? at::kFloat : at::kBFloat16;
  for (const auto& [tensor, type] :
       {std::pair(&values, value_type), std::pair(&scales, scale_type), std::pair(&bias, at::kFloat)}) {
    TORCH_CHECK(tensor->scalar_type() == type && tensor->is_contiguous() && tensor->device().is_cpu(),
                "linear layer: expected contiguous ", type, " values, given ", tensor->scalar_type());
  }
  const auto outputs = static_cast<std::size_t>(values.size(0));
  const auto width = static_cast<std::size_t>(inputs);
  if (bits == 8) {
    return take(PackedLinear::pack(kernels::Int8Weights{outputs, width, values_of<std::int8_t>(values),
                                                        values_of<float>(scales), values_of<float>(bias)}));
  }
  return take(PackedLinear::pack(kernels::Int4Weights{outputs, width, values_of<std::uint8_t>(values),
                                                      values_of<std::uint16_t>(scales), values_of<float>(bias)}));
}

at::Tensor run_layer(Format format, const at::Tensor& x, const LayerPointer& layer, std::int64_t activation) {
  const PackedLinear& packed = layer->packed;
  TORCH_CHECK(packed.format() == format, "linear layer: int8 and int4 mixed up");
  TORCH_CHECK(activation >= 0 && activation <= 2, "linear layer: activation ", activation, ", expected 0, 1 or 2");
  const auto inputs = static_cast<std::int64_t>(packed.inputs());
  TORCH_CHECK(x.scalar_type() == at::kFloat && x.device().is_cpu(), "linear layer: expected an FP32 tensor on the CPU");
  TORCH_CHECK(x.dim() > 0 && x.size(-1) == inputs, "linear layer: ", x.sizes(), " given, expected [..., ", inputs, "]");
  auto shape = x.sizes().vec();
  shape.back() = static_cast<std::int64_t>(packed.outputs());
  const at::Tensor input = x.contiguous();
  at::Tensor output = at::empty(shape, x.options().memory_format(at::MemoryFormat::Contiguous));
  // One forward pass, one thread: what it keeps belongs to the thread too, and grows to the largest layer it has run.
  static thread_local kernels::Scratch scratch;
  kernels::run_linear(packed, values_of<float>(input), static_cast<std::size_t>(input.numel() / inputs),
                      {output.data_ptr<float>(), static_cast<std::size_t>(output.numel())},
                      static_cast<kernels::Activation>(activation), scratch);
  return output;
}

at::Tensor run_int8(const at::Tensor& x, const LayerPointer& layer, std::int64_t activation) {
  return run_layer(Format::kInt8, x, layer, activation);
}

at::Tensor run_int4(const at::Tensor& x, const LayerPointer& layer, std::int64_t activation) {
  return run_layer(Format::kInt4, x, layer, activation);
}

}  // namespace

void register_linear_ops() {
  static const torch::class_<LinearLayer> layer =
      torch::class_<LinearLayer>("hearth", "Linear")
          .def_pickle([](const LayerPointer& saved) { return save_layer(saved); },
                      [](State state) { return load_layer(std::move(state)); });
  static const torch::Library library = [] {
    torch::Library made(torch::Library::DEF, "hearth", c10::nullopt, __FILE__, __LINE__);
    made.def("linear_int8", run_int8);
    made.def("linear_int4", run_int4);
    return made;
  }();
  register_conv_ops();
}

Result<LayerPointer> make_linear_layer(Format format, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  if (weight.dim() != 2 || weight.scalar_type() != at::kFloat || weight.numel() == 0) {
    return Error{ErrorCode::kInvalidArgument, "linear layer: expected an FP32 matrix of weights"};
  }
  const at::Tensor plain = weight.detach().contiguous();
  const at::Tensor plain_bias = bias ? bias->detach().to(at::kFloat).contiguous() : at::Tensor();
  const auto outputs = static_cast<std::size_t>(plain.size(0));
  const auto inputs = static_cast<std::size_t>(plain.size(1));
  const auto biases = bias ? values_of<float>(plain_bias) : std::span<const float>();
  const auto wrap = [](Result<PackedLinear> packed) -> Result<LayerPointer> {
    if (!packed.ok()) return packed.error();
    return c10::make_intrusive<LinearLayer>(std::move(packed.value()));
  };
  if (format == Format::kInt8) {
    const auto q = kernels::quantize_int8(values_of<float>(plain), outputs);
    if (!q.ok()) return q.error();
    return wrap(PackedLinear::pack(kernels::Int8Weights{outputs, inputs, q->values, q->scales, biases}));
  }
  const auto q = kernels::quantize_int4(values_of<float>(plain), outputs);
  if (!q.ok()) return q.error();
  return wrap(PackedLinear::pack(kernels::Int4Weights{outputs, inputs, q->values, q->scales, biases}));
}

Result<LayerPointer> make_linear_layer(const at::Tensor& int8_weight, const std::vector<float>& scales,
                                       const std::optional<at::Tensor>& bias) {
  const at::Tensor plain = int8_weight.contiguous();
  const at::Tensor plain_bias = bias ? bias->detach().to(at::kFloat).contiguous() : at::Tensor();
  auto packed = PackedLinear::pack(kernels::Int8Weights{
      static_cast<std::size_t>(plain.size(0)), static_cast<std::size_t>(plain.size(1)), values_of<std::int8_t>(plain),
      scales, bias ? values_of<float>(plain_bias) : std::span<const float>()});
  if (!packed.ok()) return packed.error();
  return c10::make_intrusive<LinearLayer>(std::move(packed.value()));
}

}  // namespace hearth::edge
