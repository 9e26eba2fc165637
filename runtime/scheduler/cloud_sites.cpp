#include "runtime/scheduler/cloud_sites.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace hearth::scheduler {
namespace {

constexpr double kBytesPerMib = 1 << 20;
/// Part of the allowed share that delays aim for; without the rest the budget would run dry by chance alone.
constexpr double kAimedShare = 0.9;
/// How much better a site must be to take the turn of one that weights chose.
constexpr double kClearly = 0.25;

cloud::RetryBudget::Options budget_options(const CloudTiming& timing) {
  cloud::RetryBudget::Options options;
  options.extra_share = timing.extra_attempts_share_max;
  return options;
}

}  // namespace

CloudSites::CloudSites(const RuntimeConfig& config)
    : timing_(config.cloud),
      energy_(config.energy),
      in_flight_max_(config.limits.cloud_in_flight_max),
      budget_(budget_options(config.cloud)),
      choice_(config.seed, "choice of site"),
      jitter_(config.seed, "retry backoff") {
  for (const auto& pair : config.models) accuracies_.push_back(pair.cloud.accuracy);
  const cloud::Breaker::Options options{timing_.breaker_failures, timing_.breaker_backoff, timing_.breaker_backoff_max};
  for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
    const auto& endpoint = config.endpoints[i];
    sites_.push_back({cloud::Breaker(options, RandomStream(config.seed, "breaker " + std::to_string(i + 1))),
                      cloud::ConcurrencyLimit(in_flight_max_), signals::Forecasts(timing_.expected_latency),
                      endpoint.usd_per_request, endpoint.usd_per_mib, endpoint.weight});
    weighted_ = weighted_ || endpoint.weight != config.endpoints.front().weight;
  }
  double mean = 0;
  for (const Site& site : sites_) mean += site.weight / static_cast<double>(sites_.size());
  for (Site& site : sites_) site.weight /= mean;
  candidates_.reserve(sites_.size());
}

// ---- which site, and whether any ------------------------------------------------------------------------------------

bool CloudSites::available(const Site& site, const Wish& wish, TimePoint now) const {
  // Who has an answer anyway does not wait to find out whether anybody is there.
  if (wish.fallback && site.breaker.needs_probe(now)) return false;
  // An open breaker lets one trial through, whatever older attempts are still out.
  return site.breaker.allows(now) && now >= site.asked_for_peace_until &&
         (site.breaker.open() || site.concurrency.has_room());
}

/// The objective, see docs/scheduling.md: what a cloud answer betters, times the chance that it comes in time, less
/// what the attempt costs.
double CloudSites::worth(const Site& site, const Wish& wish, TimePoint now) const {
  const double mib = static_cast<double>(wish.payload_bytes) / kBytesPerMib;
  const double cents = 100 * (site.usd_per_request + site.usd_per_mib * mib);
  const double joules =
      energy_.radio_joules_per_attempt + energy_.radio_joules_per_mib * mib - wish.energy_saved_joules;
  const double accuracy = wish.model < accuracies_.size() ? accuracies_[wish.model] : 1;
  const double in_time = site.forecasts.in_time(wish.model, wish.payload_bytes, wish.give_up - now).probability;
  return wish.objective->quality * (accuracy - wish.edge_confidence) * in_time - wish.objective->cost * cents -
         wish.objective->energy * joules;
}

/// What the next answer will take when it queues behind those that are under way.
double CloudSites::load_score(const Site& site, const Wish& wish) const {
  return static_cast<double>(site.forecasts.median(wish.model, wish.payload_bytes).count()) *
         (1 + static_cast<double>(site.concurrency.in_flight()) / (site.concurrency.limit() * site.weight));
}

