// Goal: however a process ends, its log holds and nothing was sent without its record. Method: a child that writes and
// "sends" is killed at seeded random moments and started anew on the same log.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <hearth/random.h>

#include "tests/support/temp_folder.h"
#include "tools/hearth/audit_reading.h"

using namespace hearth;

namespace {

/// Starts the child, lets it run for so long once it writes, kills it.
void run_and_kill(const std::string& log, const std::string& sent, const std::string& first,
                  std::chrono::microseconds time) {
  int out[2];
  REQUIRE(::pipe(out) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, out[0]);
  std::string program = HEARTH_AUDIT_KILL_CHILD;
  std::string arguments[] = {program, log, sent, first};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(), nullptr};
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, program.c_str(), &actions, nullptr, argv, environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  char ready = 0;
  const bool writes = ::read(out[0], &ready, 1) == 1;
  ::close(out[0]);
  if (writes) std::this_thread::sleep_for(time);
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(writes);
  REQUIRE(WIFSIGNALED(status));  // it had not given up by itself
}

}  // namespace

TEST_CASE("killed at any moment, the log holds and no egress is without its record", "[audit][kill]") {
  test::TempFolder folder;
  const std::string sent = folder.path() / "sent";
  RandomStream random(1, "kills");
  const char* asked = std::getenv("HEARTH_KILLS");
  const int kills = asked ? std::atoi(asked) : 200;
  constexpr int kKillsPerLog = 20;  // then a new log: what a log holds is read again after each kill
  std::uint64_t all_sent = 0, all_segments = 0, torn = 0;
  std::string log;
  std::set<std::uint64_t> left;
  for (int i = 0; i < kills; ++i) {
    if (i % kKillsPerLog == 0) {
      log = folder.path() / ("journal" + std::to_string(i));
      std::filesystem::remove(sent);
      left.clear();
    }
    const std::string first = std::to_string((i % kKillsPerLog) * 1'000'000);
    run_and_kill(log, sent, first, std::chrono::microseconds(random.below(25'000)));
    std::set<std::uint64_t> recorded;
    const auto reading = tool::read_audit_log(log, log + ".key", {}, [&](const std::string& record, std::uint64_t) {
      const auto json = nlohmann::json::parse(record);
      if (json.at("kind") == "egress") recorded.insert(json.at("request").get<std::uint64_t>());
    });
    REQUIRE(reading.ok());
    INFO("kill " << i << ": " << reading->problem);
    REQUIRE(reading->holds());
    std::ifstream in(sent);
    for (std::uint64_t request = 0; in >> request;) {
      REQUIRE(recorded.contains(request));
      left.insert(request);
    }
    torn += reading->torn_bytes > 0 ? 1 : 0;
    if (i % kKillsPerLog == kKillsPerLog - 1 || i + 1 == kills) {
      all_sent += left.size();
      all_segments += reading->segments;
    }
  }
  WARN(kills << " kills, " << all_sent << " sent, all with their record, " << all_segments << " segments, " << torn
             << " torn last lines");
  // How many got so far is up to the machine; that some did is what gives the rest its meaning.
  CHECK(all_sent > 0);
  CHECK(all_segments > 1);
}
