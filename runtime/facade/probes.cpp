// Looking whether an endpoint is back, without anybody's data and without anybody waiting.
#include <utility>

#include "runtime/facade/core.h"

namespace hearth {

/// The request may be gone when the loop comes to it: all that is needed of it is asked now, under the lock.
void Runtime::Core::on(const scheduler::ProbeCloud& action, const EntryPtr& entry, TimePoint) {
  auto minted = guard_.mint_probe(entry->judgement, *entry->request, action.site, this_moment());
  const auto finished = [self = shared_from_this(), probe = action.probe](scheduler::CloudVerdict verdict) {
    Lock lock(self->mutex_);
    self->step(scheduler::ProbeFinished{probe, verdict});
  };
  if (!minted.ok()) return loop_.post([finished] { finished(scheduler::CloudVerdict::kDenied); });
  const auto permit = std::make_shared<EgressPermit>(std::move(minted).value());
  loop_.post([self = shared_from_this(), permit, action, finished] {
    if (!self->world_.transport) return;
    self->world_.transport->send(action.probe, std::move(*permit), action.deadline, [finished](SendResult result) {
      finished(result.reply.ok() ? scheduler::CloudVerdict::kAnswered : scheduler::CloudVerdict::kUnreachable);
    });
  });
}

}  // namespace hearth
