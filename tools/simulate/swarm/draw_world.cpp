// A world from a seed: what is configured, what goes wrong, what the app does.
#include <algorithm>
#include <array>
#include <cmath>

#include <hearth/random.h>

#include "tools/simulate/swarm/world.h"

namespace hearth::simulate {
namespace {

using std::chrono::milliseconds;

/// Times are whole microseconds, faults' whole milliseconds: a file holds them exactly.
class Draw {
 public:
  Draw(std::uint64_t seed, std::string_view part) : stream_(seed, "swarm: " + std::string(part)) {}

  bool chance(double p) { return stream_.uniform() < p; }
  double uniform() { return stream_.uniform(); }
  std::uint64_t below(std::uint64_t bound) { return stream_.below(bound); }
  std::uint64_t next() { return stream_.next(); }
  template <class Array>
  auto one_of(const Array& all) {
    return all[below(all.size())];
  }
  Duration between(double from, double to) { return us(from + (to - from) * uniform()); }
  Duration whole_ms(double from, double to) {
    return milliseconds(static_cast<std::int64_t>(from + (to - from) * uniform()));
  }
  Duration exponential(double mean) { return us(stream_.exponential(mean)); }
  std::string session() {
    static constexpr std::array kSessions = {"s0", "s1", "s2", "s3"};
    return one_of(kSessions);
  }

