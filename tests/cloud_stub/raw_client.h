/// \file RawClient: a TCP connection that says exactly what a test says and reports what comes back, and how it ends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace hearth::stub {

class RawClient {
 public:
  static constexpr int kPatienceMs = 20'000;  ///< For what must come. A test that waits so long has failed.
  static constexpr int kQuietMs = 60;         ///< For what must not come: no test fails for waiting too short.

  explicit RawClient(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) end_ = "refused";
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool send(const std::string& bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// Everything until the server closes, or is quiet for `quiet_ms`.
  std::string read_all(int quiet_ms = kPatienceMs) {
    std::string bytes;
    while (end_ == "open" && read_some(bytes, quiet_ms)) {}
    return bytes;
  }
  /// At least until `end` has come; less when the server closes first.
  std::string read_until(const std::string& end) {
    std::string bytes;
    while (bytes.find(end) == std::string::npos && end_ == "open" && read_some(bytes, kPatienceMs)) {}
    return bytes;
  }
  /// "open", "closed", "reset" or "refused", as far as reading has shown.
  const std::string& end() const { return end_; }

 private:
  bool read_some(std::string& to, int wait_ms) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, wait_ms) <= 0) return false;
    char buffer[16384];
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got > 0) to.append(buffer, static_cast<std::size_t>(got));
    if (got == 0) end_ = "closed";
    if (got < 0) end_ = errno == ECONNRESET ? "reset" : "broken";
    return got > 0;
  }

  int fd_;
  std::string end_ = "open";
};

}  // namespace hearth::stub
