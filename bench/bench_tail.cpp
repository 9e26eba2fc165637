// What hedging does to the tail, for the scheduler that ships, on virtual time.
//
// A backend whose answers take a lognormal time of mean 5 ms and sigma 0.4, and 5 % of them ten times as long; 50,000
// requests, one each 2 ms, at most two hedges. On the same draws:
//   single     no hedges
//   hearth     SchedulerCore with the plan "hedge": delays learned from its own attempts, from a cold start
//   limit      the best that two fixed delays can do with no more load than `published`, found by search over these
//              draws: once for p99, once for p99.9
//   published  an adaptive hedger's own figures for this workload (../shared/reference/anchors.md, b4)
//
// bench_tail [--quick] [--json]
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <functional>
#include <queue>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "runtime/base/portable_math.h"
#include "runtime/scheduler/core.h"

namespace {

using namespace hearth;
using namespace hearth::scheduler;

constexpr double kMeanMs = 5, kSigma = 0.4, kStragglers = 0.05, kSlower = 10, kEveryMs = 2;
constexpr std::size_t kTries = 3;
constexpr double kPublishedP99Ms = 17.3, kPublishedP999Ms = 63.5, kPublishedLoad = 0.089;

/// What each try of each request takes, in ms.
using Draws = std::vector<std::array<double, kTries>>;

struct Figures {
  double p50_ms, p99_ms, p999_ms, extra_load;
};

Draws draw(std::uint64_t seed, std::size_t requests) {
  RandomStream times(seed, "service times"), slow(seed, "stragglers");
  const double median = kMeanMs * portable_exp(-kSigma * kSigma / 2);
  Draws draws(requests);
  for (auto& tries : draws)
    for (double& ms : tries) ms = times.lognormal(median, kSigma) * (slow.uniform() < kStragglers ? kSlower : 1);
  return draws;
}

Figures figures(std::vector<double>& latencies_ms, std::size_t extra) {
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const double n = static_cast<double>(latencies_ms.size());
  const auto at = [&](double q) { return latencies_ms[static_cast<std::size_t>(q * (n - 1))]; };
  return {at(0.5), at(0.99), at(0.999), static_cast<double>(extra) / n};
}

/// Hedges after fixed delays since the request began.
Figures fixed_delays(const Draws& draws, double first_ms, double second_ms) {
  std::vector<double> latencies;
  std::size_t extra = 0;
  for (const auto& tries : draws) {
    double done = tries[0];
    if (done > first_ms) ++extra, done = std::min(done, first_ms + tries[1]);
    if (done > second_ms) ++extra, done = std::min(done, second_ms + tries[2]);
    latencies.push_back(done);
  }
  return figures(latencies, extra);
}

/// The best of a grid of delays that adds no more load than was published.
Figures best_delays(const Draws& draws, double Figures::*wanted) {
  Figures best = fixed_delays(draws, 1e9, 1e9);
  for (double first = 8; first <= 14; first += 0.25) {
    for (double second = first; second <= 60; second *= 1.08) {
      const auto now = fixed_delays(draws, first, second);
      if (now.extra_load <= kPublishedLoad && now.*wanted < best.*wanted) best = now;
    }
  }
  return best;
}

/// Drives the scheduler with the same draws.
class Drive {
 public:
  Drive(const Draws& draws, std::uint64_t seed) : draws_(draws), core_(config(seed)), tries_(draws.size()) {
    for (std::size_t i = 0; i < draws.size(); ++i)
      later(from_ms(kEveryMs * static_cast<double>(i)), [this, i] { begin(i); });
  }

  Figures run() {
    while (!queue_.empty()) {
      const Due due = queue_.top();
      queue_.pop();
      now_ = due.at;
      due.what();
    }
    return figures(latencies_, extra_);
  }

 private:
  struct Due {
    TimePoint at;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Due& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  static RuntimeConfig config(std::uint64_t seed) {
    RuntimeConfig config;
    config.seed = seed;
    config.models.resize(1);
    config.endpoints.resize(1);
    config.cloud.extra_attempts_share_max = kPublishedLoad;
    config.cloud.expected_latency = std::chrono::milliseconds(10);
    return config;
  }

