/// \file Everything the job reads, checked before anything runs or is written.
#pragma once

#include <string>
#include <vector>

#include <hearth/config.h>
#include <hearth/result.h>
#include <hearth/tensor.h>

#include "tools/hearth/mode_policy.h"
#include "tools/hearth/run.h"
#include "tools/hearth/story.h"
#include "tools/hearth/workload.h"

namespace hearth::tool {

struct Inputs {
  WorkloadSpec spec;
  ModelPair pair;
  ModePolicy policy;
  std::vector<CascadePoint> curve;        ///< From prepare.json; empty without one.
  std::vector<Tensor> photos;             ///< As the edge model takes them.
  std::vector<std::uint8_t> truth;        ///< Index into the pair's labels, by photo.
  std::vector<std::string> photo_sha256;  ///< Of the FP32 bytes, as a server would see them.
  std::string stub_config;
  std::string link;  ///< The stub's shaping in words.
};

/// The flags and the files that need no model: what can be refused before a training of minutes.
Status check_early(const RunOptions& options);

/// Reads everything; the models have to be there.
Result<Inputs> read_inputs(const RunOptions& options);

}  // namespace hearth::tool
