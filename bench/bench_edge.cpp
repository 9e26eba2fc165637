/// \file bench_edge: our linear kernels next to LibTorch and ONNX Runtime, and next to what the machine can do.
///
/// Stacks of four square linear layers with biases, 512 to 4096 wide, batch 1 and 8, one and two threads. The engines
/// take turns, several rounds each, so that a change of the machine's load meets all of them; medians with the 10th and
/// 90th percentile. ONNX Runtime runs in node (bench/peers/install puts it there); what a call through node costs is
/// measured with an empty model and taken off before ratios are formed. Then small nets: what the engine adds to the
/// arithmetic; and the memory a loaded model takes. Last, a transformer encoder
/// through the search of `hearth optimize`. Without LibTorch or the packages it says so.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/encoder.h"
#include "bench/limits.h"
#include "bench/stack_engine.h"
#ifdef HEARTH_BENCH_TORCH
#include "bench/small_nets.h"
#endif
#include "runtime/edge/kernels/thread_team.h"

namespace {

using namespace hearth::bench;
using hearth::edge::kernels::ThreadTeam;
using Json = nlohmann::ordered_json;

struct Options {
  std::string json;
  std::string peers = "build/peers";
  std::string vector_code;
  std::vector<std::size_t> widths = {512, 1024, 2048, 4096};
  bool encoder = true;
  bool quick = false;
};

/// For files of this run.
struct Folder {
  Folder()
      : path(std::filesystem::temp_directory_path() /
             ("bench_edge_" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()))) {
    std::filesystem::create_directory(path);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path path;
};

struct Spread {
  double median = 0, p10 = 0, p90 = 0;
};

Spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  return {at(0.5), at(0.1), at(0.9)};
}

using Times = std::map<std::string, Spread>;

struct Limits {
  double bytes_per_s;       ///< Reading as many bytes as the int8 weights are.
  double int4_bytes_per_s;  ///< As many as the int4 weights: fewer, which may lie in a nearer cache.
  double products_per_s;
};

struct Measured {
  Case c;
  Times times;
  Limits limits;

  /// Without what a call through node costs; 0 when not measured. The 10th percentile says what an engine takes when
  /// nothing else runs, even on a machine where something does.
  double us(const std::string& engine, double Spread::*of = &Spread::median) const {
    const auto found = times.find(engine);
    if (found == times.end()) return 0;
    const auto empty = times.find("ort_empty");
    const bool ort = engine.starts_with("ort_") && empty != times.end();
    return found->second.*of - (ort ? empty->second.*of : 0);
  }
};

Stack make_stack(std::size_t width) {
  Stack stack{width, {}, {}};
  std::uint32_t state = 1;
  const auto next = [&] {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;  // xorshift32
    return static_cast<float>(static_cast<std::int32_t>(state)) / 2147483648.0F;
  };
  const float size = std::sqrt(3.0F / static_cast<float>(width));  // Outputs as large as inputs.
  for (std::size_t i = 0; i < kLayers; ++i) {
    stack.weights.emplace_back(width * width);
    stack.biases.emplace_back(width);
    for (float& w : stack.weights.back()) w = next() * size;
    for (float& b : stack.biases.back()) b = next() / 10;
  }
  return stack;
}

Times take_turns(Engines& engines, const Case& c, bool quick) {
  std::vector<StackEngine*> ready;
  for (auto& engine : engines) {
    if (engine->prepare(c)) ready.push_back(engine.get());
  }
  std::map<std::string, std::vector<double>> all;
  for (int round = 0; round < (quick ? 1 : 5); ++round) {
    for (StackEngine* engine : ready) {
      engine->run(quick ? 0.01 : 0.1, 200);  // Caches and threads become this engine's.
      auto& samples = all[engine->name()];
      const auto some = engine->run(quick ? 0.05 : 0.3, 400);
      samples.insert(samples.end(), some.begin(), some.end());
    }
  }
  Times times;
  for (auto& [name, samples] : all) times[name] = spread_of(std::move(samples));
  return times;
}

/// The bytes of weights that a pass over the stack reads.
double weight_bytes(const std::string& engine, const Case& c) {
  const double bits = engine == "hearth_int4" ? 4.5 : engine.ends_with("fp32") ? 32 : 8;
  return static_cast<double>(kLayers * c.width * c.width) * bits / 8;
}

