// One world from its first request to its last. After the trouble the app asks each endpoint again and again; once the
// longest pause that the configuration allows has passed, each has to answer.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include <hearth/random.h>
#include <hearth/runtime.h>

#include "runtime/cloud/retry_after.h"
#include "runtime/sim/simulated_journal.h"
#include "runtime/sim/simulated_model.h"
#include "runtime/sim/simulated_transport.h"
#include "runtime/sim/virtual_loop.h"
#include "tools/simulate/swarm/story.h"

namespace hearth::simulate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kRecoveryEvery = milliseconds(200);
constexpr std::size_t kRecoveryEach = 10;  ///< Requests at one endpoint before the next.
constexpr const char* kCanary = "canary@secret.example";

/// A tap in the wire: tells the story of what passes.
class Tap final : public Transport {
 public:
  Tap(sim::SimulatedTransport& inner, EventLoop& loop, Story& story) : inner_(inner), loop_(loop), story_(story) {}

  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override {
    if (permit.message().method != "POST") {  // a probe, of constant bytes
      if (!permit.message().body.empty() || !permit.message().headers.empty()) throw std::runtime_error("not a probe");
      return inner_.send(attempt, std::move(permit), deadline, std::move(done));
    }
    WireEvent event{WireEvent::Kind::kSend, loop_.now(), attempt, permit.endpoint().name};
    event.deadline = deadline;
    read(permit.message(), event);
    story_.wire.push_back(event);
    inner_.send(attempt, std::move(permit), deadline, [this, attempt, done = std::move(done)](SendResult result) {
      WireEvent ended{WireEvent::Kind::kDone, loop_.now(), attempt, {}};
      if (result.reply.ok()) {
        ended.status = result.reply->status;
        ended.retry_after = cloud::retry_after(result.reply.value()).value_or(Duration{});
      } else {
        ended.unreachable =
            (result.silent || result.bytes_sent == 0) && result.reply.error().code == ErrorCode::kUnavailable;
      }
      story_.wire.push_back(ended);
      done(std::move(result));
    });
  }
  void cancel(AttemptId attempt) override {
    story_.wire.push_back({WireEvent::Kind::kCancel, loop_.now(), attempt, {}});
    inner_.cancel(attempt);
  }

 private:
  /// The second element of each input is the request's number, and a half more where it must stay.
  void read(const HttpMessage& message, WireEvent& event) const {
    std::size_t json = 0;
    for (const auto& [name, value] : message.headers)
      if (name == "Inference-Header-Content-Length") std::from_chars(value.data(), value.data() + value.size(), json);
    float number = 0;
    if (message.body.size() < json + 2 * sizeof number) throw std::runtime_error("a body without its tensor");
    std::memcpy(&number, message.body.data() + json + sizeof number, sizeof number);
    event.request = static_cast<std::size_t>(number);
    if (event.request >= story_.requests.size()) throw std::runtime_error("a body with another tensor");
    event.canary = number != std::floor(number) || message.body.find(kCanary) != std::string::npos;
  }

  sim::SimulatedTransport& inner_;
  EventLoop& loop_;
  Story& story_;
};

ModelPair tagger() {
  ModelPair pair;
  pair.name = "tagger";
  pair.edge.file = "simulated";
  pair.edge.inputs = {{"x", Datatype::kFp32, {1, 2}}};
  pair.edge.outputs = {{"scores", Datatype::kFp32, {1, 3}}};
  pair.cloud.model = "tagger-large";
  pair.cloud.sha256 = std::string(64, 'c');
  pair.cloud.inputs = {{"image", Datatype::kFp32, {2}}};
  pair.cloud.outputs = {{"logits", Datatype::kFp32, {3}}};
  pair.cloud.text_input = "caption";
  pair.labels = {"a", "b", "c"};
  return pair;
}

std::vector<Tensor> scores(float a, float b, float c) {
  const float values[] = {a, b, c};
  return {Tensor::of_floats("", {1, 3}, values)};
}

