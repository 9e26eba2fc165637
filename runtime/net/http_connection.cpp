#include "runtime/net/http_connection.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/http/error.hpp>

#include "runtime/net/credential.h"

namespace hearth::net {
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace {

constexpr std::size_t kReadBytes = 16 << 10;
constexpr std::size_t kTlsRecordMax = 16 << 10;
constexpr unsigned kInterimRepliesMax = 8;

}  // namespace

HttpConnection::HttpConnection(AsioLoop& loop, const HttpOptions& options, std::shared_ptr<asio::ssl::context> tls,
                               Url url, bool keep, std::weak_ptr<ConnectionOwner> owner)
    : loop_(loop),
      options_(options),
      tls_context_(std::move(tls)),
      url_(std::move(url)),
      keep_(keep),
      owner_(std::move(owner)),
      resolver_(loop.context()),
      socket_(loop.context()) {}

void HttpConnection::start(Exchange exchange) {
  assert(!exchange_ && !dead_);
  exchange_.emplace(std::move(exchange));
  interim_replies_ = 0;
  new_parser();
  set_timer();
  if (open_) {
    write();
  } else {
    look_up();
  }
}

void HttpConnection::new_parser() {
  parser_.emplace(options_.reply_head_bytes_max, options_.reply_bytes_max,
                  exchange_->permit.message().method == "HEAD");
}

void HttpConnection::set_timer() {
  TimePoint due = exchange_->deadline;
  const TimePoint connected_by = loop_.now() + options_.connect_timeout;
  connect_limited_ = !open_ && connected_by < due;
  if (connect_limited_) due = connected_by;
  timer_ = loop_.schedule_at(due, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->timer_.reset();
    if (self->connect_limited_) {
      self->fail(ErrorCode::kUnavailable, self->named("no connection within the connect timeout"));
    } else {
      self->fail(ErrorCode::kDeadlineExceeded, self->named("no whole reply before the deadline"));
    }
  });
}

std::string HttpConnection::named(const std::string& what) const {
  return "endpoint '" + exchange_->permit.endpoint().name + "': " + what;
}

void HttpConnection::look_up() {
  // "localhost" is never looked up: a name server has no say in what is loopback.
  if (url_.host == "localhost") {
    return connect({Tcp::endpoint(asio::ip::address_v4::loopback(), url_.port),
                    Tcp::endpoint(asio::ip::address_v6::loopback(), url_.port)});
  }
  Code not_literal;
  const auto address = asio::ip::make_address(url_.host, not_literal);
  if (!not_literal) return connect({Tcp::endpoint(address, url_.port)});

  resolver_.async_resolve(url_.host, std::to_string(url_.port), Tcp::resolver::numeric_service,
                          [self = shared_from_this()](Code error, const Tcp::resolver::results_type& found) {
                            if (self->dead_) return;
                            if (error) return self->fail_break("look-up failed", error);
                            self->connect({found.begin(), found.end()});
                          });
}

void HttpConnection::connect(std::vector<Tcp::endpoint> endpoints) {
  asio::async_connect(socket_, endpoints, [self = shared_from_this()](Code error, const Tcp::endpoint&) {
    if (self->dead_) return;
    if (error) return self->fail_break("cannot connect", error);
    self->on_connected();
  });
}

void HttpConnection::on_connected() {
  Code error;
  socket_.set_option(Tcp::no_delay(true), error);
  if (!error) socket_.non_blocking(true, error);
  // A kept connection whose network went away: the kernel gives up on what is not acknowledged for as long as a new
  // connection may take (RFC 5482). Where it does not know the option, the deadline has to do.
  const auto unacknowledged_ms =
      static_cast<unsigned>(std::chrono::duration_cast<std::chrono::milliseconds>(options_.connect_timeout).count());
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
  if (error) return fail_break("cannot set up the connection", error);
  if (!tls_context_) return on_open();
  shake_hands();
}

