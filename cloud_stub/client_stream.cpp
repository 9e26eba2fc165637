#include "cloud_stub/client_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace hearth::stub {
namespace asio = boost::asio;
namespace {

constexpr auto kLook = std::chrono::milliseconds(20);
constexpr std::size_t kUnreadMax = 1 << 20;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// True when the other side has closed or reset, whatever lies unread.
bool is_gone(int fd) {
  pollfd wait{fd, POLLRDHUP, 0};
  return ::poll(&wait, 1, 0) != 0;
}

}  // namespace

asio::awaitable<bool> ClientStream::shake_hands(asio::ssl::context& context) {
  tls_.emplace(socket_, context);
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kAwait);
  co_return !error;
}

asio::awaitable<bool> ClientStream::read(std::string& to) {
  if (read_wait_ > Duration{}) co_await wait(read_wait_);
  const std::size_t had = to.size();
  to.resize(had + read_max_);
  const auto room = asio::buffer(to.data() + had, read_max_);
  std::size_t got = 0;
  bool good = false;
  if (tls_) {
    const auto [error, bytes] = co_await tls_->async_read_some(room, kAwait);
    good = !error;
    got = bytes;
  } else {
    const auto [error, bytes] = co_await socket_.async_read_some(room, kAwait);
    good = !error;
    got = bytes;
  }
  to.resize(had + got);
  co_return good;
}

asio::awaitable<bool> ClientStream::write(std::string_view bytes) {
  if (bytes.empty()) co_return true;
  const auto all = asio::buffer(bytes.data(), bytes.size());
  if (tls_) {
    const auto [error, sent] = co_await asio::async_write(*tls_, all, kAwait);
    co_return !error;
  }
  const auto [error, sent] = co_await asio::async_write(socket_, all, kAwait);
  co_return !error;
}

void ClientStream::slow_down(std::size_t bytes, Duration wait) {
  read_max_ = std::clamp<std::size_t>(bytes, 1, read_max_);
  read_wait_ = wait;
}

Task ClientStream::wait(Duration time) {
  asio::steady_timer timer(socket_.get_executor(), std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                       std::min<Duration>(time, std::chrono::hours(24))));
  co_await timer.async_wait(kAwait);
}

Task ClientStream::until_gone() {
  while (socket_.is_open() && !is_gone(socket_.native_handle())) co_await wait(kLook);
}

void ClientStream::close() {
  boost::system::error_code ignored;
  socket_.shutdown(Tcp::socket::shutdown_send, ignored);
  socket_.close(ignored);
}

void ClientStream::reset() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

void ClientStream::half_close() {
  boost::system::error_code ignored;
  socket_.shutdown(Tcp::socket::shutdown_send, ignored);
}

std::string ClientStream::unread() {
  std::string bytes;
  if (tls_ || !socket_.is_open()) return bytes;
  bytes.resize(kUnreadMax);
  const auto got = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

}  // namespace hearth::stub
