// Deadlines over a measured LTE link: the runtime that ships, on virtual time.
//
// A phone's uplink and downlink as recorded (Mahimahi's ATT-LTE-driving-2016, a millisecond a line for each packet of
// 1500 bytes), 30 ms of round trip besides, a cloud that computes for 5 ms (lognormal, sigma 0.3) and is right in 93 of
// 100 cases; a local model that takes 40 ms, one at a time, right in 88. Photos of 3 KiB come as a Poisson process,
// from 0.1 to 1.5 of what the local model could do (25 a second); each has 100 ms. On the same arrivals:
//   edge only    hearth without the cloud
//   cloud only   every request sent, whatever became of those before it
//   hearth       plan "safety_net", and plan "cloud", which asks the edge at the last moment
//   oracle       knows each of these delays: requests that the cloud answers in time go there, of the others as many as
//                fit are answered locally
// `met`: share of requests answered in time. `accuracy`: of those answers, the expected share that is right (as in
// MDInference, IC2E 2020). `right`: both together, the share of all requests answered in time and rightly; an oracle
// that knows which requests will need the local model wins here by what it need not run.
//
// bench_deadlines [--quick] [--json] [--trace DIR]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hearth/runtime.h>

#include "runtime/cloud/oip_codec.h"
#include "runtime/sim/simulated_model.h"
#include "runtime/sim/simulated_transport.h"
#include "runtime/sim/virtual_loop.h"
#include "tests/support/test_permit.h"

namespace {

using namespace hearth;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kDeadline = milliseconds(100), kLocal = milliseconds(40);
constexpr double kEdgeRight = 0.88, kCloudRight = 0.93, kLocalPerS = 25;
constexpr std::int64_t kPixels = 784;

struct Traces {
  std::shared_ptr<const sim::PacketTrace> up, down;
};

struct Result3 {
  double met = 0, right = 0, on_cloud = 0, accuracy = 0;
};

/// What became of one request.
struct Answer {
  Duration latency{};
  bool served = false, from_cloud = false;

  bool in_time() const { return served && latency <= kDeadline; }
};

Result3 figures(const std::vector<Answer>& answers) {
  double met = 0, cloud = 0;
  for (const auto& one : answers) {
    met += one.in_time();
    cloud += one.in_time() && one.from_cloud;
  }
  const auto n = static_cast<double>(answers.size());
  const double right = cloud * kCloudRight + (met - cloud) * kEdgeRight;
  return {met / n, right / n, cloud / n, right / met};
}

std::vector<TimePoint> arrivals(double load, Duration length, std::uint64_t seed) {
  RandomStream random(seed, "arrivals");
  std::vector<TimePoint> times;
  for (Duration at = seconds(1);; times.emplace_back(at)) {
    at += from_ms(random.exponential(1000 / (load * kLocalPerS)));
    if (at > length) return times;
  }
}

RuntimeConfig config_for(const std::string& plan, const std::string& forbid, std::uint64_t seed) {
  ModelPair pair;
  pair.name = "photo";
  pair.edge.file = "simulated";
  pair.edge.inputs = {{"x", Datatype::kFp32, {1, kPixels}}};
  pair.edge.outputs = {{"scores", Datatype::kFp32, {1, 2}}};
  pair.cloud.model = "photo-large";
  pair.cloud.inputs = pair.edge.inputs;
  pair.cloud.outputs = pair.edge.outputs;
  pair.cloud.accuracy = kCloudRight;
  RuntimeConfig config;
  config.models = {pair};
  config.endpoints = {{"cloud", "http://127.0.0.1:1", "eu"}};
  config.policy_json =
      R"({"version": 1, "name": "deadlines", "classes": [{"name": "public", "egress": "allow",
    "egress_record": "written"}], "default_class": "public", )" +
      (forbid.empty() ? ""
                      : R"("forbid": [{"id": "f", "when": {"model": "photo"}, "sites": [")" + forbid + R"("]}], )") +
      R"("prefer": [{"id": "p", "when": {"model": "photo"}, "plan": ")" + plan + "\"}]}";
  config.limits.edge_slots = 1;
  config.audit_decisions = false;
  config.seed = seed;
  // Beside a local answer an attempt costs bytes only, so a small chance is worth it; and a radio that stalls for a
  // second is looked at again at once.
  config.cloud.in_time_probability_min = 0.01;
  config.cloud.breaker_failures = 1000;
  config.cloud.breaker_backoff = milliseconds(50);
  config.cloud.breaker_backoff_max = milliseconds(100);
  config.cloud.local_reserve = milliseconds(1);
  config.cloud.attempts_max = 1;
  return config;
}

