#include "tests/tools/simulate/synthetic_records.h"

#include <algorithm>

#include <hearth/random.h>

#include "runtime/base/digest.h"

namespace hearth::simulate::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool down(TimePoint at) { return at.time_since_epoch() >= seconds(60) && at.time_since_epoch() < seconds(66); }

void answer(Record& record, const Road& road, SiteId site, Reason reason) {
  record.status = OutcomeStatus::kServed;
  record.reason = reason;
  record.answered_by = site;
  record.latency = road.latency;
  record.in_time = record.latency <= record.deadline;
  record.correct = road.correct;
  record.usd = road.usd;
  record.joules = road.joules;
}

Record draw(RandomStream& random, const Made& made, TimePoint at, std::uint64_t id) {
  Record record = plain_record();
  record.id = id;
  record.arrived = at;
  record.device = static_cast<std::uint32_t>(random.below(made.devices));
  record.stream = random.uniform() < 0.7 ? 0 : 1;
  record.deadline = record.stream == 0 ? milliseconds(150) : milliseconds(400);
  const double kind = random.uniform();
  record.data_class = kind < 0.6 ? 0 : kind < 0.85 ? 1 : 2;
  record.mask = record.data_class == 2 ? Mask::edge_only() : Mask::all(2);
  record.permit_rule = record.data_class == 2 ? 0 : 0xffff;
  record.confidence = static_cast<float>(1 - 0.9 * random.uniform() * random.uniform());
  record.edge_wait = from_ms(random.uniform() < 0.7 ? 0 : random.exponential(6));
  record.edge_time = from_ms(random.lognormal(9, 0.25));
  const bool quiet = random.uniform() < 0.01;  // a request that nothing answers
  const double wire_ms = random.lognormal(58, 0.35), up_ms = wire_ms * (0.4 + 0.3 * random.uniform());
  record.server_wait = from_ms(random.uniform() < 0.6 ? 0 : random.exponential(8));
  record.server_time = record.server_wait + from_ms(random.lognormal(12, 0.3));
  record.cloud_time = from_ms(wire_ms) + record.server_time;
  record.up_time = from_ms(up_ms);
  const Duration local = record.edge_wait + record.edge_time;
  record.edge = {true, local, random.uniform() < static_cast<double>(record.confidence), 0, 0.02};
  record.cloud = {record.mask.has_cloud() && !down(at), record.cloud_time, random.uniform() < 0.94, 1e-5, 0.15};
  const auto site = static_cast<SiteId>(1 + random.below(2));
  record.plan = PlanKind::kCascade;
  answer(record, record.edge, kEdgeSite,
         record.mask.has_cloud() ? Reason::kLocalConfident : Reason::kLocalOnlyPermitted);
  if (quiet) {
    record.status = OutcomeStatus::kFailed;
    record.reason = Reason::kDeadlinePassed;
    record.in_time = record.correct = false;
    record.latency = record.deadline;
  } else if (record.mask.has_cloud() && record.confidence < static_cast<float>(made.ask_below)) {
    record.attempts = 1;
    record.bytes_up = 20'000;
    if (down(at)) {
      record.reason = Reason::kCloudFailed;
      record.latency += milliseconds(60);
      record.in_time = record.latency <= record.deadline;
    } else {
      record.cloud_began = local;
      Road after = record.cloud;
      after.latency += local;
      after.joules += record.edge.joules;
      answer(record, after, site, Reason::kCloudAnswered);
    }
  }
  if (record.status != OutcomeStatus::kServed || record.answered_by == kEdgeSite)
    record.cloud_time = record.up_time = record.server_time = record.server_wait = {};
  return record;
}

}  // namespace

Record plain_record() {
  Record record;
  record.id = 1;
  record.mask = Mask::all(2);
  record.status = OutcomeStatus::kServed;
  record.reason = Reason::kLocalByDefault;
  record.arrived = TimePoint(seconds(20));
  record.latency = milliseconds(10);
  record.deadline = milliseconds(100);
  record.in_time = record.correct = true;
  record.edge_time = milliseconds(10);
  record.joules = 0.02;
  record.edge = {true, milliseconds(10), true, 0, 0.02};
  record.cloud = {true, milliseconds(70), true, 1e-5, 0.15};
  return record;
}

MadeRun make_run(const Made& made) {
  MadeRun run;
  run.names = {{"tagger"}, {"photos", "notes"}, {"public", "personal", "health"}, {"eu-1", "eu-2"}, {"health-stays"}};
  run.facts.scenario = "synthetic <commuter>";
  run.facts.policy_name = "ask below " + std::to_string(made.ask_below).substr(0, 4);
  run.facts.policy_sha256 = sha256_hex(run.facts.policy_name);
  run.facts.seed = made.seed;
  run.facts.length = made.length;
  run.facts.warm_up = made.warm_up;
  run.facts.devices = made.devices;
  RandomStream arrivals(made.seed, "arrivals"), random(made.seed, "requests");
  std::vector<Duration> times;  // a Poisson process, given how many come
  for (std::uint64_t i = 0; i < made.requests; ++i)
    times.emplace_back(arrivals.below(static_cast<std::uint64_t>(made.length.count())));
  std::sort(times.begin(), times.end());
  for (std::uint64_t id = 1; id <= made.requests; ++id) {
    run.records.push_back(draw(random, made, TimePoint(times[id - 1]), id));
    run.facts.attempts += run.records.back().attempts;
  }
  std::stable_sort(run.records.begin(), run.records.end(), [](const Record& one, const Record& other) {
    return one.arrived + one.latency < other.arrived + other.latency;
  });
  run.facts.requests = made.requests;
  run.facts.events = made.requests * 5;
  run.facts.trace_hash = sha256_hex("trace" + std::to_string(made.seed)).substr(0, 16);
  run.facts.wall_s = 0.25;
  return run;
}

}  // namespace hearth::simulate::test
