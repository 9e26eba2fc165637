/// \file What an engine adds to the arithmetic of small nets, and what memory a loaded model takes.
#pragma once

#include <string>
#include <vector>

#include "runtime/edge/turns.h"

namespace hearth::bench {

struct NetTime {
  std::string net;
  /// arithmetic_fp32 and _int8: the kernels called one after the other and nothing else. hearth_fp32, hearth_int8: the
  /// same file through TorchEngine. hearth_torch: through TorchEngine, run by LibTorch. torch_fp32: frozen, LibTorch
  /// alone.
  std::string engine;
  edge::Spread time;
};

/// The identity, 784-32-10 and four layers 128 wide, batch 1, one thread; the engines of a net take turns. Writes files
/// into `folder`. Throws std::runtime_error.
std::vector<NetTime> time_small_nets(const std::string& folder, bool quick);

struct Held {
  std::string model;
  double file_mib, resident_mib, peak_mib;  ///< The last two: what loading added to this process.
  double load_ms;
};

/// A stack of four layers, float and int8, loaded by TorchEngine.
std::vector<Held> measure_memory(const std::string& folder, bool quick);

void print(const std::vector<NetTime>& times);
void print(const std::vector<Held>& held);

}  // namespace hearth::bench
