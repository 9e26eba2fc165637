#include "runtime/edge/quantize.h"

#include "runtime/edge/linear_layers.h"

namespace hearth::edge {

Result<Quantized> quantize_dynamic(const std::string& in_file, const std::string& out_file, LayerKind kind) {
  silence_torch();
  WarningSink sink({});
  const WarningRoute route(&sink);
  const auto bytes = read_model_file(in_file);
  if (!bytes.ok()) return bytes.error();
  if (kind == LayerKind::kTorchInt8 && std::string_view(quantized_engine_for(bytes.value().size())) == "none") {
    return Error{ErrorCode::kUnavailable, "this LibTorch has no engine for quantized layers"};
  }
  const PackingEngine engine(bytes.value().size());
  auto module = parse_module(bytes.value(), in_file);
  if (!module.ok()) return module.error();
  Quantized quantized;
  try {
    const torch::NoGradGuard no_gradients;
    fuse_linears(module.value());
    auto frozen = freeze_module(module.value());
    for (const FoundLayer& layer : find_linear_layers(frozen)) {
      if (layer.was == kind || layer.conv) continue;  // Convolutions want calibration: optimize().
      const auto done = replace_layer(frozen, layer, kind, kind != LayerKind::kTorchInt8);
      if (!done.ok()) return Error{done.error().code, in_file + ": " + done.error().message};
      ++quantized.layers;
    }
    if (quantized.layers == 0) {
      return Error{ErrorCode::kInvalidArgument,
                   in_file + ": nothing to quantize: no linear layer with constant FP32 weights"};
    }
    clean_up(frozen);
    const auto saved = save_whole(frozen, out_file);
    if (!saved.ok()) return saved.error();
  } catch (const std::exception& error) {
    return Error{ErrorCode::kInvalidArgument, in_file + ": cannot be quantized: " + one_line(error)};
  }
  return quantized;
}

}  // namespace hearth::edge
