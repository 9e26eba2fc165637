#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "runtime/edge/kernels/thread_team.h"

using hearth::edge::kernels::ThreadTeam;

TEST_CASE("A team runs each part of each call exactly once, whatever their number") {
  for (const std::size_t threads : {0U, 1U, 2U, 5U}) {
    ThreadTeam team(threads);
    for (const std::size_t parts : {0U, 1U, 2U, 3U, 17U}) {
      for (int call = 0; call < 20; ++call) {
        std::vector<std::atomic<int>> runs(parts);
        team.run(parts, [&](std::size_t part) { ++runs[part]; });
        for (const auto& count : runs) CHECK(count == 1);
      }
    }
  }
}

TEST_CASE("What the parts wrote is there when the call returns, and callers take turns") {
  ThreadTeam team(3);
  const auto call_often = [&] {
    for (int call = 0; call < 200; ++call) {
      std::vector<int> written(7);
      team.run(7, [&](std::size_t part) { written[part] = call; });
      if (written != std::vector<int>(7, call)) throw std::runtime_error("a part is missing");
    }
    return true;
  };
  std::thread other([&] { call_often(); });
  CHECK(call_often());
  other.join();
}
