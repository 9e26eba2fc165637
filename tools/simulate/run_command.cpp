#include "tools/simulate/run_command.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/hearth/command.h"
#include "tools/hearth/training_line.h"
#include "tools/simulate/export.h"
#include "tools/simulate/marks.h"
#include "tools/simulate/observed.h"
#include "tools/simulate/record_writer.h"
#include "tools/simulate/report.h"
#include "tools/simulate/run.h"
#include "tools/simulate/summary.h"
#include "tools/simulate/trace_writer.h"

namespace hearth::simulate {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRecordsAll = ~std::uint64_t{0};

struct Options {
  std::string scenario;
  std::string policy;
  std::string out;
  std::string export_to;
  std::uint64_t seed = 0;
  std::uint64_t seeds = 1;
  std::uint64_t records_max = 1'000'000;
  std::uint64_t trace_max = 2'000;
  bool no_roads = false;
  bool json = false;
};

int complain(const std::string& what, int code) {
  std::cerr << "hearth simulate: " << what << '\n';
  return code;
}

/// Hands each record on to all.
class Tee : public RecordSink {
 public:
  explicit Tee(std::vector<RecordSink*> sinks) : sinks_(std::move(sinks)) {}
  void take(const Record& record) override {
    for (RecordSink* sink : sinks_) sink->take(record);
  }

 private:
  std::vector<RecordSink*> sinks_;
};

nlohmann::ordered_json echo_json(const Echo& echo) {
  auto lines = nlohmann::ordered_json::array();
  for (const auto& line : echo) {
    lines.push_back({{"path", line.path}, {"value", nlohmann::ordered_json::parse(line.value)}, {"from", line.from}});
  }
  return lines;
}

/// What the first seed's run leaves behind.
struct Files {
  std::unique_ptr<RecordWriter> records;
  std::unique_ptr<TraceWriter> trace;
  std::unique_ptr<Timeline> timeline;
};

Result<Files> open_files(const Options& options, const Scenario& scenario) {
  Files files;
  if (options.out.empty()) return files;
  std::error_code failure;
  fs::create_directories(options.out, failure);
  if (failure) return Error{ErrorCode::kInvalidArgument, options.out + ": " + failure.message()};
  const Names names = names_of(scenario);
  auto records = RecordWriter::open((fs::path(options.out) / "requests.jsonl").string(), names, options.records_max);
  if (!records.ok()) return records.error();
  files.records = std::move(records).value();
  files.trace = std::make_unique<TraceWriter>(names, scenario.warm_up, options.trace_max);
  files.timeline = std::make_unique<Timeline>(scenario.fleet.length);
  return files;
}

/// Whole or not there.
Status write(const fs::path& file, const std::string& text) {
  const fs::path partial = file.string() + ".partial";
  std::ofstream out(partial, std::ios::binary);
  out << text;
  out.close();
  std::error_code failure;
  if (out) fs::rename(partial, file, failure);
  if (!out || failure) return {ErrorCode::kInternal, "cannot write " + file.string()};
  return Done{};
}

Status write_files(const Options& options, const Scenario& scenario, const Results& results, Files& files) {
  if (options.out.empty()) return Done{};
  if (auto status = files.records->publish(); !status.ok()) return status;
  const std::string trace = (fs::path(options.out) / "trace.json").string();
  if (auto status = files.trace->write(trace, scenario.name, marks_of(scenario)); !status.ok()) return status;
  if (files.records->left_out() > 0)
    std::cerr << "requests.jsonl holds the first " << options.records_max << " requests; " << files.records->left_out()
              << " were left out (--records-max)\n";
  auto summary = summary_json(results);
  summary["settings"] = echo_json(scenario.echo);
  if (auto status = write(fs::path(options.out) / "summary.json", summary.dump(2) + "\n"); !status.ok()) return status;
  return write(fs::path(options.out) / "report.html",
               make_report({results, files.timeline.get(), marks_of(scenario), scenario.story}));
}

void print(const Options& options, const Results& results) {
  const auto speed = speed_json(results);
  if (options.json) {
    auto summary = summary_json(results);
    summary.update(speed);
    std::cout << summary.dump(2) << '\n';
    return;
  }
  std::cout << summary_table(results) << '\n';
  std::cerr << static_cast<std::uint64_t>(speed.at("requests_per_second").get<double>()) << " requests/s, "
            << static_cast<std::uint64_t>(speed.at("events_per_second").get<double>()) << " events/s\n";
}

/// The scenario of the first seed's run, and where its records go; nothing where none is asked for.
Result<std::unique_ptr<RecordWriter>> open_export(const Options& options, const Scenario& scenario) {
  if (options.export_to.empty()) return std::unique_ptr<RecordWriter>();
  const Scenario one = with_seed(scenario, options.seed > 0 ? options.seed : scenario.fleet.seed);
  if (auto status = export_scenario(options.export_to, one, options.policy); !status.ok()) return status.error();
  return RecordWriter::open((fs::path(options.export_to) / kLiveFile).string(), names_of(one), kRecordsAll);
}

int simulate(const Options& options) {
  auto scenario = load_scenario(options.scenario);
  if (!scenario.ok()) return complain(scenario.error().message, tool::kExitBadInput);
  if (!options.policy.empty()) {
    if (auto status = set_policy(scenario.value(), options.policy); !status.ok())
      return complain(status.error().message, tool::kExitBadInput);
  }
  scenario->fleet.roads = !options.no_roads;
  auto live = open_export(options, scenario.value());
  if (!live.ok()) return complain(live.error().message, tool::kExitBadInput);
  auto files = open_files(options, scenario.value());
  if (!files.ok()) return complain(files.error().message, tool::kExitBadInput);

  Results results;
  const std::uint64_t first = options.seed > 0 ? options.seed : scenario->fleet.seed;
  tool::TrainingLine line("simulating " + scenario->name);
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const Scenario one = with_seed(scenario.value(), first + i);
    Summary summary(names_of(one), one.warm_up, one.fleet.length);
    std::vector<RecordSink*> sinks = {&summary};
    if (i == 0 && files->records) sinks = {&summary, files->records.get(), files->trace.get(), files->timeline.get()};
    if (i == 0 && live.value()) sinks.push_back(live.value().get());
    Tee tee(std::move(sinks));
    const auto progress = [&](Duration at) {
      const double done = static_cast<double>(at.count()) / static_cast<double>(one.fleet.length.count());
      line.show((static_cast<double>(i) + done) / static_cast<double>(options.seeds));
    };
    results.add(run(one, tee, progress), summary);
  }
  if (live.value()) {
    if (auto status = live.value()->publish(); !status.ok()) return complain(status.error().message, tool::kExitFailed);
  }
  if (auto status = write_files(options, scenario.value(), results, files.value()); !status.ok())
    return complain(status.error().message, tool::kExitFailed);
  print(options, results);
  for (const auto& facts : results.facts()) {
    if (facts.leaks > 0) return complain("something left that may not leave", tool::kExitNo);
    if (facts.left_in_flight > 0) return complain("requests without an outcome were left", tool::kExitFailed);
  }
  return tool::kExitOk;
}

}  // namespace

