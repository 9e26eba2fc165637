/// \file HttpTransport: attempts over HTTP/1.1, on connections that are kept for reuse.
#pragma once

#include <memory>

#include <hearth/transport.h>

#include "runtime/net/asio_loop.h"
#include "runtime/net/net.h"

namespace hearth::net {

/// See make_http_transport(). Holds one pool per endpoint URL; the configuration bounds how many there are.
/// Threads: send() and cancel() on the loop thread; destruction on any.
class HttpTransport final : public Transport {
 public:
  HttpTransport(AsioLoop& loop, HttpOptions options);
  ~HttpTransport() override;
  HttpTransport(const HttpTransport&) = delete;
  HttpTransport& operator=(const HttpTransport&) = delete;

  /// Besides Transport's errors: kPermissionDenied for plain HTTP to anything but loopback; kInvalidArgument for a bad
  /// URL, message or trust store; credential_line()'s errors when the endpoint's credential is not there.
  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override;
  void stream(AttemptId attempt, EgressPermit permit, TimePoint deadline, BodyCallback on_body,
              SendCallback done) override;
  void cancel(AttemptId attempt) override;

 private:
  class Pools;
  AsioLoop& loop_;
  std::shared_ptr<Pools> pools_;
};

}  // namespace hearth::net
