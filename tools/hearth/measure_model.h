/// \file Measures how long a model's passes take, by batch and by how many run at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <hearth/edge_model.h>
#include <hearth/result.h>
#include <hearth/time.h>

#include "runtime/device/energy_meter.h"
#include "runtime/signals/profile.h"

namespace hearth::tool {

struct MeasurePlan {
  std::vector<std::uint64_t> batches;
  std::vector<std::uint64_t> threads;
  Duration row_time{};  ///< For each batch with each number of threads, the warm-up not counted.
};

struct MeasuredRow {
  signals::EdgeRow row;
  double spread = 0;  ///< Of the rounds' medians: from the least to the largest, as a share of the row's median.
  double inferences_per_s = 0;
};

/// The inputs of a pass of that batch.
using InputsOf = std::function<Result<std::vector<Tensor>>(std::uint64_t batch)>;

/// All rows take turns in kMeasureRounds rounds, so that what else the machine does meets each alike. A round warms up
/// (three passes, and 50 ms or a tenth of its time), then runs for its share of the row's time, and at least
/// kPassesMin passes on each thread. Clock: steady, read twice a pass. `meter` may be null. `progress` is told the
/// share done. Errors: the model's, or those of `inputs_of`.
inline constexpr int kMeasureRounds = 5;
inline constexpr int kPassesMin = 4;
Result<std::vector<MeasuredRow>> measure_model(EdgeModel& model, const MeasurePlan& plan, const InputsOf& inputs_of,
                                               device::EnergyMeter* meter, const std::function<void(double)>& progress);

}  // namespace hearth::tool
