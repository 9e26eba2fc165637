/// \file Transport: makes exactly one attempt when told, and obeys cancel.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
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
  bool silent = false;  ///< With kUnavailable: what was sent was not even acknowledged; the other side is out of reach.
};

/// The way out of the device.
///
/// Threads: loop thread only. An implementation never retries by itself, never follows a redirect (a 3xx is handed back
/// as it came) and connects to nothing but the permit's endpoint.
class Transport {
 public:
  using SendCallback = std::function<void(SendResult)>;
  /// More of a body.
  using BodyCallback = std::function<void(std::string_view)>;

  virtual ~Transport() = default;

  /// Spends `permit` on one attempt. `done` runs exactly once, on the loop thread, never inside this call.
  /// Errors: kDeadlineExceeded at `deadline`; kCancelled; kUnavailable when the connection fails or breaks; kCorrupt
  /// when the other side does not speak HTTP; kResourceExhausted when the reply exceeds its size limit.
  virtual void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) = 0;

  /// send(), which also hands the body of a 200 reply over as it arrives, unpacked; `done` gets the whole of it again.
  /// `on_body` runs on the loop thread, perhaps inside this object: it must not call back into it. This one, for
  /// transports that know no pieces, hands over the whole at the end.
  virtual void stream(AttemptId attempt, EgressPermit permit, TimePoint deadline, BodyCallback on_body,
                      SendCallback done) {
    send(attempt, std::move(permit), deadline,
         [on_body = std::move(on_body), done = std::move(done)](SendResult result) {
           if (result.reply.ok() && result.reply->status == 200) on_body(result.reply->body);
           done(std::move(result));
         });
  }

  /// Ends an attempt in flight; its `done` gets kCancelled. Unknown ids are ignored: the reply may already be on its
  /// way.
  virtual void cancel(AttemptId attempt) = 0;
};

}  // namespace hearth
