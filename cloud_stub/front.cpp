#include "cloud_stub/front.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <thread>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "cloud_stub/certificate.h"
#include "cloud_stub/conversation.h"

namespace hearth::stub {
namespace asio = boost::asio;
namespace {

using Tcp = asio::ip::tcp;
using sim::FaultKind;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr auto kLook = std::chrono::milliseconds(5);

TlsIdentities::Identity identity(const Certificate& certificate) {
  return {certificate.certificate_pem, certificate.key_pem};
}

asio::ssl::context context_of(const TlsIdentities::Identity& identity) {
  return Certificate{identity.certificate_pem, identity.key_pem}.server_context();
}

}  // namespace

TlsIdentities make_tls_identities() {
  const std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  const Certificate authority = Certificate::make_authority();
  TlsIdentities made;
  made.good = identity(Certificate::make(names, false, &authority));
  made.expired = identity(Certificate::make(names, true, &authority));
  made.wrong_name = identity(Certificate::make("DNS:elsewhere.invalid", false, &authority));
  made.untrusted = identity(Certificate::make(names));
  made.authority_pem = authority.certificate_pem;
  return made;
}

class Front::Core {
 public:
  Core(FrontConfig config, Faults& faults, Swallowed swallowed)
      : world_{std::move(config), faults, std::move(swallowed), {}, {}} {}

  Result<int> start() {
    boost::system::error_code error;
    const auto address =
        asio::ip::make_address(world_.config.host == "localhost" ? "127.0.0.1" : world_.config.host, error);
    here_ = Tcp::endpoint(address, static_cast<unsigned short>(world_.config.port));
    if (!error) error = bind();
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) here_ = acceptor_.local_endpoint(error);
    if (error) {
      return {ErrorCode::kUnavailable, "cannot listen on " + world_.config.host + ":" +
                                           std::to_string(world_.config.port) +
                                           ": the port is taken or the address is not here"};
    }
    if (world_.config.tls) {
      try {
        make_contexts(*world_.config.tls);
      } catch (const std::exception&) {
        return {ErrorCode::kInvalidArgument, "the TLS certificate or its key cannot be used"};
      }
    }
    const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    world_.self = (world_.config.tls ? "https://" : "http://") + host + ":" + std::to_string(here_.port());
    asio::co_spawn(context_, accept(), [](const std::exception_ptr&) {});
    asio::co_spawn(context_, watch_refusals(), [](const std::exception_ptr&) {});
    thread_ = std::thread([this] { context_.run(); });
    return here_.port();
  }

  void stop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  std::uint64_t connections() const { return connections_; }

 private:
  boost::system::error_code bind() {
    boost::system::error_code error;
    acceptor_.open(here_.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(here_, error);
    return error;
  }

  void make_contexts(const TlsIdentities& tls) {
    contexts_.emplace(std::nullopt, context_of(tls.good));
    contexts_.emplace(FaultKind::kTlsExpired, context_of(tls.expired));
    contexts_.emplace(FaultKind::kTlsWrongName, context_of(tls.wrong_name));
    contexts_.emplace(FaultKind::kTlsUntrusted, context_of(tls.untrusted));
    world_.tls = [this](std::optional<FaultKind> fault) -> asio::ssl::context& {
      const auto found = contexts_.find(fault);
      return found == contexts_.end() ? contexts_.at(std::nullopt) : found->second;
    };
  }

  Task accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwait);
      if (error) {  // No descriptors left, or nobody is to listen now.
        asio::steady_timer timer(context_, kLook);
        co_await timer.async_wait(kAwait);
        continue;
      }
      ++connections_;
      boost::system::error_code ignored;
      socket.set_option(Tcp::no_delay(true), ignored);
      if (world_.faults.refuses()) {
        ClientStream(std::move(socket)).reset();
        continue;
      }
      asio::co_spawn(context_, converse(std::move(socket)), [](const std::exception_ptr&) {});
    }
  }

  Task converse(Tcp::socket socket) {
    Conversation conversation(world_, std::move(socket));
    co_await conversation.run();
  }

  /// A socket that is bound and does not listen keeps the port and has connections refused.
  Task watch_refusals() {
    bool listens = true;
    for (;;) {
      asio::steady_timer timer(context_, kLook);
      co_await timer.async_wait(kAwait);
      const bool refuses = world_.faults.refuses();
      boost::system::error_code error;
      if (refuses && listens) {
        acceptor_.close(error);
        listens = false;
      }
      if (!acceptor_.is_open() && bind()) acceptor_.close(error);  // Tried again at the next look.
      if (!refuses && !listens && acceptor_.is_open()) {
        acceptor_.listen(asio::socket_base::max_listen_connections, error);
        listens = !error;
      }
    }
  }

  FrontWorld world_;
  std::map<std::optional<FaultKind>, asio::ssl::context> contexts_;
  std::atomic<std::uint64_t> connections_{0};
  Tcp::endpoint here_;
  asio::io_context context_{1};
  Tcp::acceptor acceptor_{context_};
  std::thread thread_;
};

Front::Front(FrontConfig config, Faults& faults, Swallowed swallowed)
    : core_(std::make_unique<Core>(std::move(config), faults, std::move(swallowed))) {}
Front::~Front() { stop(); }
Result<int> Front::start() { return core_->start(); }
void Front::stop() { core_->stop(); }
std::uint64_t Front::connections() const { return core_->connections(); }

}  // namespace hearth::stub
