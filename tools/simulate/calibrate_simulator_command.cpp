#include "tools/simulate/calibrate_simulator_command.h"

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/hearth/command.h"
#include "tools/simulate/calibrate_simulator.h"
#include "tools/simulate/observed.h"
#include "tools/simulate/record_writer.h"
#include "tools/simulate/run.h"
#include "tools/simulate/scenario.h"

namespace hearth::simulate {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Options {
  std::string folder;
  std::string judge;
  std::uint64_t seeds = 20;
  bool json = false;
};

int complain(const std::string& what, int code) {
  std::cerr << "hearth calibrate simulator: " << what << '\n';
  return code;
}

class Kept : public RecordSink {
 public:
  void take(const Record& record) override { records.push_back(record); }
  std::vector<Record> records;
};

std::string file_in(const std::string& folder, const char* name) { return (fs::path(folder) / name).string(); }

/// The requests of one run in the world that was fitted on another: how long passes, exchanges and answers take.
Result<Scenario> load(const std::string& fitted, const std::string& judged) {
  auto own = load_scenario(file_in(judged.empty() ? fitted : judged, kScenarioFile));
  if (!own.ok() || judged.empty()) return own;
  auto world = load_scenario(file_in(fitted, kScenarioFile));
  if (!world.ok()) return world;
  if (names_of(world.value()).models != names_of(own.value()).models ||
      names_of(world.value()).endpoints != names_of(own.value()).endpoints) {
    return Error{ErrorCode::kInvalidArgument,
                 judged + ": other models or clouds than in " + fitted + ", expected two runs of the same kind"};
  }
  for (std::size_t i = 0; i < own->fleet.pairs.size(); ++i) {
    own->fleet.pairs[i].edge = world->fleet.pairs[i].edge;
    own->fleet.pairs[i].batch_growth = world->fleet.pairs[i].batch_growth;
  }
  own->fleet.device.record = world->fleet.device.record;
  own->fleet.link = world->fleet.link;
  own->fleet.clouds = world->fleet.clouds;
  return own;
}

Result<std::vector<Record>> read_live(const std::string& folder, Names names) {
  Kept kept;
  if (auto status = read_records(file_in(folder, kLiveFile), names, kept); !status.ok()) return status.error();
  return std::move(kept.records);
}

int calibrate_simulator(const Options& options) {
  auto scenario = load(options.folder, options.judge);
  if (!scenario.ok()) return complain(scenario.error().message, tool::kExitBadInput);
  scenario->fleet.roads = false;
  const Names names = names_of(scenario.value());
  const bool two = !options.judge.empty();
  auto live = read_live(two ? options.judge : options.folder, names);
  if (!live.ok()) return complain(live.error().message, tool::kExitBadInput);
  std::vector<Record> other;
  if (two) {
    auto read = read_live(options.folder, names);
    if (!read.ok()) return complain(read.error().message, tool::kExitBadInput);
    other = std::move(read).value();
  }
  std::vector<std::vector<Record>> simulated;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    Kept kept;
    const RunFacts facts = run(with_seed(scenario.value(), scenario->fleet.seed + i), kept);
    if (facts.leaks > 0) return complain("something left that may not leave", tool::kExitNo);
    simulated.push_back(std::move(kept.records));
  }
  const auto calibration = calibrate(std::move(live).value(), std::move(simulated), std::move(other), names);
  if (!calibration.ok())
    return complain(file_in(two ? options.judge : options.folder, kLiveFile) + ": " + calibration.error().message,
                    tool::kExitBadInput);
  if (options.json) {
    Json json = {{"fitted_on", options.folder}, {"judged_on", two ? options.judge : options.folder}};
    json.update(calibration_json(calibration.value()));
    std::cout << json.dump(2) << '\n';
  } else {
    std::cout << (two ? "Fitted on " + options.folder + ", judged on " + options.judge
                      : "Fitted and judged on " + options.folder)
              << ".\n\n"
              << calibration_text(calibration.value());
  }
  return calibration->met ? tool::kExitOk : tool::kExitNo;
}

}  // namespace

int calibrate_simulator_main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Simulates the requests of a live run and says how far the simulation is off: by part of the time, by decision.",
      "hearth calibrate simulator");
  app.add_option("DIR", options.folder, "What `hearth observe` or `hearth simulate --export` wrote")->required();
  app.add_option("--judge", options.judge,
                 "Another run's folder: its requests in DIR's world, and what two live runs differ by");
  app.add_option("--seeds", options.seeds, "Simulated runs, from the scenario's seed on; figures are over all [20]")
      ->check(CLI::Range(1, 1000));
  app.add_flag("--json", options.json, "Print the report as JSON");
  app.footer(
      "Example: hearth calibrate simulator out/observed --judge out/observed-2\n"
      "Exit code 1: a figure is off by more than p50 5 %, p95 10 %, p99 15 % and 1.5 times what two live runs differ\n"
      "by, or fewer than 99 % of the decisions are the same.\n" +
      std::string(tool::kExitCodes));
  if (const auto code = tool::parse_flags(app, argc, argv)) return *code;
  return calibrate_simulator(options);
}

}  // namespace hearth::simulate
