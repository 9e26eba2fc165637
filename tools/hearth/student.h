/// \file Student: a TorchScript model that learns from labels and from a teacher, and is made narrower. Needs no torch
/// header to call.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/result.h>

#include "tools/hearth/examples.h"
#include "tools/hearth/recipe.h"

namespace hearth::tool {

/// A teacher's scores of the training examples, of photos also as shifted and mirrored as training shows them.
struct SoftTargets {
  std::size_t variants = 0;   ///< 1, of photos 4.
  std::vector<float> scores;  ///< By variant, then by example.
};

struct StudentOptions {
  double epoch_scale = 1;  ///< Of each step's epochs.
  std::uint64_t seed = 1;
  unsigned threads = 2;                          ///< For the teacher; a student learns on one.
  std::function<void(double)> progress;          ///< The share that is done.
  std::function<void(const std::string&)> said;  ///< One line about what was done; may be empty.
};

/// Runs `teacher` (a TorchScript file with one FP32 input and one output [n, classes]) on every example, reshaped to
/// its input. Errors: as TorchEngine::load for the file; kInvalidArgument when it does not fit.
Result<SoftTargets> ask_teacher(const EdgeBinding& teacher, const TrainingSet& set, const StudentOptions& options);

/// Writes a perceptron with the parameters of a fresh one: "image" FP32 [n, widths[0]] -> [n, widths.back()], ReLU
/// between. Two widths or more. `scale`, `shift`: what the inputs are multiplied by, then added to, folded in.
Status write_perceptron(const std::vector<std::int64_t>& widths, std::uint64_t seed, float scale, float shift,
                        const std::string& file);

/// A step of a recipe other than kQuantize: reads a TorchScript file whose parameters are not yet frozen, writes
/// another. kPrune takes hidden units and channels away, those with the smallest product of the norms of their incoming
/// and outgoing weights (Han et al., "Learning both weights and connections", NIPS 2015, by whole units); what is left
/// of a layer more than 16 wide is a multiple of 16, for the kernels compute sixteen outputs at a time. Soft targets:
/// Hinton et al., "Distilling the knowledge in a neural network", 2015. `soft` may be null: then only labels teach.
/// Same seed, same machine: same file. `out_file` appears whole or not at all. Errors, one line with the file:
/// kInvalidArgument when there is nothing to train or to prune, or the scores do not fit the labels; kCorrupt,
/// kNotFound; kUnavailable when it cannot be written; kInternal.
Status take_step(const RecipeStep& step, const std::string& in_file, const std::string& out_file,
                 const TrainingSet& set, const SoftTargets* soft, const StudentOptions& options);

}  // namespace hearth::tool
