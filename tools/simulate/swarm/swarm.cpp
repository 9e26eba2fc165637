#include "tools/simulate/swarm/swarm.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>

namespace hearth::simulate {
namespace {

/// Of the world that this thread runs, for tell_seed().
thread_local std::uint64_t current_seed = 0;

extern "C" void tell_seed(int) {
  char text[128];
  const int size = std::snprintf(text, sizeof text, "repeat: hearth simulate swarm --seed %llu\n",
                                 static_cast<unsigned long long>(current_seed));
  if (::write(STDERR_FILENO, text, static_cast<std::size_t>(size)) != size) ::_exit(134);
}

}  // namespace

Judged judge_world(const SwarmWorld& world, const RunWorld& run) {
  Judged judged;
  judged.seed = world.seed;
  try {
    const Story story = run(world);
    judged.requests = story.requests.size();
    judged.attempts = static_cast<std::size_t>(std::count_if(
        story.wire.begin(), story.wire.end(), [](const auto& one) { return one.kind == WireEvent::Kind::kSend; }));
    judged.sha256 = sha256_of(story);
    judged.reached = reach_of(world, story);
    judged.broken = violations(story);
  } catch (const std::exception& error) { judged.broken = {std::string("G0: the world threw: ") + error.what()}; }
  return judged;
}

std::vector<Judged> judge_seeds(Seeds seeds, unsigned jobs, const RunWorld& run,
                                const std::function<void(std::size_t, std::size_t)>& progress) {
  std::vector<Judged> all(seeds.count);
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t done = 0, broken = 0, running = jobs;
  const auto before = std::signal(SIGABRT, tell_seed);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < jobs; ++i)
    threads.emplace_back([&] {
      for (std::size_t mine; (mine = next++) < all.size();) {
        current_seed = seeds.from + mine;
        all[mine] = judge_world(draw_world(current_seed), run);
        const std::lock_guard lock(mutex);
        ++done;
        broken += !all[mine].broken.empty();
      }
      const std::lock_guard lock(mutex);
      if (--running == 0) changed.notify_all();
    });
  for (std::unique_lock lock(mutex); !changed.wait_for(lock, std::chrono::seconds(5), [&] { return running == 0; });)
    if (progress) progress(done, broken);
  for (auto& thread : threads) thread.join();
  std::signal(SIGABRT, before);
  return all;
}

}  // namespace hearth::simulate
