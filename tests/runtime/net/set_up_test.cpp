// Connections that take longer to set up than an attempt has, and paths that fall silent.
#include <sys/socket.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <catch2/catch.hpp>

#include "tests/runtime/net/tls_world.h"

using namespace hearth;
using namespace std::chrono_literals;
using test::Attempts;
using test::endpoint_at;
using test::error_of;
using test::ok_reply;
using test::Peer;
using test::post;
using test::ScriptedServer;
using test::TlsWorld;

namespace {

constexpr Duration kShort = 30ms;
const std::string kCancelled = "cancelled: the attempt was cancelled";

/// What becomes of an attempt that is cancelled once the server has its connection.
std::string abandoned(Attempts& attempts, const Endpoint& endpoint, std::promise<void>& connected) {
  auto pending = attempts.start(1, endpoint, post("abandoned"));
  connected.get_future().wait();
  attempts.cancel(1);
  return error_of(pending.get());
}

Endpoint over_tls(const ScriptedServer& server) {
  return endpoint_at("https://localhost:" + std::to_string(server.port()));
}

/// A server whose handshakes wait until they may go on, and which keeps what it was sent.
struct SlowWorld {
  SlowWorld()
      : tls(
            "DNS:localhost",
            [this](Peer& peer) {
              ready.set_value();
              for (std::string request; !(request = peer.read_request()).empty();) {
                {
                  const std::lock_guard lock(mutex);
                  requests += request;
                }
                peer.send(ok_reply(std::to_string(peer.number())));
              }
            },
            false, ScriptedServer::Options{"127.0.0.1", 0, before_handshake(), false}) {}

  ScriptedServer::Script before_handshake() {
    return [this, wait = go_on.get_future().share()](Peer& peer) {
      if (peer.number() == 0) connected.set_value();
      wait.wait();
    };
  }
  net::HttpOptions options(Duration connect_timeout = 60s) const {
    net::HttpOptions options = tls.trusting();
    options.connect_timeout = connect_timeout;
    return options;
  }
  Endpoint endpoint() const { return tls.at("localhost"); }
  /// All that was.
  std::string sent() {
    const std::lock_guard lock(mutex);
    return requests;
  }

  std::promise<void> go_on;
  std::promise<void> connected;  ///< The first connection.
  std::promise<void> ready;      ///< Of the first connection.
  std::mutex mutex;
  std::string requests;
  TlsWorld tls;
};

/// The option of this process's one socket that leads to `port`; -1 when there is none.
int user_timeout_ms(unsigned short port) {
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET) continue;
    if (ntohs(peer.sin_port) != port) continue;
    int value = -1;
    size = sizeof value;
    ::getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
    return value;
  }
  return -1;
}

}  // namespace

TEST_CASE("a connection that is set up after its attempt ended serves the next one, and carried nothing before") {
  SlowWorld world;
  Attempts attempts(world.options());
  const auto first = attempts.send(world.endpoint(), post("one"), 200ms);
  CHECK(error_of(first).starts_with("deadline_exceeded: "));
  CHECK(first.bytes_sent == 0);
  world.go_on.set_value();
  world.ready.get_future().wait();
  CHECK(attempts.send(world.endpoint(), post("two")).reply->body == "0");
  attempts.drop_transport();
  CHECK(world.tls.server->connections() == 1);
  CHECK(world.sent().find("one") == std::string::npos);
  CHECK(world.sent().ends_with("two"));
}

TEST_CASE("an attempt that is cancelled leaves its connection to be set up, and the next attempt waits for it") {
  SlowWorld world;
  Attempts attempts(world.options());
  CHECK(abandoned(attempts, world.endpoint(), world.connected) == kCancelled);
  auto second = attempts.start(2, world.endpoint(), post("two"));
  attempts.cancel(2);
  CHECK(error_of(second.get()) == kCancelled);  // joined it, and left
  auto third = attempts.start(3, world.endpoint(), post("three"));
  world.go_on.set_value();
  CHECK(third.get().reply->body == "0");
  attempts.drop_transport();
  CHECK(world.tls.server->connections() == 1);
  CHECK(world.sent().ends_with("three"));
  CHECK(world.sent().find("abandoned") == std::string::npos);
  CHECK(world.sent().find("two") == std::string::npos);
}

