/// \file `hearth optimize`: makes a model's linear layers as fast as this device allows within an accuracy budget.
#pragma once

#include <string>

#include <hearth/result.h>

namespace hearth::tool {

/// The command's flags; what models_main.cpp describes with their bounds.
struct OptimizeFlags {
  std::string model;             ///< pair.json, or a TorchScript file with a pair.json that tells its inputs.
  std::string pair;              ///< That pair.json; empty: beside the model.
  std::string out;               ///< TorchScript file.
  std::string report;            ///< Empty: `out` + ".json".
  std::string calibration_data;  ///< Folder with Fashion-MNIST; empty: where Debian puts it, for pairs of its kind.
  double target_accuracy_loss = 0.003;  ///< A fraction of the validation photos, 0 to 1.
  double output_error = 0.02;           ///< Without photos: root mean square of the error, as a share of the outputs'.
  bool json = false;                    ///< Print the report, and nothing else, on standard output.
};

/// Measures, chooses, writes the model and the report, each whole or not at all. Progress goes to standard error.
/// Returns an exit code: 0; 1 when nothing is faster within the budget (then only the report is written); 2 for bad
/// input; 3 when it failed while running.
int optimize(const OptimizeFlags& flags);

}  // namespace hearth::tool