void print_case(const Measured& m) {
  const auto& [c, times, limits] = m;
  std::printf("\n%zu wide, batch %zu, %zu thread%s: reading at most %.1f GB/s of int8, %.1f of int4", c.width, c.batch,
              c.threads, c.threads == 1 ? "" : "s", limits.bytes_per_s / 1e9, limits.int4_bytes_per_s / 1e9);
  if (limits.products_per_s > 0) std::printf(" and %.0f G products/s", limits.products_per_s / 1e9);
  std::printf("\n");
  const double products = static_cast<double>(kLayers * c.width * c.width * c.batch);
  for (const auto& [name, spread] : times) {
    std::printf("  %-20s %10.1f us (%.1f-%.1f)", name.c_str(), spread.median, spread.p10, spread.p90);
    if (name != "ort_empty") {
      const double us = m.us(name);
      std::printf("  %6.1f GB/s  %7.1f G products/s", weight_bytes(name, c) / us / 1e3, products / us / 1e3);
    }
    std::printf("\n");
  }
}

/// How near ours comes to the nearer of its two limits, 0 to 1.
double share_of_limit(const Measured& m, const std::string& engine, double Spread::*of = &Spread::median) {
  const double products = static_cast<double>(kLayers * m.c.width * m.c.width * m.c.batch);
  const double bytes_per_s = engine == "hearth_int4" ? m.limits.int4_bytes_per_s : m.limits.bytes_per_s;
  const double reading = weight_bytes(engine, m.c) / bytes_per_s;
  const double computing = m.limits.products_per_s > 0 ? products / m.limits.products_per_s : 0;
  return std::max(reading, computing) * 1e6 / m.us(engine, of);
}

/// One engine's times as shares of another's, over some cases.
class Shares {
 public:
  Shares(std::string engine, std::string peer) : engine_(std::move(engine)), peer_(std::move(peer)) {}

  void add(const Measured& m) {
    if (m.us(engine_) <= 0 || m.us(peer_) <= 0) return;
    medians_.push_back(m.us(engine_) / m.us(peer_));
    fast_.push_back(m.us(engine_, &Spread::p10) / m.us(peer_, &Spread::p10));
  }

  void print(const char* where, const char* goal) const {
    std::printf("  %s of %s, %s: ", engine_.c_str(), peer_.c_str(), where);
    if (medians_.empty()) {
      std::printf("not measured\n");
    } else {
      std::printf("mean %.2f, worst %.2f; of 10th percentiles mean %.2f, worst %.2f (%s)\n", mean(medians_),
                  std::ranges::max(medians_), mean(fast_), std::ranges::max(fast_), goal);
    }
  }

 private:
  static double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += std::log(value);
    return std::exp(sum / static_cast<double>(values.size()));
  }

  std::string engine_;
  std::string peer_;
  std::vector<double> medians_;
  std::vector<double> fast_;
};

void print_goals(const std::vector<Measured>& all) {
  Shares batch1("hearth_int8", "ort_int8"), batch8("hearth_int8", "ort_int8"), int4("hearth_int4", "ort_int8");
  Shares torch("hearth_int8", "torch_fp32");
  for (const Measured& m : all) {
    (m.c.batch == 1 ? batch1 : batch8).add(m);
    if (m.c.batch == 1 && m.c.width >= 2048) int4.add(m);
    if (m.c.width >= 1024) torch.add(m);
  }
  std::printf("\ntime as a share of a peer's, geometric means:\n");
  batch1.print("batch 1", "goal: mean 0.70, worst 1.00");
  batch8.print("batch 8", "goal: mean 1.00");
  int4.print("batch 1, 2048 and 4096 wide", "goal: mean 0.60");
  torch.print("from 1024 wide", "goal: worst 0.33");
  std::printf("share of the nearer limit, and what is read, batch 1 (goal from 1024 wide: 0.70):\n");
  for (const Measured& m : all) {
    if (m.c.batch != 1) continue;
    std::printf("  %4zu wide, %zu threads:", m.c.width, m.c.threads);
    for (const char* const engine : {"hearth_int8", "hearth_int4"}) {
      const double us = m.us(engine);
      std::printf("  %s %.2f (of 10th percentile %.2f), %.1f GB/s", engine, share_of_limit(m, engine),
                  share_of_limit(m, engine, &Spread::p10), weight_bytes(engine, m.c) / us / 1e3);
    }
    std::printf("\n");
  }
}

