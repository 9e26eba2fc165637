#include "tools/simulate/sweep_command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <system_error>

#include "runtime/base/json_reader.h"
#include "tools/hearth/command.h"
#include "tools/hearth/summary.h"
#include "tools/hearth/training_line.h"
#include "tools/simulate/jobs.h"
#include "tools/simulate/run.h"
#include "tools/simulate/sweep.h"

namespace hearth::simulate {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::size_t kPointsMax = 2'000;  // a few hundred KB each

struct Options {
  std::string scenario;
  std::vector<std::string> settings;
  std::uint64_t seed = 0;
  std::uint64_t seeds = 1;
  std::uint64_t jobs = cores();
  std::string out;
  bool json = false;
};

int complain(const std::string& what, int code) {
  std::cerr << "hearth simulate sweep: " << what << '\n';
  return code;
}

/// The scenario as a file, and what is read from it.
struct Base {
  std::string file;
  ordered_json json;
  Scenario scenario;
};

Result<Base> load_base(const std::string& file) {
  const auto text = read_whole_file(file, JsonDocument::kSizeMaxBytes);
  if (!text.ok()) return text.error();
  auto scenario = parse_scenario(text.value(), file);
  if (!scenario.ok()) return scenario.error();
  return Base{file, ordered_json::parse(text.value()), std::move(scenario).value()};
}

/// The reader's complaint without its places, which are those of a text that nobody wrote.
std::string without_places(const std::string& message, const std::string& file) {
  std::string out;
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(file + ":", 0) == 0) line.erase(0, std::min(line.find(": ", file.size()), line.size() - 2) + 2);
    out += (out.empty() ? "" : "; ") + line;
  }
  return out;
}

Result<Scenario> scenario_at(const Base& base, const std::vector<Setting>& settings,
                             const std::vector<ordered_json>& values) {
  ordered_json json = base.json;
  for (std::size_t i = 0; i < settings.size(); ++i)
    if (const auto status = set_value(json, settings[i].path, values[i]); !status.ok()) return status.error();
  return parse_scenario(json.dump(2), base.file);
}

/// Every value of every setting alone, before anything runs, so that a complaint names the one that is wrong.
Status check_settings(const Base& base, const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) {
    for (const ordered_json& value : setting.values) {
      const auto scenario = scenario_at(base, {setting}, {value});
      if (scenario.ok()) continue;
      return {ErrorCode::kInvalidArgument, "--set " + setting.path + "=" + text_of(value) + ": " +
                                               without_places(scenario.error().message, base.file)};
    }
  }
  return Done{};
}

Result<Sweep> run_all(const Base& base, std::vector<Setting> settings, const Options& options) {
  const auto all = combinations(settings, kPointsMax);
  if (!all.ok()) return all.error();
  for (const auto& values : all.value())  // what is right alone may be wrong together
    if (const auto scenario = scenario_at(base, settings, values); !scenario.ok())
      return Error{ErrorCode::kInvalidArgument, without_places(scenario.error().message, base.file)};
  Sweep sweep{base.scenario.name, std::move(settings), std::vector<SweepPoint>(all->size())};
  tool::TrainingLine line("sweeping " + sweep.scenario);
  run_jobs(
      sweep.points.size(), options.jobs,
      [&](std::size_t i) {
        SweepPoint& point = sweep.points[i];
        point.values = (*all)[i];
        const auto scenario = scenario_at(base, sweep.settings, point.values);
        const std::uint64_t first = options.seed > 0 ? options.seed : scenario->fleet.seed;
        for (std::uint64_t k = 0; k < options.seeds; ++k) {
          const Scenario one = with_seed(scenario.value(), first + k);
          Summary summary(names_of(one), one.warm_up, one.fleet.length);
          const RunFacts facts = run(one, summary);
          point.results.add(facts, summary);
        }
      },
      [&](std::size_t done) { line.show(static_cast<double>(done) / static_cast<double>(sweep.points.size())); });
  return sweep;
}

Status write_files(const std::string& folder, const Sweep& sweep, const std::string& story) {
  const auto write = [&](const char* name, const std::string& bytes) {
    return tool::write_whole_file((fs::path(folder) / name).string(), bytes);
  };
  if (auto status = write("sweep.csv", sweep_csv(sweep)); !status.ok()) return status;
  if (auto status = write("sweep.json", sweep_json(sweep).dump(2) + "\n"); !status.ok()) return status;
  return write("report.html", make_sweep_report(sweep, story));
}

int sweep_all(const Options& options) {
  std::vector<Setting> settings;
  for (const std::string& text : options.settings) {
    auto setting = parse_setting(text);
    if (!setting.ok()) return complain(setting.error().message, tool::kExitBadInput);
    settings.push_back(std::move(setting).value());
  }
  const auto base = load_base(options.scenario);
  if (!base.ok()) return complain(base.error().message, tool::kExitBadInput);
  if (const auto status = check_settings(base.value(), settings); !status.ok())
    return complain(status.error().message, tool::kExitBadInput);
  if (!options.out.empty()) {
    std::error_code failure;
    fs::create_directories(options.out, failure);
    if (failure) return complain(options.out + ": " + failure.message(), tool::kExitBadInput);
  }
  const auto sweep = run_all(base.value(), std::move(settings), options);
  if (!sweep.ok()) return complain(sweep.error().message, tool::kExitBadInput);
  if (!options.out.empty()) {
    if (const auto status = write_files(options.out, sweep.value(), base->scenario.story); !status.ok())
      return complain(status.error().message, tool::kExitFailed);
  }
  std::cout << (options.json ? sweep_json(sweep.value()).dump(2) : sweep_table(sweep.value())) << '\n';
  for (const SweepPoint& point : sweep->points) {
    for (const RunFacts& facts : point.results.facts())
      if (facts.leaks > 0)
        return complain("something left that may not leave, at " + name_of(sweep.value(), point), tool::kExitNo);
  }
  return tool::kExitOk;
}

}  // namespace

int sweep_main(int argc, char** argv) {
  Options options;
  CLI::App app("Runs a scenario with some of its keys set to every combination of values.", "hearth simulate sweep");
  app.add_option("SCENARIO", options.scenario, "Scenario file")->required();
  app.add_option("--set", options.settings,
                 "PATH=VALUE,VALUE,...; any number of times. A path has dots, an element of a list its index or name")
      ->required();
  app.add_option("--seeds", options.seeds, "Runs of each combination, each with the next seed [1]")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--seed", options.seed, "The first seed, instead of the scenario's")->check(tool::whole_number());
  app.add_option("--jobs", options.jobs, "Runs at a time [cores]")->check(CLI::Range(1, 1024));
  app.add_option("--out", options.out, "Folder for sweep.csv, sweep.json and report.html");
  app.add_flag("--json", options.json, "Print the sweep as JSON");
  app.footer(
      "Example: hearth simulate sweep configs/scenarios/commuter-lte.json --set network.round_trip.median_ms=20,60,200 "
      "--set devices.count=1,10\n" +
      std::string(tool::kExitCodes));
  if (const auto code = tool::parse_flags(app, argc, argv)) return *code;
  return sweep_all(options);
}

}  // namespace hearth::simulate
