/// \file run_jobs: independent jobs on the cores there are.
#pragma once

#include <cstddef>
#include <functional>

namespace hearth::simulate {

/// As many as the machine has cores; at least one.
std::size_t cores();

/// Calls job(0) ... job(count - 1), each once, on up to `threads` threads, and `done(how many are)` after each, one at
/// a time. Jobs must share nothing that changes. The first exception a job throws is thrown here, once the jobs under
/// way have ended; no further ones begin.
void run_jobs(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& job,
              const std::function<void(std::size_t)>& done);

}  // namespace hearth::simulate
