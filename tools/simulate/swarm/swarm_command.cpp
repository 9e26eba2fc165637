#include "tools/simulate/swarm/swarm_command.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/command.h"
#include "tools/hearth/json_lines.h"
#include "tools/simulate/swarm/shrink.h"

namespace hearth::simulate {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLinesMax = 5;   ///< Told of each world.
constexpr std::size_t kShrunkMax = 3;  ///< Worlds that are made small; the others are told by their seeds.
constexpr std::uint64_t kWorldBytesMax = 16 << 20;

struct Options {
  Seeds seeds{1, 1000};
  std::uint64_t seed = 0;
  std::string world;
  std::string out = ".";
  unsigned jobs = 0;
  std::size_t shrink_runs = 2000;
  bool cover = false;
  bool json = false;
};

int complain(const std::string& what, int code) {
  std::cerr << "hearth simulate swarm: " << what << '\n';
  return code;
}

/// A world that broke a guarantee, and what became of it.
struct Failure {
  const Judged* judged = nullptr;
  std::string file;  ///< Of the smallest world; empty: it was not made small.
  std::string repeat;
  std::string breach;  ///< Of the smallest world.
  std::string size;
};

std::string size_of(const SwarmWorld& world) {
  std::size_t faults = 0;
  for (const auto& one : world.endpoints) faults += one.faults.faults.size();
  const auto count = [](std::size_t n, const char* what) {
    return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
  };
  return count(world.endpoints.size(), "endpoint") + ", " + count(faults, "fault") + ", " +
         count(world.requests.size(), "request") + ", " + count(world.acts.size(), "act");
}

Status publish(const std::string& file, const std::string& text) {
  auto writer = tool::LineWriter::open(file);
  if (!writer.ok()) return writer.error();
  writer->write(text.substr(0, text.size() - 1));  // without its last line's end
  return writer->publish();
}

Failure make_small(const Judged& judged, const Options& options, const RunWorld& run) {
  Failure failure{&judged, {}, "hearth simulate swarm --seed " + std::to_string(judged.seed), judged.broken[0], {}};
  if (options.shrink_runs == 0) return failure;
  const auto judge = [&](const SwarmWorld& world) { return judge_world(world, run).broken; };
  const Shrunk shrunk = shrink(draw_world(judged.seed), judged.broken[0], judge, options.shrink_runs);
  const auto file = std::filesystem::path(options.out) / ("swarm-" + std::to_string(judged.seed) + ".json");
  if (const auto status = publish(file.string(), world_json(shrunk.world)); !status.ok()) {
    complain(status.error().message, tool::kExitFailed);
    return failure;
  }
  failure.file = file.string();
  failure.repeat = "hearth simulate swarm --world " + failure.file;
  failure.breach = shrunk.broken;
  failure.size = size_of(shrunk.world) + ", after " + std::to_string(shrunk.runs) + " runs";
  return failure;
}

void print(const Failure& failure) {
  const auto& lines = failure.judged->broken;
  for (std::size_t i = 0; i < lines.size() && i < kLinesMax; ++i)
    std::cout << "seed " << failure.judged->seed << ": " << lines[i] << '\n';
  if (lines.size() > kLinesMax) std::cout << "  and " << lines.size() - kLinesMax << " lines more\n";
  if (!failure.file.empty()) {
    std::cout << "  made small: " << failure.size << "\n  " << failure.breach << '\n';
    if (const auto text = read_whole_file(failure.file, kWorldBytesMax); text.ok()) std::cout << text.value();
  }
  std::cout << "  repeat: " << failure.repeat << '\n';
}

// ---- what the worlds came to ----------------------------------------------------------------------------------------

struct Totals {
  std::size_t requests = 0, attempts = 0, broken = 0;
  std::vector<std::size_t> reached = std::vector<std::size_t>(all_things().size());  ///< In so many worlds.
  std::string sha256;                                                                ///< Of all stories'.
  double wall_s = 0;
};

Totals total(const std::vector<Judged>& all, double wall_s) {
  Totals totals;
  std::string stories;
  for (const Judged& one : all) {
    totals.requests += one.requests;
    totals.attempts += one.attempts;
    totals.broken += !one.broken.empty();
    for (std::size_t i = 0; i < totals.reached.size(); ++i) totals.reached[i] += one.reached.test(i);
    stories += one.sha256 + '\n';
  }
  totals.sha256 = sha256_hex(stories);
  totals.wall_s = wall_s;
  return totals;
}

std::string reached_line(const Totals& totals) {
  std::string line, missing;
  const auto things = all_things();
  for (std::size_t i = 0; i < things.size();) {
    std::size_t count = 0, all = 0;
    const std::string& kind = things[i].kind;
    for (; i < things.size() && things[i].kind == kind; ++i, ++all) {
      count += totals.reached[i] > 0;
      if (totals.reached[i] == 0) missing += (missing.empty() ? "" : ", ") + kind + " " + things[i].name;
    }
    line += (line.empty() ? "" : ", ") + std::to_string(count) + " of " + std::to_string(all) + " " + kind + "s";
  }
  return "reached " + line + (missing.empty() ? "" : "; not: " + missing);
}

Json summary_json(const Options& options, const Totals& totals, const std::vector<Failure>& failures) {
  Json reached = Json::object();
  const auto things = all_things();
  for (std::size_t i = 0; i < things.size(); ++i) reached[things[i].kind][things[i].name] = totals.reached[i];
  Json broken = Json::array();
  for (const Failure& one : failures) {
    broken.push_back({{"seed", one.judged->seed}, {"breach", one.breach}, {"repeat", one.repeat}});
    if (!one.file.empty()) broken.back()["world_file"] = one.file;
  }
  return {{"from", options.seeds.from},   {"seeds", options.seeds.count},    {"requests", totals.requests},
          {"attempts", totals.attempts},  {"broken", totals.broken},         {"broken_worlds", broken},
          {"reached_by_worlds", reached}, {"stories_sha256", totals.sha256}, {"wall_s", totals.wall_s}};
}

/// Few worlds that reach whatever any of these reached, greedily: the next is the one that adds most.
void print_cover(const std::vector<Judged>& all) {
  Reach wanted, have;
  for (const Judged& one : all) wanted |= one.reached;
  while (have != wanted) {
    const auto best = std::max_element(all.begin(), all.end(), [&](const Judged& one, const Judged& other) {
      return (one.reached & ~have).count() < (other.reached & ~have).count();
    });
    std::string adds;
    const Reach fresh = best->reached & ~have;
    for (std::size_t i = 0; i < all_things().size(); ++i)
      if (fresh.test(i)) adds += " " + all_things()[i].name;
    std::cout << best->seed << adds << '\n';
    have |= best->reached;
  }
}

int run_seeds(const Options& options, const RunWorld& run) {
  const auto began = Clock::now();
  const auto all = judge_seeds(options.seeds, options.jobs, run, [&](std::size_t done, std::size_t broken) {
    std::cerr << "hearth simulate swarm: " << done << " of " << options.seeds.count << " worlds, " << broken
              << " broke a guarantee\n";
  });
  const Totals totals = total(all, std::chrono::duration<double>(Clock::now() - began).count());
  std::vector<Failure> failures;
  for (const Judged& one : all) {
    if (one.broken.empty()) continue;
    Options these = options;
    if (failures.size() >= kShrunkMax) these.shrink_runs = 0;
    failures.push_back(make_small(one, these, run));
    if (!options.json) print(failures.back());
  }
  if (options.json) {
    std::cout << summary_json(options, totals, failures).dump() << '\n';
  } else if (options.cover) {
    print_cover(all);
  } else {
    std::ostringstream line;
    line.precision(3);
    line << all.size() << " worlds, " << totals.requests << " requests, " << totals.attempts
         << " attempts on the wire in " << totals.wall_s << " s: " << totals.broken << " worlds broke a guarantee\n"
         << reached_line(totals) << "\nsha256 of all stories " << totals.sha256 << '\n';
    std::cout << line.str();
  }
  return totals.broken == 0 ? tool::kExitOk : tool::kExitNo;
}

int run_file(const Options& options, const RunWorld& run) {
  const auto text = read_whole_file(options.world, kWorldBytesMax);
  if (!text.ok()) return complain(text.error().message, tool::kExitBadInput);
  const auto world = parse_world(text.value(), options.world);
  if (!world.ok()) return complain(world.error().message, tool::kExitBadInput);
  const Judged judged = judge_world(world.value(), run);
  if (options.json) {
    std::cout << Json{{"world_file", options.world},
                      {"requests", judged.requests},
                      {"attempts", judged.attempts},
                      {"broken_lines", judged.broken},
                      {"story_sha256", judged.sha256}}
                     .dump()
              << '\n';
  } else {
    for (const auto& line : judged.broken) std::cout << line << '\n';
    std::cout << options.world << ": " << size_of(world.value()) << ": "
              << (judged.broken.empty() ? "no guarantee broken" : "a guarantee is broken") << "\nsha256 of the story "
              << judged.sha256 << '\n';
  }
  return judged.broken.empty() ? tool::kExitOk : tool::kExitNo;
}

}  // namespace

