#include "tools/hearth/optimize_command.h"

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "runtime/edge/kernels/linear.h"
#include "runtime/edge/optimize.h"
#include "tools/hearth/exit_codes.h"
#include "tools/hearth/fashion_mnist.h"
#include "tools/hearth/json_lines.h"
#include "tools/hearth/model_argument.h"
#include "tools/hearth/optimize_judge.h"
#include "tools/hearth/places.h"

namespace hearth::tool {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

int complain(const Error& error) {
  std::cerr << "hearth optimize: " << error.message << '\n';
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitBadInput;
}

std::string report_file(const OptimizeFlags& flags) {
  return flags.report.empty() ? flags.out + ".json" : flags.report;
}

/// The pair with the file to be optimized as its edge half.
Result<ModelPair> read_model(const OptimizeFlags& flags) {
  auto argument = read_model_argument(flags.model, flags.pair);
  if (!argument.ok()) return argument.error();
  const auto refuse = [](const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; };
  std::error_code ignored;
  for (const std::string& file : {flags.out, report_file(flags)}) {
    if (argument->is_read(file)) return refuse(file + ": would overwrite what is read");
  }
  if (fs::weakly_canonical(flags.out, ignored) == fs::weakly_canonical(report_file(flags), ignored)) {
    return refuse(flags.out + ": is the model and the report, expected two files");
  }
  return std::move(argument->pair);
}

struct Budget {
  std::unique_ptr<Judge> judge;
  std::string key;
  double loss_max = 0;
};

Result<Budget> budget_for(const OptimizeFlags& flags, const ModelPair& pair) {
  std::string why_not;
  const bool photos = takes_photos(pair, why_not);
  if (!flags.calibration_data.empty() && !photos) {
    return Error{ErrorCode::kInvalidArgument,
                 "--calibration-data holds Fashion-MNIST, which does not fit the model: " + why_not};
  }
  const std::string folder = flags.calibration_data.empty() ? std::string(kFashionMnistFolder) : flags.calibration_data;
  std::error_code ignored;
  if (photos && (!flags.calibration_data.empty() || fs::exists(folder, ignored))) {
    auto judge = judge_by_photos(pair, folder);
    if (!judge.ok()) return judge.error();
    return Budget{std::move(judge).value(), "accuracy_loss_max", flags.target_accuracy_loss};
  }
  auto judge = judge_by_random_inputs(pair.edge);
  if (!judge.ok()) return judge.error();
  return Budget{std::move(judge).value(), "output_error_max", flags.output_error};
}

ordered_json json_of(const edge::Spread& spread) {
  return {{"p10", spread.p10_us}, {"p50", spread.p50_us}, {"p90", spread.p90_us}};
}

ordered_json json_of(const std::vector<edge::OptimizedLayer>& layers) {
  ordered_json list = ordered_json::array();
  for (const edge::OptimizedLayer& layer : layers) {
    ordered_json entry = {{"layer", list.size()},           {"inputs", layer.inputs},
                          {"outputs", layer.outputs},       {"rows", layer.rows},
                          {"activation", layer.activation}, {"chosen", edge::name_of(layer.chosen)}};
    if (!layer.why_float.empty()) entry["why_float"] = layer.why_float;
    ordered_json& times = entry["latency_us"] = ordered_json::object();
    for (std::size_t kind = 0; kind < layer.times.size(); ++kind) {
      if (layer.times[kind]) times[std::string(edge::name_of(edge::kLayerKinds[kind]))] = json_of(*layer.times[kind]);
    }
    list.push_back(std::move(entry));
  }
  return list;
}

std::string cell(const std::optional<edge::Spread>& spread) {
  if (!spread) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f (%.1f-%.1f)", spread->p50_us, spread->p10_us, spread->p90_us);
  return text;
}

void print(const edge::Optimized& done, const ordered_json& report) {
  std::printf("Judged on %s. Microseconds, one thread: median (p10-p90) of turns.\n\n",
              report["judged_on"].get<std::string>().c_str());
  std::printf("  %-5s %-13s %-18s %-18s %-18s %-18s %s\n", "layer", "size", "float", "torch_int8", "hearth_int8",
              "hearth_int4", "chosen");
  for (std::size_t i = 0; i < done.layers.size(); ++i) {
    const auto& layer = done.layers[i];
    const std::string size = std::to_string(layer.inputs) + " to " + std::to_string(layer.outputs);
    std::printf("  %-5zu %-13s", i, size.c_str());
    for (const auto& spread : layer.times) std::printf(" %-18s", cell(spread).c_str());
    std::printf(" %s%s%s\n", std::string(edge::name_of(layer.chosen)).c_str(), layer.why_float.empty() ? "" : ": ",
                layer.why_float.c_str());
  }
  std::printf("\n  %-7s %10s   %-24s", "model", "size", "latency");
  for (const auto& [key, value] : report["before"].items()) {
    if (value.is_number_float()) std::printf("   %s", key.c_str());
  }
  for (const char* when : {"before", "after"}) {
    if (!report.contains(when)) continue;
    const auto& spread = when == std::string("before") ? done.before : done.after;
    std::printf("\n  %-7s %6.1f KiB   %-24s", when, report[when]["bytes"].get<double>() / 1024, cell(spread).c_str());
    for (const auto& [key, value] : report[when].items()) {
      if (value.is_number_float()) std::printf("   %-*.4f", static_cast<int>(key.size()), value.get<double>());
    }
  }
  std::printf("\n");
}

Status write_report(const std::string& file, const ordered_json& report) {
  auto writer = LineWriter::open(file);
  if (!writer.ok()) return writer.error();
  writer->write(report.dump(2));
  return writer->publish();
}

/// Size, latency and answers before, and after where a model was written.
Result<ordered_json> report_of(edge::TorchEngine& engine, const ModelPair& pair, const OptimizeFlags& flags,
                               const Budget& budget, EdgeModel& float_model, const edge::Optimized& done) {
  ordered_json report = {{"model", pair.edge.file},
                         {"model_sha256", float_model.sha256()},
                         {"machine", machine_line()},
                         {"vector_code", edge::kernels::vector_codes().front()},
                         {"judged_on", budget.judge->judged_on()},
                         {budget.key, budget.loss_max},
                         {"layers", json_of(done.layers)},
                         {"written", done.written}};
  if (!done.why_not.empty()) report["why_not"] = done.why_not;
  const auto one = [&](EdgeModel& model, std::uint64_t bytes, const edge::Spread& spread) -> Result<ordered_json> {
    auto figures = budget.judge->figures(model);
    if (!figures.ok()) return figures;
    ordered_json entry = {{"bytes", bytes}};
    if (spread.p50_us > 0) entry["latency_us"] = json_of(spread);
    entry.update(figures.value());
    return entry;
  };
  auto before = one(float_model, done.bytes_before, done.before);
  if (!before.ok()) return before;
  report["before"] = std::move(before).value();
  if (!done.written) return report;
  EdgeBinding binding = pair.edge;
  binding.file = flags.out;
  binding.sha256.clear();
  const auto model = engine.load(binding);
  if (!model.ok()) return model.error();
  auto after = one(**model, done.bytes_after, done.after);
  if (!after.ok()) return after;
  report["out"] = flags.out;
  report["out_sha256"] = (*model)->sha256();
  report["after"] = std::move(after).value();
  return report;
}

}  // namespace

