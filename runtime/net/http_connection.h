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
#include "runtime/net/host_addresses.h"
#include "runtime/net/net.h"
#include "runtime/net/reply_parser.h"

namespace hearth::net {

class HttpConnection;

/// Told when a connection changes hands. Calls come on the loop thread.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// The exchange is over, and the connection dead, idle or still being set up. Comes right before the exchange's
  /// `done`.
  virtual void ended(const std::shared_ptr<HttpConnection>& connection, AttemptId attempt) = 0;
  /// A connection whose exchange ended before it was set up is idle now.
  virtual void opened(const std::shared_ptr<HttpConnection>& connection) = 0;
  /// A connection without an exchange is dead: closed by the server, spoke out of turn, or could not be set up.
  virtual void dropped(const std::shared_ptr<HttpConnection>& connection) = 0;
};

/// Where connections lead. Shared by those of one pool.
struct Destination {
  Url url;
  std::shared_ptr<boost::asio::ssl::context> tls;  ///< Null for plain HTTP.
  std::shared_ptr<HostAddresses> addresses;
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

/// Opens itself with its first exchange. When that ends before the connection is set up, a connection that may be kept
/// goes on without it, until the connect timeout; it then carries nothing but the handshake. Threads: loop thread only.
/// It keeps itself alive while an operation is under way, so destroying the loop destroys it.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// `keep` says whether it may be used again.
  HttpConnection(AsioLoop& loop, const HttpOptions& options, std::shared_ptr<const Destination> destination, bool keep,
                 std::weak_ptr<ConnectionOwner> owner);

  /// Sends one request and hands its end to `exchange.done`, never inside this call. Only when new, idle, or still
  /// being set up without an exchange.
  void start(Exchange exchange);
  /// Ends the exchange in flight, if any, with `error`, from the loop. Closes what is open: a reply may be on its way.
  void fail(ErrorCode code, std::string message);
  /// True when nothing has arrived since the last reply: no bytes, no end of stream.
  bool quiet();
  void close();

  bool keep() const { return keep_; }
  bool dead() const { return dead_; }
  bool open() const { return open_; }
  const HostAddresses::Address& address() const { return peer_; }  ///< Once it has been open.
  TimePoint idle_since() const { return idle_since_; }
  /// Memory for the next exchange's head: empty, and as large as the last one's.
  std::string take_head() { return std::move(spare_head_); }

 private:
  using Code = boost::system::error_code;
  using Tcp = boost::asio::ip::tcp;
  /// Of the loop's own executor: any executor at all would cost each operation.
  using Socket = boost::asio::basic_stream_socket<Tcp, boost::asio::io_context::executor_type>;

  void set_timer();
  void on_timer();
  void look_up();
  void connect();
  void next_address(Code error);
  void on_connected();
  void shake_hands();
  void fail_opening(const char* when, Code error);
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
  void tell_dropped();
  bool holds_unread_tls();
  void complete();
  void deliver();
  void new_parser();
  std::size_t unsent() const;
  std::string named(const std::string& what) const;
  TimePoint next_due() const;

  AsioLoop& loop_;
  const HttpOptions options_;
  const std::shared_ptr<const Destination> destination_;
  const bool keep_;
  const std::weak_ptr<ConnectionOwner> owner_;

  bool opening_ = false;
  TimePoint open_by_{};                            ///< The connect timeout.
  std::vector<HostAddresses::Address> addresses_;  ///< Left to try, the one being tried first.
  TimePoint address_by_{};                         ///< When the next one is tried.
  HostAddresses::Address peer_;
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  boost::beast::flat_buffer buffer_;
  std::optional<ReplyParser> parser_;
  unsigned interim_replies_ = 0;

  std::optional<Exchange> exchange_;
  std::optional<Result<HttpReply>> result_;  ///< How the exchange ended, until it is delivered.
  /// One timer for all exchanges: it rings no later than the next thing is due, and when that is too early, is set
  /// anew.
  std::optional<TimerId> timer_;
  TimePoint timer_due_{};
  TimePoint idle_since_{};
  std::string spare_head_;
  bool open_ = false;
  bool used_ = false;    ///< A request was sent on it.
  bool silent_ = false;  ///< The kernel gave up on what was sent.
  bool dead_ = false;
  bool reading_ = false;
  bool writing_ = false;
};

}  // namespace hearth::net
