// A world from a seed: what is configured, what goes wrong, what the app does. Trouble ends at kTrouble; then the app
// asks each endpoint again and again, and half a minute later each has to answer.
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>

#include "runtime/cloud/retry_after.h"
#include "tests/runtime/sim/guarantees/story.h"
#include "tests/support/sim_world.h"

namespace hearth::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kTrouble = seconds(5);
constexpr Duration kToHeal = seconds(30);
constexpr Duration kRecoveryEvery = milliseconds(200);
constexpr const char* kCanary = "canary@secret.example";

/// A tap in the wire: tells the story of what passes.
class Tap final : public Transport {
 public:
  Tap(std::shared_ptr<sim::SimulatedTransport> inner, EventLoop& loop, Story& story)
      : inner_(std::move(inner)), loop_(loop), story_(story) {}

  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override {
    if (permit.message().method != "POST") {  // a probe, of constant bytes
      if (!permit.message().body.empty() || !permit.message().headers.empty()) throw std::runtime_error("not a probe");
      return inner_->send(attempt, std::move(permit), deadline, std::move(done));
    }
    WireEvent event{WireEvent::Kind::kSend, loop_.now(), attempt, permit.endpoint().name};
    event.deadline = deadline;
    read(permit.message(), event);
    story_.wire.push_back(event);
    inner_->send(attempt, std::move(permit), deadline, [this, attempt, done = std::move(done)](SendResult result) {
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
    inner_->cancel(attempt);
  }

 private:
  /// The second element of each input is the request's number, and a half more where it must stay.
  void read(const HttpMessage& message, WireEvent& event) const {
    std::size_t json = 0;
    for (const auto& [name, value] : message.headers)
      if (name == "Inference-Header-Content-Length") std::from_chars(value.data(), value.data() + value.size(), json);
    float number = 0;
    std::memcpy(&number, message.body.data() + json + sizeof number, sizeof number);
    event.request = static_cast<std::size_t>(number);
    event.canary = number != std::floor(number) || message.body.find(kCanary) != std::string::npos;
  }

  std::shared_ptr<sim::SimulatedTransport> inner_;
  EventLoop& loop_;
  Story& story_;
};

/// A policy, and what the judge needs to know of it.
struct Variant {
  std::string json;
  unsigned attempts_max = 0;
  std::set<std::string> open;   ///< Endpoints that public data may go to.
  std::set<std::string> in_eu;  ///< Those that regional data may go to.
  bool edge = true;
};

class Swarm {
 public:
  Swarm(std::uint64_t seed, bool clock_jumps) : seed_(seed), clock_jumps_(clock_jumps), draw_(seed, "swarm") {}

  Story run();

 private:
  bool chance(double p) { return draw_.uniform() < p; }
  Duration between(double from_ms_, double to_ms_) { return from_ms(from_ms_ + (to_ms_ - from_ms_) * draw_.uniform()); }

  RuntimeConfig draw_config();
  sim::Network draw_network();
  void add_mixed_faults(sim::FaultTimeline& timeline);
  void add_trouble(sim::FaultTimeline& timeline, std::uint64_t kind);
  Variant draw_variant();
  Variant only(std::size_t endpoint) const;
  std::string policy(const std::string& forbid, const std::string& prefer) const;
  void put_in_force(Variant variant);
  Request draw_request(Asked& asked, std::size_t number);
  void submit(Request request, Asked asked);
  void app_acts();
  void schedule_trouble(Duration until);
  void schedule_recovery();

  std::uint64_t seed_;
  bool clock_jumps_;
  RandomStream draw_;
  Story story_;
  RuntimeConfig config_;
  Variant variant_;
  std::unique_ptr<SimWorld> world_;
  std::vector<RequestId> ids_;
  bool consent_ = true;
};

RuntimeConfig Swarm::draw_config() {
  RuntimeConfig config = sim_config();
  config.seed = seed_;
  config.endpoints.clear();
  const std::size_t endpoints = 1 + draw_.below(3);
  for (std::size_t i = 1; i <= endpoints; ++i) {
    const std::string n = std::to_string(i);
    config.endpoints.push_back({"e" + n, (chance(0.5) ? "http://127.0.0.1:" : "https://cloud.example:") + n,
                                i == 1 || chance(0.5) ? "eu" : "us"});
    config.endpoints.back().usd_per_request = 1e-5 * static_cast<double>(draw_.below(3));
  }
  config.limits.edge_slots = 1 + draw_.below(2);
  config.limits.queue_length_max = 1 + draw_.below(32);
  config.limits.cloud_in_flight_max = 2 + draw_.below(30);
  config.audit_decisions = chance(0.2);
  CloudTiming& cloud = config.cloud;
  cloud.attempts_max = 1 + static_cast<unsigned>(draw_.below(4));
  cloud.connect_timeout = between(800, 1500);  // enough for the slowest link
  cloud.breaker_failures = 2 + static_cast<unsigned>(draw_.below(5));
  cloud.breaker_backoff = between(200, 1500);
  cloud.breaker_backoff_max = between(4000, 15'000);
  cloud.retry_after_max = between(500, 15'000);
  cloud.extra_attempts_share_max = 0.02 + 0.08 * draw_.uniform();
  cloud.retry_backoff = between(5, 60);
  return config;
}

/// Anything at any time, alone or together.
void Swarm::add_mixed_faults(sim::FaultTimeline& timeline) {
  static constexpr std::array kNames = {"refuse",
                                        "never_read",
                                        "reset_on_accept",
                                        "slow_accept",
                                        "slow_read",
                                        "partition",
                                        "latency",
                                        "loss",
                                        "queue",
                                        "cold_start",
                                        "degraded",
                                        "rate_limit",
                                        "reset_after_request",
                                        "blackhole",
                                        "half_open",
                                        "close_on_reuse",
                                        "status",
                                        "redirect",
                                        "clock_skew",
                                        "reset_mid_head",
                                        "reset_mid_body",
                                        "cut_mid_body",
                                        "drip",
                                        "slow_close",
                                        "half_close",
                                        "close_after_reply",
                                        "duplicate_bytes",
                                        "garbage",
                                        "slow_head",
                                        "stall_body",
                                        "length_too_long",
                                        "length_too_short",
                                        "chunk_cut",
                                        "bad_json",
                                        "html_page",
                                        "wrong_shape",
                                        "wrong_datatype",
                                        "wrong_name",
                                        "missing_output",
                                        "nan",
                                        "wrong_id",
                                        "duplicate_reply",
                                        "interim_flood",
                                        "wrong_answer",
                                        "dns_failure",
                                        "address_change",
                                        "tls_stall",
                                        "tls_expired"};
  const std::size_t count = draw_.below(7);
  for (std::size_t i = 0; i < count; ++i) {
    sim::FaultSpec spec = sim::parse_fault(kNames[draw_.below(kNames.size())], "swarm").value();
    spec.at = between(0, 4500);
    spec.length = std::min<Duration>(between(50, 4000), kTrouble - spec.at);
    spec.probability = chance(0.5) ? 1 : draw_.uniform();
    if (spec.delay == Duration{} && chance(0.7)) spec.delay = between(1, 400);
    if (spec.kind == sim::FaultKind::kStatus) {
      static constexpr std::array kStatuses = {400, 401, 404, 408, 422, 429, 500, 502, 503, 504, 529};
      static constexpr std::array kTexts = {"0", "1", "2", "30", "99999999999999", "soon", "-1", ""};
      spec.status = kStatuses[draw_.below(kStatuses.size())];
      spec.has_retry_after = chance(0.6);
      spec.retry_after = kTexts[draw_.below(kTexts.size())];
    }
    if (spec.kind == sim::FaultKind::kRateLimit) spec.per_s = 1 + 20 * draw_.uniform();
    if (spec.kind == sim::FaultKind::kPartition) spec.direction = static_cast<sim::Direction>(draw_.below(3));
    timeline.faults.push_back(spec);
  }
}

/// Outage, brown-out or flapping, all the time.
void Swarm::add_trouble(sim::FaultTimeline& timeline, std::uint64_t kind) {
  static constexpr std::array kOutages = {"refuse",    "blackhole",       "status",
                                          "partition", "reset_on_accept", "dns_failure"};
  const char* const how = kind == 1 ? "brown_out" : kOutages[draw_.below(kOutages.size())];
  sim::FaultSpec spec =
      sim::parse_fault(std::string(kind == 1 ? R"({"fault": "brown_out", "delay_ms": 3000, "for_ms": 5000})" : how),
                       "swarm")
          .value();
  spec.length = kTrouble;
  const Duration beat = between(50, 700);
  for (Duration at{}; at < kTrouble; at += kind == 2 ? 2 * beat : kTrouble) {
    spec.at = at;
    if (kind == 2) spec.length = std::min<Duration>(beat, kTrouble - at);
    timeline.faults.push_back(spec);
  }
}

sim::Network Swarm::draw_network() {
  sim::Network network;
  network.link.round_trip_median = between(2, 120);
  network.link.round_trip_sigma = 0.5 * draw_.uniform();
  network.link.up_mbit_per_s = 1 + 20 * draw_.uniform();
  network.link.down_mbit_per_s = 1 + 40 * draw_.uniform();
  network.server.service_median = between(0, 30);
  network.server.service_sigma = 0.6 * draw_.uniform();
  network.server.servers = 2 + draw_.below(30);
  network.look_up = between(0, 20);
  const std::uint64_t kind = draw_.below(6);  // 0: outage, 1: brown-out, 2: flapping, else a mixture
  story_.troubled = kind <= 2;
  for (const auto& endpoint : config_.endpoints) {
    auto& timeline = network.faults_of[endpoint.name];
    timeline.seed = draw_.next();
    if (kind <= 2) {
      add_trouble(timeline, kind);
    } else {
      add_mixed_faults(timeline);
    }
  }
  return network;
}

std::string Swarm::policy(const std::string& forbid, const std::string& prefer) const {
  return R"({"version": 1, "name": "swarm", "classes": [
    {"name": "public", "egress": "allow", "egress_record": "written"},
    {"name": "regional", "egress": "allow", "regions": ["eu"]},
    {"name": "personal", "egress": "redacted", "regions": ["eu"]},
    {"name": "secret", "egress": "never", "taints_session_for_s": 2}],
    "default_class": "secret",
    "classify": [{"id": "found-mail", "when": {"detected.EMAIL": {"gt": 0}}, "class": "personal"}],
    "forbid": [{"id": "no-consent", "when": {"consent": {"ne": "given"}}})" +
         forbid + R"(], "prefer": [{"id": "p", "when": {"model": "tagger"}, )" + prefer + "}]}";
}

Variant Swarm::draw_variant() {
  static constexpr std::array kPlans = {R"("plan": "edge")", R"("plan": "cloud")",
                                        R"("plan": "cascade", "confidence_below": 0.9)", R"("plan": "safety_net")",
                                        R"("plan": "hedge")"};
  Variant variant;
  const std::size_t plan = draw_.below(kPlans.size());
  std::string prefer = kPlans[plan];
  const bool edge_first = plan == 0;
  variant.attempts_max = edge_first ? 0 : static_cast<unsigned>(draw_.below(6));
  if (variant.attempts_max > 0) prefer += ", \"attempts_max\": " + std::to_string(variant.attempts_max);
  if (variant.attempts_max == 0) variant.attempts_max = config_.cloud.attempts_max;
  if (!edge_first && chance(0.3)) prefer += R"(, "objective": {"quality": 1, "cost": 0.5, "energy": 0.01})";
  std::string forbid;
  if (chance(0.15)) {
    variant.edge = false;
    forbid = R"(, {"id": "not-here", "when": {"model": "tagger"}, "sites": ["edge"]})";
  }
  for (const auto& endpoint : config_.endpoints) {
    if (config_.endpoints.size() > 1 && chance(0.1)) {
      forbid += R"(, {"id": "not-)" + endpoint.name + R"(", "when": {"model": "tagger"}, "sites": ["cloud:)" +
                endpoint.name + R"("]})";
      continue;
    }
    variant.open.insert(endpoint.name);
    if (endpoint.region == "eu") variant.in_eu.insert(endpoint.name);
  }
  variant.json = policy(forbid, prefer);
  return variant;
}

