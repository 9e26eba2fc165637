#include "bench/memory_server.h"

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/asio/write.hpp>

namespace hearth::bench {
namespace asio = boost::asio;
using asio::ip::tcp;
using Code = boost::system::error_code;
namespace {

/// Head and body of the request that `bytes` begin with; none before its head is there.
std::optional<std::size_t> request_size(std::string_view bytes) {
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return {};
  const std::size_t at = bytes.find(kLength);
  std::size_t body = 0;
  if (at < end) std::from_chars(bytes.data() + at + kLength.size(), bytes.data() + end, body);
  return end + 4 + body;
}

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, const std::string& reply) : socket_(std::move(socket)), reply_(reply) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_) + filled_,
                            [self = shared_from_this()](Code error, std::size_t bytes) {
                              if (!error) self->on_read(bytes);
                            });
  }

 private:
  void on_read(std::size_t bytes) {
    filled_ += bytes;
    const auto size = request_size({buffer_.data(), filled_});
    if (!size || filled_ < *size) return filled_ < buffer_.size() ? read() : void();
    filled_ = 0;  // its client waits for the answer: nothing follows the request
    asio::async_write(socket_, asio::buffer(reply_), [self = shared_from_this()](Code error, std::size_t) {
      if (!error) self->read();
    });
  }

  tcp::socket socket_;
  const std::string& reply_;
  std::array<char, 16 << 10> buffer_;
  std::size_t filled_ = 0;
};

}  // namespace

MemoryServer::MemoryServer(std::string reply)
    : reply_(std::move(reply)), acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
  accept();
  thread_ = std::thread([this] { context_.run(); });
}

MemoryServer::~MemoryServer() {
  context_.stop();
  thread_.join();
}

void MemoryServer::accept() {
  acceptor_.async_accept([this](Code error, tcp::socket socket) {
    if (error) return;
    socket.set_option(tcp::no_delay(true), error);
    std::make_shared<Connection>(std::move(socket), reply_)->read();
    accept();
  });
}

}  // namespace hearth::bench