sim::Network network_of(const Traces& traces) {
  sim::Network network;
  network.link.round_trip_median = milliseconds(30);
  network.link.round_trip_sigma = 0;
  network.link.up = traces.up;
  network.link.down = traces.down;
  network.server = {milliseconds(5), 0.3, 64, 1000, {}};
  return network;
}

Request photo() {
  Request request;
  request.model = "photo";
  request.inputs = {Tensor::of_floats("x", {1, kPixels}, std::vector<float>(kPixels))};
  request.deadline = kDeadline;
  return request;
}

sim::Responder server(const RuntimeConfig& config) {
  const float scores[] = {0, 1};
  return sim::oip_server(config.models[0].cloud, [answer = Tensor::of_floats("", {1, 2}, scores)](const auto&) {
    return std::vector<Tensor>{answer};
  });
}

/// Each request sent to the cloud, whatever became of those before it.
std::vector<Answer> send_all(const RuntimeConfig& config, const Traces& traces, const std::vector<TimePoint>& times) {
  sim::VirtualLoop loop;
  sim::SimulatedTransport transport(loop, network_of(traces), server(config), config.seed);
  std::vector<Answer> answers(times.size());
  const auto request = photo();
  for (std::size_t i = 0; i < times.size(); ++i) {
    loop.schedule_at(times[i], [&, i] {
      auto message = cloud::encode_infer(config.models[0].cloud, request.inputs, "", std::string(32, 'a'),
                                         cloud::Encoding::kBinary);
      transport.send(i + 1, test::permit_for(config.endpoints[0], std::move(message)), times[i] + kDeadline,
                     [&, i](const SendResult& result) {
                       answers[i] = {loop.now() - times[i], result.reply.ok() && result.reply->status == 200, true};
                     });
    });
  }
  loop.run_until_idle();
  return answers;
}

std::vector<Answer> run(const RuntimeConfig& config, const Traces& traces, const std::vector<TimePoint>& times) {
  sim::VirtualLoop loop;
  const float scores[] = {0, 1};
  const auto answer = std::vector<Tensor>{Tensor::of_floats("", {1, 2}, scores)};
  World world;
  world.loop = std::shared_ptr<EventLoop>(std::shared_ptr<void>(), &loop);
  const auto transport =
      std::make_shared<sim::SimulatedTransport>(loop, network_of(traces), server(config), config.seed);
  const auto model = std::make_shared<sim::SimulatedModel>(
      loop, [&](std::span<const Tensor>) { return answer; }, kLocal, 0, config.seed);
  world.transport = transport;
  world.load_edge_model = [&](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
    return std::shared_ptr<EdgeModel>(model);
  };
  auto made = Runtime::create(config, std::move(world));
  if (!made.ok()) {
    std::fprintf(stderr, "bench_deadlines: %s\n", made.error().message.c_str());
    std::exit(3);
  }
  auto runtime = std::move(made).value();
  runtime->set_consent(Consent::kGiven);
  const Request request = photo();
  std::vector<Answer> answers(times.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    loop.schedule_at(times[i], [&, i] {
      runtime->submit(request, [&, i](Outcome outcome) {
        answers[i] = {outcome.latency, outcome.status == OutcomeStatus::kServed, outcome.served_on == "cloud"};
      });
    });
  }
  loop.run_until_idle();
  runtime.reset();
  loop.run_until_idle();
  return answers;
}

