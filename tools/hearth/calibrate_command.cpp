#include "tools/hearth/calibrate_command.h"

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "policies/calibration.h"
#include "tools/hearth/cascade_fit.h"
#include "tools/hearth/command.h"
#include "tools/hearth/json_lines.h"

namespace hearth::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLineBytesMax = 1 << 20;
constexpr std::size_t kSamplesMin = 100;
constexpr std::size_t kSamplesMax = 5'000'000;

struct Options {
  std::string records = "-";
  std::string out;
  std::string scores = "logits";
  double target = 0.99;
  double cloud_share_max = 1;
  bool json = false;
};

int complain(const std::string& what, int code) {
  std::cerr << "hearth calibrate: " << what << '\n';
  return code;
}

Error expected(const char* what) { return {ErrorCode::kInvalidArgument, std::string("expected ") + what}; }

/// {"edge_scores": [...], "label": 3, "cloud_label": 3}, or {"confidence": 0.9, "edge_label", "label", "cloud_label"}.
Result<CascadeSample> read_sample(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return expected("a JSON object");
  const auto index = [&](const char* key) -> std::optional<std::size_t> {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_unsigned() ? std::optional(found->get<std::size_t>()) : std::nullopt;
  };
  const auto label = index("label"), cloud_label = index("cloud_label");
  if (!label || !cloud_label) return expected("\"label\" and \"cloud_label\", whole numbers from 0");
  CascadeSample sample;
  sample.label = *label;
  sample.cloud_right = *cloud_label == *label;
  if (json.contains("edge_scores")) {
    const auto& scores = json["edge_scores"];
    if (!scores.is_array() || scores.size() < 2) return expected("\"edge_scores\", an array of two numbers or more");
    for (const auto& score : scores) {
      if (!score.is_number()) return expected("\"edge_scores\" that are numbers");
      sample.edge_scores.push_back(score.get<float>());
    }
    if (*label >= scores.size()) return expected("a \"label\" that is an index into \"edge_scores\"");
    const auto top = std::ranges::max_element(sample.edge_scores) - sample.edge_scores.begin();
    sample.edge_right = static_cast<std::size_t>(top) == *label;
    return sample;
  }
  const auto edge_label = index("edge_label");
  if (!json.contains("confidence") || !json["confidence"].is_number() || !edge_label)
    return expected("\"edge_scores\", or \"confidence\" and \"edge_label\"");
  sample.own_confidence = json["confidence"].get<float>();
  sample.edge_right = *edge_label == *label;
  return sample;
}

