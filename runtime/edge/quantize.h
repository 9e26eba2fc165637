/// \file Dynamic int8 quantization of TorchScript files.
#pragma once

#include <cstddef>
#include <string>

#include <hearth/result.h>

#include "runtime/edge/optimize.h"

namespace hearth::edge {

struct Quantized {
  std::size_t layers = 0;  ///< Linear layers that now hold quantized weights.
};

/// Reads a TorchScript file, replaces each linear layer with constant FP32 weights by a quantized one, whether it is
/// faster or not, and writes a TorchScript file: the same bytes each time. `out_file` appears whole or not at all.
/// kTorchInt8: weights symmetric per output channel, activations measured at each call, 7 bits, so that no processor's
/// int16 sums overflow; PyTorch loads the file too. kInt8, kInt4: the kernels of hearth, with the activation fused.
/// Errors, one line that names the file: kNotFound, kCorrupt as TorchEngine::load; kInvalidArgument when the model has
/// no such layer, cannot be frozen, or a layer is beyond the kernels; kUnavailable when this LibTorch has no quantized
/// engine or the file cannot be written. Threads: any.
Result<Quantized> quantize_dynamic(const std::string& in_file, const std::string& out_file,
                                   LayerKind kind = LayerKind::kTorchInt8);

}  // namespace hearth::edge
