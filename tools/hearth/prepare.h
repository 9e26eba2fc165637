/// \file `hearth prepare`: trains the model pair on Fashion-MNIST, quantizes its edge half, measures both, saves all.
#pragma once

#include <cstdint>
#include <string>

#include "tools/hearth/fashion_mnist.h"

namespace hearth::tool {

/// The command's flags; what main.cpp describes with their bounds.
struct PrepareOptions {
  std::string out = "models";             ///< Made when missing.
  std::string data{kFashionMnistFolder};  ///< The four gzip IDX files.
  std::uint64_t epochs = 8;               ///< 1 to 100, of each model.
  std::uint64_t train_images = 0;         ///< The first this many, 1 to 55,000; 0 is all of them.
  std::uint64_t seed = 1;
  std::uint64_t threads = 2;  ///< 1 to 64; training only. Part of what makes the files the same.
  bool force = false;         ///< Train even when the folder holds what these settings make.
  bool json = false;          ///< Print prepare.json, and nothing else, on standard output.
  bool quiet = false;         ///< Print nothing on standard output.
};

/// Trains the cloud model, and from it the edge model by the recipe configs/recipes/photo-tagger.json.
/// Writes into `out`: edge_float.pt, edge.pt (int8, the kernels of hearth), cloud.pt, recipe.html (what each step did),
/// pair.json, and prepare.json last,
/// with the settings, the hashes of the others and all figures. Each file appears whole or not at all. When
/// prepare.json tells of the same settings, data and file hashes, nothing is trained and the stored figures are printed
/// again. Returns an exit code: 0; 2 for bad input (flags, data files, a folder that cannot be written, another prepare
/// at work in it); 3 when it failed while running. Problems go to standard error, a line each; so does progress.
int prepare(const PrepareOptions& options);

}  // namespace hearth::tool
