#include "runtime/sim/simulated_model.h"

namespace hearth::sim {

Duration SimulatedModel::draw_service(std::size_t requests) {
  const double lone = service_.lognormal(static_cast<double>(median_.count()), sigma_);
  return Duration(static_cast<Duration::rep>(lone * (1 + growth_.value_or(0) * static_cast<double>(requests - 1))));
}

void SimulatedModel::start(std::span<const Tensor> inputs, EdgeModel::Callback done) {
  loop_.schedule_at(loop_.now() + draw_service(1), [this, inputs, done = std::move(done)] { done(answer_(inputs)); });
}

void SimulatedModel::start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) {
  loop_.schedule_at(loop_.now() + draw_service(batch.size()), [this, batch, done = std::move(done)] {
    std::vector<Outputs> answers;
    for (const Inputs& inputs : batch) answers.push_back(answer_(inputs));
    done(std::move(answers));
  });
}

}  // namespace hearth::sim
