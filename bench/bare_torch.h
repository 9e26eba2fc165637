/// \file BareTorch: the reference: a TorchScript file and nothing around it.
#pragma once

#include <memory>
#include <span>
#include <string>

namespace hearth::bench {

/// Writes a 784-32-10 net with seeded weights: what the demo's edge model was measured as in trials.
void write_mlp(const std::string& file);

/// The file, loaded and frozen by LibTorch, called as its documentation shows. Sets LibTorch to one thread.
class BareTorch {
 public:
  explicit BareTorch(const std::string& file);
  ~BareTorch();
  /// One forward pass over 784 floats, from pointer to logits, as an app without hearth would do it. Returns the first.
  float forward(std::span<const float> image);

 private:
  struct Module;
  std::unique_ptr<Module> module_;
};

}  // namespace hearth::bench
