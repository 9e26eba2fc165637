/// \file A command's MODEL: a pair, or a TorchScript file with a pair that tells its inputs.
#pragma once

#include <string>

#include <hearth/config.h>
#include <hearth/result.h>

namespace hearth::tool {

struct ModelArgument {
  ModelPair pair;         ///< Its edge half is the file that is meant.
  std::string pair_file;  ///< Where the pair came from.

  /// Whether `file` is the model's or the pair's, by whatever name.
  bool is_read(const std::string& file) const;
};

/// `model`: a pair file (.json) or a TorchScript file. `pair_file`: the latter's pair; empty: pair.json beside it.
/// Errors: kNotFound, kInvalidArgument for a pair that is wrong or whose edge half has no inputs.
Result<ModelArgument> read_model_argument(const std::string& model, const std::string& pair_file);

}  // namespace hearth::tool
