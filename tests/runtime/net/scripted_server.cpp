#include "tests/runtime/net/scripted_server.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/write.hpp>

namespace hearth::test {
namespace asio = boost::asio;
using asio::ip::tcp;
using Code = boost::system::error_code;

namespace {

/// The kernel then drops what arrives before TCP sees it.
void drop_all(int socket) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &nothing};
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) std::terminate();
}

}  // namespace

Peer::Peer(tcp::socket socket, asio::ssl::context* tls, std::size_t number)
    : socket_(std::move(socket)), number_(number) {
  if (tls != nullptr) tls_.emplace(socket_, *tls);
}

bool Peer::shake_hands() {
  Code error;
  if (tls_) tls_->handshake(asio::ssl::stream_base::server, error);
  return !error;
}

std::size_t Peer::read_some(char* to, std::size_t size) {
  Code error;
  const auto buffer = asio::buffer(to, size);
  const std::size_t got = tls_ ? tls_->read_some(buffer, error) : socket_.read_some(buffer, error);
  return error ? 0 : got;
}

std::string Peer::read_request() {
  char chunk[4096];
  while (true) {
    const std::size_t head = unread_.find("\r\n\r\n");
    if (head != std::string::npos) {
      const std::size_t length = unread_.find("Content-Length: ");
      const std::size_t body = length < head ? std::stoul(unread_.substr(length + 16, 20)) : 0;
      if (unread_.size() >= head + 4 + body) {
        std::string request = unread_.substr(0, head + 4 + body);
        unread_.erase(0, request.size());
        return request;
      }
    }
    const std::size_t got = read_some(chunk, sizeof chunk);
    if (got == 0) return {};
    unread_.append(chunk, got);
  }
}

void Peer::send(std::string_view bytes) {
  Code ignored;
  if (tls_) {
    asio::write(*tls_, asio::buffer(bytes), ignored);
  } else {
    asio::write(socket_, asio::buffer(bytes), ignored);
  }
}

void Peer::send_together(std::string_view first, std::string_view second) {
  int cork = 1;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);
  send(first);
  send(second);
  cork = 0;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);
}

void Peer::wait_for_close() {
  char chunk[4096];
  while (read_some(chunk, sizeof chunk) > 0) {}
}

void Peer::close() {
  const std::lock_guard lock(mutex_);
  Code ignored;
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
}

void Peer::reset() {
  const std::lock_guard lock(mutex_);
  Code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

void Peer::vanish() { drop_all(socket_.native_handle()); }

ScriptedServer::ScriptedServer(Script script, asio::ssl::context* tls, Options options)
    : script_(std::move(script)),
      before_handshake_(std::move(options.before_handshake)),
      tls_(tls),
      acceptor_(context_, tcp::endpoint(asio::ip::make_address(options.address), options.port)) {
  if (options.silent) drop_all(acceptor_.native_handle());
  port_ = acceptor_.local_endpoint().port();
  accepting_ = std::thread([this] { accept(); });
}

void ScriptedServer::accept() {
  while (true) {
    Code error;
    tcp::socket socket = acceptor_.accept(error);
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (error) continue;
    const auto peer = std::make_shared<Peer>(std::move(socket), tls_, connections_++);
    peers_.push_back(peer);
    scripts_.emplace_back([this, peer] {
      if (before_handshake_) before_handshake_(*peer);
      if (peer->shake_hands()) {
        script_(*peer);
      } else {
        ++handshakes_failed_;
      }
      peer->close();
    });
  }
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);  // wakes the accept
    for (const auto& peer : peers_) peer->close();
  }
  accepting_.join();
  for (auto& script : scripts_) script.join();
}

}  // namespace hearth::test
