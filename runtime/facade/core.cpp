#include "runtime/facade/core.h"

#include <algorithm>
#include <cassert>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "runtime/cloud/codec.h"
#include "runtime/scheduler/verdict.h"

namespace hearth {
namespace {

constexpr Duration kDeadlineMax = std::chrono::hours(24);

float confidence_in(std::span<const Tensor> outputs, const ModelPair& pair, const policies::Preference& preference) {
  if (pair.confidence) return pair.confidence(outputs);
  if (outputs.empty() || outputs[0].datatype != Datatype::kFp32) return 0;
  return confidence_of(outputs[0].floats(), pair.scores, preference.confidence);
}

std::uint64_t payload_bytes(const Request& request) {
  std::uint64_t bytes = request.text.size();
  for (const auto& tensor : request.inputs) bytes += tensor.data.size();
  return bytes;
}

std::string redaction_secret(const World& world, std::uint64_t seed) {
  return world.redaction_secret.empty() ? sha256_hex("redaction " + std::to_string(seed)) : world.redaction_secret;
}

/// The originals back where the reply has placeholders.
Status restore_all(std::vector<Tensor>& outputs, const privacy::Redaction& redaction) {
  for (Tensor& output : outputs) {
    if (auto status = privacy::restore_texts(output, redaction); !status.ok()) return status;
  }
  return Done{};
}

}  // namespace

Runtime::Core::Core(const RuntimeConfig& config, std::shared_ptr<const policies::Policy> policy, World world,
                    LogCallback log)
    : config_(config),
      log_(std::move(log)),
      loop_(*world.loop),
      world_(std::move(world)),
      guard_(std::move(policy), config.endpoints, config.limits.sessions_max, redaction_secret(world_, config.seed)),
      scheduler_(config),
      started_wall_(loop_.wall_now()),
      started_(loop_.now()) {
  audits_ = config_.audit_decisions && world_.journal;
  world_.loop.reset();                                                              // Runtime owns it
  std::fill(world_.redaction_secret.begin(), world_.redaction_secret.end(), '\0');  // the guard keeps its own
}

// ---- admission ------------------------------------------------------------------------------------------------------

Status Runtime::Core::check(const Request& request, const LoadedPair* pair) const {
  if (!pair) return {ErrorCode::kNotFound, "no model of that name is configured"};
  if (auto status = check_tensors(request.inputs, pair->pair.edge.inputs); !status.ok()) return status;
  const std::uint64_t bytes = payload_bytes(request);
  if (bytes > config_.limits.payload_kib_max * 1024)
    return {ErrorCode::kResourceExhausted, "payload of " + std::to_string(bytes) + " bytes exceeds payload_kib_max"};
  if (request.deadline && (*request.deadline <= Duration::zero() || *request.deadline > kDeadlineMax))
    return {ErrorCode::kInvalidArgument, "the deadline must be positive and at most a day"};
  return Done{};
}

RequestId Runtime::Core::admit(const EntryPtr& entry) {
  const Request& request = *entry->request;
  const auto pair = pairs_.find(request.model);
  if (pair != pairs_.end()) entry->pair = pair->second;
  const Status valid = check(request, entry->pair.get());
  privacy::Classification content;
  if (valid.ok()) content = guard_.classify(request);  // reads the text: not under the lock

  Lock lock(mutex_);
  const RequestId id = entry->id = entry->outcome.id = ++last_id_;
  entry->submitted = loop_.now();
  if (closed_) {
    refuse(entry, Reason::kShutDown, "the runtime is shut down");
  } else if (!valid.ok()) {
    refuse(entry, Reason::kInvalidRequest, valid.error().message);
  } else {
    read_probe_when_old();
    const auto moment = this_moment();
    entry->judgement = guard_.judge(request, content, moment);
    entry->classified = true;
    const auto& preference = entry->judgement.preference;
    entry->deadline = request.deadline.value_or(preference.deadline.value_or(config_.default_deadline));
    entries_.emplace(id, entry);
    keep_records();

    scheduler::Submitted submitted{};
    submitted.id = id;
    submitted.mask = entry->judgement.mask & entry->pair->sites;
    submitted.plan = preference.plan;
    submitted.confidence_below = preference.confidence_below;
    submitted.deadline = entry->deadline;
    submitted.on_caller = !entry->done;
    submitted.priority = request.priority;
    submitted.idempotent = request.idempotent;
    submitted.attempts_max = preference.attempts_max;
    submitted.objective = preference.objective;
    submitted.model = entry->pair->index;
    submitted.payload_bytes = payload_bytes(request);
    submitted.offline = moment.device.network == NetworkKind::kOffline;
    step(submitted);
  }
  return id;
}

void Runtime::Core::refuse(const EntryPtr& entry, Reason reason, std::string message) {
  auto& outcome = entry->outcome;
  outcome.status = reason == Reason::kShutDown ? OutcomeStatus::kCancelled : OutcomeStatus::kRejected;
  outcome.reason = reason;
  outcome.message = std::move(message);
  outcome.model = entry->pair ? entry->pair->pair.name : std::string();
  outcome.policy_sha256 = guard_.policy().sha256();
  note_decision(*entry, kMaxSites);
  entry->finished = true;
  deliver(entry);
}

Outcome Runtime::Core::infer(const Request& request) {
  const auto entry = std::make_shared<Entry>();
  if (loop_.on_loop_thread()) {
    entry->outcome.reason = Reason::kInvalidRequest;
    entry->outcome.message = "infer() would wait for the loop thread it was called on; use submit()";
    return std::move(entry->outcome);
  }
  // Borrowed: the caller's request outlives this call, and so everything that runs on this thread.
  entry->request = std::shared_ptr<const Request>(std::shared_ptr<const Request>(), &request);
  {
    Lock lock(mutex_);
    ++callers_;
  }
  admit(entry);
  Lock lock(mutex_);
  for (;;) {
    entry->changed.wait(lock, [&] { return entry->run_edge || entry->finished; });
    if (!entry->run_edge) break;
    entry->run_edge = false;
    if (entry->finished) {  // withdrawn before the pass began: the slot it was given goes back
      step(scheduler::EdgeFinished{entry->id, false, 0});
      break;
    }
    lock.unlock();
    edge_finished(entry, entry->pair->model->run(edge_inputs(*entry)));
    lock.lock();
  }
  if (--callers_ == 0) left_.notify_all();
  return std::move(entry->outcome);
}

RequestId Runtime::Core::submit(Request request, Callback done, PieceCallback on_piece) {
  const auto entry = std::make_shared<Entry>();
  entry->on_piece = std::move(on_piece);
  entry->request = std::make_shared<const Request>(std::move(request));
  entry->done = done ? std::move(done) : [](Outcome) {};
  return admit(entry);
}

bool Runtime::Core::cancel(RequestId request) {
  Lock lock(mutex_);
  if (!entries_.contains(request)) return false;
  step(scheduler::CancelAsked{request});
  return true;
}

// ---- carrying out decisions -----------------------------------------------------------------------------------------

/// Everything the decision leads to is handed on under the lock, so that it happens in the order it was decided in.
/// Neither post() nor start() runs anything before it returns.
void Runtime::Core::step(const scheduler::Event& event) {
  const TimePoint now = loop_.now();
  actions_.clear();
  scheduler_.step(event, now, actions_);
  for (const auto& action : actions_) {
    std::visit(
        [&](const auto& a) {
          // Gone only when shutdown has withdrawn a request whose pass gives its slot back.
          if (const auto found = entries_.find(a.id); found != entries_.end()) on(a, EntryPtr(found->second), now);
        },
        action);
  }
}

void Runtime::Core::on(const scheduler::RunEdge& action, const EntryPtr& entry, TimePoint now) {
  Attempt attempt;
  attempt.began = now - entry->submitted;
  if (entry->outcome.attempts.empty()) entry->outcome.queued = attempt.began;
  entry->edge_story = entry->outcome.attempts.size();
  entry->outcome.attempts.push_back(std::move(attempt));
  if (action.on_caller) {
    entry->run_edge = true;
    entry->changed.notify_one();
  } else if (action.together == 0 && together_.empty()) {
    start_edge(entry);
  } else {
    together_.push_back(entry);
    if (action.together == 0) start_batch();
  }
}

void Runtime::Core::on(const scheduler::StartCloud& action, const EntryPtr& entry, TimePoint now) {
  keep_request(*entry);
  Attempt attempt;
  attempt.site = action.site;
  attempt.endpoint = guard_.endpoints()[action.site - 1].name;
  attempt.began = now - entry->submitted;
  entry->on_cloud.push_back({action.attempt, entry->outcome.attempts.size()});
  entry->outcome.attempts.push_back(std::move(attempt));
  loop_.post([self = shared_from_this(), entry, action] {
    self->begin_attempt(entry, action.attempt, action.site, action.deadline);
  });
}

void Runtime::Core::on(const scheduler::CancelCloud& action, const EntryPtr& entry, TimePoint now) {
  const bool late = now - entry->submitted >= entry->deadline - config_.cloud.local_reserve;
  end_attempt(*entry, action.attempt, late ? ErrorCode::kDeadlineExceeded : ErrorCode::kCancelled,
              entry->outcome.attempts[entry->story_of(action.attempt)].bytes_sent);
  loop_.post([self = shared_from_this(), action] {
    if (self->world_.transport) self->world_.transport->cancel(action.attempt);
  });
}

void Runtime::Core::on(const scheduler::SetTimer& action, const EntryPtr& entry, TimePoint) {
  entry->timer_asked = true;
  loop_.post([self = shared_from_this(), entry, action] { self->set_timer(entry, action.due); });
}

void Runtime::Core::set_timer(const EntryPtr& entry, TimePoint due) {
  if (entry->timer) loop_.cancel(*std::exchange(entry->timer, std::nullopt));
  {
    Lock lock(mutex_);
    if (entry->finished) return;
  }
  entry->timer = loop_.schedule_at(due, [self = shared_from_this(), entry] {
    entry->timer.reset();
    Lock lock(self->mutex_);
    if (!entry->finished) self->step(scheduler::TimerFired{entry->id});
  });
}

void Runtime::Core::on(const scheduler::Finish& action, const EntryPtr& entry, TimePoint now) {
  const auto& pair = entry->pair->pair;
  const auto& judgement = entry->judgement;
  const auto& policy = judgement.policy();
  auto& outcome = entry->outcome;
  outcome.status = action.status;
  outcome.reason = action.reason;
  outcome.model = pair.name;
  outcome.data_class = policy.classes()[judgement.content.data_class].name;
  outcome.classify_rule = policy.rule_id(judgement.content.rule);
  outcome.mask = judgement.mask;
  outcome.permit_rule = policy.rule_id(judgement.permit_rule);
  outcome.plan = judgement.preference.plan;
  outcome.prefer_rule = policy.rule_id(judgement.preference.rule);
  outcome.policy_sha256 = policy.sha256();
  outcome.latency = now - entry->submitted;
  outcome.deadline = entry->deadline;
  for (const auto& attempt : outcome.attempts) outcome.bytes_sent += attempt.bytes_sent;
  if (action.status == OutcomeStatus::kServed) {
    const bool edge = action.answered_by == kEdgeSite;
    outcome.outputs = std::move(edge ? entry->edge_outputs : entry->cloud_outputs);
    outcome.served_on = edge ? "edge" : guard_.endpoints()[action.answered_by - 1].name;
    outcome.model_sha256 = edge ? entry->pair->model->sha256() : pair.cloud.sha256;
    outcome.deadline_met = outcome.latency <= outcome.deadline;
  } else if (outcome.message.empty()) {
    outcome.message = name_of(action.reason);
  }
  note_decision(*entry, action.status == OutcomeStatus::kServed ? action.answered_by : kMaxSites);
  entry->finished = true;
  if (entry->timer_asked) {
    loop_.post([self = shared_from_this(), entry] {
      if (entry->timer) self->loop_.cancel(*std::exchange(entry->timer, std::nullopt));
    });
  }
  deliver(entry);
  entries_.erase(action.id);
}

void Runtime::Core::deliver(const EntryPtr& entry) {
  if (!entry->done) {
    entry->changed.notify_one();
    return;
  }
  undelivered_.emplace(entry->id, entry);
  loop_.post([self = shared_from_this(), id = entry->id] { self->hand_over(id); });
}

void Runtime::Core::hand_over(RequestId id) {
  {
    Outcome outcome;
    Callback done;  // what these hold is the app's, and goes without the lock: its destructor may call back
    PieceCallback on_piece;
    {
      Lock lock(mutex_);
      auto found = undelivered_.find(id);
      if (found == undelivered_.end()) return;  // shutdown() was quicker
      // Only shutdown() comes from another thread than pieces do.
      if (const EntryPtr entry = found->second; entry->in_piece && !loop_.on_loop_thread()) {
        left_.wait(lock, [&] { return !entry->in_piece; });
        if ((found = undelivered_.find(id)) == undelivered_.end()) return;
      }
      outcome = std::move(found->second->outcome);
      done = std::move(found->second->done);
      on_piece = std::move(found->second->on_piece);
      undelivered_.erase(found);
      ++callbacks_;
    }
    done(std::move(outcome));
  }
  Lock lock(mutex_);
  if (--callbacks_ == 0) left_.notify_all();
}

// ---- the edge -------------------------------------------------------------------------------------------------------

/// Stay valid as long as the entry does.
std::span<const Tensor> Runtime::Core::edge_inputs(Entry& entry) {
  if (entry.pair->pair.edge.endpoint.empty()) return entry.request->inputs;
  entry.edge_text.assign(1, Tensor::of_text("text", entry.request->text));
  return entry.edge_text;
}

void Runtime::Core::start_edge(const EntryPtr& entry) {
  ++passes_;
  // The closure keeps the entry and with it the inputs alive, also when the request is finished before the pass.
  entry->pair->model->start(edge_inputs(*entry), [self = shared_from_this(), entry](EdgeModel::Outputs outputs) {
    self->edge_finished(entry, std::move(outputs));
    Lock lock(self->mutex_);
    if (--self->passes_ == 0) self->left_.notify_all();
  });
}

void Runtime::Core::edge_finished(const EntryPtr& entry, EdgeModel::Outputs outputs) {
  const float confidence =
      outputs.ok() ? confidence_in(outputs.value(), entry->pair->pair, entry->judgement.preference) : 0;
  Lock lock(mutex_);
  if (closed_) return;
  if (!entry->finished) {
    auto& attempt = entry->outcome.attempts[entry->edge_story];
    attempt.took = loop_.now() - entry->submitted - attempt.began;
    if (outputs.ok()) {
      entry->edge_outputs = std::move(outputs).value();
      entry->outcome.confidence = confidence;
    } else {
      attempt.error = name_of(outputs.error().code);
      entry->outcome.message = outputs.error().message;
    }
  }
  step(scheduler::EdgeFinished{entry->id, outputs.ok(), confidence});
}

// ---- the cloud ------------------------------------------------------------------------------------------------------

/// One-way, so that nobody who sees some ids can tell which others are this device's.
std::string Runtime::Core::next_wire_id() {
  return sha256_hex("wire id " + std::to_string(config_.seed) + " " + std::to_string(++wire_ids_)).substr(0, 32);
}

void Runtime::Core::begin_attempt(const EntryPtr& entry, AttemptId attempt, SiteId site, TimePoint deadline) {
  Lock lock(mutex_);
  if (!entry->awaits(attempt)) return;
  const std::string wire_id = next_wire_id();
  const auto encode = [&](const Request& request) {
    return cloud::encode(entry->pair->pair.cloud, guard_.endpoints()[site - 1], request, wire_id,
                         deadline - loop_.now(), wants_pieces(*entry));
  };
  auto minted = guard_.mint(entry->judgement, *entry->request, site, encode, this_moment());
  if (!minted.ok()) return attempt_denied(entry, attempt, minted.error());
  minted.value().request = entry->id;
  minted.value().attempt = static_cast<std::uint32_t>(entry->story_of(attempt) + 1);
  lock.unlock();
  if (!world_.journal) return spend(entry, attempt, site, deadline, std::move(minted).value(), wire_id);

  const auto held = std::make_shared<privacy::Minted>(std::move(minted).value());
  const auto& pair = entry->pair->pair;
  privacy::add_attempt(held->record, {held->request, held->attempt, pair.name, pair.cloud.sha256,
                                      world_.journal->keyed_digest(held->permit.message().body)});
  world_.journal->append(held->record, held->durability,
                         [self = shared_from_this(), held, entry, attempt, site, deadline, wire_id](Status recorded) {
                           if (recorded.ok())
                             return self->spend(entry, attempt, site, deadline, std::move(*held), wire_id);
                           self->journal_failed(recorded.error());
                           Lock guarded(self->mutex_);
                           if (entry->awaits(attempt)) self->attempt_denied(entry, attempt, recorded.error());
                         });
}

void Runtime::Core::spend(const EntryPtr& entry, AttemptId attempt, SiteId site, TimePoint deadline,
                          privacy::Minted minted, const std::string& wire_id) {
  Lock lock(mutex_);
  const bool wanted = entry->awaits(attempt);
  // Writing the record took time, in which consent may have been revoked, the session tainted or the budget spent.
  const Status still = guard_.spend(entry->judgement, *entry->request, site, minted, wanted, this_moment());
  keep_records();
  if (!wanted) return;
  if (!still.ok()) return attempt_denied(entry, attempt, still.error());
  entry->outcome.attempts[entry->story_of(attempt)].bytes_sent = minted.permit.message().body.size();
  const bool in_pieces = wants_pieces(*entry);
  lock.unlock();
  if (in_pieces) return send_for_pieces(entry, attempt, deadline, std::move(minted));
  world_.transport->send(
      attempt, std::move(minted.permit), deadline,
      [self = shared_from_this(), entry, attempt, wire_id, redaction = minted.redaction](SendResult result) {
        self->attempt_finished(entry, attempt, result, self->read_answer(*entry, result, wire_id, redaction.get()));
      });
}

/// Reads what came back, also for nobody: an attempt that is no longer awaited says so only under the lock.
Runtime::Core::Answer Runtime::Core::read_answer(const Entry& entry, const SendResult& result,
                                                 const std::string& wire_id,
                                                 const privacy::Redaction* redaction) const {
  if (!result.reply.ok()) return result.reply.error();
  Answer answer = cloud::decode(entry.pair->pair.cloud, result.reply.value(), wire_id);
  if (!answer.ok() || redaction == nullptr) return answer;
  if (auto restored = restore_all(answer.value(), *redaction); !restored.ok()) return restored.error();
  return answer;
}

void Runtime::Core::attempt_finished(const EntryPtr& entry, AttemptId attempt, const SendResult& result,
                                     Answer answer) {
  const auto& pair = entry->pair->pair;
  const auto [verdict, retry_after] =
      scheduler::verdict_of(result, answer.ok() ? Status(Done{}) : Status(answer.error()));
  Lock lock(mutex_);
  if (!entry->awaits(attempt)) return;
  end_attempt(*entry, attempt, answer.ok() ? ErrorCode{} : answer.error().code, result.bytes_sent);
  if (answer.ok()) {
    entry->cloud_outputs = std::move(answer).value();
    for (std::size_t i = 0; i < entry->cloud_outputs.size(); ++i) {
      entry->cloud_outputs[i].name = pair.edge.outputs[i].name;  // an answer looks the same wherever it came from
    }
  } else {
    entry->outcome.message = answer.error().message;
  }
  step(scheduler::CloudFinished{entry->id, attempt, verdict, retry_after});
}

void Runtime::Core::attempt_denied(const EntryPtr& entry, AttemptId attempt, const Error& error) {
  end_attempt(*entry, attempt, error.code, 0);
  entry->outcome.message = error.message;
  step(scheduler::CloudFinished{entry->id, attempt, scheduler::CloudVerdict::kDenied});
}

void Runtime::Core::end_attempt(Entry& entry, AttemptId attempt, ErrorCode error, std::uint64_t bytes_sent) {
  auto& story = entry.outcome.attempts[entry.story_of(attempt)];
  story.took = loop_.now() - entry.submitted - story.began;
  story.bytes_sent = bytes_sent;
  if (error != ErrorCode{}) story.error = name_of(error);
  std::erase_if(entry.on_cloud, [&](const OnItsWay& one) { return one.attempt == attempt; });
}

bool Runtime::Core::Entry::awaits(AttemptId attempt) const {
  return !finished && std::any_of(on_cloud.begin(), on_cloud.end(), [&](auto& one) { return one.attempt == attempt; });
}

/// Of an attempt under way.
std::size_t Runtime::Core::Entry::story_of(AttemptId attempt) const {
  const auto found = std::find_if(on_cloud.begin(), on_cloud.end(), [&](auto& one) { return one.attempt == attempt; });
  assert(found != on_cloud.end());
  return found->story;
}

}  // namespace hearth
