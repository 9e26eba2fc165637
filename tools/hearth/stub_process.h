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
  /// Starts `program` with `arguments`, its standard error into `log_file`, and waits for the line that names its
  /// address. kNotFound: no such program. kUnavailable: it ended, or said nothing within `patience`; the message ends
  /// with the last line it logged.
  static Result<std::unique_ptr<StubProcess>> start(const std::string& program,
                                                    const std::vector<std::string>& arguments,
                                                    const std::string& log_file, std::chrono::seconds patience);
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
  std::string last_log_line() const;

  int pid_ = -1;
  int stdin_ = -1;  ///< Held open: the child ends with it.
  int stdout_ = -1;
  std::string url_;
  std::string log_file_;
};

}  // namespace hearth::tool