Variant Swarm::only(std::size_t index) const {
  Variant variant;
  variant.attempts_max = config_.cloud.attempts_max;
  std::string forbid;
  for (std::size_t i = 0; i < config_.endpoints.size(); ++i) {
    const auto& endpoint = config_.endpoints[i];
    if (i == index) {
      variant.open.insert(endpoint.name);
      if (endpoint.region == "eu") variant.in_eu.insert(endpoint.name);
    } else {
      forbid += R"(, {"id": "not-)" + endpoint.name + R"(", "when": {"model": "tagger"}, "sites": ["cloud:)" +
                endpoint.name + R"("]})";
    }
  }
  variant.json = policy(forbid, R"("plan": "cloud")");
  return variant;
}

void Swarm::put_in_force(Variant variant) {
  if (const auto status = world_->runtime->reload_policy(variant.json); !status.ok())
    throw std::runtime_error(status.error().message);
  variant_ = std::move(variant);
}

Request Swarm::draw_request(Asked& asked, std::size_t number) {
  static constexpr std::array kLabels = {"public", "public", "public", "regional", "personal", "secret", "", "no-such"};
  const std::string label = kLabels[draw_.below(kLabels.size())];
  Request request = photo(static_cast<float>(draw_.below(4)), label);
  const bool stays = label != "public" && label != "regional";
  const float mark = static_cast<float>(number) + (stays ? 0.5f : 0.0f);
  std::memcpy(request.inputs[0].data.data() + sizeof mark, &mark, sizeof mark);
  if (chance(0.1)) request.text = std::string("write to ") + kCanary;
  if (!stays && request.text.empty()) asked.permitted = label == "public" ? variant_.open : variant_.in_eu;
  if (chance(0.3)) request.session = "s" + std::to_string(draw_.below(4));
  request.deadline = asked.deadline = between(20, 600);
  request.idempotent = asked.idempotent = chance(0.8);
  request.priority = static_cast<Priority>(draw_.below(3));
  return request;
}

