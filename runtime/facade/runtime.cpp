// The public face of Runtime, and the life of its core from start to close.
#include <hearth/runtime.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <utility>

#include "runtime/config/config.h"
#include "runtime/facade/core.h"
#include "runtime/privacy/own_detectors.h"

namespace hearth {
namespace {

constexpr Duration kProbeInterval = std::chrono::seconds(5);

Result<std::shared_ptr<const policies::Policy>> load_policy(const RuntimeConfig& config, std::string_view json) {
  if (!json.empty()) return policies::Policy::load(json, "policy_json");
  return policies::Policy::load_file(config.policy_file);
}

/// A rule about an endpoint or a model that does not exist would forbid nothing, without a word.
Status check_fit(const RuntimeConfig& config, const policies::Policy& policy) {
  if (auto compiles = privacy::check(policy.own_detectors()); !compiles.ok()) return compiles;
  std::vector<policies::EndpointFacts> endpoints;
  for (const auto& endpoint : config.endpoints) endpoints.push_back({endpoint.name, endpoint.region});
  std::vector<std::string> models;
  for (const auto& pair : config.models) models.push_back(pair.name);
  return policy.check_names(endpoints, models);
}

/// The sites that can answer a pair at all, whatever is permitted.
Mask sites_for(const CloudBinding& cloud, const std::vector<Endpoint>& endpoints) {
  Mask sites = Mask::all(static_cast<unsigned>(endpoints.size()));
  if (cloud.model.empty()) return sites.without_cloud();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (endpoints[i].protocol != protocol_of(cloud.api)) sites = sites.without(static_cast<SiteId>(i + 1));
  }
  return sites;
}

}  // namespace

// ---- the core's life ------------------------------------------------------------------------------------------------

Status Runtime::Core::start() {
  std::string problems;
  const signals::Profile learned = learned_before();
  for (const auto& pair : config_.models) {
    auto model = world_.load_edge_model(pair);
    if (!model.ok()) {
      problems += (problems.empty() ? "" : "\n") + model.error().message;
      continue;
    }
    models_.push_back(std::move(model).value());
    const auto index = static_cast<std::uint16_t>(pairs_.size());
    pairs_.emplace(pair.name, std::make_shared<LoadedPair>(LoadedPair{pair, models_.back().get(), index,
                                                                      sites_for(pair.cloud, config_.endpoints)}));
    if (auto status = start_edge_from(*pairs_.at(pair.name), learned); !status.ok())
      problems += (problems.empty() ? "" : "\n") + status.error().message;
    if (pair.edge.batch_max == 1 || models_.back()->batched() != nullptr) continue;
    scheduler_.run_alone(index);
    log(LogLevel::kWarning, "model \"" + pair.name + "\" makes no batches: its requests run one by one");
  }
  start_cloud_from(learned);
  if (!problems.empty()) return {ErrorCode::kInvalidArgument, problems};

  if (world_.journal) {
    if (auto status = guard_.ledger().restore(world_.journal->replay()); !status.ok())
      log(LogLevel::kError, "the journal cannot be read, so nothing may leave: " + status.error().message);
  }
  if (world_.probe) probed_device_ = world_.probe->read();
  probed_at_ = loop_.now();
  watch_policy();
  return Done{};
}

void Runtime::Core::shutdown() {
  Lock lock(mutex_);
  if (!closed_) {
    closed_ = true;
    step(scheduler::ShutDown{});
  }
  const RequestId last = last_id_;  // a callback that submits anew is answered by the loop
  while (!undelivered_.empty() && undelivered_.begin()->first <= last) {
    const RequestId id = undelivered_.begin()->first;
    lock.unlock();
    hand_over(id);
    lock.lock();
  }
  // A callback that the loop had begun ends first; on the loop's own thread it is the one that called.
  if (!loop_.on_loop_thread()) left_.wait(lock, [&] { return callbacks_ == 0; });
}

