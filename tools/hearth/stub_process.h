/// \file The cloud stub as a child process: started, asked for its counts, killed.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <hearth/result.h>

#include "tools/hearth/scoreboard.h"

namespace hearth::tool {

/// A running `hearth-cloud-stub`.
/// Threads: none of its own; every method from one thread at a time. Ownership: the destructor kills the child and
/// waits for it; the child also ends by itself when this process dies.
class StubProcess {
 public:
  /// Starts `program` with `arguments` and waits for the line that names its address. kNotFound: no such program.
  /// kInvalidArgument: it refused its arguments; the message is its own. kUnavailable: it ended otherwise, or said
  /// nothing within `patience`.
  static Result<std::unique_ptr<StubProcess>> start(const std::string& program,
                                                    const std::vector<std::string>& arguments,
                                                    std::chrono::seconds patience);
  ~StubProcess();
  StubProcess(const StubProcess&) = delete;
  StubProcess& operator=(const StubProcess&) = delete;

  const std::string& url() const { return url_; }  ///< "http://127.0.0.1:PORT".

  /// Registers what must not arrive. kUnavailable when the server does not take all of it.
  Status arm(const std::vector<std::string>& input_sha256, const std::vector<std::string>& canaries);
  /// The server's own count since it started. kUnavailable when it does not answer.
  Result<TripwireCount> tripwire() const;
  /// SIGKILL, and waits until it is gone. Idempotent.
  void kill();
  bool killed() const { return pid_ < 0; }

 private:
  StubProcess() = default;
  Result<std::string> read_line(std::chrono::seconds patience);
  Error why_it_ended();
  std::string logged() const;

  int pid_ = -1;
  int stdin_ = -1;  ///< Held open: the child ends with it.
  int stdout_ = -1;
  int log_ = -1;  ///< Its standard error, in memory.
  std::string url_;
};

}  // namespace hearth::tool
