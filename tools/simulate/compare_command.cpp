#include "tools/simulate/compare_command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <system_error>

#include "tools/hearth/command.h"
#include "tools/hearth/summary.h"
#include "tools/hearth/training_line.h"
#include "tools/simulate/compare.h"
#include "tools/simulate/jobs.h"
#include "tools/simulate/run.h"

namespace hearth::simulate {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPoliciesMax = 8;  // as many as there are colours

struct Options {
  std::string scenario;
  std::vector<std::string> policies;
  std::uint64_t seed = 0;
  std::uint64_t seeds = 5;
  double within_percent = 5;
  std::uint64_t jobs = cores();
  std::string out;
  bool json = false;
};

int complain(const std::string& what, int code) {
  std::cerr << "hearth simulate compare: " << what << '\n';
  return code;
}

/// Policies by their files' stems; by their whole paths where two stems are the same.
std::vector<std::string> names_of_files(const std::vector<std::string>& files) {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(fs::path(file).stem().string());
  for (std::size_t i = 0; i < files.size(); ++i)
    if (std::count(names.begin(), names.end(), names[i]) > 1) return files;
  return names;
}

/// In waves, so that no more than a few runs' summaries are kept at a time; added in order, so that the number of jobs
/// changes nothing.
Comparison run_all(const std::vector<Scenario>& scenarios, const Options& options) {
  struct Ran {
    RunFacts facts;
    std::optional<Summary> summary;
  };
  const std::size_t sides = scenarios.size(), total = sides * options.seeds, wave_max = sides * options.jobs * 4;
  const std::uint64_t first = options.seed > 0 ? options.seed : scenarios[0].fleet.seed;
  Comparison comparison;
  comparison.within = options.within_percent / 100;
  for (const auto& name : names_of_files(options.policies)) comparison.sides.push_back({name, {}});
  tool::TrainingLine line("comparing on " + scenarios[0].name);
  for (std::size_t begin = 0; begin < total; begin += wave_max) {
    std::vector<Ran> wave(std::min(wave_max, total - begin));
    run_jobs(
        wave.size(), options.jobs,
        [&](std::size_t i) {
          const Scenario one = with_seed(scenarios[i % sides], first + (begin + i) / sides);
          wave[i].summary.emplace(names_of(one), one.warm_up, one.fleet.length);
          wave[i].facts = run(one, *wave[i].summary);
        },
        [&](std::size_t done) { line.show(static_cast<double>(begin + done) / static_cast<double>(total)); });
    for (std::size_t i = 0; i < wave.size(); ++i)
      comparison.sides[i % sides].results.add(wave[i].facts, *wave[i].summary);
  }
  return comparison;
}

Status write_files(const std::string& folder, const Comparison& comparison, const std::string& story) {
  const auto json = tool::write_whole_file((fs::path(folder) / "comparison.json").string(),
                                           comparison_json(comparison).dump(2) + "\n");
  if (!json.ok()) return json;
  return tool::write_whole_file((fs::path(folder) / "report.html").string(), make_comparison_report(comparison, story));
}

int compare(const Options& options) {
  if (options.policies.size() < 2 || options.policies.size() > kPoliciesMax)
    return complain("--policy: expected two to " + std::to_string(kPoliciesMax) +
                        " of them, the first is what the others are compared with",
                    tool::kExitBadInput);
  const auto scenario = load_scenario(options.scenario);
  if (!scenario.ok()) return complain(scenario.error().message, tool::kExitBadInput);
  std::vector<Scenario> scenarios;
  for (const auto& policy : options.policies) {
    scenarios.push_back(scenario.value());
    if (const auto status = set_policy(scenarios.back(), policy); !status.ok())
      return complain(status.error().message, tool::kExitBadInput);
  }
  if (!options.out.empty()) {
    std::error_code failure;
    fs::create_directories(options.out, failure);
    if (failure) return complain(options.out + ": " + failure.message(), tool::kExitBadInput);
  }
  const Comparison comparison = run_all(scenarios, options);
  if (!options.out.empty()) {
    if (const auto status = write_files(options.out, comparison, scenario->story); !status.ok())
      return complain(status.error().message, tool::kExitFailed);
  }
  if (options.json) {
    std::cout << comparison_json(comparison).dump(2) << '\n';
  } else {
    std::cout << comparison_table(comparison) << '\n';
  }
  return tool::kExitOk;
}

}  // namespace

int compare_main(int argc, char** argv) {
  Options options;
  CLI::App app("Runs policies on the same requests and the same draws, and says which is better in what.",
               "hearth simulate compare");
  app.add_option("SCENARIO", options.scenario, "Scenario file; its own policy does not count")->required();
  app.add_option("--policy", options.policies, "Policy file; two to eight times, the first is A")->required();
  app.add_option("--seeds", options.seeds, "Pairs of runs, each with the next seed [5]")->check(CLI::Range(1, 10'000));
  app.add_option("--seed", options.seed, "The first seed, instead of the scenario's")->check(tool::whole_number());
  app.add_option("--within", options.within_percent, "Per cent within which figures are equivalent [5]")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--jobs", options.jobs, "Runs at a time [cores]")->check(CLI::Range(1, 1024));
  app.add_option("--out", options.out, "Folder for comparison.json and report.html");
  app.add_flag("--json", options.json, "Print the comparison as JSON");
  app.footer(
      "Example: hearth simulate compare configs/scenarios/commuter-lte.json --policy "
      "configs/policies/latency-first.json "
      "--policy configs/policies/quality-first.json\n" +
      std::string(tool::kExitCodes));
  if (const auto code = tool::parse_flags(app, argc, argv)) return *code;
  return compare(options);
}

}  // namespace hearth::simulate
