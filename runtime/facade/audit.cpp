// Decisions on their way to the audit log: noted under the lock as a small struct, made into lines on the loop thread.
#include "runtime/facade/core.h"

namespace hearth {
namespace {

/// Decisions noted or being written; one more is counted as lost, and the log says so.
constexpr std::size_t kDecisionsWaitingMax = 8192;
/// Waking the loop costs an app's thread more than noting a decision: once in so long is enough.
constexpr Duration kDrainInterval = std::chrono::milliseconds(10);

}  // namespace

void Runtime::Core::note_decision(const Entry& entry, SiteId served_on) {
  if (!audits_ || guard_.ledger().blind()) return;  // blind: the journal takes nothing any more
  if (decisions_.size() >= kDecisionsWaitingMax) {
    ++decisions_lost_;
    return;
  }
  auto& [decision, pair] = decisions_.emplace_back();
  const auto& outcome = entry.outcome;
  decision.request = entry.id;
  decision.at = this_moment().latest();
  decision.policy = entry.classified ? entry.judgement.content.rules->policy : guard_.shared_policy();
  decision.classified = entry.classified;
  decision.status = outcome.status;
  decision.reason = outcome.reason;
  decision.served_on = served_on;
  decision.bytes_sent = outcome.bytes_sent;
  decision.attempts = outcome.attempts;
  pair = entry.pair;
  if (entry.classified) {
    const auto& judgement = entry.judgement;
    decision.set_label(entry.request->label);
    decision.data_class = judgement.content.data_class;
    decision.detections = judgement.content.detections;
    decision.mask = judgement.mask;
    decision.plan = judgement.preference.plan;
    decision.classify_rule = judgement.content.rule;
    decision.permit_rule = judgement.permit_rule;
    decision.prefer_rule = judgement.preference.rule;
  }
  if (std::exchange(decisions_asked_, true)) return;
  loop_.post([self = shared_from_this()] {
    if (self->loop_.now() >= self->decisions_drain_due_) return self->drain_decisions();
    self->loop_.schedule_at(self->decisions_drain_due_, [self] { self->drain_decisions(); });
  });
}

void Runtime::Core::drain_decisions() {
  std::vector<NotedDecision> decisions;
  std::uint64_t lost = 0;
  WallTime now;
  {
    Lock lock(mutex_);
    decisions = std::exchange(decisions_, {});
    lost = std::exchange(decisions_lost_, 0);
    now = this_moment().latest();
    decisions_asked_ = false;
  }
  decisions_drain_due_ = loop_.now() + kDrainInterval;
  if (!world_.journal) return;
  for (const auto& [decision, pair] : decisions) {
    if (decisions_writing_ >= kDecisionsWaitingMax) {
      ++lost;
      continue;
    }
    privacy::ModelFacts model;
    if (pair) model = {pair->pair.name, pair->model->sha256(), pair->pair.cloud.sha256};
    keep_decision(privacy::decision_record(decision, model, guard_.endpoints()));
  }
  if (lost > 0) keep_decision(privacy::gap_record(lost, now));
}

void Runtime::Core::keep_decision(std::string record) {
  ++decisions_writing_;
  world_.journal->append(std::move(record), Durability::kWritten, [self = shared_from_this()](Status kept) {
    --self->decisions_writing_;
    if (!kept.ok()) self->journal_failed(kept.error());
  });
}

}  // namespace hearth