std::string policy_json(const PolicyVariant& variant, const SwarmWorld& world) {
  std::string forbid;
  if (!variant.edge) forbid = R"(, {"id": "not-here", "when": {"model": "tagger"}, "sites": ["edge"]})";
  for (const auto& [endpoint, faults] : world.endpoints) {
    if (!variant.closed.contains(endpoint.name)) continue;
    forbid += R"(, {"id": "not-)" + endpoint.name + R"(", "when": {"model": "tagger"}, "sites": ["cloud:)" +
              endpoint.name + R"("]})";
  }
  std::string prefer = R"("plan": ")" + std::string(hearth::name_of(variant.plan)) + "\"";
  if (variant.plan == PlanKind::kCascade) prefer += R"(, "confidence_below": 0.9)";
  if (variant.attempts_max > 0) prefer += R"(, "attempts_max": )" + std::to_string(variant.attempts_max);
  if (variant.objective) prefer += R"(, "objective": {"quality": 1, "cost": 0.5, "energy": 0.01})";
  return R"({"version": 1, "name": "swarm", "classes": [
    {"name": "public", "egress": "allow", "egress_record": ")" +
         std::string(world.written_records ? "written" : "synced") + R"("},
    {"name": "regional", "egress": "allow", "regions": ["eu"]},
    {"name": "personal", "egress": "redacted", "regions": ["eu"]},
    {"name": "secret", "egress": "never", "taints_session_for_s": 2}],
    "default_class": "secret",
    "classify": [{"id": "found-mail", "when": {"detected.EMAIL": {"gt": 0}}, "class": "personal"}],
    "forbid": [{"id": "no-consent", "when": {"consent": {"ne": "given"}}})" +
         forbid + R"(], "prefer": [{"id": "p", "when": {"model": "tagger"}, )" + prefer + "}]}";
}

RuntimeConfig config_of(const SwarmWorld& world) {
  RuntimeConfig config;
  config.models = {tagger()};
  for (const auto& one : world.endpoints) config.endpoints.push_back(one.endpoint);
  config.policy_json = policy_json(world.policy, world);
  config.limits = world.limits;
  config.cloud = world.cloud;
  config.audit_decisions = world.audit_decisions;
  config.seed = world.seed;
  return config;
}

sim::Network network_of(const SwarmWorld& world) {
  sim::Network network;
  network.link = world.link;
  network.server = world.server;
  network.look_up = world.look_up;
  network.connect_timeout = world.cloud.connect_timeout;
  for (const auto& one : world.endpoints) network.faults_of[one.endpoint.name] = one.faults;
  return network;
}

class Life {
 public:
  explicit Life(const SwarmWorld& world)
      : world_(world),
        config_(config_of(world)),
        transport_(
            loop_, network_of(world),
            sim::oip_server(config_.models[0].cloud, [](const std::vector<std::string>&) { return scores(0, 9, 0); }),
            world.seed),
        model_(
            loop_, [this](std::span<const Tensor> inputs) { return edge_answer(inputs); }, world.edge_median, 0.1,
            world.seed),
        failures_(world.seed, "swarm: failures of the edge") {}

  Story run(const Meddler& meddler);

 private:
  void start(const Meddler& meddler);
  void put_in_force(const PolicyVariant& variant);
  void note_in_force();
  void give_consent(bool given);
  void go_offline(bool offline);
  void act(const Act& act);
  Request request_of(const SwarmRequest& asked, Asked& told) const;
  void submit(Request request, Asked asked);
  void schedule_recovery();
  EdgeModel::Outputs edge_answer(std::span<const Tensor> inputs);

  const SwarmWorld& world_;
  RuntimeConfig config_;
  Story story_;
  sim::VirtualLoop loop_;
  sim::SimulatedTransport transport_;
  sim::SimulatedModel model_;
  std::unique_ptr<Runtime> runtime_;
  RandomStream failures_;
  std::vector<RequestId> ids_;
  PolicyVariant variant_;
  bool consent_ = true;
  bool offline_ = false;
};

