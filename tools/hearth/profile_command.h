/// \file `hearth profile`: measures a model's latency on this device into the file that forecasts and simulations read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth::tool {

/// The command's flags; what models_main.cpp describes with their bounds.
struct ProfileFlags {
  std::string model;                   ///< pair.json, or a TorchScript file with a pair.json that tells its inputs.
  std::string pair;                    ///< That pair.json; empty: beside the model.
  std::string out;                     ///< Empty: the pair's edge.profile, else the model's name and .profile.json.
  std::vector<std::uint64_t> batches;  ///< Empty: 1, 4 and 16 where the inputs' first dimension is open, else 1.
  std::vector<std::uint64_t> threads = {1, 2};
  double seconds = 2;
  bool quick = false;
  bool json = false;  ///< Print the figures as JSON, and nothing else, on standard output.
};

/// Measures and writes the profile, whole or not at all. Progress goes to standard error. Returns an exit code: 0; 2
/// for bad input; 3 when it failed while running.
int profile(const ProfileFlags& flags);

}  // namespace hearth::tool
