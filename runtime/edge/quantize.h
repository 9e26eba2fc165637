/// \file Dynamic int8 quantization of TorchScript files.
#pragma once

#include <cstddef>
#include <string>

#include <hearth/result.h>

namespace hearth::edge {

struct Quantized {
  std::size_t layers = 0;  ///< Linear layers that now hold int8 weights.
};

/// Reads a TorchScript file, replaces each linear layer with constant FP32 weights by an int8 one (weights symmetric
/// per output channel, activations measured at each call, 7 bits, so that no processor's int16 sums overflow), and
/// writes a TorchScript file that PyTorch loads too. `out_file` appears whole or not at all.
/// Errors, one line that names the file: kNotFound, kCorrupt as TorchEngine::load; kInvalidArgument when the model has
/// no such layer or cannot be frozen; kUnavailable when this LibTorch has no quantized engine or the file cannot be
/// written. Threads: any.
Result<Quantized> quantize_dynamic(const std::string& in_file, const std::string& out_file);

}  // namespace hearth::edge
