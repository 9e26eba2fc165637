/// \file Transport: makes exactly one attempt when told, and obeys cancel.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <hearth/egress_permit.h>
#include <hearth/result.h>
#include <hearth/time.h>

namespace hearth {

using AttemptId = std::uint64_t;

/// A whole HTTP reply. Header names are lower-case.
struct HttpReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// How an attempt ended. `bytes_sent` counts request bytes handed to the network (head and body), also when it failed.
struct SendResult {
  Result<HttpReply> reply;
  std::uint64_t bytes_sent = 0;
};

/// The way out of the device.
///
/// Threads: loop thread only. An implementation never retries by itself, never follows a redirect (a 3xx is handed back
/// as it came) and connects to nothing but the permit's endpoint.
class Transport {
 public:
  using SendCallback = std::function<void(SendResult)>;

  virtual ~Transport() = default;

  /// Spends `permit` on one attempt. `done` runs exactly once, on the loop thread, never inside this call.
  /// Errors: kDeadlineExceeded at `deadline`; kCancelled; kUnavailable when the connection fails or breaks; kCorrupt
  /// when the other side does not speak HTTP; kResourceExhausted when the reply exceeds its size limit.
  virtual void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) = 0;

  /// Ends an attempt in flight; its `done` gets kCancelled. Unknown ids are ignored: the reply may already be on its
  /// way.
  virtual void cancel(AttemptId attempt) = 0;
};

}  // namespace hearth