void Swarm::submit(Request request, Asked asked) {
  const std::size_t number = story_.requests.size();
  asked.at = world_->loop.now();
  asked.attempts_max = variant_.attempts_max;
  asked.edge = variant_.edge;
  story_.requests.push_back(std::move(asked));
  ids_.push_back(world_->runtime->submit(std::move(request), [this, number](Outcome outcome) {
    Asked& told = story_.requests[number];
    ++told.outcomes;
    told.finished = world_->loop.now();
    told.outcome = std::move(outcome);
  }));
}

/// What an app does besides asking.
void Swarm::app_acts() {
  Runtime& runtime = *world_->runtime;
  switch (draw_.below(8)) {
    case 0:
      consent_ = !consent_;
      runtime.set_consent(consent_ ? Consent::kGiven : Consent::kRevoked);
      break;
    case 1:
    case 2:
      put_in_force(draw_variant());
      break;
    case 3:
      if (!ids_.empty()) runtime.cancel(ids_[ids_.size() - 1 - draw_.below(std::min<std::size_t>(ids_.size(), 3))]);
      break;
    case 4:
      runtime.end_session("s" + std::to_string(draw_.below(4)));
      break;
    case 5:
      runtime.forget_session("s" + std::to_string(draw_.below(4)));
      break;
    case 6:
      runtime.set_device_state({chance(0.3) ? NetworkKind::kOffline : NetworkKind::kUnmetered, 50.0, true});
      break;
    default:
      const auto jump = seconds(static_cast<std::int64_t>(draw_.below(200'000)) - 100'000);
      if (clock_jumps_) world_->loop.set_clock_forward(jump);
  }
}

void Swarm::schedule_trouble(Duration until) {
  auto& loop = world_->loop;
  const double every_ms = story_.troubled ? 8 + 10 * draw_.uniform() : 10 + 120 * draw_.uniform();
  const double acts = story_.troubled ? 0.01 : 0.1;
  for (TimePoint at = loop.now(); at < TimePoint(until); at += from_ms(draw_.exponential(every_ms))) {
    loop.schedule_at(at, [this, acts] {
      if (chance(acts)) app_acts();
      Asked asked;
      Request request = draw_request(asked, story_.requests.size());
      submit(std::move(request), std::move(asked));
    });
  }
}

/// One endpoint after the other is asked alone; in the last seconds each has to answer.
void Swarm::schedule_recovery() {
  auto& loop = world_->loop;
  story_.healed = TimePoint(kTrouble);
  loop.schedule_at(story_.healed, [this] {
    world_->runtime->set_consent(Consent::kGiven);
    world_->runtime->set_device_state({NetworkKind::kUnmetered, 50.0, true});
  });
  const std::size_t endpoints = config_.endpoints.size();
  const TimePoint healthy = story_.healed + kToHeal;
  constexpr std::size_t kEach = 10;  // requests at one endpoint before the next
  std::size_t count = 0;
  for (TimePoint at = story_.healed; at < healthy + endpoints * kEach * kRecoveryEvery; at += kRecoveryEvery, ++count) {
    const std::size_t site = count / kEach % endpoints;
    loop.schedule_at(at, [this, site, first = count % kEach == 0, proves = at >= healthy] {
      if (first) put_in_force(only(site));
      Asked asked;
      asked.permitted = variant_.open;
      asked.deadline = seconds(2);
      if (proves) asked.proves = config_.endpoints[site].name;
      Request request = photo(1);
      const float mark = static_cast<float>(story_.requests.size());
      std::memcpy(request.inputs[0].data.data() + sizeof mark, &mark, sizeof mark);
      request.deadline = asked.deadline;
      submit(std::move(request), std::move(asked));
    });
  }
}

Story Swarm::run() {
  config_ = draw_config();
  sim::Network network = draw_network();
  variant_ = draw_variant();
  config_.policy_json = variant_.json;
  world_ = std::make_unique<SimWorld>(std::move(network), config_);
  SimWorld& world = *world_;
  const Duration edge_median = between(1, 40);
  story_.timing = config_.cloud;
  story_.edge_works = chance(0.8);
  story_.edge_takes = 2 * edge_median;
  const auto edge = [this](std::span<const Tensor> inputs) -> EdgeModel::Outputs {
    if (!story_.edge_works && draw_.below(4) == 0) return Error{ErrorCode::kInternal, "simulated"};
    return edge_answer(inputs);
  };
  world.model = std::make_shared<sim::SimulatedModel>(world.loop, edge, edge_median, 0.1, seed_);
  world.journal->write_time = story_.write_time = chance(0.5) ? Duration{} : between(0, 8);
  world.tap = [&](std::shared_ptr<sim::SimulatedTransport> inner) {
    return std::make_shared<Tap>(std::move(inner), world.loop, story_);
  };
  world.start();
  const bool shut_down = chance(0.1);
  const Duration until = shut_down ? between(100, 4000) : kTrouble;
  schedule_trouble(until);
  if (shut_down) {
    world.loop.run_until(TimePoint(until));
    world.runtime->shutdown();
  } else {
    schedule_recovery();
  }
  world.loop.run_until_idle();
  story_.left_in_flight = world.transport->in_flight();
  world.runtime.reset();
  world.loop.run_until_idle();
  return std::move(story_);
}

}  // namespace

Story run_world(std::uint64_t seed, bool clock_jumps) { return Swarm(seed, clock_jumps).run(); }

}  // namespace hearth::test