 private:
  static Duration us(double ms) { return std::chrono::microseconds(static_cast<std::int64_t>(ms * 1000)); }
  RandomStream stream_;
};

void draw_runtime(SwarmWorld& world) {
  Draw draw(world.seed, "runtime");
  world.limits.edge_slots = 1 + draw.below(2);
  world.limits.queue_length_max = 1 + draw.below(32);
  world.limits.cloud_in_flight_max = 2 + draw.below(30);
  world.audit_decisions = draw.chance(0.2);
  CloudTiming& cloud = world.cloud;
  cloud.attempts_max = 1 + static_cast<unsigned>(draw.below(4));
  cloud.connect_timeout = draw.between(800, 1500);  // enough for the slowest link
  cloud.breaker_failures = 2 + static_cast<unsigned>(draw.below(5));
  cloud.breaker_backoff = draw.between(50, 1500);
  cloud.breaker_backoff_max = std::max(cloud.breaker_backoff, draw.between(400, draw.chance(0.5) ? 2000 : 15'000));
  cloud.retry_after_max = draw.between(500, draw.chance(0.5) ? 2000 : 15'000);
  cloud.extra_attempts_share_max = 0.02 + 0.08 * draw.uniform();
  cloud.retry_backoff = draw.between(5, 60);
}

void draw_network(SwarmWorld& world) {
  Draw draw(world.seed, "network");
  world.link.round_trip_median = draw.between(2, 120);
  world.link.round_trip_sigma = 0.5 * draw.uniform();
  world.link.up_mbit_per_s = 1 + 20 * draw.uniform();
  world.link.down_mbit_per_s = 1 + 40 * draw.uniform();
  world.server.service_median = draw.between(0, 30);
  world.server.service_sigma = 0.6 * draw.uniform();
  world.server.servers = 2 + draw.below(30);
  world.look_up = draw.between(0, 20);
  const std::size_t endpoints = 1 + draw.below(3);
  for (std::size_t i = 1; i <= endpoints; ++i) {
    const std::string n = std::to_string(i);
    Endpoint endpoint{"e" + n, (draw.chance(0.5) ? "http://127.0.0.1:" : "https://cloud.example:") + n,
                      i == 1 || draw.chance(0.5) ? "eu" : "us"};
    endpoint.usd_per_request = 1e-5 * static_cast<double>(draw.below(3));
    world.endpoints.push_back({endpoint, {draw.next() >> 12, {}}});  // 52 bits: what any reader of JSON keeps
  }
}

/// The parameters that matter to how a client fares.
void set_parameters(sim::FaultSpec& spec, Draw& draw) {
  if (spec.delay == Duration{} && draw.chance(0.7)) spec.delay = draw.whole_ms(1, 400);
  switch (spec.kind) {
    case sim::FaultKind::kStatus: {
      static constexpr std::array kStatuses = {400, 401, 404, 408, 422, 429, 500, 502, 503, 504, 529};
      static constexpr std::array kTexts = {"0", "1", "2", "30", "99999999999999", "soon", "-1", ""};
      spec.status = draw.one_of(kStatuses);
      spec.has_retry_after = draw.chance(0.6);
      if (spec.has_retry_after) spec.retry_after = draw.one_of(kTexts);
      break;
    }
    case sim::FaultKind::kRateLimit:
      spec.per_s = 1 + 20 * draw.uniform();
      break;
    case sim::FaultKind::kPartition:
      spec.direction = static_cast<sim::Direction>(draw.below(3));
      break;
    default:
      break;
  }
}

/// Any kind, those that a client's state hangs on more often.
sim::FaultFacts draw_kind(Draw& draw) {
  using enum sim::FaultKind;
  static constexpr std::array kTelling = {kStatus, kRateLimit, kClockSkew, kPartition,  kBlackhole,
                                          kRefuse, kLatency,   kQueue,     kDnsFailure, kResetMidBody};
  return draw.chance(0.4) ? sim::facts_of(draw.one_of(kTelling)) : draw.one_of(sim::all_faults());
}

/// Anything at any time, alone or together.
void add_mixture(std::vector<sim::FaultSpec>& faults, Duration trouble, Draw& draw) {
  for (auto left = draw.below(7); left > 0; --left) {
    sim::FaultSpec spec;
    const sim::FaultFacts facts = draw_kind(draw);
    const Duration at = draw.whole_ms(0, 0.9 * to_ms(trouble));
    const Duration length = std::min<Duration>(draw.whole_ms(50, 4000), trouble - at);
    // Read as from a file, for the defaults of its kind.
    spec = sim::parse_fault(R"({"for_ms": 1, "fault": ")" + std::string(facts.name) + "\"}", "swarm").value();
    spec.at = at;
    spec.length = length;
    const bool everywhere = facts.stage == sim::FaultStage::kListen || facts.stage == sim::FaultStage::kLink;
    spec.probability = everywhere || draw.chance(0.5) ? 1 : draw.uniform();
    set_parameters(spec, draw);
    faults.push_back(spec);
  }
}

enum class Trouble : std::uint8_t { kOutage, kBrownOut, kFlapping, kFlaky, kMixture };

/// The same all the time.
void add_trouble(std::vector<sim::FaultSpec>& faults, Duration trouble, Trouble kind, Draw& draw) {
  static constexpr std::array kOutages = {"refuse",    "blackhole",       "status",
                                          "partition", "reset_on_accept", "dns_failure"};
  static constexpr std::array kFlaws = {"reset_mid_body", "status", "bad_json", "cut_mid_body", "wrong_shape"};
  std::string how = draw.one_of(kOutages);
  if (kind == Trouble::kFlaky) how = draw.one_of(kFlaws);
  if (kind == Trouble::kBrownOut) how = R"({"fault": "brown_out", "for_ms": 1})";
  sim::FaultSpec spec = sim::parse_fault(how, "swarm").value();
  if (kind == Trouble::kBrownOut) spec.delay = draw.whole_ms(200, 3000);
  if (kind == Trouble::kFlaky) spec.probability = 0.2 + 0.3 * draw.uniform();
  const bool flaps = kind == Trouble::kFlapping;
  const Duration beat = draw.whole_ms(50, 700);
  spec.length = flaps ? beat : trouble;
  for (; spec.at < trouble; spec.at += flaps ? 2 * beat : trouble) {
    spec.length = std::min<Duration>(spec.length, trouble - spec.at);
    faults.push_back(spec);
  }
}

void draw_faults(SwarmWorld& world) {
  Draw draw(world.seed, "faults");
  if (draw.chance(0.15)) world.trouble = std::chrono::seconds(20);
  const auto kind = static_cast<Trouble>(std::min<std::uint64_t>(draw.below(8), 4));
  world.troubled = kind != Trouble::kMixture;
  for (auto& [endpoint, timeline] : world.endpoints) {
    if (world.troubled) {
      add_trouble(timeline.faults, world.trouble, kind, draw);
    } else {
      add_mixture(timeline.faults, world.trouble, draw);
    }
  }
}

PolicyVariant draw_policy(const SwarmWorld& world, Draw& draw) {
  static constexpr std::array kPlans = {PlanKind::kEdge, PlanKind::kCloud, PlanKind::kCascade, PlanKind::kSafetyNet,
                                        PlanKind::kHedge};
  PolicyVariant variant;
  variant.plan = draw.one_of(kPlans);
  if (variant.plan != PlanKind::kEdge) {
    variant.attempts_max = static_cast<unsigned>(draw.below(6));
    variant.objective = draw.chance(0.3);
  }
  variant.edge = !draw.chance(0.15);
  for (const auto& [endpoint, faults] : world.endpoints)
    if (world.endpoints.size() > 1 && draw.chance(0.1)) variant.closed.insert(endpoint.name);
  return variant;
}

SwarmRequest draw_request(Draw& draw) {
  static constexpr std::array kLabels = {"public", "public", "public", "regional", "personal", "secret", "", "no-such"};
  SwarmRequest request;
  request.label = draw.one_of(kLabels);
  request.sureness = static_cast<double>(draw.below(4));
  request.mail = draw.chance(0.1);
  request.malformed = draw.chance(0.01);
  if (draw.chance(0.3)) request.session = draw.session();
  request.deadline = draw.between(20, 600);
  request.idempotent = draw.chance(0.8);
  request.priority = static_cast<Priority>(draw.below(3));
  return request;
}

Act draw_act(const SwarmWorld& world, bool consent, Draw& draw) {
  Act act;
  switch (draw.below(8)) {
    case 0:
      act.kind = consent ? ActKind::kRevokeConsent : ActKind::kGiveConsent;
      break;
    case 1:
    case 2:
      act.kind = ActKind::kReload;
      act.policy = draw_policy(world, draw);
      break;
    case 3:
      act.kind = ActKind::kCancel;
      act.back = draw.below(3);
      break;
    case 4:
      act.kind = ActKind::kEndSession;
      act.session = draw.session();
      break;
    case 5:
      act.kind = ActKind::kForgetSession;
      act.session = draw.session();
      break;
    case 6:
      act.kind = draw.chance(0.3) ? ActKind::kGoOffline : ActKind::kGoOnline;
      break;
    default:
      act.kind = ActKind::kSetClock;
      act.clock_s = static_cast<std::int64_t>(draw.below(200'000)) - 100'000;
  }
  return act;
}

void draw_app(SwarmWorld& world) {
  Draw times(world.seed, "arrivals"), asks(world.seed, "requests"), does(world.seed, "acts");
  if (times.chance(0.1)) {
    world.shut_down = times.between(100, 4000);
    world.recovery = false;
  }
  const double pace = to_ms(world.trouble) / 5000;  // about as many in a long world as in a short one
  const double every_ms = pace * (world.troubled ? 8 + 10 * times.uniform() : 10 + 120 * times.uniform());
  const double acts = times.chance(0.15) ? 0.5 : world.troubled ? 0.01 : 0.1;
  const Duration until = world.shut_down.value_or(world.trouble);
  bool consent = true;
  for (Duration at{}; at < until; at += times.exponential(every_ms)) {
    if (does.chance(acts)) {
      world.acts.push_back(draw_act(world, consent, does));
      world.acts.back().at = at;
      if (world.acts.back().kind == ActKind::kRevokeConsent) consent = false;
      if (world.acts.back().kind == ActKind::kGiveConsent) consent = true;
    }
    world.requests.push_back(draw_request(asks));
    world.requests.back().at = at;
  }
}

}  // namespace

SwarmWorld draw_world(std::uint64_t seed) {
  SwarmWorld world;
  world.seed = seed;
  draw_runtime(world);
  draw_network(world);
  draw_faults(world);
  Draw draw(seed, "policy and edge");
  world.policy = draw_policy(world, draw);
  world.edge_median = draw.between(1, 40);
  if (draw.chance(0.2)) world.edge_failing = 0.25;
  if (draw.chance(0.5)) world.journal_write = draw.between(0, draw.chance(0.3) ? 40 : 8);
  world.written_records = draw.chance(0.5);
  draw_app(world);
  return world;
}

}  // namespace hearth::simulate
