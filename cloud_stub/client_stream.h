/// \file ClientStream: the front's end of one client connection, plain or TLS, that can end in every way TCP allows.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <hearth/time.h>

namespace hearth::stub {

using Task = boost::asio::awaitable<void>;

/// Threads: its executor's. Operations say false, or nothing, when the connection is over.
class ClientStream {
 public:
  using Tcp = boost::asio::ip::tcp;
  explicit ClientStream(Tcp::socket socket) : socket_(std::move(socket)) {}

  boost::asio::awaitable<bool> shake_hands(boost::asio::ssl::context& context);
  /// Appends what comes next to `to`.
  boost::asio::awaitable<bool> read(std::string& to);
  boost::asio::awaitable<bool> write(std::string_view bytes);
  /// From now on at most `bytes` are read at a time, each read after `wait`.
  void slow_down(std::size_t bytes, Duration wait);

  Task wait(Duration time);
  /// Returns when the client has gone, without reading what it sent until then. Looks 50 times a second.
  Task until_gone();

  void close();       ///< FIN. Over TLS without its goodbye, which few servers say.
  void reset();       ///< RST.
  void half_close();  ///< No more bytes from here.
  /// What lies unread in the socket, at most 1 MiB. Over TLS it cannot be read.
  std::string unread();

  Tcp::socket& socket() { return socket_; }

 private:
  Tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<Tcp::socket&>> tls_;
  std::size_t read_max_ = 64 << 10;
  Duration read_wait_{};
};

}  // namespace hearth::stub