TEST_CASE("a set-up that nobody waits for ends at the connect timeout") {
  std::promise<void> connected;
  std::promise<void> closed;
  ScriptedServer server([&](Peer& peer) {
    if (peer.number() == 0) connected.set_value();
    peer.wait_for_close();  // never a handshake
    if (peer.number() == 0) closed.set_value();
  });
  net::HttpOptions options;
  options.connect_timeout = 1s;
  Attempts attempts(options);
  CHECK(abandoned(attempts, over_tls(server), connected) == kCancelled);
  closed.get_future().wait();
  CHECK(error_of(attempts.send(over_tls(server), post("x"))) ==
        "unavailable: endpoint 'cloud': no connection within the connect timeout");
  CHECK(server.connections() == 2);
}

TEST_CASE("set-ups that nobody waits for count in the pool's bound") {
  SlowWorld world;
  net::HttpOptions options = world.options();
  options.connections_per_endpoint_max = 1;
  Attempts attempts(options);
  CHECK(abandoned(attempts, world.endpoint(), world.connected) == kCancelled);
  auto joined = attempts.start(2, world.endpoint(), post("two"));
  auto surplus = attempts.start(3, world.endpoint(), post("three"));  // of its own, and given up with it
  attempts.cancel(3);
  CHECK(error_of(surplus.get()) == kCancelled);
  world.go_on.set_value();
  CHECK(joined.get().reply->body == "0");
  CHECK(attempts.send(world.endpoint(), post("four")).reply->body == "0");
  attempts.drop_transport();
  CHECK(world.sent().find("three") == std::string::npos);
}

TEST_CASE("destroying the transport ends the set-ups that nobody waits for") {
  std::promise<void> connected;
  std::promise<void> closed;
  ScriptedServer server([&](Peer& peer) {
    connected.set_value();
    peer.wait_for_close();
    closed.set_value();
  });
  net::HttpOptions options;
  options.connect_timeout = 60s;
  Attempts attempts(options);
  CHECK(abandoned(attempts, over_tls(server), connected) == kCancelled);
  attempts.drop_transport();
  constexpr auto kNeverThatLong = 30s;  // the set-up itself would take a minute
  CHECK(closed.get_future().wait_for(kNeverThatLong) == std::future_status::ready);
}

TEST_CASE("an attempt whose server vanished is told apart: nothing was acknowledged for the connect timeout") {
  std::promise<void> gone;
  ScriptedServer server([&](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send(ok_reply("here"));
    peer.vanish();
    gone.set_value();
    peer.wait_for_close();
  });
  net::HttpOptions options;
  options.connect_timeout = 300ms;
  Attempts attempts(options);
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "here");
  gone.get_future().wait();
  CHECK(user_timeout_ms(server.port()) == 300);
  const auto result = attempts.send(endpoint_at(server.port()), post("x"));
  CHECK(error_of(result) == "unavailable: endpoint 'cloud': connection broke: Connection timed out");
  CHECK(result.silent);
  CHECK(result.bytes_sent > 0);
}

TEST_CASE("a server that nobody reaches costs the connect timeout") {
  ScriptedServer server([](Peer&) {}, nullptr, ScriptedServer::Options{"127.0.0.1", 0, {}, true});
  net::HttpOptions options;
  options.connect_timeout = kShort;
  Attempts attempts(options);
  const auto result = attempts.send(endpoint_at(server.port()), post("x"));
  CHECK(error_of(result) == "unavailable: endpoint 'cloud': no connection within the connect timeout");
  CHECK(server.connections() == 0);
}
