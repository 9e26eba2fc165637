/// \file MemoryServer: as little as an HTTP server can do, so that a benchmark measures the client before it.
#pragma once

#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace hearth::bench {

/// Listens on 127.0.0.1 with one thread of its own and answers each whole POST of a kept connection with the same
/// bytes. It finds where a request ends and looks at nothing else in it.
class MemoryServer {
 public:
  /// `reply`: head and body.
  explicit MemoryServer(std::string reply);
  ~MemoryServer();
  MemoryServer(const MemoryServer&) = delete;
  MemoryServer& operator=(const MemoryServer&) = delete;

  unsigned short port() const { return acceptor_.local_endpoint().port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

 private:
  void accept();

  const std::string reply_;
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

}  // namespace hearth::bench
