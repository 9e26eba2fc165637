#include "runtime/net/http_connection.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include <netinet/tcp.h>
#include <sys/socket.h>

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

HttpConnection::HttpConnection(AsioLoop& loop, const HttpOptions& options,
                               std::shared_ptr<const Destination> destination, bool keep,
                               std::weak_ptr<ConnectionOwner> owner)
    : loop_(loop),
      options_(options),
      destination_(std::move(destination)),
      keep_(keep),
      owner_(std::move(owner)),
      socket_(loop.context().get_executor()) {}

void HttpConnection::start(Exchange exchange) {
  assert(!exchange_ && !dead_);
  exchange_.emplace(std::move(exchange));
  interim_replies_ = 0;
  new_parser();
  if (open_) {
    set_timer();
    return write();
  }
  if (!std::exchange(opening_, true)) {
    open_by_ = loop_.now() + options_.connect_timeout;
    look_up();
  }
  if (!dead_) set_timer();
}

void HttpConnection::new_parser() {
  parser_.emplace(options_.reply_head_bytes_max, options_.reply_bytes_max,
                  exchange_->permit.message().method == "HEAD");
}

// ---- time -----------------------------------------------------------------------------------------------------------

TimePoint HttpConnection::next_due() const {
  TimePoint due = TimePoint::max();
  if (exchange_ && !result_) due = exchange_->deadline;
  if (opening_) due = std::min(due, addresses_.size() > 1 ? address_by_ : open_by_);
  return due;
}

void HttpConnection::set_timer() {
  const TimePoint due = next_due();
  if (timer_ && timer_due_ <= due) return;
  if (timer_) loop_.cancel(*timer_);
  timer_due_ = due;
  timer_ = loop_.schedule_at(due, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_timer();
  });
}

void HttpConnection::on_timer() {
  timer_.reset();
  if (dead_) return;
  const TimePoint now = loop_.now();
  if (opening_ && now >= open_by_) return fail_opening(nullptr, {});
  if (exchange_ && !result_ && now >= exchange_->deadline) {
    fail(ErrorCode::kDeadlineExceeded, named("no whole reply before the deadline"));
  } else if (opening_ && addresses_.size() > 1 && now >= address_by_) {
    next_address(asio::error::timed_out);
  }
  if (!dead_ && (opening_ || (exchange_ && !result_))) set_timer();
}

std::string HttpConnection::named(const std::string& what) const {
  return "endpoint '" + exchange_->permit.endpoint().name + "': " + what;
}

// ---- setting it up --------------------------------------------------------------------------------------------------

void HttpConnection::look_up() {
  destination_->addresses->get([weak = weak_from_this()](Result<std::vector<HostAddresses::Address>> found) {
    const auto self = weak.lock();
    if (!self || self->dead_) return;
    if (!found.ok()) {
      self->close();
      return self->exchange_
                 ? self->fail(ErrorCode::kUnavailable, self->named("look-up failed: " + found.error().message))
                 : self->tell_dropped();
    }
    self->addresses_ = std::move(found).value();
    self->connect();
  });
}

/// Each address gets its share of the time that is left.
void HttpConnection::connect() {
  const TimePoint now = loop_.now();
  address_by_ = now + (open_by_ - now) / static_cast<Duration::rep>(addresses_.size());
  set_timer();
  peer_ = addresses_.front();
  socket_.async_connect(Tcp::endpoint(peer_, destination_->url.port),
                        [self = shared_from_this(), left = addresses_.size()](Code error) {
                          // Its address may have been given up meanwhile.
                          if (self->dead_ || left != self->addresses_.size()) return;
                          if (error) return self->next_address(error);
                          self->on_connected();
                        });
}

void HttpConnection::next_address(Code error) {
  if (addresses_.size() == 1) return fail_opening("cannot connect", error);
  destination_->addresses->failed(addresses_.front());
  addresses_.erase(addresses_.begin());
  Code ignored;
  socket_.close(ignored);
  connect();
}

void HttpConnection::on_connected() {
  addresses_.resize(1);
  Code error;
  socket_.set_option(Tcp::no_delay(true), error);
  if (!error) socket_.non_blocking(true, error);
  // A kept connection whose network went away: the kernel gives up on what is not acknowledged for as long as a new
  // connection may take (RFC 5482). Where it does not know the option, the deadline has to do.
  const auto unacknowledged_ms =
      static_cast<unsigned>(std::chrono::duration_cast<std::chrono::milliseconds>(options_.connect_timeout).count());
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
  if (error) return fail_opening("cannot set up the connection", error);
  if (!destination_->tls) return on_open();
  shake_hands();
}

void HttpConnection::shake_hands() {
  const std::string& host = destination_->url.host;
  try {
    tls_.emplace(socket_, *destination_->tls);
    tls_->set_verify_mode(asio::ssl::verify_peer);
    tls_->set_verify_callback(asio::ssl::host_name_verification(host));
  } catch (const boost::system::system_error& error) { return fail_opening("cannot begin TLS", error.code()); }
  Code not_literal;
  asio::ip::make_address(host, not_literal);
  // Server name indication is for names only (RFC 6066, section 3).
  if (not_literal && SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str()) != 1) {
    return fail_opening("cannot set the TLS server name", asio::error::no_memory);
  }
  tls_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](Code error) {
    if (self->dead_) return;
    if (error) return self->fail_opening("TLS handshake failed", error);
    self->on_open();
  });
}

/// Without `when`: time is up.
void HttpConnection::fail_opening(const char* when, Code error) {
  if (!addresses_.empty()) destination_->addresses->failed(addresses_.front());
  close();
  if (!exchange_) return tell_dropped();
  fail(ErrorCode::kUnavailable, named(when == nullptr ? "no connection within the connect timeout"
                                                      : std::string(when) + ": " + error.message()));
}

void HttpConnection::on_open() {
  open_ = true;
  opening_ = false;
  destination_->addresses->worked(peer_);
  idle_since_ = loop_.now();
  if (exchange_ && !result_) {
    write();
  } else if (const auto owner = owner_.lock(); owner && !exchange_) {
    owner->opened(shared_from_this());
  }
  read();
}

// ---- the exchange ---------------------------------------------------------------------------------------------------

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
  used_ = true;
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
    return tell_dropped();
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
  silent_ = error == asio::error::timed_out;
  if (silent_) destination_->addresses->failed(peer_);
  fail(ErrorCode::kUnavailable, named(std::string(when) + ": " + error.message()));
}

void HttpConnection::fail(ErrorCode code, std::string message) {
  if (!exchange_ || result_) return;
  result_.emplace(code, std::move(message));
  if (!opening_ || !keep_) close();
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
  Exchange over = std::move(*exchange_);
  exchange_.reset();
  wipe(over.head);  // it may hold a credential
  spare_head_ = std::move(over.head);
  SendResult result{std::move(*result_), over.sent, silent_};
  result_.reset();
  idle_since_ = loop_.now();
  if (const auto owner = owner_.lock()) owner->ended(self, over.attempt);
  over.done(std::move(result));
  if (open_) read();
}

bool HttpConnection::quiet() {
  if (dead_) return false;
  char byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return tls_ && !used_;  // right after a handshake it is most likely a ticket (RFC 8446, section 4.6.1)
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void HttpConnection::close() {
  dead_ = true;
  opening_ = false;
  if (timer_) loop_.cancel(*std::exchange(timer_, {}));
  Code ignored;
  socket_.close(ignored);
}

void HttpConnection::tell_dropped() {
  if (const auto owner = owner_.lock()) owner->dropped(shared_from_this());
}

}  // namespace hearth::net
