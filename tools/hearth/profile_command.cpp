#include "tools/hearth/profile_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "runtime/device/energy_meter.h"
#include "runtime/edge/torch_engine.h"
#include "runtime/signals/profile.h"
#include "tools/hearth/exit_codes.h"
#include "tools/hearth/json_lines.h"
#include "tools/hearth/measure_model.h"
#include "tools/hearth/model_argument.h"
#include "tools/hearth/optimize_judge.h"
#include "tools/hearth/places.h"
#include "tools/hearth/training_line.h"

namespace hearth::tool {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::uint64_t kBatchMax = 65'536;
constexpr std::uint64_t kThreadsMax = 256;

Error refuse(const std::string& what) { return {ErrorCode::kInvalidArgument, what}; }

int complain(const Error& error) {
  std::cerr << "hearth profile: " << error.message << '\n';
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitBadInput;
}

std::string out_file(const ProfileFlags& flags, const EdgeBinding& edge) {
  if (!flags.out.empty()) return flags.out;
  return edge.profile.empty() ? fs::path(edge.file).replace_extension(".profile.json").string() : edge.profile;
}

/// Whether the pair says that a pass takes any number of inferences: first in each shape, -1.
bool takes_batches(const EdgeBinding& edge) {
  const auto open = [](const TensorSpec& spec) { return !spec.shape.empty() && spec.shape.front() == -1; };
  return std::ranges::all_of(edge.inputs, open) && std::ranges::all_of(edge.outputs, open);
}

Status check_counts(const char* flag, const std::vector<std::uint64_t>& counts, std::uint64_t most) {
  std::set<std::uint64_t> seen;
  for (const std::uint64_t count : counts) {
    if (count < 1 || count > most)
      return refuse(std::string(flag) + ": expected 1 to " + std::to_string(most) + ", got " + std::to_string(count));
    if (!seen.insert(count).second) return refuse(std::string(flag) + ": " + std::to_string(count) + " is there twice");
  }
  return Done{};
}

Result<MeasurePlan> plan_of(const ProfileFlags& flags, const EdgeBinding& edge) {
  MeasurePlan plan{flags.batches, flags.threads, from_ms(1000 * flags.seconds * (flags.quick ? 0.1 : 1))};
  if (auto good = check_counts("--batches", plan.batches, kBatchMax); !good.ok()) return good.error();
  if (auto good = check_counts("--threads", plan.threads, kThreadsMax); !good.ok()) return good.error();
  const bool any = takes_batches(edge);
  if (plan.batches.empty()) plan.batches = any ? std::vector<std::uint64_t>{1, 4, 16} : std::vector<std::uint64_t>{1};
  if (!any && plan.batches != std::vector<std::uint64_t>{1})
    return refuse("--batches: the pair's shapes do not all begin with -1, so only batch 1 is known to work");
  std::ranges::sort(plan.batches);
  std::ranges::sort(plan.threads);
  return plan;
}

InputsOf inputs_of(const EdgeBinding& edge) {
  return [&edge](std::uint64_t batch) -> Result<std::vector<Tensor>> {
    RandomStream random(1, "profile");
    std::vector<Tensor> inputs;
    for (TensorSpec spec : edge.inputs) {
      if (batch > 1) spec.shape.front() = static_cast<std::int64_t>(batch);
      auto input = draw_input(spec, random);
      if (!input.ok()) return Error{input.error().code, edge.file + ": " + input.error().message};
      inputs.push_back(std::move(input).value());
    }
    return inputs;
  };
}

struct Share {
  const char* name;
  double q;
};
constexpr Share kShares[] = {{"p10", 0.1}, {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};

/// Known when at least one sample lies beyond it.
std::optional<double> us_at(const signals::QuantileSketch& latency, double q) {
  if (double{latency.weight()} * (1 - q) < 1 - 1e-6) return {};
  return 1000 * to_ms(latency.quantile(q));
}

ordered_json figures_of(const signals::Profile& profile, const std::vector<MeasuredRow>& rows, const std::string& model,
                        const std::string& out) {
  ordered_json figures = {{"model", model},
                          {"model_sha256", profile.edge[0].model_sha256},
                          {"machine", {{"cpu", profile.machine->cpu}, {"cores", profile.machine->cores}}},
                          {"out", out},
                          {"rows", ordered_json::array()}};
  for (const MeasuredRow& one : rows) {
    ordered_json latency = ordered_json::object();
    for (const auto& [name, q] : kShares) {
      if (const auto us = us_at(one.row.latency, q)) latency[name] = *us;
    }
    ordered_json row = {{"batch", one.row.batch},
                        {"threads", one.row.threads},
                        {"samples", static_cast<std::uint64_t>(one.row.latency.weight())},
                        {"latency_us", std::move(latency)},
                        {"median_spread", one.spread},
                        {"inferences_per_s", one.inferences_per_s}};
    if (one.row.joules_per_inference) row["joules_per_inference"] = *one.row.joules_per_inference;
    figures["rows"].push_back(std::move(row));
  }
  return figures;
}

void print(const ordered_json& figures) {
  const auto& machine = figures["machine"];
  std::printf("%s, %d cores. Microseconds of a pass; spread: of the medians of %d rounds.\n\n",
              machine["cpu"].get<std::string>().c_str(), machine["cores"].get<int>(), kMeasureRounds);
  std::printf("  %7s %5s %8s", "threads", "batch", "samples");
  for (const auto& share : kShares) std::printf(" %9s", share.name);
  std::printf(" %8s %12s %13s\n", "spread", "inferences/s", "J/inference");
  for (const auto& row : figures["rows"]) {
    std::printf("  %7d %5d %8d", row["threads"].get<int>(), row["batch"].get<int>(), row["samples"].get<int>());
    for (const auto& share : kShares) {
      const auto& latency = row["latency_us"];
      if (latency.contains(share.name)) {
        std::printf(" %9.1f", latency[share.name].get<double>());
      } else {
        std::printf(" %9s", "-");
      }
    }
    std::printf(" %6.1f %% %12.0f", 100 * row["median_spread"].get<double>(), row["inferences_per_s"].get<double>());
    if (row.contains("joules_per_inference")) {
      std::printf(" %13.3g\n", row["joules_per_inference"].get<double>());
    } else {
      std::printf(" %13s\n", "-");
    }
  }
  std::printf("\n  %s holds it.\n", figures["out"].get<std::string>().c_str());
}

}  // namespace

int profile(const ProfileFlags& flags) {
  const auto argument = read_model_argument(flags.model, flags.pair);
  if (!argument.ok()) return complain(argument.error());
  const EdgeBinding& edge = argument->pair.edge;
  const auto plan = plan_of(flags, edge);
  if (!plan.ok()) return complain(plan.error());
  const std::string out = out_file(flags, edge);
  if (argument->is_read(out)) return complain(refuse(out + ": would overwrite what is read"));
  auto writer = LineWriter::open(out);
  if (!writer.ok()) return complain(writer.error());
  edge::TorchEngine engine(1);
  const auto model = engine.load(edge);
  if (!model.ok()) return complain(model.error());

  auto meter = device::EnergyMeter::open();
  TrainingLine line("measuring");
  const auto rows = measure_model(**model, *plan, inputs_of(edge), meter.ok() ? &meter.value() : nullptr,
                                  [&](double done) { line.show(done); });
  if (!rows.ok()) return complain(rows.error());
  signals::Profile profile;
  profile.machine = {processor_name(), std::max(1u, std::thread::hardware_concurrency())};
  auto& measured = profile.edge.emplace_back();
  measured.model_sha256 = (*model)->sha256();
  for (const MeasuredRow& one : *rows) measured.rows.push_back(one.row);
  std::string text = text_of(profile);
  text.pop_back();  // the writer ends the line
  writer->write(text);
  if (const auto kept = writer->publish(); !kept.ok()) return complain(kept.error());
  const auto figures = figures_of(profile, *rows, edge.file, out);
  if (flags.json) {
    std::cout << figures.dump(2) << '\n';
  } else {
    print(figures);
  }
  return kExitOk;
}

}  // namespace hearth::tool
