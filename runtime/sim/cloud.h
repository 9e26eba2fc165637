/// \file Cloud: one simulated endpoint behind its address: servers that a whole fleet shares, and what goes wrong
/// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <hearth/random.h>
#include <hearth/time.h>

#include "runtime/sim/fault_schedule.h"
#include "runtime/sim/server_queue.h"

namespace hearth::sim {

/// How long an endpoint computes, and how many requests at a time.
struct ServerModel {
  Duration service_median{};
  double service_sigma = 0;  ///< Of the logarithm; 0: constant.
  std::size_t servers = 64;
  std::size_t queue_max = 1000;             ///< Waiting requests beyond this get 503.
  std::vector<Duration> service_quantiles;  ///< Where given, these count, as TimeModel's.
};

/// Every `every` the number of servers becomes what would have kept them `target_busy` busy since the last time, within
/// `servers` and `servers_max` (the rule of Kubernetes' HorizontalPodAutoscaler). A new one serves `start` later.
struct Autoscale {
  std::size_t servers_max = 0;  ///< 0: the servers stay as many as they are.
  double target_busy = 0.7;
  Duration every = std::chrono::seconds(15);
  Duration start = std::chrono::seconds(30);
};

/// From `at` on an answer costs `factor` times what the endpoint's configuration says.
struct PriceStep {
  Duration at{};
  double factor = 1;
};

struct CloudModel {
  ServerModel server;
  Autoscale autoscale;
  std::vector<PriceStep> prices;  ///< In order.
  FaultTimeline faults;
};

/// Told the time, which never goes back. Threads: none of its own.
class Cloud {
 public:
  Cloud(const std::string& name, CloudModel model, std::uint64_t seed);

  struct Service {
    Duration waits{};
    Duration takes{};  ///< After that.
  };
  /// Nothing: too many wait. `draw`: names the request, so that it meets the same time whatever was asked before it; 0:
  /// the next one drawn.
  std::optional<Service> serve(Duration at, double slow_factor, std::uint64_t draw = 0);
  /// What serve() would say.
  Service foresee(Duration at, std::uint64_t draw) const;
  double price_factor(Duration at) const;
  std::size_t servers() const { return servers_; }

  FaultSchedule faults;

 private:
  Duration service_time(double slow_factor, RandomStream& stream) const;
  void scale(Duration at);

  CloudModel model_;
  ServerQueue queue_;
  RandomStream service_;
  RandomStream named_;  ///< By the requests' names.
  std::size_t servers_;
  Duration scaled_at_{};
  Duration busy_{};  ///< Since then, over all servers.
  struct Starting {
    Duration ready;
    std::size_t servers;
  };
  std::optional<Starting> starting_;
};

}  // namespace hearth::sim
