// Sharing this device: what batches win, that nobody waits for company too long, and what a flood does to another
// model.
//
// The runtime that ships, on virtual time, with one slot and a local model whose pass takes 10 ms (lognormal, sigma
// 0.1) and 13 % more for each further request of a batch, as hearth's int8 layers do at 1024 wide
// (docs/performance.md).
//
// batches: requests come as a Poisson process, from 0.5 to 6 times what one by one can serve; each has 60 ms.
//   one by one    batch_max 1: the reference
//   batch 8       batch_max 8, batch_wait_ms 0: who waits already when a slot is free
//   batch 8 + 4   batch_max 8, batch_wait_ms 4
//   limit         what full passes of 8 could serve at most, deadlines aside
// `goodput`: requests answered in time, a second. `in batch`: requests a pass. `free wait`: the longest that a request
// waited while the slot was free; at most batch_wait_ms.
//
// shares: model A gets ten times what the device can do, model B 0.3 of it, each request with 100 ms. B's share of
// answers in time: alone (the reference), with A in one lane (as one model, nearest deadline first), and as two models
// of the same share.
//
// bench_batch [--quick] [--json]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/runtime.h>

#include "runtime/sim/simulated_model.h"
#include "runtime/sim/virtual_loop.h"

namespace {

using namespace hearth;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kPass = milliseconds(10);
constexpr double kSigma = 0.1, kGrowth = 0.13, kLonePerS = 100;

/// Notes when passes begin and end, and how many requests they have.
class Watched final : public EdgeModel, public BatchedModel {
 public:
  Watched(EventLoop& loop, std::uint64_t seed)
      : loop_(loop),
        model_(
            loop, [](std::span<const Tensor>) { return answer(); }, kPass, kSigma, seed) {
    model_.make_batches(kGrowth);
  }
  const std::string& sha256() const override { return model_.sha256(); }
  Outputs run(std::span<const Tensor> inputs) override { return model_.run(inputs); }
  void start(std::span<const Tensor> inputs, EdgeModel::Callback done) override {
    requests += 1;
    model_.start(inputs, [this, done = std::move(done)](Outputs outputs) {
      ends.push_back(loop_.now());
      done(std::move(outputs));
    });
  }
  BatchedModel* batched() override { return this; }
  void start_batch(std::span<const Inputs> batch, BatchedModel::Callback done) override {
    requests += batch.size();
    model_.start_batch(batch, [this, done = std::move(done)](std::vector<Outputs> outputs) {
      ends.push_back(loop_.now());
      done(std::move(outputs));
    });
  }

  std::size_t requests = 0;
  std::vector<TimePoint> ends;