/// The largest difference of an engine's answer from LibTorch's float answer, as a share of its largest number.
void print_differences(const Engines& engines) {
  const auto exact = std::ranges::find_if(engines, [](const auto& engine) { return engine->name() == "torch_fp32"; });
  if (exact == engines.end()) return;
  const auto right = (*exact)->output();
  for (const auto& engine : engines) {
    const auto output = engine->output();
    if (output.size() != right.size() || engine == *exact) continue;
    float worst = 0;
    float largest = 0;
    for (std::size_t i = 0; i < right.size(); ++i) {
      worst = std::max(worst, std::abs(output[i] - right[i]));
      largest = std::max(largest, std::abs(right[i]));
    }
    std::printf("  %s differs from torch_fp32 by at most %.4f of its largest output\n", engine->name().c_str(),
                worst / largest);
  }
}

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

double load_average() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : -1;
}

/// Rows of the small nets, measured and printed. Empty without LibTorch.
Json small_nets(bool quick) {
  Json rows = Json::array();
#ifdef HEARTH_BENCH_TORCH
  const Folder folder;
  const auto times = time_small_nets(folder.path, quick);
  print(times);
  print(measure_memory(folder.path, quick));
  for (const auto& [net, engine, time] : times) {
    rows.push_back({{"case", net},
                    {"batch", 1},
                    {"threads", 1},
                    {"engine", engine},
                    {"median_us", time.p50_us},
                    {"p10_us", time.p10_us},
                    {"p90_us", time.p90_us}});
  }
#else
  static_cast<void>(quick);
#endif
  return rows;
}

