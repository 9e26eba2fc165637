/// \file optimize(): the fastest mix of float, int8 and int4 linear layers on this device, within an accuracy budget.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/config.h>
#include <hearth/edge_model.h>
#include <hearth/result.h>

#include "runtime/edge/torch_engine.h"
#include "runtime/edge/turns.h"

namespace hearth::edge {

/// Who computes a layer: LibTorch in FP32, LibTorch in dynamic int8, the kernels of hearth.
enum class LayerKind : std::uint8_t { kFloat, kTorchInt8, kInt8, kInt4 };
inline constexpr std::array kLayerKinds = {LayerKind::kFloat, LayerKind::kTorchInt8, LayerKind::kInt8,
                                           LayerKind::kInt4};
std::string_view name_of(LayerKind kind);  ///< "float", "torch_int8", "hearth_int8", "hearth_int4"

/// What a layer was measured to take, by LayerKind; nothing where it was not.
using LayerTimes = std::array<std::optional<Spread>, kLayerKinds.size()>;

struct OptimizeOptions {
  EdgeBinding binding;         ///< The float model, or one with layers that PyTorch quantized dynamically.
  std::string out_file;        ///< Candidates are written beside it.
  std::vector<Tensor> inputs;  ///< Of one pass: what latencies are measured on. Must fit the binding.
  /// Of further passes, for the ranges of what convolutions are given; empty: `inputs`.
  std::vector<std::vector<Tensor>> calibration;
  /// How much worse a candidate answers than the float model; not finite counts as too much. Called often.
  std::function<Result<double>(EdgeModel& candidate)> loss;
  double loss_max = 0;
  std::uint64_t bytes_max = 0;                     ///< Of the written file; 0: any size.
  std::function<void(std::string_view)> progress;  ///< One line, no payload; may be empty.
  /// Layers by number that an earlier run on this machine measured, and what is told of each one measured now.
  std::map<std::size_t, LayerTimes> known;
  std::function<void(std::size_t layer, const LayerTimes& times)> measured;
  /// How calls are timed; empty: measure_in_turns(). A layer's come by LayerKind, without those it cannot have; the
  /// whole model's are the float model and the candidate.
  std::function<std::vector<Spread>(std::span<const std::function<void()>> calls)> measure;
};

/// A layer, what it was measured to cost with its activation, and what became of it.
struct OptimizedLayer {
  std::string_view op;                  ///< "linear", "conv2d"
  std::size_t inputs = 0, outputs = 0;  ///< Of a convolution: of one output pixel.
  std::size_t rows = 0;                 ///< Of its input when it was measured.
  std::string_view activation;          ///< "none", "relu", "gelu": what is fused where the kind can.
  LayerTimes times;
  LayerKind was = LayerKind::kFloat;  ///< kTorchInt8 where PyTorch quantized it.
  LayerKind chosen = LayerKind::kFloat;
  std::string why_float;  ///< Why it stays as it was; empty where it does not.
};

struct Optimized {
  std::vector<OptimizedLayer> layers;
  bool written = false;
  std::string why_not;   ///< Empty when written.
  Spread before, after;  ///< A whole pass of the float model and of the written one, in the same turns.
  double loss = 0;       ///< Of the written model.
  std::uint64_t bytes_before = 0, bytes_after = 0;
};

/// Measures each linear layer with constant weights, of FP32 or as PyTorch quantized them, and each convolution of one
/// group (float and, with the range that calibration shows, our int8) in each kind, in turns, on
/// what it is given in a pass on `inputs`. Then, most time saved first, takes for each layer the fastest kind with
/// which the whole model stays within the budget; while the file is larger than `bytes_max`, the layer that shrinks it
/// most gets a smaller kind, within the same budget. At last the whole model is measured against the float one, in
/// turns; while it is not at least 2 % faster the layer that saves least is given back. When none is left, or the file
/// is too large, nothing is written and `why_not` says so. Layers with shared weights, 1 wide, or that the pass does
/// not reach stay as they are. `out_file` appears whole or not at all. Errors, one line that names the file: as
/// TorchEngine::load; kInvalidArgument when there is no linear layer, a weight or bias is not finite, or the model
/// cannot be frozen; kUnavailable when a file cannot be written; what `loss` returns. Threads: any, one call at a time
/// for an `out_file`; everything is computed on the caller's.
Result<Optimized> optimize(TorchEngine& engine, const OptimizeOptions& options);

}  // namespace hearth::edge