 private:
  static Outputs answer() {
    const float scores[] = {0, 1};
    return std::vector{Tensor::of_floats("", {1, 2}, scores)};
  }
  EventLoop& loop_;
  sim::SimulatedModel model_;
};

/// One stream of requests: to which model, how many a second, and how long each has.
struct Stream {
  std::string model;
  double per_s;
  Duration deadline;
};
struct Fate {
  std::size_t stream;
  TimePoint submitted;
  Duration queued{}, latency{};
  bool served = false, in_time = false;
};
struct Run {
  std::vector<Fate> fates;
  double seconds = 0, per_pass = 0;
  Duration free_wait{};
};

RuntimeConfig config_for(const std::vector<std::string>& models, std::uint64_t batch_max, Duration wait,
                         std::uint64_t seed) {
  RuntimeConfig config;
  for (const auto& name : models) {
    ModelPair pair;
    pair.name = name;
    pair.edge.file = "simulated";
    pair.edge.inputs = {{"x", Datatype::kFp32, {1, 2}}};
    pair.edge.outputs = {{"scores", Datatype::kFp32, {1, 2}}};
    pair.edge.batch_max = batch_max;
    pair.edge.batch_wait = wait;
    config.models.push_back(pair);
  }
  config.policy_json =
      R"({"version": 1, "name": "b", "classes": [{"name": "secret", "egress": "never"}], "default_class": "secret"})";
  config.limits.edge_slots = 1;
  config.audit_decisions = false;
  config.seed = seed;
  return config;
}

Run run(const RuntimeConfig& config, const std::vector<Stream>& streams, Duration length) {
  sim::VirtualLoop loop;
  const auto model = std::make_shared<Watched>(loop, config.seed);
  World world;
  world.loop = std::shared_ptr<EventLoop>(std::shared_ptr<void>(), &loop);
  world.load_edge_model = [&](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
    return std::shared_ptr<EdgeModel>(model);
  };
  auto made = Runtime::create(config, std::move(world));
  if (!made.ok()) {
    std::fprintf(stderr, "bench_batch: %s\n", made.error().message.c_str());
    std::exit(3);
  }
  auto runtime = std::move(made).value();
  Run result;
  for (std::size_t stream = 0; stream < streams.size(); ++stream) {
    RandomStream random(config.seed, "arrivals " + std::to_string(stream));
    for (Duration at{}; (at += from_ms(random.exponential(1000 / streams[stream].per_s))) < length;)
      result.fates.push_back({stream, TimePoint(at)});
  }
  const float zeros[] = {0, 0};
  for (auto& fate : result.fates) {
    loop.schedule_at(fate.submitted, [&] {
      Request request;
      request.model = streams[fate.stream].model;
      request.inputs = {Tensor::of_floats("x", {1, 2}, zeros)};
      request.deadline = streams[fate.stream].deadline;
      runtime->submit(std::move(request), [&fate](const Outcome& outcome) {
        fate.queued = outcome.queued;
        fate.latency = outcome.latency;
        fate.served = outcome.status == OutcomeStatus::kServed;
        fate.in_time = fate.served && outcome.deadline_met;
      });
    });
  }
  loop.run_until_idle();
  runtime.reset();
  loop.run_until_idle();
  for (const auto& fate : result.fates) {
    if (!fate.served) continue;
    const TimePoint begun = fate.submitted + fate.queued;
    const auto before = std::upper_bound(model->ends.begin(), model->ends.end(), begun);
    const TimePoint free = before == model->ends.begin() ? TimePoint{} : *std::prev(before);
    result.free_wait = std::max(result.free_wait, begun - std::max(fate.submitted, free));
  }
  result.seconds = std::chrono::duration<double>(length).count();
  result.per_pass = static_cast<double>(model->requests) / static_cast<double>(model->ends.size());
  return result;
}

double quantile_ms(std::vector<Duration> latencies, double q) {
  if (latencies.empty()) return 0;
  const auto at = latencies.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(latencies.size() - 1));
  std::nth_element(latencies.begin(), at, latencies.end());
  return to_ms(*at);
}

nlohmann::json figures(const Run& run) {
  std::vector<Duration> latencies;
  double in_time = 0;
  for (const auto& fate : run.fates) {
    if (fate.served) latencies.push_back(fate.latency);
    in_time += fate.in_time;
  }
  return {
      {"goodput_per_s", in_time / run.seconds}, {"met_percent", 100 * in_time / static_cast<double>(run.fates.size())},
      {"p50_ms", quantile_ms(latencies, 0.5)},  {"p99_ms", quantile_ms(latencies, 0.99)},
      {"requests_per_pass", run.per_pass},      {"free_wait_max_ms", to_ms(run.free_wait)}};
}

/// The medians of several seeds' figures; of the longest wait the longest.
nlohmann::json of_seeds(const std::vector<nlohmann::json>& seeds) {
  nlohmann::json all = seeds[0];
  for (auto& [key, value] : all.items()) {
    std::vector<double> values;
    for (const auto& one : seeds) values.push_back(one.at(key).get<double>());
    std::sort(values.begin(), values.end());
    value = key == "free_wait_max_ms" ? values.back() : values[values.size() / 2];
  }
  all["goodput_low_per_s"] = all["goodput_high_per_s"] = all["goodput_per_s"];
  for (const auto& one : seeds) {
    const double goodput = one.at("goodput_per_s");
    all["goodput_low_per_s"] = std::min(all["goodput_low_per_s"].get<double>(), goodput);
    all["goodput_high_per_s"] = std::max(all["goodput_high_per_s"].get<double>(), goodput);
  }
  return all;
}

struct Options {
  bool quick = false, json = false;
  Duration length() const { return quick ? seconds(20) : seconds(200); }
  std::uint64_t seeds() const { return quick ? 1 : 5; }
};

