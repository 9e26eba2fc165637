/// \file A bare Beast client: the same bytes over as many kept connections, and nothing of hearth.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <hearth/egress_permit.h>

namespace hearth::bench {

/// What a client did in a while.
struct Ran {
  std::vector<double> latencies_us;
  double took_s = 0;
  double cpu_s = 0;   ///< Of the client's thread.
  std::string error;  ///< Of the first request that failed; then the numbers mean nothing.
};

/// Sends `message` again and again to 127.0.0.1:`port` for `time`, on `connections` at once, from one thread. Each
/// reply is parsed as HTTP and its body read into memory; nobody looks at it.
Ran run_bare_beast(unsigned short port, const HttpMessage& message, unsigned connections,
                   std::chrono::steady_clock::duration time);

/// CPU time of the calling thread.
double thread_cpu_s();

}  // namespace hearth::bench