/// Where weights say how to share, only what is clearly better than `one` takes its turn; an old forecast says nothing.
SiteId CloudSites::better(SiteId one, SiteId other, const Wish& wish, TimePoint now) const {
  if (weighted_ && !at(one).forecasts.fresh(wish.model, wish.payload_bytes, now)) return one;
  const double clearly = weighted_ ? kClearly : 0;
  if (wish.objective && wish.fallback) {
    const double worth_of_one = worth(at(one), wish, now);
    return worth(at(other), wish, now) > worth_of_one + clearly * std::abs(worth_of_one) ? other : one;
  }
  return load_score(at(other), wish) * (1 + clearly) < load_score(at(one), wish) ? other : one;
}

/// Takes one of the candidates out.
SiteId CloudSites::draw() {
  std::size_t at_index = 0;
  if (!weighted_) {
    at_index = choice_.below(candidates_.size());
  } else {
    double sum = 0;
    for (const SiteId site : candidates_) sum += at(site).weight;
    double left = sum * choice_.uniform();
    while (at_index + 1 < candidates_.size() && (left -= at(candidates_[at_index]).weight) >= 0) ++at_index;
  }
  const SiteId site = candidates_[at_index];
  candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(at_index));
  return site;
}

bool CloudSites::has_room(Site& site, const Wish& wish, TimePoint now) {
  const auto chance = site.forecasts.in_time(wish.model, wish.payload_bytes, wish.give_up - now);
  if (chance.probability >= timing_.in_time_probability_min) return true;
  // A forecast that lets nothing through would never be put right: a stale one is tried, one request at a time. It
  // costs nothing but bytes, for there is something to fall back on.
  if (site.forecasts.fresh(wish.model, wish.payload_bytes, now) || now < site.next_trial) return false;
  site.next_trial = now + signals::Forecast::kFresh;
  // A profile is believed as long as a sample would be, from the first request on that it turns away.
  return !std::exchange(site.profile_unused, false);
}

std::variant<SiteId, Reason> CloudSites::choose(const Wish& wish, TimePoint now) {
  if (!wish.mask.has_cloud()) return Reason::kLocalOnlyPermitted;
  if (in_flight() >= in_flight_max_ || (wish.extra && !budget_.allows_extra())) return Reason::kCloudUnhealthy;
  candidates_.clear();
  for (const Mask mask : {wish.mask & wish.untried, wish.mask}) {
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      const auto site = static_cast<SiteId>(i + 1);
      if (mask.has(site) && available(sites_[i], wish, now)) candidates_.push_back(site);
    }
    if (!candidates_.empty()) break;
  }
  if (candidates_.empty()) return Reason::kCloudUnhealthy;

  // Power of two choices (Mitzenmacher, 2001): of many, the better of two drawn at random, so that devices which know
  // the same do not all go to the same place.
  SiteId site = candidates_.front();
  if (candidates_.size() == 2 && !weighted_) {
    site = better(candidates_[0], candidates_[1], wish, now);
  } else if (candidates_.size() > 1) {
    const SiteId one = draw();
    site = better(one, draw(), wish, now);
  }
  if (now >= wish.give_up || (wish.fallback && !has_room(at(site), wish, now))) return Reason::kNoRoom;
  if (wish.fallback && wish.objective && worth(at(site), wish, now) <= 0) return Reason::kNotWorthIt;
  return site;
}

std::optional<SiteId> CloudSites::due_probe(const Wish& wish, TimePoint now) const {
  if (!wish.fallback) return {};  // the request itself is the trial
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    const auto site = static_cast<SiteId>(i + 1);
    if (wish.mask.has(site) && sites_[i].breaker.needs_probe(now) && now >= sites_[i].asked_for_peace_until)
      return site;
  }
  return {};
}

void CloudSites::begin_probe(AttemptId probe, SiteId site, TimePoint now) {
  probes_.emplace(probe, site);
  at(site).breaker.begin(probe, now);
}

bool CloudSites::end_probe(AttemptId probe, CloudVerdict verdict, TimePoint now) {
  const auto found = probes_.find(probe);
  if (found == probes_.end()) return false;
  auto& breaker = at(found->second).breaker;
  probes_.erase(found);
  if (verdict == CloudVerdict::kAnswered) {
    breaker.reached(probe);
  } else if (verdict == CloudVerdict::kDenied) {
    breaker.withdrawn(probe);
  } else {
    breaker.unreachable(probe, now);
  }
  return true;
}