void Runtime::Core::close() {
  policy_watch_.reset();
  shutdown();
  const bool on_loop = loop_.on_loop_thread();
  {
    // A simulated pass cannot end while its loop's thread waits here; a real one can, and the loop's thread need not
    // wait.
    Lock lock(mutex_);
    left_.wait(lock, [&] { return callers_ == 0 && (on_loop || passes_ == 0); });
  }
  if (on_loop) {
    drain_records();  // what was posted may never run: the loop may go with the runtime
    release_world();
  } else {
    // What was posted before still finds the world there.
    const auto released =
        std::make_shared<std::promise<void>>();  // shared: set_value may still be ending after the wait
    loop_.post([self = shared_from_this(), released] {
      self->release_world();
      released->set_value();
    });
    released->get_future().wait();
  }
  models_.clear();
  world_.load_edge_model = nullptr;  // and with it the engine and its threads
}

/// Transport, journal and probe live on the loop thread and end there.
void Runtime::Core::release_world() {
  drain_decisions();
  world_.transport.reset();
  world_.journal.reset();
  world_.probe.reset();
}

void Runtime::Core::set_device_state(const DeviceState& state) {
  Lock lock(mutex_);
  app_device_ = state;
}

/// By the requests, not by the attempts: a device that looks offline or empty makes none, and would never look again.
void Runtime::Core::read_probe_when_old() {
  if (!world_.probe || loop_.now() - probed_at_ < kProbeInterval) return;
  probed_at_ = loop_.now();
  loop_.post([self = shared_from_this()] {
    if (!self->world_.probe) return;
    const DeviceState state = self->world_.probe->read();
    Lock lock(self->mutex_);
    self->probed_device_ = state;
  });
}

/// What the app said of the device comes before what the probe found. The steady calendar runs with the loop from where
/// it stood at the start, so that a clock that is set meanwhile ends no taint.
privacy::Moment Runtime::Core::this_moment() const {
  privacy::Moment moment{app_device_, loop_.wall_now(),
                         started_wall_ + std::chrono::floor<std::chrono::seconds>(loop_.now() - started_)};
  auto& device = moment.device;
  if (device.network == NetworkKind::kUnknown) device.network = probed_device_.network;
  if (!device.battery_percent) device.battery_percent = probed_device_.battery_percent;
  if (!device.charging) device.charging = probed_device_.charging;
  return moment;
}

void Runtime::Core::set_consent(Consent consent) {
  Lock lock(mutex_);
  guard_.set_consent(consent);
  keep_records();
}

void Runtime::Core::forget_session(std::string_view session) {
  Lock lock(mutex_);
  withdraw_session(session);
  guard_.forget_session(session);
  keep_records();
}

void Runtime::Core::end_session(std::string_view session) {
  Lock lock(mutex_);
  withdraw_session(session);
}

void Runtime::Core::withdraw_session(std::string_view session) {
  if (session.empty()) return;
  std::vector<RequestId> ids;
  for (const auto& [id, entry] : entries_)
    if (entry->request->session == session) ids.push_back(id);
  std::sort(ids.begin(), ids.end());  // the order must not depend on a hash table
  for (const auto id : ids)
    if (entries_.contains(id)) step(scheduler::CancelAsked{id});
}

/// Hands what the guard wants remembered to the journal, in the order in which it changed.
void Runtime::Core::keep_records() {
  auto records = guard_.take_records();
  if (records.empty() || !world_.journal) return;
  std::move(records.begin(), records.end(), std::back_inserter(records_));
  loop_.post([self = shared_from_this()] { self->drain_records(); });
}

void Runtime::Core::drain_records() {
  std::vector<std::string> records;
  {
    Lock lock(mutex_);
    records = std::exchange(records_, {});
  }
  if (!world_.journal) return;
  for (auto& record : records)
    world_.journal->append(std::move(record), Durability::kSynced, [self = shared_from_this()](Status kept) {
      if (!kept.ok()) self->journal_failed(kept.error());
    });
}