EdgeModel::Outputs Life::edge_answer(std::span<const Tensor> inputs) {
  if (world_.edge_failing > 0 && failures_.uniform() < world_.edge_failing)
    return Error{ErrorCode::kInternal, "simulated"};
  return scores(inputs[0].floats()[0], 0, 0);
}

/// Creates the runtime and gives consent.
void Life::start(const Meddler& meddler) {
  World world;
  world.loop = std::shared_ptr<EventLoop>(std::shared_ptr<void>(), &loop_);
  world.transport = std::make_shared<Tap>(transport_, loop_, story_);
  if (meddler) world.transport = meddler(std::move(world.transport));
  const auto journal = std::make_shared<sim::SimulatedJournal>(loop_);
  journal->write_time = world_.journal_write;
  world.journal = journal;
  world.load_edge_model = [this](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
    return std::shared_ptr<EdgeModel>(std::shared_ptr<void>(), &model_);  // outlives the loop's last run
  };
  auto made = Runtime::create(config_, std::move(world));
  if (!made.ok()) throw std::runtime_error(made.error().message);
  runtime_ = std::move(made).value();
  runtime_->set_consent(Consent::kGiven);
  loop_.run_until_idle();
  variant_ = world_.policy;
  note_in_force();
}

void Life::note_in_force() {
  InForce now{story_.wire.size(), consent_, {}, {}};
  for (const auto& [endpoint, faults] : world_.endpoints) {
    if (variant_.closed.contains(endpoint.name)) continue;
    now.open.insert(endpoint.name);
    if (endpoint.region == "eu") now.in_eu.insert(endpoint.name);
  }
  story_.in_force.push_back(std::move(now));
}

void Life::put_in_force(const PolicyVariant& variant) {
  if (const auto status = runtime_->reload_policy(policy_json(variant, world_)); !status.ok())
    throw std::runtime_error(status.error().message);
  variant_ = variant;
  note_in_force();
}

void Life::give_consent(bool given) {
  runtime_->set_consent(given ? Consent::kGiven : Consent::kRevoked);
  consent_ = given;
  note_in_force();
}

void Life::go_offline(bool offline) {
  runtime_->set_device_state({offline ? NetworkKind::kOffline : NetworkKind::kUnmetered, 50.0, true});
  offline_ = offline;
}

void Life::act(const Act& act) {
  switch (act.kind) {
    case ActKind::kGiveConsent:
    case ActKind::kRevokeConsent:
      return give_consent(act.kind == ActKind::kGiveConsent);
    case ActKind::kReload:
      return put_in_force(act.policy);
    case ActKind::kCancel:
      if (act.back < ids_.size()) runtime_->cancel(ids_[ids_.size() - 1 - act.back]);
      return;
    case ActKind::kEndSession:
      return runtime_->end_session(act.session);
    case ActKind::kForgetSession:
      runtime_->forget_session(act.session);
      story_.forgotten.emplace_back(loop_.now(), act.session);
      return;
    case ActKind::kGoOffline:
    case ActKind::kGoOnline:
      return go_offline(act.kind == ActKind::kGoOffline);
    case ActKind::kSetClock:
      return loop_.set_clock_forward(seconds(act.clock_s));
  }
}

Request Life::request_of(const SwarmRequest& asked, Asked& told) const {
  const bool stays = asked.label != "public" && asked.label != "regional";
  const float values[] = {static_cast<float>(asked.sureness),
                          static_cast<float>(story_.requests.size()) + (stays ? 0.5f : 0.0f)};
  Request request;
  request.model = "tagger";
  if (!asked.malformed) request.inputs = {Tensor::of_floats("x", {1, 2}, values)};
  if (asked.mail) request.text = std::string("write to ") + kCanary;
  request.label = asked.label;
  request.session = told.session = asked.session;
  request.deadline = told.deadline = asked.deadline;
  request.idempotent = told.idempotent = asked.idempotent;
  request.priority = asked.priority;
  told.sureness = values[0];
  told.regional = asked.label == "regional";
  told.taints = stays && asked.label != "personal" && !asked.malformed;
  told.edge = variant_.edge && !asked.malformed;
  const InForce& now = story_.in_force.back();
  if (!stays && !asked.mail && !asked.malformed) told.permitted = told.regional ? now.in_eu : now.open;
  return request;
}