// ---- what became of it ----------------------------------------------------------------------------------------------

void CloudSites::begin(AttemptId attempt, SiteId site, const Wish& wish, TimePoint now) {
  attempts_.emplace(attempt, InFlight{site, wish.model, wish.payload_bytes, now, !wish.extra});
  at(site).breaker.begin(attempt, now);
  at(site).concurrency.begin();
  if (wish.extra) {
    budget_.extra_attempt();
  } else {
    budget_.first_attempt();
  }
}

void CloudSites::timed_out(AttemptId attempt, TimePoint now) {
  if (const auto found = attempts_.find(attempt); found != attempts_.end()) {
    const InFlight& flight = found->second;
    const Duration waited = now - flight.began;
    at(flight.site).forecasts.observe(flight.model, flight.payload_bytes, waited + waited / 2, now, flight.first);
  }
  settle(attempt, CloudVerdict::kFailed, now);
}

void CloudSites::overtaken(AttemptId attempt, TimePoint now) {
  if (const auto found = attempts_.find(attempt); found != attempts_.end() && found->second.first) {
    const InFlight& flight = found->second;
    at(flight.site).forecasts.overtaken(flight.model, flight.payload_bytes, now - flight.began);
  }
  settle(attempt, CloudVerdict::kDenied, now);
}

std::optional<SiteId> CloudSites::settle(AttemptId attempt, CloudVerdict verdict, TimePoint now, Duration retry_after) {
  const auto found = attempts_.find(attempt);
  if (found == attempts_.end()) return {};
  const InFlight flight = found->second;
  attempts_.erase(found);
  Site& site = at(flight.site);
  const Duration typical = site.forecasts.median(flight.model, flight.payload_bytes);
  bool opened = false;
  switch (verdict) {
    case CloudVerdict::kAnswered:
    case CloudVerdict::kRefused:
      site.forecasts.observe(flight.model, flight.payload_bytes, now - flight.began, now, flight.first);
      site.breaker.succeeded();
      site.concurrency.answered();
      budget_.succeeded();
      break;
    case CloudVerdict::kFailed:
      opened = site.breaker.failed(attempt, now);
      site.concurrency.overloaded(now, typical);
      budget_.failed();
      break;
    case CloudVerdict::kUnreachable:
      opened = site.breaker.unreachable(attempt, now);
      site.concurrency.withdrawn();
      budget_.failed();
      break;
    case CloudVerdict::kOverloaded:
      site.breaker.withdrawn(attempt);
      site.concurrency.overloaded(now, typical);
      site.asked_for_peace_until =
          std::max(site.asked_for_peace_until,
                   now + (retry_after > Duration{} ? std::min(retry_after, timing_.retry_after_max) : backoff(1)));
      budget_.failed();
      break;
    case CloudVerdict::kDenied:
      site.breaker.withdrawn(attempt);
      site.concurrency.withdrawn();
      break;
  }
  if (opened) site.concurrency.start_over();
  return flight.site;
}

void CloudSites::start_from(SiteId site, std::size_t model, std::uint64_t payload_bytes,
                            const signals::QuantileSketch& profile) {
  at(site).forecasts.start_from(model, payload_bytes, profile);
  at(site).profile_unused = true;
}

// ---- delays ---------------------------------------------------------------------------------------------------------

Duration CloudSites::hedge_delay(SiteId site, const Wish& wish) const {
  const Duration late =
      at(site).forecasts.tail(wish.model, wish.payload_bytes, 1 - kAimedShare * timing_.extra_attempts_share_max);
  return late > Duration{} ? late : 3 * timing_.expected_latency;
}

Duration CloudSites::backoff(unsigned n) {
  const double longer = static_cast<double>(1u << std::min(n - 1, 10u)) * (0.8 + 0.4 * jitter_.uniform());
  return Duration(static_cast<Duration::rep>(static_cast<double>(timing_.retry_backoff.count()) * longer));
}

}  // namespace hearth::scheduler
