/// \file `hearth optimize`: makes a model as small and fast as a recipe and this device allow within an accuracy
/// budget.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <hearth/result.h>

namespace hearth::tool {

/// The command's flags; what models_main.cpp describes with their bounds.
struct OptimizeFlags {
  std::string model;                      ///< pair.json, or a TorchScript file with a pair.json that tells its inputs.
  std::string pair;                       ///< That pair.json; empty: beside the model.
  std::string out;                        ///< TorchScript file.
  std::string report;                     ///< Empty: `out` + ".json". The page beside it ends in .html.
  std::string recipe = "fastest";         ///< A file, or the name of one that ships.
  std::string teacher;                    ///< TorchScript file that recipes distil from.
  std::string calibration_data;           ///< Folder with Fashion-MNIST, or a file of JSON lines; see examples.h.
  std::optional<double> target_accuracy;  ///< On the validation examples, 0 to 1.
  std::optional<double> target_accuracy_loss;  ///< A fraction of them; 0.003 when neither is given.
  double output_error = 0.02;  ///< Without labels: root mean square of the error, as a share of the outputs'.
  std::uint64_t max_size = 0;  ///< Bytes of the file; 0: any.
  std::uint64_t seed = 1;      ///< Of training.
  bool json = false;           ///< Print the report, and nothing else, on standard output.
};

/// Takes the recipe's steps, measures, chooses, writes the model and both reports, each whole or not at all. The model
/// is only written when it keeps the budget and the size and is faster than what it came from. Finished steps stay in
/// `out` + ".state" until then, so that a run that was cut off, or refused, goes on from them. Progress goes to
/// standard error. Returns an exit code: 0; 1 when nothing good enough was found (then only the reports are written); 2
/// for bad input; 3 when it failed while running.
int optimize(const OptimizeFlags& flags);

}  // namespace hearth::tool
