/// \file HttpConnection: one connection to one server, one exchange at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <hearth/transport.h>

#include "runtime/base/url.h"
#include "runtime/net/asio_loop.h"
#include "runtime/net/net.h"
#include "runtime/net/reply_parser.h"

namespace hearth::net {

class HttpConnection;

/// Told when a connection changes hands. Calls come on the loop thread.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// The exchange is over; `reusable` connections are idle from here on. Comes right before the exchange's `done`.
  virtual void ended(const std::shared_ptr<HttpConnection>& connection, AttemptId attempt, bool reusable) = 0;
  /// An idle connection was closed by the server, or spoke out of turn.
  virtual void dropped(const std::shared_ptr<HttpConnection>& connection) = 0;
};

/// One attempt on its way.
struct Exchange {
  AttemptId attempt;
  EgressPermit permit;
  TimePoint deadline;
  Transport::SendCallback done;
  std::string head;
  Transport::BodyCallback on_body;  ///< May be empty.
  std::size_t body_told = 0;        ///< Bytes of the reply's body that on_body has had.
  std::uint64_t sent = 0;           ///< Of head and body together.
};

/// Opens itself with its first exchange. Threads: loop thread only. It keeps itself alive while an operation is under
/// way, so destroying the loop destroys it.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// `tls` is null for plain HTTP and outlives the connection otherwise. `keep` says whether it may be used again.
  HttpConnection(AsioLoop& loop, const HttpOptions& options, std::shared_ptr<boost::asio::ssl::context> tls, Url url,
                 bool keep, std::weak_ptr<ConnectionOwner> owner);

  /// Sends one request and hands its end to `exchange.done`, never inside this call. Only when idle or new.
  void start(Exchange exchange);
  /// Ends the exchange in flight, if any, with `error`, and closes. The result is delivered from the loop.
  void fail(ErrorCode code, std::string message);
  /// True when nothing has arrived since the last reply: no bytes, no end of stream.
  bool quiet();
  void close();

  bool keep() const { return keep_; }
  const Url& url() const { return url_; }
  TimePoint idle_since() const { return idle_since_; }

 private:
  using Code = boost::system::error_code;
  using Tcp = boost::asio::ip::tcp;

  void set_timer();
  void look_up();
  void connect(std::vector<Tcp::endpoint> endpoints);
  void on_connected();
  void shake_hands();
  void on_open();
  void write();
  void on_written(Code error, std::size_t bytes);
  void read();
  void on_readable(Code error);
  void on_read(Code error, std::size_t bytes);
  void parse();
  void tell_body();
  void on_end_of_stream();
  void fail_parse(Code error);
  void fail_break(const char* when, Code error);
  bool holds_unread_tls();
  void complete();
  void deliver();
  void new_parser();
  std::size_t unsent() const;
  std::string named(const std::string& what) const;

  AsioLoop& loop_;
  const HttpOptions options_;
  const std::shared_ptr<boost::asio::ssl::context> tls_context_;
  const Url url_;
  const bool keep_;
  const std::weak_ptr<ConnectionOwner> owner_;

  Tcp::resolver resolver_;
  Tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<Tcp::socket&>> tls_;
  boost::beast::flat_buffer buffer_;
  std::optional<ReplyParser> parser_;
  unsigned interim_replies_ = 0;

  std::optional<Exchange> exchange_;
  std::optional<Result<HttpReply>> result_;  ///< How the exchange ended, until it is delivered.
  std::optional<TimerId> timer_;
  TimePoint idle_since_{};
  bool open_ = false;
  bool silent_ = false;  ///< The kernel gave up on what was sent.
  bool dead_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool connect_limited_ = false;  ///< The timer rings at the connect timeout, before the deadline.
};

}  // namespace hearth::net