int swarm_main(int argc, char** argv) {
  return swarm_main(argc, argv, [](const SwarmWorld& world) { return run_world(world); });
}

int swarm_main(int argc, char** argv, const RunWorld& run) {
  Options options;
  CLI::App app(
      "Draws a world from each seed (policy, endpoints, link, faults, load, what the app does), runs the whole "
      "runtime\n"
      "in it on virtual time, with faults and then without, and checks the guarantees of docs/faults.md. A world that\n"
      "breaks one is made small and written to swarm-SEED.json.",
      "hearth simulate swarm");
  app.add_option("--seeds", options.seeds.count, "So many worlds")
      ->check(tool::whole_number() & CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--from", options.seeds.from, "The first seed")->check(tool::whole_number())->capture_default_str();
  auto* const seed = app.add_option("--seed", options.seed, "This one world")
                         ->check(tool::whole_number())
                         ->excludes("--seeds")
                         ->excludes("--from");
  app.add_option("--world", options.world, "The world in this file")
      ->excludes("--seed")
      ->excludes("--seeds")
      ->excludes("--from");
  app.add_option("--jobs", options.jobs, "Worlds side by side; 0: one for each processor")
      ->check(tool::whole_number() & CLI::Range(0u, 256u))
      ->capture_default_str();
  app.add_option("--shrink", options.shrink_runs, "Runs that making one world small may take; 0: it is not done")
      ->check(tool::whole_number())
      ->capture_default_str();
  app.add_option("--out", options.out, "Folder for small worlds")->check(CLI::ExistingDirectory)->capture_default_str();
  app.add_flag("--cover", options.cover, "Print few seeds that reach what all of these do, for a corpus");
  app.add_flag("--json", options.json, "The summary as JSON");
  app.footer(std::string("Example: hearth simulate swarm --seeds 10000 --from 20000\n") + tool::kExitCodes);
  if (const auto code = tool::parse_flags(app, argc, argv)) return *code;
  if (seed->count() > 0) options.seeds = {options.seed, 1};
  if (options.jobs == 0) options.jobs = std::max(1u, std::thread::hardware_concurrency());
  return options.world.empty() ? run_seeds(options, run) : run_file(options, run);
}

}  // namespace hearth::simulate
