/// \file EgressPermit: the right to send one payload to one endpoint once. Whoever holds no permit has nothing to send.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <hearth/endpoint.h>

namespace hearth {

class PrivacyGuard;

/// One encoded HTTP request without its host: what a codec makes and a guard inspects.
struct HttpMessage {
  std::string method = "POST";
  std::string target;  ///< Path, relative to the endpoint's base, beginning with '/'.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// The right to send exactly the message inside to exactly the endpoint inside, once.
///
/// Only PrivacyGuard makes one, and a Transport takes nothing else, so no byte reaches a socket without the guard. It
/// cannot be copied; every retry needs a new one. Threads: none of its own.
class EgressPermit {
 public:
  EgressPermit(EgressPermit&&) noexcept = default;
  EgressPermit& operator=(EgressPermit&&) noexcept = default;
  EgressPermit(const EgressPermit&) = delete;
  EgressPermit& operator=(const EgressPermit&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  const HttpMessage& message() const { return message_; }

 private:
  friend class PrivacyGuard;
  EgressPermit(Endpoint endpoint, HttpMessage message) : endpoint_(std::move(endpoint)), message_(std::move(message)) {}

  Endpoint endpoint_;
  HttpMessage message_;
};

}  // namespace hearth