void HttpConnection::shake_hands() {
  try {
    tls_.emplace(socket_, *tls_context_);
    tls_->set_verify_mode(asio::ssl::verify_peer);
    tls_->set_verify_callback(asio::ssl::host_name_verification(url_.host));
  } catch (const boost::system::system_error& error) { return fail_break("cannot begin TLS", error.code()); }
  Code not_literal;
  asio::ip::make_address(url_.host, not_literal);
  // Server name indication is for names only (RFC 6066, section 3).
  if (not_literal && SSL_set_tlsext_host_name(tls_->native_handle(), url_.host.c_str()) != 1) {
    return fail(ErrorCode::kInternal, named("cannot set the TLS server name"));
  }
  tls_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](Code error) {
    if (self->dead_) return;
    if (error) return self->fail_break("TLS handshake failed", error);
    self->on_open();
  });
}

void HttpConnection::on_open() {
  open_ = true;
  if (connect_limited_) {
    loop_.cancel(*timer_);
    set_timer();
  }
  write();
  read();
}

std::size_t HttpConnection::unsent() const {
  return exchange_->head.size() + exchange_->permit.message().body.size() - exchange_->sent;
}

void HttpConnection::write() {
  const std::string& head = exchange_->head;
  const std::string& body = exchange_->permit.message().body;
  const std::size_t sent = exchange_->sent;
  const std::array<asio::const_buffer, 2> rest = {asio::buffer(head) + sent,
                                                  asio::buffer(body) + (sent - std::min(sent, head.size()))};
  writing_ = true;
  const auto then = [self = shared_from_this()](Code error, std::size_t bytes) { self->on_written(error, bytes); };
  if (tls_) return tls_->async_write_some(rest, then);

  // Nearly every request fits into the socket's buffer at once and needs no trip through the loop.
  Code error;
  const std::size_t bytes = socket_.write_some(rest, error);
  exchange_->sent += bytes;
  const bool blocked = error == asio::error::would_block || error == asio::error::try_again;
  if (unsent() == 0 || (error && !blocked)) {
    writing_ = false;  // when it broke, the read tells how: a reply may still have come
    return;
  }
  socket_.async_wait(Tcp::socket::wait_write, [then](Code wait_error) { then(wait_error, 0); });
}

void HttpConnection::on_written(Code error, std::size_t bytes) {
  writing_ = false;
  exchange_->sent += bytes;
  // Part of a record may have left: what was handed over counts.
  if (error && tls_) exchange_->sent += std::min(unsent(), kTlsRecordMax);
  if (result_) return deliver();
  if (!error && unsent() > 0) write();  // when it broke, the read tells how: a reply may still have come
}

void HttpConnection::read() {
  if (reading_ || dead_) return;
  reading_ = true;
  if (tls_) {
    return tls_->async_read_some(
        buffer_.prepare(kReadBytes),
        [self = shared_from_this()](Code error, std::size_t bytes) { self->on_read(error, bytes); });
  }
  // Waiting instead of reading leaves bytes that come between two exchanges in the socket, where quiet() sees them.
  socket_.async_wait(Tcp::socket::wait_read, [self = shared_from_this()](Code error) { self->on_readable(error); });
}

void HttpConnection::on_readable(Code error) {
  std::size_t bytes = 0;
  if (!error && !dead_) bytes = socket_.read_some(buffer_.prepare(kReadBytes), error);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    reading_ = false;
    return read();
  }
  on_read(error, bytes);
}

void HttpConnection::on_read(Code error, std::size_t bytes) {
  reading_ = false;
  if (dead_) return;
  if (!exchange_) {
    close();
    if (const auto owner = owner_.lock()) owner->dropped(shared_from_this());
    return;
  }
  if (error == asio::error::eof) return on_end_of_stream();
  if (error) return fail_break(parser_->got_some() ? "connection broke in the reply" : "connection broke", error);
  buffer_.commit(bytes);
  parse();
}

