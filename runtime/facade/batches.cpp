// Requests that share one forward pass.
#include "runtime/facade/core.h"

namespace hearth {

/// What a pass under way reads: it stays, whatever becomes of the requests meanwhile.
struct Runtime::Core::Batch {
  std::vector<EntryPtr> entries;
  std::vector<BatchedModel::Inputs> inputs;
};

/// A request that is borrowed becomes our own: its caller may leave at its deadline.
void Runtime::Core::keep_request(Entry& entry) {
  if (entry.request.use_count() == 0) entry.request = std::make_shared<const Request>(*entry.request);
}

/// Starts what together_ holds. With the lock held.
void Runtime::Core::start_batch() {
  const auto batch = std::make_shared<Batch>();
  batch->entries = std::exchange(together_, {});
  for (const EntryPtr& entry : batch->entries) {
    keep_request(*entry);
    batch->inputs.push_back(edge_inputs(*entry));
  }
  ++passes_;
  BatchedModel& model = *batch->entries.front()->pair->model->batched();
  model.start_batch(batch->inputs, [self = shared_from_this(), batch](std::vector<EdgeModel::Outputs> answers) {
    const bool one_each = answers.size() == batch->entries.size();
    for (std::size_t i = 0; i < batch->entries.size(); ++i) {
      self->edge_finished(batch->entries[i],
                          one_each ? std::move(answers[i])
                                   : Error{ErrorCode::kInternal, "the edge model gave other answers than one each"});
    }
    Lock lock(self->mutex_);
    if (--self->passes_ == 0) self->left_.notify_all();
  });
}

}  // namespace hearth
