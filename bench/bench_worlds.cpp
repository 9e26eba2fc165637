// What a simulated world costs besides its decisions: when the next request comes, and a message's way over the link.
//
//   arrival/<process>   Source::next(): the next request of a stream with a mixture of kinds and drawn sizes
//   message/<link>      one_way() and a transfer through the pipe, on a virtual loop, with so many others under way
//   events/<pending>    a bare event of the virtual loop, with so many pending: taken, run, and the next one set
//   reference/draw      the least that an arrival can cost: one exponential gap from the same stream of draws
//
// ns an item; allocations an item after the first 10,000. bench_worlds [--quick]
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "bench/bench_main.h"
#include "bench/counted_new.h"
#include "runtime/sim/link.h"
#include "runtime/sim/virtual_loop.h"
#include "runtime/sim/workload.h"

namespace {

using namespace hearth;
using namespace hearth::sim;
using bench::allocations;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kWarmUp = 10'000;

template <class One>
void report(benchmark::State& state, const One& one) {
  for (int i = 0; i < kWarmUp; ++i) one();
  const std::size_t before = allocations;
  for ([[maybe_unused]] auto _ : state) one();
  state.counters["allocations"] = static_cast<double>(allocations - before) /
                                  static_cast<double>(std::max<benchmark::IterationCount>(1, state.iterations()));
}

Stream stream_of(ArrivalProcess process) {
  Stream stream;
  stream.name = "photos";
  stream.arrivals = std::move(process);
  stream.kinds.resize(3);
  stream.kinds[0].share = 0.7;
  stream.kinds[1].share = 0.2;
  stream.kinds[2].share = 0.1;
  stream.kinds[1].in_session = true;
  stream.sessions = 20;
  return stream;
}

void arrival(benchmark::State& state, Stream stream) {
  Source source(stream, 0, 0, 1);
  report(state, [&] {
    auto one = source.next();
    if (!one) source = Source(stream, 0, 0, 1);
    benchmark::DoNotOptimize(one);
  });
}

void message(benchmark::State& state, const LinkModel& model, std::uint64_t others) {
  VirtualLoop loop;
  Link link(loop, model, 1);
  for (std::uint64_t i = 0; i < others; ++i) link.up().start(1ull << 50, [] {});  // for longer than this runs
  bool done = false;
  report(state, [&] {
    done = false;
    benchmark::DoNotOptimize(link.one_way(20'000));
    link.up().start(20'000, [&done] { done = true; });
    while (!done) loop.run_until(loop.now() + (others > 0 ? Duration(seconds(200)) : Duration(milliseconds(50))));
  });
}

/// Each of the pending events sets the one that follows it, at a random time up to a millisecond later.
class Ticking {
 public:
  explicit Ticking(int pending) {
    for (int i = 0; i < pending; ++i) set_next();
  }
  void run_for(Duration time) { loop_.run_until(loop_.now() + time); }
  std::uint64_t ran() const { return loop_.ran(); }

 private:
  void set_next() {
    loop_.schedule_at(loop_.now() + Duration(draws_.below(1'000'000)), [this] { set_next(); });
  }
  VirtualLoop loop_;
  RandomStream draws_{1, "ticking"};
};

void events(benchmark::State& state, int pending) {
  Ticking ticking(pending);
  ticking.run_for(milliseconds(10));
  const std::uint64_t before = ticking.ran();
  for ([[maybe_unused]] auto _ : state) ticking.run_for(milliseconds(1));
  state.SetItemsProcessed(static_cast<std::int64_t>(ticking.ran() - before));
}

void draw(benchmark::State& state) {
  RandomStream stream(1, "reference");
  report(state, [&] { benchmark::DoNotOptimize(stream.exponential(1)); });
}

void add_all() {
  Stream sized = stream_of(PoissonArrivals{10});
  sized.payload = {20'000, 0.5, 1 << 20};
  sized.reply = {400, 0.5, 1 << 20};
  Stream shaped = stream_of(PoissonArrivals{10});
  shaped.shape.diurnal_amplitude = 0.5;
  shaped.shape.spikes = {{seconds(100), seconds(10), 8}};
  ModulatedArrivals modulated;
  modulated.states = {{1, seconds(10)}, {20, seconds(1)}};
  const std::pair<const char*, Stream> streams[] = {{"poisson", stream_of(PoissonArrivals{10})},
                                                    {"poisson_sized", sized},
                                                    {"poisson_shaped", shaped},
                                                    {"gamma", stream_of(GammaArrivals{10, 2})},
                                                    {"modulated", stream_of(modulated)}};
  for (const auto& [name, stream] : streams)
    benchmark::RegisterBenchmark((std::string("arrival/") + name).c_str(),
                                 [stream = stream](benchmark::State& state) { arrival(state, stream); });
  LinkModel plain, radio;
  radio.loss.enter_bad = 0.002;
  radio.handovers.every = seconds(6);
  radio.handovers.gap_median = milliseconds(290);
  LinkModel traced;
  auto rates = std::make_shared<RateTrace>();
  for (int s = 1; s <= 1000; ++s) rates->pieces.push_back({seconds(s), 1e6 * s});
  traced.up_rate = rates;
  const std::pair<const char*, LinkModel> links[] = {{"plain", plain}, {"radio", radio}, {"rate_trace", traced}};
  for (const auto& [name, model] : links)
    benchmark::RegisterBenchmark((std::string("message/") + name).c_str(),
                                 [model = model](benchmark::State& state) { message(state, model, 0); });
  for (const std::uint64_t others : {64, 4096})
    benchmark::RegisterBenchmark(("message/plain_beside_" + std::to_string(others)).c_str(),
                                 [plain, others](benchmark::State& state) { message(state, plain, others); });
  benchmark::RegisterBenchmark("events/16000", [](benchmark::State& state) { events(state, 16'000); });
  benchmark::RegisterBenchmark("reference/draw", draw);
}

}  // namespace

int main(int argc, char** argv) {
  add_all();
  return hearth::bench::run_benchmarks(argc, argv);
}
