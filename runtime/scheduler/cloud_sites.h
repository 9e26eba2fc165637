/// \file CloudSites: what the scheduler knows of its endpoints, which of them is asked next, and whether any should be.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include <hearth/config.h>
#include <hearth/mask.h>
#include <hearth/outcome.h>
#include <hearth/plan.h>
#include <hearth/random.h>
#include <hearth/time.h>
#include <hearth/transport.h>

#include "runtime/base/recycling_map.h"
#include "runtime/cloud/breaker.h"
#include "runtime/cloud/concurrency_limit.h"
#include "runtime/cloud/retry_budget.h"
#include "runtime/signals/forecasts.h"

namespace hearth::scheduler {

enum class CloudVerdict : std::uint8_t {
  kAnswered,
  kFailed,       ///< Counts against the endpoint.
  kRefused,      ///< The endpoint lives, but would not serve this request (4xx).
  kDenied,       ///< The door said no, or the attempt was withdrawn: nothing was learned of the endpoint.
  kOverloaded,   ///< The endpoint lives, and asks to be left alone for a while (429, 503 with Retry-After).
  kUnreachable,  ///< Nothing of it was reached: no connection.
};

/// One attempt that may be made.
struct Wish {
  Mask mask;
  Mask untried;  ///< The others are asked again only when none of these is left.
  std::uint16_t model = 0;
  std::uint64_t payload_bytes = 0;
  TimePoint give_up;                   ///< A later answer is of no use.
  bool fallback = false;               ///< There is something to answer with instead.
  bool extra = false;                  ///< Not the request's first: needs the retry budget.
  std::optional<Objective> objective;  ///< With a fallback: the attempt must be worth it.
  double edge_confidence = 0;          ///< How likely the local answer is right.
  double energy_saved_joules = 0;      ///< By the local pass that need not run.
};

/// Threads: none of its own. Bounds: `Limits`, `CloudTiming`.
class CloudSites {
 public:
  explicit CloudSites(const RuntimeConfig& config);

  /// A site that came back perhaps: worth a probe before a request that has something to fall back on waits for it.
  std::optional<SiteId> due_probe(const Wish& wish, TimePoint now) const;
  void begin_probe(AttemptId probe, SiteId site, TimePoint now);
  /// kAnswered: something came back, whatever it said. False when `probe` is none.
  bool end_probe(AttemptId probe, CloudVerdict verdict, TimePoint now);

  /// The site to ask, or why none is. Does not begin anything.
  std::variant<SiteId, Reason> choose(const Wish& wish, TimePoint now);
  void begin(AttemptId attempt, SiteId site, const Wish& wish, TimePoint now);
  /// The attempt has ended. `retry_after`: how long the endpoint asked to be left alone. Returns its site; none when
  /// the attempt is not in flight any more.
  std::optional<SiteId> settle(AttemptId attempt, CloudVerdict verdict, TimePoint now, Duration retry_after = {});
  /// An attempt that is withdrawn because no answer came in time: it takes longer than this, and is
  /// put down as half as long again.
  void timed_out(AttemptId attempt, TimePoint now);
  /// An attempt that is withdrawn because another one answered.
  void overtaken(AttemptId attempt, TimePoint now);

  /// How long an answer of `site` may take before it counts as late and a hedge is due: the quantile that keeps hedges
  /// within extra_attempts_share_max. Before enough samples: three times the expectation.
  Duration hedge_delay(SiteId site, const Wish& wish) const;
  bool may_add_attempt() const { return budget_.allows_extra(); }
  /// Before the same site is asked again, the `n`th time (from 1).
  Duration backoff(unsigned n);

  std::size_t in_flight() const { return attempts_.size(); }

  /// What an earlier run saw, before the first attempt.
  void start_from(SiteId site, std::size_t model, std::uint64_t payload_bytes, const signals::QuantileSketch& profile);
  const signals::Forecasts& forecasts(SiteId site) const { return at(site).forecasts; }

 private:
  struct Site {
    cloud::Breaker breaker;
    cloud::ConcurrencyLimit concurrency;
    signals::Forecasts forecasts;
    double usd_per_request;
    double usd_per_mib;
    double weight;  ///< By the mean weight.
    TimePoint asked_for_peace_until{};
    TimePoint next_trial{};       ///< Of a forecast that is too old to be believed.
    bool profile_unused = false;  ///< Its forecasts began with a profile, which has turned no request away yet.
  };
  struct InFlight {
    SiteId site;
    std::uint16_t model;
    std::uint64_t payload_bytes;
    TimePoint began;
    bool first;  ///< Of its request.
  };

  Site& at(SiteId site) { return sites_[site - 1]; }
  const Site& at(SiteId site) const { return sites_[site - 1]; }
  bool available(const Site& site, const Wish& wish, TimePoint now) const;
  double worth(const Site& site, const Wish& wish, TimePoint now) const;
  double load_score(const Site& site, const Wish& wish) const;
  SiteId better(SiteId one, SiteId other, const Wish& wish, TimePoint now) const;
  SiteId draw();
  bool has_room(Site& site, const Wish& wish, TimePoint now);

  CloudTiming timing_;
  EnergyCosts energy_;
  std::vector<double> accuracies_;  ///< Of each pair's cloud half.
  std::size_t in_flight_max_;
  std::vector<Site> sites_;
  bool weighted_ = false;  ///< Weights differ.
  std::vector<SiteId> candidates_;
  RecyclingMap<AttemptId, InFlight> attempts_;
  RecyclingMap<AttemptId, SiteId> probes_;  ///< Under way.
  cloud::RetryBudget budget_;
  RandomStream choice_;
  RandomStream jitter_;
};

}  // namespace hearth::scheduler