void HttpConnection::parse() {
  while (buffer_.size() > 0) {
    Code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    tell_body();
    if (error == http::error::need_more) break;
    if (error) return fail_parse(error);
    if (!parser_->is_done()) continue;
    if (parser_->status() >= 200) return complete();
    if (parser_->status() == 101 || ++interim_replies_ > kInterimRepliesMax) {
      return fail(ErrorCode::kCorrupt, named("unexpected interim replies"));
    }
    new_parser();
  }
  // What the grammar wants whole (head, chunk header, trailer) waits in the buffer: a server must not make it grow.
  if (buffer_.size() > options_.reply_head_bytes_max) return fail_parse(http::error::header_limit);
  read();
}

void HttpConnection::tell_body() {
  if (!exchange_->on_body || parser_->status() != 200) return;
  const std::string_view more = std::string_view(parser_->body()).substr(exchange_->body_told);
  exchange_->body_told += more.size();
  if (!more.empty()) exchange_->on_body(more);
}

void HttpConnection::on_end_of_stream() {
  if (!parser_->got_some()) {
    return fail(ErrorCode::kUnavailable, named("the server closed the connection without a reply"));
  }
  Code error;
  if (parser_->is_header_done()) parser_->put_eof(error);
  if (parser_->wrong_encoding() != nullptr) return fail_parse(error);
  if (error || !parser_->is_done()) {
    return fail(ErrorCode::kUnavailable, named("the server closed the connection in the middle of its reply"));
  }
  close();
  complete();
}

void HttpConnection::fail_parse(Code error) {
  if (error == http::error::body_limit) {
    return fail(ErrorCode::kResourceExhausted,
                named("reply body over " + std::to_string(options_.reply_bytes_max) + " bytes"));
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return fail(ErrorCode::kResourceExhausted,
                named("reply head over " + std::to_string(options_.reply_head_bytes_max) + " bytes"));
  }
  if (parser_->wrong_encoding() != nullptr) return fail(ErrorCode::kCorrupt, named(parser_->wrong_encoding()));
  fail(ErrorCode::kCorrupt, named("not an HTTP reply: " + error.message()));
}

void HttpConnection::fail_break(const char* when, Code error) {
  silent_ = open_ && error == asio::error::timed_out;
  fail(ErrorCode::kUnavailable, named(std::string(when) + ": " + error.message()));
}

void HttpConnection::fail(ErrorCode code, std::string message) {
  if (!exchange_ || result_) return close();
  result_.emplace(code, std::move(message));
  close();
  if (writing_) return;  // its handler knows how much left, and delivers
  asio::post(loop_.context(), [self = shared_from_this()] { self->deliver(); });
}

void HttpConnection::complete() {
  const bool reusable = keep_ && !dead_ && !writing_ && unsent() == 0 && buffer_.size() == 0 && !holds_unread_tls() &&
                        parser_->keep_alive();
  if (!reusable) close();
  result_.emplace(parser_->take());
  if (!writing_) deliver();
}

/// What came along with a reply and OpenSSL still holds would be read as the reply to the next request: quiet() sees
/// only the socket.
bool HttpConnection::holds_unread_tls() {
  if (!tls_) return false;
  SSL* ssl = tls_->native_handle();
  return SSL_has_pending(ssl) == 1 || BIO_pending(SSL_get_rbio(ssl)) > 0;
}

void HttpConnection::deliver() {
  const auto self = shared_from_this();
  if (timer_) loop_.cancel(*timer_);
  timer_.reset();
  Exchange over = std::move(*exchange_);
  exchange_.reset();
  wipe(over.head);  // it may hold a credential
  SendResult result{std::move(*result_), over.sent, silent_};
  result_.reset();
  idle_since_ = loop_.now();
  if (const auto owner = owner_.lock()) owner->ended(self, over.attempt, !dead_);
  over.done(std::move(result));
  read();
}

bool HttpConnection::quiet() {
  if (dead_) return false;
  char byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void HttpConnection::close() {
  dead_ = true;
  Code ignored;
  resolver_.cancel();
  socket_.close(ignored);
}

}  // namespace hearth::net