void Runtime::Core::journal_failed(const Error& error) {
  {
    Lock lock(mutex_);
    if (guard_.ledger().blind()) return;  // said before
    guard_.ledger().go_blind();
  }
  log(LogLevel::kError, "the journal cannot be written, so nothing more may leave: " + error.message);
}

/// A file may be written in pieces: what does not load yet is looked at again at its next change.
Status Runtime::Core::reload_policy(std::string_view json) {
  auto policy = load_policy(config_, json);
  Status fits = policy.ok() ? check_fit(config_, *policy.value()) : Status(policy.error());
  if (!fits.ok()) {
    log(LogLevel::kError, "the policy stays as it was, the new one is refused: " + fits.error().message);
    return fits;
  }
  const std::string sha256 = policy.value()->sha256();
  {
    Lock lock(mutex_);
    if (guard_.policy().sha256() == sha256) return Done{};
    guard_.replace_policy(std::move(policy).value());
  }
  log(LogLevel::kInfo, "a new policy is in force: " + sha256);
  return Done{};
}

void Runtime::Core::watch_policy() {
  if (!world_.watch_file || !config_.policy_json.empty()) return;
  const std::weak_ptr<Core> weak = weak_from_this();
  auto watch = world_.watch_file(config_.policy_file, [weak] {
    const auto self = weak.lock();
    if (!self) return;
    self->loop_.post([self] { (void)self->reload_policy({}); });  // what is wrong with it is in the log
  });
  if (watch.ok()) {
    policy_watch_ = std::move(watch).value();
  } else {
    log(LogLevel::kWarning, "a changed policy file will not be noticed: " + watch.error().message);
  }
}

std::string Runtime::Core::policy_sha256() {
  Lock lock(mutex_);
  return guard_.policy().sha256();
}

void Runtime::Core::log(LogLevel level, const std::string& line) const {
  if (log_) log_(level, line);
}

// ---- the public face ------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Runtime>> Runtime::create(const RuntimeConfig& config, World world, LogCallback log) {
  const Status valid = validate(config);
  auto policy = load_policy(config, config.policy_json);
  const Status fits = policy.ok() ? check_fit(config, *policy.value()) : Status(policy.error());
  if (!valid.ok() || !fits.ok()) {
    std::string problems = valid.ok() ? "" : valid.error().message;
    if (!fits.ok()) problems += (problems.empty() ? "" : "\n") + fits.error().message;
    return Error{ErrorCode::kInvalidArgument, problems};
  }
  auto loop = world.loop;
  auto core = std::make_shared<Core>(config, std::move(policy).value(), std::move(world), std::move(log));
  if (auto status = core->start(); !status.ok()) {
    core->close();
    return status.error();
  }
  return std::unique_ptr<Runtime>(new Runtime(std::move(loop), std::move(core)));
}

Runtime::Runtime(std::shared_ptr<EventLoop> loop, std::shared_ptr<Core> core)
    : loop_(std::move(loop)), core_(std::move(core)) {}
Runtime::~Runtime() { core_->close(); }

Outcome Runtime::infer(const Request& request) { return core_->infer(request); }
RequestId Runtime::submit(Request request, Callback done) { return core_->submit(std::move(request), std::move(done)); }
RequestId Runtime::submit(Request request, PieceCallback on_piece, Callback done) {
  return core_->submit(std::move(request), std::move(done), std::move(on_piece));
}
bool Runtime::cancel(RequestId request) { return core_->cancel(request); }
void Runtime::set_device_state(const DeviceState& state) { core_->set_device_state(state); }
void Runtime::set_consent(Consent consent) { core_->set_consent(consent); }
void Runtime::end_session(std::string_view session) { core_->end_session(session); }
void Runtime::forget_session(std::string_view session) { core_->forget_session(session); }
void Runtime::shutdown() { core_->shutdown(); }
Status Runtime::reload_policy(std::string_view json) { return core_->reload_policy(json); }
std::string Runtime::policy_sha256() const { return core_->policy_sha256(); }
std::string Runtime::profile() const { return core_->profile(); }

}  // namespace hearth
