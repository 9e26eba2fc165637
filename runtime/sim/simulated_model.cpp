#include "runtime/sim/simulated_model.h"

namespace hearth::sim {

void SimulatedModel::start(std::span<const Tensor> inputs, Callback done) {
  const auto service =
      Duration(static_cast<Duration::rep>(service_.lognormal(static_cast<double>(median_.count()), sigma_)));
  loop_.schedule_at(loop_.now() + service, [this, inputs, done = std::move(done)] { done(answer_(inputs)); });
}

}  // namespace hearth::sim
