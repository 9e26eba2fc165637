#include "runtime/sim/fleet_device.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "runtime/scheduler/verdict.h"

namespace hearth::sim {
namespace {

constexpr unsigned kSlotBits = 24;
constexpr std::uint64_t kSlotMask = (1u << kSlotBits) - 1;
constexpr std::uint64_t kDrawsOfPass = 4;

enum Noted : std::uint64_t { kArrived = 1, kPassEnded, kAttemptSent, kAttemptEnded, kTimer, kFinished, kDenied };

std::uint64_t seed_of_device(std::uint64_t seed, std::uint32_t index) {
  return RandomStream(seed, "device " + std::to_string(index)).next();
}

Network network_of(const Commons& commons) {
  Network network;
  network.link = commons.model.link;
  network.look_up = commons.model.look_up;
  network.connect_timeout = commons.model.runtime.cloud.connect_timeout;
  network.connections_per_endpoint_max = commons.model.runtime.limits.connections_per_endpoint_max;
  for (std::size_t i = 0; i < commons.clouds.size(); ++i)
    network.clouds.emplace(commons.model.runtime.endpoints[i].name, commons.clouds[i]);
  return network;
}

Duration scaled(Duration time, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(time.count()) * factor));
}

double mib_of(std::uint64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }

}  // namespace

FleetDevice::FleetDevice(Commons& commons, std::uint32_t index)
    : commons_(commons),
      index_(index),
      seed_(seed_of_device(commons.model.seed, index)),
      body_(commons.model.device, commons.model.runtime.limits.edge_slots, commons.model.runtime.energy.edge_watts,
            seed_),
      decider_(commons.book, commons.model.consent),
      transport_(commons.loop, network_of(commons), {}, seed_),
      passes_(seed_, "edge service times") {
  const auto& streams = commons.model.streams;
  for (std::size_t i = 0; i < streams.size(); ++i)
    sources_.push_back({Source(streams[i], static_cast<std::uint16_t>(i), index, commons.model.seed), {}});
}

// ---- arrivals -------------------------------------------------------------------------------------------------------

void FleetDevice::start() {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const bool closed = std::holds_alternative<ClosedLoopArrivals>(commons_.model.streams[i].arrivals);
    const auto users = closed ? std::get<ClosedLoopArrivals>(commons_.model.streams[i].arrivals).users : 1;
    for (std::uint64_t user = 0; user < users; ++user) {
      sources_[i].next = sources_[i].source.next();
      if (!closed) {
        schedule(i);
      } else if (sources_[i].next && sources_[i].next->at < TimePoint(commons_.model.length)) {
        commons_.loop.schedule_at(sources_[i].next->at, [this, i, first = *sources_[i].next] { arrive(i, first); });
      }
    }
  }
}

/// The next arrival of an open stream.
void FleetDevice::schedule(std::size_t source) {
  const auto& next = sources_[source].next;
  if (!next || next->at >= TimePoint(commons_.model.length)) return;
  commons_.loop.schedule_at(next->at, [this, source] {
    const Arriving arriving = *sources_[source].next;
    sources_[source].next = sources_[source].source.next();
    schedule(source);
    arrive(source, arriving);
  });
}

