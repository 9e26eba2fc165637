/// \file Attempts: a real loop and transport, driven from a test's thread.
#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <hearth/transport.h>

#include "runtime/net/net.h"
#include "tests/support/test_permit.h"

namespace hearth::test {

inline Endpoint endpoint_at(const std::string& url) { return {"cloud", url, "eu"}; }
inline Endpoint endpoint_at(unsigned short port) { return endpoint_at("http://127.0.0.1:" + std::to_string(port)); }

inline HttpMessage post(std::string body, std::string target = "/infer") {
  return {"POST", std::move(target), {{"Content-Type", "text/plain"}}, std::move(body)};
}

inline std::string ok_reply(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// "code: message"; "(replied)" when there was a reply.
inline std::string error_of(const SendResult& result) {
  if (result.reply.ok()) return "(replied)";
  return std::string(name_of(result.reply.error().code)) + ": " + result.reply.error().message;
}

class Attempts {
 public:
  static constexpr Duration kLong = std::chrono::seconds(60);

  explicit Attempts(net::HttpOptions options = {})
      : loop_(net::make_asio_loop()), transport_(net::make_http_transport(*loop_, std::move(options))) {}

  ~Attempts() { drop_transport(); }

  std::future<SendResult> start(AttemptId attempt, const Endpoint& endpoint, HttpMessage message,
                                Duration time = kLong) {
    auto promise = std::make_shared<std::promise<SendResult>>();
    auto permit = std::make_shared<EgressPermit>(permit_for(endpoint, std::move(message)));
    loop_->post([this, attempt, permit, time, promise] {
      const auto returned = std::make_shared<bool>(false);
      transport_->send(attempt, std::move(*permit), loop_->now() + time, [this, returned, promise](SendResult result) {
        if (!*returned || !loop_->on_loop_thread()) std::terminate();  // the contract of every attempt
        promise->set_value(std::move(result));
      });
      *returned = true;
    });
    return promise->get_future();
  }

  SendResult send(const Endpoint& endpoint, HttpMessage message, Duration time = kLong) {
    return start(next_++, endpoint, std::move(message), time).get();
  }

  void cancel(AttemptId attempt) {
    loop_->post([this, attempt] { transport_->cancel(attempt); });
  }

  /// Lets go of the transport once everything asked of it so far has been said.
  void drop_transport() {
    std::promise<void> said;
    loop_->post([&] { said.set_value(); });
    said.get_future().wait();
    transport_.reset();
  }
  EventLoop& loop() { return *loop_; }
  Transport& transport() { return *transport_; }

 private:
  std::shared_ptr<EventLoop> loop_;
  std::shared_ptr<Transport> transport_;
  AttemptId next_ = 1000;
};

}  // namespace hearth::test