int optimize(const OptimizeFlags& flags) {
  const auto pair = read_model(flags);
  if (!pair.ok()) return complain(pair.error());
  const auto budget = budget_for(flags, *pair);
  if (!budget.ok()) return complain(budget.error());
  edge::TorchEngine engine(1);
  const auto float_model = engine.load(pair->edge);
  if (!float_model.ok()) return complain(float_model.error());
  if (const auto seen = budget->judge->look_at_float(**float_model); !seen.ok()) return complain(seen.error());

  edge::OptimizeOptions options;
  options.binding = pair->edge;
  options.out_file = flags.out;
  options.inputs = budget->judge->inputs();
  options.loss = [&](EdgeModel& candidate) { return budget->judge->loss(candidate); };
  options.loss_max = budget->loss_max;
  options.progress = [](std::string_view line) { std::cerr << "  " << line << '\n'; };
  const auto done = edge::optimize(engine, options);
  if (!done.ok()) return complain(done.error());
  const auto report = report_of(engine, *pair, flags, *budget, **float_model, *done);
  if (!report.ok()) return complain(report.error());
  if (const auto kept = write_report(report_file(flags), *report); !kept.ok()) return complain(kept.error());
  if (flags.json) {
    std::cout << report->dump(2) << '\n';
  } else {
    print(*done, *report);
  }
  if (done->written) return kExitOk;
  std::cerr << "hearth optimize: " << done->why_not << "; only the report was written: " << report_file(flags) << '\n';
  return kExitNo;
}

}  // namespace hearth::tool
