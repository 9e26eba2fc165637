// What hearth adds to a local request, and what a decision costs.
//
//   local_request    Runtime::infer() against the bare TorchScript forward of the same file, called in turn in one
//   loop, so
//                    that both see the same noise. overhead_us is the difference of the medians.
//   decision         classify + permit + place of a labelled request, against the same rules as plain C++. p50 and p99
//   over
//                    batches of 64 requests; allocations counted.
//
// bench_runtime [--quick] [Google Benchmark's flags]
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

#include <benchmark/benchmark.h>

#include <hearth/runtime.h>

#include "bench/bare_torch.h"
#include "bench/bench_main.h"
#include "bench/counted_new.h"
#include "runtime/privacy/guard.h"

namespace {

using namespace hearth;
using bench::allocations;
using bench::quantile;
using Clock = std::chrono::steady_clock;

double us(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

const char* const kPolicy = R"({
  "version": 1, "name": "bench",
  "classes": [{"name": "public", "egress": "allow"}, {"name": "personal", "egress": "redacted", "regions": ["eu"]},
              {"name": "secret", "egress": "never", "taints_session_for_s": 600}],
  "default_class": "secret",
  "classify": [{"id": "mail", "when": {"detected.EMAIL": {"gt": 0}}, "class": "personal"},
               {"id": "clinical", "when": {"text.contains": ["MRN", "patient"]}, "class": "secret"}],
  "forbid": [{"id": "no-consent", "when": {"consent": {"ne": "given"}}},
             {"id": "metered-large", "when": {"device.network": "metered", "payload_kib": {"gt": 200}}},
             {"id": "low-battery", "when": {"device.battery_percent": {"lt": 10}}}],
  "budgets": {"cloud_mib_per_day": 50},
  "prefer": [{"id": "other", "when": {"model": "another"}, "plan": "edge"},
             {"id": "unsure", "when": {"model": "mlp"}, "plan": "cascade", "confidence_below": 0.0001, "deadline_ms": 250}]
})";

/// The bench's model file, pair and runtime; one per process.
struct Local {
  Local() : folder(std::filesystem::temp_directory_path() / "hearth_bench_runtime") {
    std::filesystem::create_directories(folder);
    file = folder / "mlp.pt";
    bench::write_mlp(file);
    ModelPair pair;
    pair.name = "mlp";
    pair.edge.file = file;
    pair.edge.inputs = {{"image", Datatype::kFp32, {1, 784}}};
    pair.edge.outputs = {{"scores", Datatype::kFp32, {1, 10}}};
    RuntimeConfig config;
    config.models = {pair};
    config.policy_json = kPolicy;
    config.threads = 1;
    auto made = Runtime::create(config);
    if (!made.ok()) {
      std::fprintf(stderr, "bench_runtime: %s\n", made.error().message.c_str());
      std::exit(3);
    }
    runtime = std::move(made).value();
  }
  ~Local() { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
  std::string file;
  std::unique_ptr<Runtime> runtime;
};

Request photo(const std::string& label) {
  std::vector<float> pixels(784);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i % 17) / 17;
  Request request;
  request.model = "mlp";
  request.inputs = {Tensor::of_floats("image", {1, 784}, pixels)};
  request.label = label;
  return request;
}

void local_request(benchmark::State& state) {
  Local local;
  bench::BareTorch bare(local.file);
  const Request request = photo("public");
  std::vector<double> bare_us, hearth_us;
  for (int i = 0; i < 200; ++i) {
    bare.forward(request.inputs[0].floats());
    if (local.runtime->infer(request).status != OutcomeStatus::kServed) return state.SkipWithError("not served");
  }
  for (auto _ : state) {
    const auto begin = Clock::now();
    benchmark::DoNotOptimize(bare.forward(request.inputs[0].floats()));
    const auto middle = Clock::now();
    benchmark::DoNotOptimize(local.runtime->infer(request));
    const auto end = Clock::now();
    bare_us.push_back(us(middle - begin));
    hearth_us.push_back(us(end - middle));
  }
  state.counters["bare_p50_us"] = quantile(bare_us, 0.5);
  state.counters["bare_p10_us"] = quantile(bare_us, 0.1);
  state.counters["bare_p90_us"] = quantile(bare_us, 0.9);
  state.counters["hearth_p50_us"] = quantile(hearth_us, 0.5);
  state.counters["hearth_p10_us"] = quantile(hearth_us, 0.1);
  state.counters["hearth_p90_us"] = quantile(hearth_us, 0.9);
  state.counters["overhead_us"] = quantile(hearth_us, 0.5) - quantile(bare_us, 0.5);
}
BENCHMARK(local_request)->Unit(benchmark::kMicrosecond)->Repetitions(5)->ReportAggregatesOnly(false);

/// The bench's policy for this request by hand: what an app would write that has one policy for ever.
struct ByHand {
  Mask mask;
  PlanKind plan;
};
ByHand decide_by_hand(const Request& request, Consent consent, const DeviceState& device, double mib_today) {
  Mask mask = Mask::all(2);
  if (request.label != "public") mask = mask.without_cloud();
  if (consent != Consent::kGiven) mask = mask.without_cloud();
  if (device.network != NetworkKind::kUnmetered && request.inputs[0].data.size() > 200 * 1024)
    mask = mask.without_cloud();
  if (!device.battery_percent || *device.battery_percent < 10) mask = mask.without_cloud();
  if (mib_today >= 50) mask = mask.without_cloud();
  return {mask, request.model == "mlp" ? PlanKind::kCascade : PlanKind::kEdge};
}

void decision(benchmark::State& state) {
  PrivacyGuard guard(policies::Policy::load(kPolicy, "bench").value(),
                     {{"a", "http://127.0.0.1:1", "eu"}, {"b", "http://127.0.0.1:2", "us"}}, 100);
  guard.set_consent(Consent::kGiven);
  const WallTime now{std::chrono::hours(24 * 365)};
  const privacy::Moment moment{{NetworkKind::kUnmetered, 80.0, true}, now, now};
  std::vector<Request> requests;
  for (int i = 0; i < 64; ++i) {
    requests.push_back(photo(i % 3 == 0 ? "public" : i % 3 == 1 ? "personal" : "secret"));
    if (i % 5 == 0) requests.back().model = "unlisted";
  }
  std::vector<double> hearth_ns, by_hand_ns;
  std::size_t allocated = 0;
  const double per_batch = static_cast<double>(requests.size());
  for (auto _ : state) {
    const std::size_t before = allocations;
    const auto begin = Clock::now();
    for (const auto& request : requests)
      benchmark::DoNotOptimize(guard.judge(request, guard.classify(request), moment).mask);
    const auto middle = Clock::now();
    for (const auto& request : requests)
      benchmark::DoNotOptimize(decide_by_hand(request, guard.ledger().consent(), moment.device, 0));
    const auto end = Clock::now();
    allocated += allocations - before;
    hearth_ns.push_back(1000 * us(middle - begin) / per_batch);
    by_hand_ns.push_back(1000 * us(end - middle) / per_batch);
  }
  state.counters["hearth_p50_ns"] = quantile(hearth_ns, 0.5);
  state.counters["hearth_p99_ns"] = quantile(hearth_ns, 0.99);
  state.counters["by_hand_p50_ns"] = quantile(by_hand_ns, 0.5);
  state.counters["allocations"] = static_cast<double>(allocated);
}
BENCHMARK(decision)->Unit(benchmark::kMicrosecond)->Repetitions(5)->ReportAggregatesOnly(false);

}  // namespace

int main(int argc, char** argv) { return hearth::bench::run_benchmarks(argc, argv); }