/// `cloud`: what each request's cloud attempt came to when all were sent.
std::vector<Answer> oracle(std::vector<Answer> cloud, const std::vector<TimePoint>& times) {
  TimePoint free{};
  for (std::size_t i = 0; i < cloud.size(); ++i) {
    if (cloud[i].in_time()) continue;
    // Passes of one length and deadlines in order: first come, first served, while it fits, is the most that can be.
    const TimePoint done = std::max(times[i], free) + kLocal;
    if (done > times[i] + kDeadline) continue;
    free = done;
    cloud[i] = {done - times[i], true, false};
  }
  return cloud;
}

struct Row {
  std::string name;
  std::vector<Result3> seeds;

  double median(double Result3::*field) const {
    std::vector<double> values;
    for (const auto& one : seeds) values.push_back(one.*field);
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
};

std::vector<Row> rows_at(double load, const Traces& traces, Duration length, std::uint64_t seeds) {
  std::vector<Row> rows = {
      {"edge only", {}}, {"cloud only", {}}, {"hearth safety_net", {}}, {"hearth cloud", {}}, {"oracle", {}}};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto times = arrivals(load, length, seed);
    const auto cloud = send_all(config_for("cloud", "", seed), traces, times);
    rows[0].seeds.push_back(figures(run(config_for("edge", "cloud", seed), traces, times)));
    rows[1].seeds.push_back(figures(cloud));
    rows[2].seeds.push_back(figures(run(config_for("safety_net", "", seed), traces, times)));
    rows[3].seeds.push_back(figures(run(config_for("cloud", "", seed), traces, times)));
    rows[4].seeds.push_back(figures(oracle(cloud, times)));
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false, json = false;
  std::string folder = "../shared/data/traces";
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (std::strcmp(argv[i], "--trace") == 0 && i + 1 < argc) {
      folder = argv[++i];
    } else {
      std::fprintf(stderr, "usage: bench_deadlines [--quick] [--json] [--trace DIR]\n");
      return 2;
    }
  }
  const std::string name = folder + "/network/lte_mahimahi/ATT-LTE-driving-2016.";
  const auto up = sim::load_packet_trace(name + "up"), down = sim::load_packet_trace(name + "down");
  if (!up.ok() || !down.ok()) {
    std::printf("bench_deadlines: skipped: %s\n", (up.ok() ? down : up).error().message.c_str());
    return 0;
  }
  const Traces traces{std::make_shared<sim::PacketTrace>(up.value()), std::make_shared<sim::PacketTrace>(down.value())};
  const std::vector<double> loads =
      quick ? std::vector<double>{0.1, 0.8, 1.5} : std::vector<double>{0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5};
  nlohmann::json out = nlohmann::json::array();
  if (!json) std::printf("%5s  %-18s %8s %8s %10s %10s\n", "load", "", "met %", "right %", "on cloud %", "accuracy %");
  for (const double load : loads) {
    for (const auto& row : rows_at(load, traces, quick ? seconds(120) : seconds(600), quick ? 1 : 5)) {
      const double met = 100 * row.median(&Result3::met), right = 100 * row.median(&Result3::right),
                   cloud = 100 * row.median(&Result3::on_cloud), accuracy = 100 * row.median(&Result3::accuracy);
      out.push_back({{"load", load},
                     {"strategy", row.name},
                     {"met_percent", met},
                     {"right_percent", right},
                     {"on_cloud_percent", cloud},
                     {"accuracy_percent", accuracy}});
      if (!json)
        std::printf("%5.1f  %-18s %8.2f %8.2f %10.2f %10.2f\n", load, row.name.c_str(), met, right, cloud, accuracy);
    }
  }
  if (json) std::printf("%s\n", out.dump(2).c_str());
  return 0;
}
