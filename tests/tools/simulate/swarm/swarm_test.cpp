// Goal: a world is a value that a file holds; its story is the same bytes each time, however many run side by side and
// under load; one that breaks a guarantee is made small, and one command repeats it. Method: defects planted between
// the runtime and its network.
#include <csignal>
#include <iostream>
#include <sstream>

#include <spawn.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/hearth_command.h"
#include "tests/tools/simulate/swarm/meddlers.h"
#include "tools/simulate/swarm/shrink.h"
#include "tools/simulate/swarm/swarm_command.h"

using namespace hearth;
using namespace hearth::simulate;
using hearth::test::TempFolder;

namespace {

const RunWorld kPlain = [](const SwarmWorld& world) { return run_world(world); };

std::vector<std::string> sha256s(const std::vector<Judged>& all) {
  std::vector<std::string> texts;
  for (const auto& one : all) texts.push_back(one.sha256);
  return texts;
}

/// Programs that keep every processor busy as long as this lives.
class Load {
 public:
  Load() {
    char shell[] = "/bin/sh", flag[] = "-c", script[] = "while :; do :; done";
    char* const arguments[] = {shell, flag, script, nullptr};
    for (pid_t& program : programs_) REQUIRE(posix_spawn(&program, shell, nullptr, nullptr, arguments, nullptr) == 0);
  }
  ~Load() {
    for (const pid_t program : programs_) {
      kill(program, SIGKILL);
      waitpid(program, nullptr, 0);
    }
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

 private:
  pid_t programs_[4] = {};
};

struct Said {
  int code = 0;
  std::string text;
};

/// The command in this process, so that a defect can be in its worlds.
Said command(const std::vector<std::string>& words, const RunWorld& run) {
  std::vector<std::string> copies = words;
  std::vector<char*> pointers;
  for (auto& word : copies) pointers.push_back(word.data());
  std::ostringstream out;
  auto* const before = std::cout.rdbuf(out.rdbuf());
  const int code = swarm_main(static_cast<int>(pointers.size()), pointers.data(), run);
  std::cout.rdbuf(before);
  return {code, out.str()};
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

std::size_t faults_in(const SwarmWorld& world) {
  std::size_t faults = 0;
  for (const auto& one : world.endpoints) faults += one.faults.faults.size();
  return faults;
}

/// The first world from seed 1 on that breaks `guarantee`, made small.
Shrunk find_and_shrink(const std::string& guarantee, const RunWorld& run) {
  const auto judge = [&](const SwarmWorld& world) { return judge_world(world, run).broken; };
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const SwarmWorld world = draw_world(seed);
    for (const auto& line : judge(world))
      if (line.starts_with(guarantee)) return shrink(world, line, judge, 1000);
  }
  FAIL("no world breaks " << guarantee);
  return {};
}

}  // namespace

TEST_CASE("a hundred worlds are the same bytes twice, side by side and under load", "[sim]") {
  const auto alone = sha256s(judge_seeds({1, 100}, 1, kPlain));
  const Load load;
  CHECK(alone == sha256s(judge_seeds({1, 100}, 3, kPlain)));
  std::set<std::string> different(alone.begin(), alone.end());
  CHECK(different.size() == alone.size());
}

TEST_CASE("setting the clock changes nothing", "[sim]") {
  std::size_t acts = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    SwarmWorld world = draw_world(seed);
    for (auto& request : world.requests) request.session.clear();  // a clock set forward prolongs taint on purpose
    const std::string set = sha256_of(run_world(world));
    acts += std::erase_if(world.acts, [](const Act& act) { return act.kind == ActKind::kSetClock; });
    CHECK(set == sha256_of(run_world(world)));
  }
  CHECK(acts > 0);
}

TEST_CASE("a world read from its own file is the same world", "[sim]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    const SwarmWorld world = draw_world(seed);
    const auto again = parse_world(world_json(world), "world.json");
    REQUIRE(again.ok());
    CHECK(world_json(again.value()) == world_json(world));
    CHECK(again->requests == world.requests);
    CHECK(again->acts == world.acts);
    if (seed <= 10) CHECK(sha256_of(run_world(again.value())) == sha256_of(run_world(world)));
  }
}

TEST_CASE("a world's file with mistakes is refused with all of them", "[sim]") {
  const auto world = parse_world(R"({"seed": 1, "trouble": 5, "policy": {"plan": "clowd"},
    "endpoints": [{"name": "e1", "faults": {"seed": 1, "faults": [{"fault": "refuze"}]}}],
    "requests": [{"at_ms": 5}, {"at_ms": 4, "deadline_ms": -1}],
    "recovery": true, "shut_down_ms": 10})",
                                 "world.json");
  REQUIRE_FALSE(world.ok());
  for (const char* part :
       {"/trouble:", "/policy/plan:", "unknown fault \"refuze\" (did you mean \"refuse\"?)",
        "/requests/1/deadline_ms:", "/requests: expected by time", "/recovery: needs a world that is not shut down"}) {
    CAPTURE(part, world.error().message);
    CHECK(world.error().message.find(part) != std::string::npos);
  }
  CHECK_FALSE(parse_world(R"({"seed": 1, "policy": {}, "endpoints": [], "requests": []})", "world.json").ok());
  CHECK_FALSE(parse_world("", "world.json").ok());
}