  void later(Duration from_start, std::function<void()> what) {
    queue_.push({TimePoint(from_start), ++order_, std::move(what)});
  }
  void begin(std::size_t i) {
    Submitted told{};
    told.id = i;
    told.mask = Mask::all(1).without(kEdgeSite);
    told.plan = PlanKind::kHedge;
    told.idempotent = true;
    told.attempts_max = kTries;
    told.deadline = std::chrono::seconds(10);
    tell(told);
  }
  void tell(const Event& event) {
    std::vector<Action> actions;
    core_.step(event, now_, actions);
    for (const auto& action : actions) std::visit([this](const auto& a) { on(a); }, action);
  }
  void on(const StartCloud& start) {
    const std::size_t n = tries_[start.id]++;
    if (n > 0) ++extra_;
    later(now_.time_since_epoch() + from_ms(draws_[start.id][n]), [this, start] {
      tell(CloudFinished{start.id, start.attempt, CloudVerdict::kAnswered});
    });
  }
  void on(const SetTimer& timer) {
    later(timer.due.time_since_epoch(), [this, id = timer.id] { tell(TimerFired{id}); });
  }
  void on(const Finish& finish) {
    latencies_.push_back(to_ms(now_.time_since_epoch()) - kEveryMs * static_cast<double>(finish.id));
  }
  void on(const RunEdge&) {}
  void on(const CancelCloud&) {}
  void on(const ProbeCloud&) {}

  const Draws& draws_;
  SchedulerCore core_;
  std::vector<std::size_t> tries_;
  std::priority_queue<Due> queue_;
  std::uint64_t order_ = 0;
  TimePoint now_{};
  std::vector<double> latencies_;
  std::size_t extra_ = 0;
};

struct Row {
  const char* name;
  std::vector<Figures> seeds;

  double median(double Figures::*field) const {
    std::vector<double> values;
    for (const auto& one : seeds) values.push_back(one.*field);
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  double spread(double Figures::*field) const {
    const auto [least, most] = std::minmax_element(seeds.begin(), seeds.end(),
                                                   [&](const auto& a, const auto& b) { return a.*field < b.*field; });
    return (*most).*field - (*least).*field;
  }
};

}  // namespace

int main(int argc, char** argv) {
  bool quick = false, json = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else {
      std::fprintf(stderr, "usage: bench_tail [--quick] [--json]\n");
      return 2;
    }
  }
  std::vector<Row> rows = {{"single", {}}, {"hearth", {}}, {"limit for p99", {}}, {"limit for p99.9", {}}};
  for (std::uint64_t seed = 1; seed <= (quick ? 1u : 5u); ++seed) {
    const Draws draws = draw(seed, quick ? 10'000 : 50'000);
    rows[0].seeds.push_back(fixed_delays(draws, 1e9, 1e9));
    rows[1].seeds.push_back(Drive(draws, seed).run());
    rows[2].seeds.push_back(best_delays(draws, &Figures::p99_ms));
    rows[3].seeds.push_back(best_delays(draws, &Figures::p999_ms));
  }
  nlohmann::json out = nlohmann::json::array();
  if (!json) std::printf("%-16s %10s %18s %18s %16s\n", "", "p50 ms", "p99 ms", "p99.9 ms", "extra load %");
  for (const auto& row : rows) {
    out.push_back({{"strategy", row.name},
                   {"p50_ms", row.median(&Figures::p50_ms)},
                   {"p99_ms", row.median(&Figures::p99_ms)},
                   {"p999_ms", row.median(&Figures::p999_ms)},
                   {"extra_load_percent", 100 * row.median(&Figures::extra_load)}});
    if (json) continue;
    std::printf("%-16s %10.2f %10.2f (±%4.2f) %10.2f (±%4.2f) %8.2f (±%4.2f)\n", row.name, row.median(&Figures::p50_ms),
                row.median(&Figures::p99_ms), row.spread(&Figures::p99_ms) / 2, row.median(&Figures::p999_ms),
                row.spread(&Figures::p999_ms) / 2, 100 * row.median(&Figures::extra_load),
                50 * row.spread(&Figures::extra_load));
  }
  if (json) {
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::printf("%-16s %10s %10.2f %8s %10.2f %8s %8.2f\n", "published", "", kPublishedP99Ms, "", kPublishedP999Ms, "",
                100 * kPublishedLoad);
  }
  return 0;
}