void Life::submit(Request request, Asked asked) {
  const std::size_t number = story_.requests.size();
  asked.at = loop_.now();
  asked.attempts_max = variant_.attempts_max > 0 ? variant_.attempts_max : world_.cloud.attempts_max;
  asked.offline = offline_;
  story_.requests.push_back(std::move(asked));
  ids_.push_back(runtime_->submit(std::move(request), [this, number](Outcome outcome) {
    Asked& told = story_.requests[number];
    ++told.outcomes;
    told.finished = loop_.now();
    told.outcome = std::move(outcome);
  }));
}

/// One endpoint after the other is asked alone. A pause that began when the last attempt of the trouble failed is over
/// after the longest that a breaker (with 20 % jitter) or a Retry-After may ask for; then each has a turn to
/// come back in, and then to prove that it has.
void Life::schedule_recovery() {
  story_.healed = TimePoint(world_.trouble);
  loop_.schedule_at(story_.healed, [this] {
    give_consent(true);
    go_offline(false);
  });
  Duration longest{};
  for (const auto& request : world_.requests) longest = std::max(longest, request.deadline);
  const auto jittered = std::chrono::duration_cast<Duration>(1.2 * world_.cloud.breaker_backoff_max);
  const Duration pause = longest + std::max(jittered, world_.cloud.retry_after_max);
  const std::size_t endpoints = world_.endpoints.size();
  const Duration round = endpoints * kRecoveryEach * kRecoveryEvery;
  const TimePoint healthy = story_.healed + pause + round + kRecoveryEach * kRecoveryEvery;
  std::size_t count = 0;
  for (TimePoint at = story_.healed; at < healthy + round; at += kRecoveryEvery, ++count) {
    const std::size_t site = count / kRecoveryEach % endpoints;
    loop_.schedule_at(at, [this, site, first = count % kRecoveryEach == 0, proves = at >= healthy] {
      if (first) {
        PolicyVariant only{PlanKind::kCloud, 0, false, true, {}};
        for (std::size_t i = 0; i < world_.endpoints.size(); ++i)
          if (i != site) only.closed.insert(world_.endpoints[i].endpoint.name);
        put_in_force(only);
      }
      SwarmRequest asks;
      asks.sureness = 1;
      asks.deadline = seconds(2);
      Asked asked;
      Request request = request_of(asks, asked);
      if (proves) asked.proves = world_.endpoints[site].endpoint.name;
      submit(std::move(request), std::move(asked));
    });
  }
}

Story Life::run(const Meddler& meddler) {
  story_.timing = world_.cloud;
  story_.in_flight_max = world_.limits.cloud_in_flight_max;
  story_.write_time = world_.journal_write;
  story_.troubled = world_.troubled;
  story_.edge_works = world_.edge_failing == 0;
  story_.edge_takes = 2 * world_.edge_median;
  story_.edge_slots = world_.limits.edge_slots;
  start(meddler);
  for (const Act& one : world_.acts) loop_.schedule_at(TimePoint(one.at), [this, &one] { act(one); });
  for (const SwarmRequest& one : world_.requests)
    loop_.schedule_at(TimePoint(one.at), [this, &one] {
      Asked asked;
      Request request = request_of(one, asked);
      submit(std::move(request), std::move(asked));
    });
  if (world_.shut_down) {
    loop_.run_until(TimePoint(*world_.shut_down));
    runtime_->shutdown();
  } else if (world_.recovery) {
    schedule_recovery();
  }
  loop_.run_until_idle();
  story_.left_in_flight = transport_.in_flight();
  runtime_.reset();
  loop_.run_until_idle();
  return std::move(story_);
}

}  // namespace

Story run_world(const SwarmWorld& world, const Meddler& meddler) { return Life(world).run(meddler); }

}  // namespace hearth::simulate