/// The encoder's two rows; empty where it was not measured.
Json measure_encoder(const Options& options) {
  Json rows = Json::array();
#ifdef HEARTH_BENCH_TORCH
  const auto folder = std::filesystem::temp_directory_path() /
                      ("bench_encoder_" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
  std::filesystem::create_directory(folder);
  const EncoderFigures f = run_encoder(folder, options.quick);
  std::filesystem::remove_all(folder);
  std::printf("\ntransformer encoder, %s, 384 wide, 128 tokens, one thread, through hearth optimize:\n",
              options.quick ? "1 layer" : "6 layers");
  if (!f.written) {
    std::printf("  left as it was: %s\n", f.why_not.c_str());
    return rows;
  }
  std::printf("  torch_fp32 %10.1f us (%.1f-%.1f)  %8.1f KiB\n", f.float_us, f.float_p10_us, f.float_p90_us,
              static_cast<double>(f.float_bytes) / 1024);
  std::printf("  optimized  %10.1f us (%.1f-%.1f)  %8.1f KiB: layers%s; output error %.4f\n", f.fast_us, f.fast_p10_us,
              f.fast_p90_us, static_cast<double>(f.fast_bytes) / 1024, f.layers.c_str(), f.output_error);
  std::printf("  %.2f times as fast (goal 1.40), %.3f of the size (goal 0.270)\n", f.float_us / f.fast_us,
              static_cast<double>(f.fast_bytes) / static_cast<double>(f.float_bytes));
  const auto row = [&](const char* engine, double us, double p10, double p90, std::uint64_t bytes) {
    rows.push_back({{"case", "encoder"},
                    {"width", 384},
                    {"batch", 1},
                    {"threads", 1},
                    {"engine", engine},
                    {"median_us", us},
                    {"p10_us", p10},
                    {"p90_us", p90},
                    {"bytes", bytes}});
  };
  row("torch_fp32", f.float_us, f.float_p10_us, f.float_p90_us, f.float_bytes);
  row("hearth_optimize", f.fast_us, f.fast_p10_us, f.fast_p90_us, f.fast_bytes);
#else
  (void)options;
#endif
  return rows;
}

void write_json(const std::vector<Measured>& all, Json rows, const std::string& file) {
  Json limits = Json::array();
  for (const auto& [c, times, limit] : all) {
    for (const auto& [name, spread] : times) {
      rows.push_back({{"case", "linear_stack"},
                      {"width", c.width},
                      {"batch", c.batch},
                      {"threads", c.threads},
                      {"engine", name},
                      {"median_us", spread.median},
                      {"p10_us", spread.p10},
                      {"p90_us", spread.p90}});
    }
    limits.push_back({{"width", c.width},
                      {"batch", c.batch},
                      {"threads", c.threads},
                      {"read_bytes_per_s", limit.bytes_per_s},
                      {"int4_read_bytes_per_s", limit.int4_bytes_per_s},
                      {"products_per_s", limit.products_per_s}});
  }
  const Json document = {{"processor", processor()},
                         {"vector_code", hearth::edge::kernels::vector_codes().front()},
                         {"load_average", load_average()},
                         {"rows", rows},
                         {"limits", limits}};
  std::ofstream(file) << document.dump(1) << "\n";
}

bool has_ort(const std::string& folder) {
  return std::filesystem::exists(folder + "/node_modules/onnxruntime-node") &&
         std::system("node --version > /dev/null 2>&1") == 0;
}

std::vector<Measured> measure(const Options& options) {
  const Folder folder;
  std::vector<Measured> all;
  for (const std::size_t width : options.widths) {
    const Stack stack = make_stack(width);
    Engines engines;
    add_hearth_engines(stack, engines);
#ifdef HEARTH_BENCH_TORCH
    add_torch_engines(stack, folder.path, engines);
#endif
    if (has_ort(options.peers)) add_ort_engines(options.peers, engines);
    for (const std::size_t batch : {1U, 8U}) {
      for (const std::size_t threads : {1U, 2U}) {
        const Case c{width, batch, threads};
        ThreadTeam team(threads);
        const std::size_t bytes = kLayers * width * width;
        const Limits limits{read_bytes_per_s(bytes, team.threads(), options.quick),
                            read_bytes_per_s(bytes * 9 / 16, team.threads(), options.quick),
                            products_per_s(team.threads(), options.quick)};
        all.push_back({c, take_turns(engines, c, options.quick), limits});
        print_case(all.back());
        std::fflush(stdout);
      }
    }
    print_differences(engines);
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Linear layers on this device: hearth, LibTorch, ONNX Runtime.\nexample: bench_edge --json out/edge.json");
  Options options;
  bool encoder_only = false;
  app.add_option("--json", options.json, "write the rows to this file");
  app.add_option("--peers", options.peers, "folder where bench/peers/install put the npm packages");
  app.add_option("--widths", options.widths, "only these stacks; 0: none")->delimiter(',')->check(CLI::Range(0, 16384));
  app.add_option("--vector-code", options.vector_code, "let hearth run this one, not the best (AVX2, ...)")
      ->check(CLI::IsMember(hearth::edge::kernels::vector_codes()));
  app.add_flag("--encoder,!--no-encoder", options.encoder, "also a transformer encoder");
  app.add_flag("--encoder-only", encoder_only, "nothing but the encoder");
  app.add_flag("--quick", options.quick, "short: 512 wide only, few runs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : 2; }
  if (!options.json.empty() && !std::ofstream(options.json, std::ios::app)) {
    std::fprintf(stderr, "bench_edge: --json %s: cannot be written\n", options.json.c_str());
    return 2;
  }
  if (options.quick) options.widths = {512};
  std::erase(options.widths, 0);
  if (encoder_only) options.widths.clear();
  hearth::edge::kernels::choose_vector_code(options.vector_code);

  std::printf("%s, vector code %s, load average before %.1f (other work on the machine spoils two threads first)\n",
              processor().c_str(), hearth::edge::kernels::vector_codes().front().c_str(), load_average());
  if (!has_ort(options.peers)) {
    std::printf("ort: no node, or no onnxruntime-node in %s (bench/peers/install puts it there): not measured\n",
                options.peers.c_str());
  }
#ifndef HEARTH_BENCH_TORCH
  std::printf("torch: built without LibTorch: not measured\n");
#endif
  try {
    const auto all = measure(options);
    if (!all.empty()) print_goals(all);
    Json rows = encoder_only ? Json::array() : small_nets(options.quick);
    if (options.encoder) {
      for (auto& row : measure_encoder(options)) rows.push_back(std::move(row));
    }
    if (!options.json.empty()) write_json(all, std::move(rows), options.json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_edge: %s\n", error.what());
    return 3;
  }
  return 0;
}