Result<std::vector<CascadeSample>> read_samples(const std::string& file) {
  auto reader = LineReader::open(file, kLineBytesMax, [] {});
  if (!reader.ok()) return reader.error();
  std::vector<CascadeSample> samples;
  while (const auto line = reader->next()) {
    const std::string place = (file == "-" ? "standard input" : file) + ":" + std::to_string(reader->line()) + ": ";
    if (line->find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto sample = reader->too_long() ? Result<CascadeSample>(expected("a line of at most 1 MiB")) : read_sample(*line);
    if (!sample.ok()) return Error{ErrorCode::kInvalidArgument, place + sample.error().message};
    const bool alike = samples.empty() || samples.front().edge_scores.size() == sample->edge_scores.size();
    if (!alike) return Error{ErrorCode::kInvalidArgument, place + "expected as many scores as in the first line"};
    if (samples.size() == kSamplesMax) return Error{ErrorCode::kInvalidArgument, place + "expected at most 5000000"};
    samples.push_back(std::move(sample).value());
  }
  if (reader->failed()) return Error{ErrorCode::kUnavailable, file + ": cannot be read to its end"};
  if (samples.size() < kSamplesMin)
    return Error{ErrorCode::kInvalidArgument,
                 file + ": expected at least 100 labelled answers, got " + std::to_string(samples.size())};
  return samples;
}

Json point(const CascadePoint& at) {
  return {{"confidence_below", at.confidence_below}, {"cloud_share", at.cloud_share}, {"accuracy", at.accuracy}};
}

Json file_of(const CascadeAnswer& answer, const Options& options, std::size_t samples) {
  const CascadeFit& best = answer.candidates.front();
  Json candidates = Json::array();
  for (const auto& one : answer.candidates)
    candidates.push_back({{"confidence", one.name}, {"fitted", point(one.chosen)}, {"held_out", point(one.held_out)}});
  Json curve = Json::array();
  for (const auto& at : answer.curve) curve.push_back(point(at));
  return {{"confidence",
           {{"kind", policies::kConfidenceKinds[static_cast<std::size_t>(best.rule.kind)]},
            {"temperature", best.rule.temperature}}},
          {"confidence_below", best.chosen.confidence_below},
          {"expected_cloud_share", best.held_out.cloud_share},
          {"target", options.target},
          {"samples", samples},
          {"edge_accuracy", answer.edge_accuracy},
          {"cloud_accuracy", answer.cloud_accuracy},
          {"held_out_accuracy", best.held_out.accuracy},
          {"held_out_cloud_accuracy", answer.held_out_cloud_accuracy},
          {"calibration_error", answer.calibration_error},
          {"calibration_error_with_temperature", answer.calibration_error_fitted},
          {"candidates", candidates},
          {"curve", curve}};
}

void print(const CascadeAnswer& answer, const Options& options) {
  const auto percent = [](double share) {
    char text[16];
    std::snprintf(text, sizeof text, "%6.2f %%", 100 * share);
    return std::string(text);
  };
  std::cout << "edge alone " << percent(answer.edge_accuracy) << ", cloud alone " << percent(answer.cloud_accuracy)
            << "; target " << options.target << " of the cloud's\n"
            << "confidence                     ask below   cloud share   accuracy, both on the held-out half\n";
  for (const auto& one : answer.candidates) {
    char line[160];
    std::snprintf(line, sizeof line, "%-30s %9.4f   %s   %s (%.4f of the cloud's)\n", one.name.c_str(),
                  one.chosen.confidence_below, percent(one.held_out.cloud_share).c_str(),
                  percent(one.held_out.accuracy).c_str(), one.held_out.accuracy / answer.held_out_cloud_accuracy);
    std::cout << line;
  }
  if (!options.out.empty())
    std::cout << "written: " << options.out << "; a prefer rule names it: \"calibration\": \"" << options.out << "\"\n";
}

int cascade(const Options& options) {
  const auto samples = read_samples(options.records);
  if (!samples.ok())
    return complain(samples.error().message,
                    samples.error().code == ErrorCode::kUnavailable ? kExitFailed : kExitBadInput);
  const auto kind = options.scores == "logits" ? Scores::kLogits : Scores::kProbabilities;
  const auto answer = fit_cascade(samples.value(), kind, options.target);
  const Json file = file_of(answer, options, samples->size());
  const double needed = answer.candidates.front().held_out.cloud_share;
  const bool too_much = needed > options.cloud_share_max;
  if (!options.out.empty() && !too_much) {
    auto writer = LineWriter::open(options.out);
    if (!writer.ok()) return complain(writer.error().message, kExitBadInput);
    writer->write(file.dump(2));
    if (const auto status = writer->publish(); !status.ok()) return complain(status.error().message, kExitFailed);
  }
  if (options.json) {
    std::cout << file.dump() << '\n';
  } else {
    print(answer, options);
  }
  if (too_much)
    return complain("the target needs a cloud share of " + std::to_string(needed) + ", more than --cloud-share-max; " +
                        "nothing was written",
                    kExitNo);
  return kExitOk;
}

}  // namespace

int calibrate_main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures thresholds that a policy or a simulation names.", "hearth calibrate");
  app.require_subcommand(1);
  auto* command = app.add_subcommand(
      "cascade",
      "From labelled answers of an edge and a cloud model, JSON lines\n"
      "{\"edge_scores\": [0.1, 2.5], \"label\": 1, \"cloud_label\": 1}: the confidence and the threshold that keep "
      "the\n"
      "cascade's accuracy at --target times the cloud's for the least cloud share. An app's own confidence:\n"
      "{\"confidence\": 0.9, \"edge_label\": 1, \"label\": 1, \"cloud_label\": 1}.");
  command->add_option("RECORDS", options.records, "JSON lines; - or none: standard input");
  command->add_option("--target", options.target, "Share of the cloud-only accuracy [0.99]")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--cloud-share-max", options.cloud_share_max, "Exit 1 when the target needs more [1]")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--scores", options.scores, "What edge_scores are: logits or probabilities [logits]")
      ->check(CLI::IsMember({"logits", "probabilities"}));
  command->add_option("--out", options.out, "Write the calibration here, whole or not at all");
  command->add_flag("--json", options.json, "Print the calibration itself");
  app.footer(
      "Fits on every other record and reports on the rest.\n"
      "Also: hearth calibrate simulator.\n"
      "Example: hearth calibrate cascade build/models/validation.jsonl --target 0.99 --out photos.cascade.json\n" +
      std::string(kExitCodes));
  if (const auto code = parse_flags(app, argc, argv)) return *code;
  return cascade(options);
}

}  // namespace hearth::tool
