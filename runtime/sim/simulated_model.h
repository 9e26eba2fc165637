/// \file SimulatedModel: an edge model whose answers are a function and whose time is virtual.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <hearth/edge_model.h>
#include <hearth/event_loop.h>
#include <hearth/random.h>

namespace hearth::sim {

/// start() answers after a lognormal service time on the loop; run() answers at once. Must outlive the loop's last run.
/// Threads: run() from any; start() on the loop's.
class SimulatedModel final : public EdgeModel, public BatchedModel {
 public:
  using Answer = std::function<Outputs(std::span<const Tensor>)>;

  SimulatedModel(EventLoop& loop, Answer answer, Duration service_median, double service_sigma, std::uint64_t seed,
                 std::string sha256 = "simulated")
      : loop_(loop),
        answer_(std::move(answer)),
        median_(service_median),
        sigma_(service_sigma),
        service_(seed, "edge service times"),
        sha256_(std::move(sha256)) {}

  const std::string& sha256() const override { return sha256_; }
  Outputs run(std::span<const Tensor> inputs) override { return answer_(inputs); }
  void start(std::span<const Tensor> inputs, EdgeModel::Callback done) override;

  /// From here on a pass takes several requests, and for each but the first so much of a lone pass's time more: 0 for
  /// a processor that is hardly used by one request, 1 where nothing is won. Before start().
  void make_batches(double growth) { growth_ = growth; }
  BatchedModel* batched() override { return growth_ ? this : nullptr; }
  void start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) override;

 private:
  Duration draw_service(std::size_t requests);

  EventLoop& loop_;
  Answer answer_;
  Duration median_;
  double sigma_;
  std::optional<double> growth_;
  RandomStream service_;
  const std::string sha256_;
};

}  // namespace hearth::sim