nlohmann::json batches(const Options& options) {
  struct Way {
    const char* name;
    std::uint64_t batch_max;
    Duration wait;
  };
  nlohmann::json out = nlohmann::json::array();
  const double limit = 8 * kLonePerS / (1 + 7 * kGrowth);
  if (!options.json) {
    std::printf("batches: limit of full passes %.0f/s\n%5s  %-12s %9s %17s %7s %8s %8s %9s %12s\n", limit, "load", "",
                "goodput/s", "(5 seeds)", "met %", "p50 ms", "p99 ms", "in batch", "free wait ms");
  }
  for (const double load : options.quick ? std::vector<double>{1, 4} : std::vector<double>{0.5, 0.9, 1.2, 2, 3, 4, 6}) {
    for (const Way& way : {Way{"one by one", 1, {}}, Way{"batch 8", 8, {}}, Way{"batch 8 + 4", 8, milliseconds(4)}}) {
      std::vector<nlohmann::json> seeds;
      for (std::uint64_t seed = 1; seed <= options.seeds(); ++seed) {
        seeds.push_back(figures(run(config_for({"photo"}, way.batch_max, way.wait, seed),
                                    {{"photo", load * kLonePerS, milliseconds(60)}}, options.length())));
      }
      auto row = of_seeds(seeds);
      const auto at = [&](const char* key) { return row.at(key).get<double>(); };
      if (!options.json) {
        std::printf("%5.1f  %-12s %9.1f (%6.1f - %6.1f) %7.2f %8.2f %8.2f %9.2f %12.3f\n", load, way.name,
                    at("goodput_per_s"), at("goodput_low_per_s"), at("goodput_high_per_s"), at("met_percent"),
                    at("p50_ms"), at("p99_ms"), at("requests_per_pass"), at("free_wait_max_ms"));
      }
      row["load"] = load;
      row["way"] = way.name;
      row["batch_wait_ms"] = to_ms(way.wait);
      row["limit_per_s"] = limit;
      out.push_back(std::move(row));
    }
  }
  return out;
}

nlohmann::json shares(const Options& options) {
  const Stream b{"b", 0.3 * kLonePerS, milliseconds(100)};
  const auto flood = [](const char* model) { return Stream{model, 10 * kLonePerS, milliseconds(100)}; };
  struct Case {
    const char* name;
    std::vector<std::string> models;
    std::vector<Stream> streams;
  };
  const Case cases[] = {
      {"alone", {"b"}, {b}}, {"one lane with A", {"b"}, {b, flood("b")}}, {"two models", {"b", "a"}, {b, flood("a")}}};
  nlohmann::json out = nlohmann::json::array();
  if (!options.json) std::printf("\nshares: model B under a flood of model A\n");
  for (const auto& one : cases) {
    std::vector<double> met, total;
    for (std::uint64_t seed = 1; seed <= options.seeds(); ++seed) {
      const Run result = run(config_for(one.models, 1, {}, seed), one.streams, options.length());
      double asked = 0, in_time = 0, all = 0;
      for (const auto& fate : result.fates) {
        all += fate.in_time;
        if (fate.stream != 0) continue;
        asked += 1;
        in_time += fate.in_time;
      }
      met.push_back(100 * in_time / asked);
      total.push_back(all / result.seconds);
    }
    std::sort(met.begin(), met.end());
    std::sort(total.begin(), total.end());
    const double met_b = met[met.size() / 2], goodput = total[total.size() / 2];
    if (!options.json) {
      std::printf("  %-16s B in time %6.2f %% (%.2f - %.2f); both together %5.1f/s\n", one.name, met_b, met.front(),
                  met.back(), goodput);
    }
    out.push_back({{"case", one.name}, {"b_met_percent", met_b}, {"goodput_per_s", goodput}});
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      options.quick = true;
    } else if (std::strcmp(argv[i], "--json") == 0) {
      options.json = true;
    } else {
      std::fprintf(stderr, "usage: bench_batch [--quick] [--json]\n");
      return 2;
    }
  }
  const nlohmann::json out = {{"batches", batches(options)}, {"shares", shares(options)}};
  if (options.json) std::printf("%s\n", out.dump(2).c_str());
  return 0;
}
