#include "tools/simulate/jobs.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth::simulate {

std::size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

void run_jobs(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& job,
              const std::function<void(std::size_t)>& done) {
  std::atomic<std::size_t> next = 0;
  std::size_t ended = 0;
  std::exception_ptr problem;
  std::mutex mutex;  // over `ended`, `problem` and `done`
  const auto work = [&] {
    for (std::size_t i; (i = next.fetch_add(1)) < count;) {
      try {
        job(i);
        const std::scoped_lock lock(mutex);
        done(++ended);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (!problem) problem = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(work);
    work();
  }
  if (problem) std::rethrow_exception(problem);
}

}  // namespace hearth::simulate
