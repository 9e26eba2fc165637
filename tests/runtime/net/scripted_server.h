/// \file ScriptedServer: a raw TCP or TLS server on 127.0.0.1 that does exactly what a test says, byte by byte.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

namespace hearth::test {

/// The server's end of one connection. Used by its script's thread.
class Peer {
 public:
  Peer(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls, std::size_t number);

  /// Which connection this is, from 0.
  std::size_t number() const { return number_; }
  /// The raw bytes of the next request, head and body; empty when the client went away first.
  std::string read_request();
  void send(std::string_view bytes);
  /// Two sends, over TLS two records, that reach the client at once.
  void send_together(std::string_view first, std::string_view second);
  /// Returns when the client has closed.
  void wait_for_close();
  /// Says goodbye in the usual way.
  void close();
  /// Drops the connection with a TCP reset.
  void reset();
  /// From here on nothing that the client sends is acknowledged, as when the path to it were gone.
  void vanish();

 private:
  friend class ScriptedServer;
  bool shake_hands();
  std::size_t read_some(char* to, std::size_t size);

  std::mutex mutex_;  ///< Between the script that closes and the server that stops.
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  std::size_t number_;
  std::string unread_;
};

class ScriptedServer {
 public:
  using Script = std::function<void(Peer&)>;

  struct Options {
    std::string address = "127.0.0.1";
    unsigned short port = 0;  ///< 0: any.
    Script before_handshake;  ///< Runs before the TLS handshake.
    bool silent = false;      ///< Listens, but answers no connection, as when the path to it were gone.
  };

  /// Runs `script` on a thread of its own for every connection, and closes it after. `tls` outlives the server.
  explicit ScriptedServer(Script script, boost::asio::ssl::context* tls = nullptr)
      : ScriptedServer(std::move(script), tls, Options{}) {}
  ScriptedServer(Script script, boost::asio::ssl::context* tls, Options options);
  /// Cuts every connection and waits for the scripts.
  ~ScriptedServer();

  unsigned short port() const { return port_; }
  std::size_t connections() const { return connections_; }
  std::size_t handshakes_failed() const { return handshakes_failed_; }

 private:
  void accept();

  Script script_;
  Script before_handshake_;
  boost::asio::ssl::context* tls_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  unsigned short port_ = 0;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<std::size_t> handshakes_failed_ = 0;
  std::mutex mutex_;
  bool stopping_ = false;
  std::list<std::shared_ptr<Peer>> peers_;
  std::vector<std::thread> scripts_;
  std::thread accepting_;
};

}  // namespace hearth::test