FleetDevice::Flying& FleetDevice::take_slot(const Arriving& arriving) {
  if (free_.empty()) {
    if (flying_.size() > kSlotMask) throw std::runtime_error("more than 16 million requests under way on one device");
    free_.push_back(static_cast<std::uint32_t>(flying_.size()));
    flying_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Flying& flying = flying_[slot];
  const std::uint64_t number = ++commons_.facts.requests;
  flying.id = number << kSlotBits | slot;
  flying.arriving = arriving;
  flying.timer = 0;
  flying.wrong = false;
  flying.record = {};
  flying.record.id = number;
  flying.record.device = index_;
  flying.record.stream = arriving.stream;
  flying.record.model = stream_of(arriving).model;
  flying.record.arrived = now();
  return flying;
}

FleetDevice::Flying* FleetDevice::find(RequestId id) {
  Flying& flying = flying_[id & kSlotMask];
  return flying.id == id ? &flying : nullptr;
}

privacy::Subject FleetDevice::subject_of(const Arriving& arriving) const {
  const Stream& stream = stream_of(arriving);
  const RequestKind& kind = stream.kinds[arriving.kind];
  privacy::Subject subject;
  subject.model = commons_.model.runtime.models[stream.model].name;
  subject.label = kind.label;
  subject.text = kind.text;
  if (arriving.session > 0) subject.session = commons_.sessions[arriving.stream][arriving.session - 1];
  subject.has_tensors = kind.has_tensors;
  subject.payload_bytes = arriving.payload_bytes;
  return subject;
}

void FleetDevice::arrive(std::size_t source, const Arriving& arriving) {
  (void)source;
  const Stream& stream = stream_of(arriving);
  Flying& flying = take_slot(arriving);
  const RequestId id = flying.id;
  commons_.note(kArrived, id);
  flying.truth = commons_.model.pairs[stream.model].answer(arriving.sample, commons_.model.seed);

  Decider::Asked asked;
  asked.id = id;
  asked.subject = subject_of(arriving);
  asked.model = stream.model;
  asked.deadline = arriving.deadline ? arriving.deadline : stream.deadline;
  asked.priority = stream.priority;
  asked.idempotent = stream.idempotent;
  asked.on_caller = commons_.model.device.on_caller;
  commons_.actions.clear();
  const auto admitted = decider_.admit(asked, body_.known(), now(), commons_.actions);
  body_.look_when_old(now());
  const auto& judgement = flying.judgement = admitted.judgement;
  flying.record.data_class = judgement.content.data_class;
  flying.record.mask = judgement.mask;
  flying.record.plan = judgement.preference.plan;
  flying.record.permit_rule = judgement.permit_rule;
  flying.record.prefer_rule = judgement.preference.rule;
  flying.record.deadline = admitted.deadline;
  if (commons_.model.roads) look_down_the_roads(flying);
  carry_out();
}

// ---- what the decider asks for --------------------------------------------------------------------------------------

void FleetDevice::tell(const scheduler::Event& event) {
  commons_.actions.clear();
  decider_.tell(event, now(), commons_.actions);
  carry_out();
}

/// Nothing that an action leads to tells the decider anything before the loop's next step.
void FleetDevice::carry_out() {
  for (const auto& action : commons_.actions) std::visit([&](const auto& one) { on(one); }, action);
}

Duration FleetDevice::pass_time(const Flying& flying) {
  passes_.seek(flying.record.id * kDrawsOfPass);
  return scaled(commons_.model.pairs[flying.record.model].edge.draw(passes_), body_.slow_factor(now()));
}

/// The actions that go together follow each other.
void FleetDevice::on(const scheduler::RunEdge& action) {
  if (together_.empty()) pass_members_ = action.together + std::size_t{1};
  Flying& flying = *find(action.id);
  flying.record.edge_wait = now() - flying.record.arrived;
  together_.push_back(action.id);
  if (together_.size() == pass_members_) begin_pass();
}

/// One request's pass keeps its id in the closure; several share a list.
void FleetDevice::begin_pass() {
  const Flying& first = *find(together_.front());
  const double growth = commons_.model.pairs[first.record.model].batch_growth;
  const Duration takes = scaled(pass_time(first), 1 + growth * static_cast<double>(together_.size() - 1));
  body_.pass_began(now());
  if (together_.size() == 1) {
    commons_.loop.schedule_at(now() + takes, [this, id = together_.front()] { pass_ended({&id, 1}); });
  } else {
    const auto members = std::make_shared<const std::vector<RequestId>>(together_);
    commons_.loop.schedule_at(now() + takes, [this, members] { pass_ended(*members); });
  }
  together_.clear();
}

void FleetDevice::pass_ended(std::span<const RequestId> requests) {
  body_.pass_ended(now());
  for (const RequestId id : requests) {
    commons_.note(kPassEnded, id);
    float confidence = 0;
    if (Flying* const flying = find(id)) {
      Record& record = flying->record;
      record.edge_time = now() - record.arrived - record.edge_wait;
      record.confidence = confidence = flying->truth.confidence;
      const double seconds = std::chrono::duration<double>(record.edge_time).count();
      record.joules += commons_.model.runtime.energy.edge_watts * seconds / static_cast<double>(requests.size());
    }
    tell(scheduler::EdgeFinished{id, true, confidence});
  }
}

void FleetDevice::on(const scheduler::StartCloud& action) {
  Flying& flying = *find(action.id);
  flying.on_cloud.push_back({action.attempt, action.site, now()});
  ++flying.record.attempts;
  commons_.loop.post([this, action] { begin_attempt(action); });
}

void FleetDevice::on(const scheduler::CancelCloud& action) {
  Flying& flying = *find(action.id);
  std::erase_if(flying.on_cloud, [&](const OnItsWay& one) { return one.attempt == action.attempt; });
  transport_.cancel(action.attempt);
}

void FleetDevice::on(const scheduler::ProbeCloud& action) {
  Flying& flying = *find(action.id);
  const Status may =
      decider_.permit(flying.judgement, subject_of(flying.arriving), action.site, 0, false, body_.known(), now());
  if (!may.ok()) {
    commons_.loop.post([this, probe = action.probe] {
      tell(scheduler::ProbeFinished{probe, scheduler::CloudVerdict::kDenied});
    });
    return;
  }
  if (!body_.online(now())) {
    commons_.loop.post([this, probe = action.probe] {
      tell(scheduler::ProbeFinished{probe, scheduler::CloudVerdict::kUnreachable});
    });
    return;
  }
  Parcel parcel;
  parcel.probe = true;
  transport_.send(action.probe, commons_.model.runtime.endpoints[action.site - 1], parcel, action.deadline,
                  [this, probe = action.probe](const Delivered& delivered) {
                    const bool spoke = delivered.result.reply.ok();
                    tell(scheduler::ProbeFinished{
                        probe, spoke ? scheduler::CloudVerdict::kAnswered : scheduler::CloudVerdict::kUnreachable});
                  });
}

void FleetDevice::on(const scheduler::SetTimer& action) {
  Flying& flying = *find(action.id);
  if (flying.timer != 0) commons_.loop.cancel(flying.timer);
  flying.timer = commons_.loop.schedule_at(action.due, [this, id = action.id] {
    Flying* const found = find(id);
    if (found == nullptr) return;
    found->timer = 0;
    commons_.note(kTimer, id);
    tell(scheduler::TimerFired{id});
  });
}

void FleetDevice::on(const scheduler::Finish& action) {
  Flying* const found = find(action.id);
  if (found == nullptr) throw std::logic_error("a request ended twice");
  Flying& flying = *found;
  commons_.note(kFinished, action.id);
  if (flying.timer != 0) commons_.loop.cancel(flying.timer);
  Record& record = flying.record;
  record.status = action.status;
  record.reason = action.reason;
  record.answered_by = action.answered_by;
  record.latency = now() - record.arrived;
  if (record.latency < Duration{} || (record.edge_time > Duration{} && record.edge_wait > record.latency))
    throw std::logic_error("a request ended before what it waited for");
  if (action.status == OutcomeStatus::kServed) {
    record.in_time = record.latency <= record.deadline;
    record.correct =
        action.answered_by == kEdgeSite ? flying.truth.edge_correct : flying.truth.cloud_correct && !flying.wrong;
  }
  commons_.sink.take(record);

  const Arriving arriving = flying.arriving;
  flying.id = 0;
  flying.on_cloud.clear();
  flying.judgement.content.rules.reset();
  free_.push_back(static_cast<std::uint32_t>(&flying - flying_.data()));
  if (const auto next = sources_[arriving.stream].source.next_of(arriving.user, now());
      next && next->at < TimePoint(commons_.model.length))
    commons_.loop.schedule_at(next->at, [this, next = *next] { arrive(next.stream, next); });
}

// ---- the cloud ------------------------------------------------------------------------------------------------------

std::uint64_t FleetDevice::body_bytes(const Flying& flying) const {
  return flying.arriving.payload_bytes + commons_.book->envelope_bytes[flying.record.model];
}

/// As Runtime does: a permit, its record, and once that is durable the permit is spent.
void FleetDevice::begin_attempt(const scheduler::StartCloud& action) {
  Flying* const flying = find(action.id);
  const auto awaited = [&](const OnItsWay& one) { return one.attempt == action.attempt; };
  if (flying == nullptr || std::none_of(flying->on_cloud.begin(), flying->on_cloud.end(), awaited)) return;
  const Status may = decider_.permit(flying->judgement, subject_of(flying->arriving), action.site, body_bytes(*flying),
                                     false, body_.known(), now());
  const Duration record_time = may.ok() ? body_.record_time() : Duration{};
  if (may.ok() && record_time == Duration{}) return spend(action);
  if (may.ok()) {
    commons_.loop.schedule_at(now() + record_time, [this, action] { spend(action); });
    return;
  }
  ++commons_.facts.permits_denied;
  commons_.note(kDenied, action.id);
  std::erase_if(flying->on_cloud, awaited);
  tell(scheduler::CloudFinished{action.id, action.attempt, scheduler::CloudVerdict::kDenied});
}

void FleetDevice::spend(const scheduler::StartCloud& action) {
  Flying* const flying = find(action.id);
  const auto awaited = [&](const OnItsWay& one) { return one.attempt == action.attempt; };
  if (flying == nullptr || std::none_of(flying->on_cloud.begin(), flying->on_cloud.end(), awaited)) return;
  const std::uint64_t bytes = body_bytes(*flying);
  const Status may =
      decider_.permit(flying->judgement, subject_of(flying->arriving), action.site, bytes, true, body_.known(), now());
  if (!may.ok()) {
    ++commons_.facts.permits_denied;
    commons_.note(kDenied, action.id);
    std::erase_if(flying->on_cloud, awaited);
    return tell(scheduler::CloudFinished{action.id, action.attempt, scheduler::CloudVerdict::kDenied});
  }
  if (!may_go(*flying, action.site)) ++commons_.facts.leaks;
  ++commons_.facts.attempts;
  commons_.note(kAttemptSent, action.id);
  charge(*flying, action.site, bytes);
  const auto ended = [this, id = action.id, attempt = action.attempt](const Delivered& delivered) {
    attempt_ended(id, attempt, delivered);
  };
  if (!body_.online(now())) {  // as the system says at once; what decided did not know yet
    const Error no_network{ErrorCode::kUnavailable, "no network"};
    commons_.loop.post([ended, no_network] { ended({{no_network}, no_network}); });
    return;
  }
  Parcel parcel;
  parcel.body_bytes = bytes;
  parcel.reply_bytes = flying->arriving.reply_bytes;
  parcel.draw = flying->record.id * (scheduler::SchedulerCore::kAttemptsMax + 1) + flying->record.attempts;
  transport_.send(action.attempt, commons_.model.runtime.endpoints[action.site - 1], parcel, action.deadline, ended);
}

void FleetDevice::charge(Flying& flying, SiteId site, std::uint64_t body_bytes) {
  const Endpoint& endpoint = commons_.model.runtime.endpoints[site - 1];
  const EnergyCosts& energy = commons_.model.runtime.energy;
  const double price = commons_.clouds[site - 1u]->price_factor(now().time_since_epoch());
  const double joules = energy.radio_joules_per_attempt + energy.radio_joules_per_mib * mib_of(body_bytes);
  flying.record.bytes_up += body_bytes;
  flying.record.usd += price * (endpoint.usd_per_request + endpoint.usd_per_mib * mib_of(body_bytes));
  flying.record.joules += joules;
  body_.spend_joules(joules);
}

void FleetDevice::attempt_ended(RequestId id, AttemptId attempt, const Delivered& delivered) {
  Flying* const flying = find(id);
  if (flying == nullptr) return;
  auto& on_cloud = flying->on_cloud;
  const auto one = std::find_if(on_cloud.begin(), on_cloud.end(), [&](auto& o) { return o.attempt == attempt; });
  if (one == on_cloud.end()) return;  // withdrawn
  commons_.note(kAttemptEnded, id);
  auto end = scheduler::verdict_of(delivered.result, delivered.answer);
  if (!body_.online(now())) end = {scheduler::CloudVerdict::kUnreachable};  // the connection went with the network
  if (end.verdict == scheduler::CloudVerdict::kAnswered) {
    flying->record.cloud_began = one->began - flying->record.arrived;
    flying->record.cloud_time = now() - one->began;
    flying->record.up_time = delivered.reached - one->began;
    flying->record.server_wait = delivered.server_wait;
    flying->record.server_time = delivered.server_wait + delivered.server_time;
    flying->wrong = delivered.wrong;
  }
  on_cloud.erase(one);
  tell(scheduler::CloudFinished{id, attempt, end.verdict, end.retry_after});
}

/// By the policy's own list of classes, without any of the code that decides.
bool FleetDevice::may_go(const Flying& flying, SiteId site) const {
  const auto& rule = commons_.model.policy->classes()[flying.record.data_class];
  const Endpoint& endpoint = commons_.model.runtime.endpoints[site - 1];
  const auto among = [](const std::vector<std::string>& list, const std::string& name) {
    return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
  };
  const bool redactable = !stream_of(flying.arriving).kinds[flying.arriving.kind].has_tensors;
  const bool leaves =
      rule.egress == policies::Egress::kAllow || (rule.egress == policies::Egress::kRedacted && redactable);
  return leaves && flying.record.mask.has(site) && among(rule.regions, endpoint.region) &&
         among(rule.endpoints, endpoint.name);
}

// ---- what only an oracle knows --------------------------------------------------------------------------------------

void FleetDevice::look_down_the_roads(Flying& flying) {
  Record& record = flying.record;
  if (record.mask.has(kEdgeSite)) {
    const Duration takes = pass_time(flying);
    const double joules = commons_.model.runtime.energy.edge_watts * std::chrono::duration<double>(takes).count();
    record.edge = {true, takes, flying.truth.edge_correct, 0, joules};
  }
  for (std::size_t i = 1; i <= commons_.clouds.size(); ++i) {
    const auto site = static_cast<SiteId>(i);
    if (!record.mask.has(site)) continue;
    const Road road = cloud_road(flying, site);
    if (road.open && (!record.cloud.open || road.latency < record.cloud.latency)) record.cloud = road;
  }
}

Road FleetDevice::cloud_road(const Flying& flying, SiteId site) {
  const Duration at = now().time_since_epoch();
  Cloud& cloud = *commons_.clouds[site - 1u];
  Road road;
  road.open = body_.online(now()) && !cloud.faults.refuses(at) && !cloud.faults.fails_look_up(at) &&
              !cloud.faults.cut_until(at, Direction::kUp) && !cloud.faults.cut_until(at, Direction::kDown);
  if (!road.open) return road;
  const std::uint64_t bytes = body_bytes(flying);
  const std::uint64_t draw = flying.record.id * (scheduler::SchedulerCore::kAttemptsMax + 1) + 1;
  const Cloud::Service service = cloud.foresee(at, draw);
  road.latency = transport_.foresee(bytes, service.waits + service.takes, flying.arriving.reply_bytes);
  road.correct = flying.truth.cloud_correct;
  const Endpoint& endpoint = commons_.model.runtime.endpoints[site - 1];
  const EnergyCosts& energy = commons_.model.runtime.energy;
  road.usd = cloud.price_factor(at) * (endpoint.usd_per_request + endpoint.usd_per_mib * mib_of(bytes));
  road.joules = energy.radio_joules_per_attempt + energy.radio_joules_per_mib * mib_of(bytes);
  return road;
}

}  // namespace hearth::sim