TEST_CASE("lines that differ in their numbers tell of the same breach", "[sim]") {
  CHECK(breach_of("G4: e1 answered 0 of 10 in time") == breach_of("G4: e3 answered 8 of 9 in time"));
  CHECK(breach_of("G2: 25.125 extra attempts") == breach_of("G2: 27 extra attempts"));
  CHECK(breach_of("G4: request 1") != breach_of("G11: request 1"));
}

TEST_CASE("a client that does not read Retry-After is shrunk to the fault that says it and two requests", "[sim]") {
  const Shrunk shrunk = find_and_shrink("G6", run_with<DeafToPeace>);
  CAPTURE(world_json(shrunk.world), shrunk.runs);
  CHECK(shrunk.broken.starts_with("G6"));
  CHECK(faults_in(shrunk.world) == 1);
  CHECK(shrunk.world.requests.size() <= 3);
  CHECK(shrunk.world.acts.size() <= 1);
  CHECK(shrunk.world.endpoints.size() == 1);
}

TEST_CASE("a client that withdraws nothing is shrunk to one request and no fault", "[sim]") {
  const Shrunk shrunk = find_and_shrink("G7", run_with<Stubborn>);
  CAPTURE(world_json(shrunk.world), shrunk.runs);
  CHECK(faults_in(shrunk.world) == 0);
  CHECK(shrunk.world.requests.size() <= 2);
}

TEST_CASE("a client that never comes back to an endpoint is found after the last fault, and keeps the recovery",
          "[sim]") {
  const Shrunk shrunk = find_and_shrink("G4: e", run_with<BearsGrudges>);
  CAPTURE(world_json(shrunk.world), shrunk.runs);
  CHECK(shrunk.world.recovery);
  CHECK(faults_in(shrunk.world) <= 1);
  CHECK(shrunk.world.requests.size() <= 2);
}

TEST_CASE("shrinking ends after as many runs as it was given", "[sim]") {
  std::size_t runs = 0;
  const auto judge = [&](const SwarmWorld&) {
    ++runs;
    return std::vector<std::string>{"G1: always"};
  };
  CHECK(shrink(draw_world(1), "G1: always", judge, 7).runs == 7);
  CHECK(runs == 7);
  const Shrunk all = shrink(draw_world(1), "G1: always", judge, 1000);
  CHECK(all.world.requests.empty());
  CHECK(all.world.endpoints.size() == 1);
}

TEST_CASE("the printed command repeats what the swarm found, in a handful of faults", "[sim]") {
  const TempFolder folder;
  const Said found = command({"swarm", "--seeds", "12", "--jobs", "2", "--json", "--out", folder.path().string()},
                             run_with<DeafToPeace>);
  CHECK(found.code == 1);
  const auto broken = nlohmann::json::parse(found.text).at("broken_worlds");
  REQUIRE_FALSE(broken.empty());
  const auto words = words_of(broken[0].at("repeat"));
  REQUIRE(words.size() == 5);
  CHECK(words[3] == "--world");
  const Said again = command({words.begin() + 2, words.end()}, run_with<DeafToPeace>);
  CHECK(again.code == 1);
  CHECK(again.text.find(broken[0].at("breach").get<std::string>()) != std::string::npos);
  CHECK(command({words.begin() + 2, words.end()}, kPlain).code == 0);  // without the defect
}

TEST_CASE("the command says what the worlds came to, the same for any number of jobs", "[sim]") {
  const hearth::test::CommandFolder folder;
  const auto one = folder.run("simulate swarm --seeds 6 --jobs 1 --json");
  const auto three = folder.run("simulate swarm --seeds 6 --jobs 3 --json");
  REQUIRE(one.code == 0);
  auto first = one.lines().at(0), second = three.lines().at(0);
  CHECK(first.at("seeds") == 6);
  CHECK(first.at("broken") == 0);
  CHECK(first.at("reached_by_worlds").at("fault").size() == sim::all_faults().size());
  first.erase("wall_s");
  second.erase("wall_s");
  CHECK(first == second);
  CHECK(folder.run("simulate swarm --seed 3").out.find("1 worlds") != std::string::npos);
  CHECK(folder.run("simulate swarm --help").out.find("Example:") != std::string::npos);
}

TEST_CASE("bad arguments of the swarm end with one line and code 2", "[sim]") {
  const hearth::test::CommandFolder folder;
  folder.write("bad.json", "{\"seed\": }");
  for (const char* arguments : {"--seeds 0", "--seeds -1", "--seeds many", "--seed 1 --from 2", "--world none.json",
                                "--world bad.json", "--jobs 1000", "--out nowhere", "--sed 1"}) {
    CAPTURE(arguments);
    const auto ran = folder.run(std::string("simulate swarm ") + arguments);
    CHECK(ran.code == 2);
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    CHECK(ran.out.empty());
  }
  CHECK(folder.run("simulate swam").err.find("did you mean \"swarm\"?") != std::string::npos);
  CHECK(folder.run("simulate").code == 2);
}
