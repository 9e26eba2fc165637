#include "tools/simulate/tally.h"

#include <limits>

namespace hearth::simulate {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double per_request(const Tally& tally, double sum) {
  return tally.requests == 0 ? kNone : sum / static_cast<double>(tally.requests);
}

template <int kPerMille>
double latency_ms(const Tally& tally) {
  return tally.latency.count() == 0 ? kNone : to_ms(tally.latency.quantile(kPerMille / 1000.0));
}

constexpr Metric kMetrics[] = {
    {"latency_p50_ms", "latency p50", Better::kLower, latency_ms<500>},
    {"latency_p90_ms", "latency p90", Better::kLower, latency_ms<900>},
    {"latency_p95_ms", "latency p95", Better::kLower, latency_ms<950>},
    {"latency_p99_ms", "latency p99", Better::kLower, latency_ms<990>},
    {"latency_p99_9_ms", "latency p99.9", Better::kLower, latency_ms<999>},
    {"latency_mean_ms", "latency, mean", Better::kLower,
     [](const Tally& t) { return t.latency.count() == 0 ? kNone : to_ms(t.latency.mean()); }},
    {"served_share", "served", Better::kHigher, [](const Tally& t) { return t.share(t.served); }, true},
    {"deadline_met_share", "deadlines met", Better::kHigher, [](const Tally& t) { return t.share(t.in_time); }, true},
    {"accuracy", "right answers", Better::kHigher, [](const Tally& t) { return t.share(t.correct); }, true},
    {"right_in_time_share", "right and in time", Better::kHigher,
     [](const Tally& t) { return t.share(t.right_in_time); }, true},
    {"cloud_share", "served on the cloud", Better::kNeither, [](const Tally& t) { return t.share(t.on_cloud()); },
     true},
    {"attempts_per_request", "cloud attempts per request", Better::kLower,
     [](const Tally& t) { return per_request(t, static_cast<double>(t.attempts)); }},
    {"bytes_up_per_request", "bytes sent per request", Better::kLower,
     [](const Tally& t) { return per_request(t, static_cast<double>(t.bytes_up)); }},
    {"usd_per_1000_requests", "US dollars per 1,000 requests", Better::kLower,
     [](const Tally& t) { return per_request(t, t.usd * 1000); }},
    {"joules_per_request", "joules per request", Better::kLower,
     [](const Tally& t) { return per_request(t, t.joules); }},
    {"oracle_right_in_time_share", "right and in time, oracle", Better::kNeither,
     [](const Tally& t) { return t.some_road == 0 ? kNone : t.share(t.oracle_right()); }, true},
    {"regret_right_in_time_share", "regret, right and in time", Better::kLower,
     [](const Tally& t) { return t.some_road == 0 ? kNone : t.share(t.oracle_right()) - t.share(t.right_in_time); },
     true},
    {"regret_usd_per_1000_requests", "regret, US dollars per 1,000", Better::kNeither,
     [](const Tally& t) { return t.some_road == 0 ? kNone : per_request(t, (t.usd - t.oracle_usd) * 1000); }},
};

/// Whether the first road is the better one of two that are equally right: fewer dollars, then less latency.
bool cheaper(const Road& one, const Road& other) {
  return one.usd != other.usd ? one.usd < other.usd : one.latency <= other.latency;
}

}  // namespace

Judged::Judged(const Record& record) {
  const auto leads = [&](const Road& road) { return road.open && road.correct && road.latency <= record.deadline; };
  if (record.status == OutcomeStatus::kServed)
    answered = record.answered_by == kEdgeSite ? Answered::kEdge : Answered::kCloud;
  right_in_time = record.in_time && record.correct;
  edge_right = leads(record.edge);
  cloud_right = leads(record.cloud);
  some_road = record.edge.open || record.cloud.open;
  if (!some_road) return;
  oracle_on_cloud = edge_right != cloud_right               ? cloud_right
                    : record.edge.open && record.cloud.open ? !cheaper(record.edge, record.cloud)
                                                            : record.cloud.open;
  const Road& best = oracle_on_cloud ? record.cloud : record.edge;
  oracle_usd = best.usd;
  oracle_joules = best.joules;
}

void Tally::add(const Record& record, const Judged& judged) {
  ++requests;
  in_time += record.in_time ? 1 : 0;
  correct += record.correct ? 1 : 0;
  right_in_time += judged.right_in_time ? 1 : 0;
  may_leave += record.mask.has_cloud() ? 1 : 0;
  attempts += record.attempts;
  bytes_up += record.bytes_up;
  usd += record.usd;
  joules += record.joules;
  oracle_usd += judged.oracle_usd;
  oracle_joules += judged.oracle_joules;
  oracle_on_cloud += judged.oracle_on_cloud ? 1 : 0;
  some_road += judged.some_road ? 1 : 0;
  ++roads[judged.road()];
  if (record.status == OutcomeStatus::kServed) {
    ++served;
    latency.observe(record.latency);
  }
}

void Tally::merge(const Tally& other) {
  requests += other.requests;
  served += other.served;
  in_time += other.in_time;
  correct += other.correct;
  right_in_time += other.right_in_time;
  may_leave += other.may_leave;
  attempts += other.attempts;
  bytes_up += other.bytes_up;
  usd += other.usd;
  joules += other.joules;
  oracle_usd += other.oracle_usd;
  oracle_joules += other.oracle_joules;
  oracle_on_cloud += other.oracle_on_cloud;
  some_road += other.some_road;
  for (std::size_t i = 0; i < roads.size(); ++i) roads[i] += other.roads[i];
  latency.merge(other.latency);
}

std::uint64_t Tally::count(Answered answered, bool edge_right, bool cloud_right) const {
  return roads[static_cast<std::size_t>(answered) * 4 + (edge_right ? 2u : 0u) + (cloud_right ? 1u : 0u)];
}

std::uint64_t Tally::of(Answered answered) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 4; ++i) sum += roads[static_cast<std::size_t>(answered) * 4 + i];
  return sum;
}

std::uint64_t Tally::oracle_right() const {
  std::uint64_t neither = 0;
  for (const Answered answered : {Answered::kNowhere, Answered::kEdge, Answered::kCloud})
    neither += count(answered, false, false);
  return requests - neither;
}

std::uint64_t Tally::missed_cloud() const {
  return count(Answered::kEdge, false, true) + count(Answered::kNowhere, false, true);
}

std::uint64_t Tally::missed_edge() const {
  return count(Answered::kCloud, true, false) + count(Answered::kNowhere, true, false);
}

std::uint64_t Tally::needless_cloud() const { return count(Answered::kCloud, true, true); }

double Tally::share(std::uint64_t part) const { return per_request(*this, static_cast<double>(part)); }

std::span<const Metric> metrics() { return kMetrics; }

const Metric* find_metric(std::string_view key) {
  for (const Metric& metric : kMetrics)
    if (metric.key == key) return &metric;
  return nullptr;
}

}  // namespace hearth::simulate