int run_main(int argc, char** argv) {
  Options options;
  CLI::App app("Runs the code that ships in a simulated world, on virtual time, and says what the policy costs there.",
               "hearth simulate");
  app.add_option("SCENARIO", options.scenario, "Scenario file (configs/scenarios has some)")->required();
  app.add_option("--policy", options.policy, "Another policy in place of the scenario's");
  app.add_option("--seed", options.seed, "Instead of the scenario's")->check(tool::whole_number());
  app.add_option("--seeds", options.seeds, "Runs, each with the next seed; intervals are then over the runs [1]")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--out", options.out,
                 "Folder for summary.json, requests.jsonl, trace.json (Perfetto) and report.html");
  app.add_option("--export", options.export_to,
                 "Folder for a scenario that replays this run to the byte, its requests as a trace");
  app.add_option("--records-max", options.records_max, "Lines of requests.jsonl [1000000]")
      ->check(tool::whole_number());
  app.add_option("--trace-max", options.trace_max, "Requests in trace.json [2000]")->check(tool::whole_number());
  app.add_flag("--no-roads", options.no_roads,
               "Leave out the roads not taken, and with them the regret: faster. Not with --out, whose files tell them")
      ->excludes("--out");
  app.add_flag("--json", options.json, "Print the summary as JSON");
  app.footer(
      "Also: hearth simulate compare, sweep, swarm.\n"
      "Example: hearth simulate configs/scenarios/commuter-lte.json --seeds 5 --out build/commuter\n" +
      std::string(tool::kExitCodes));
  if (const auto code = tool::parse_flags(app, argc, argv)) return *code;
  return simulate(options);
}

}  // namespace hearth::simulate
