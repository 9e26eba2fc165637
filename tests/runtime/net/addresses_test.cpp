// Names become addresses when a connection needs them, and again when what is known is old or did not work.
#include <memory>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "tests/runtime/net/named_addresses.h"
#include "tests/runtime/net/tls_world.h"

using namespace hearth;
using namespace std::chrono_literals;
using test::Attempts;
using test::error_of;
using test::NamedAddresses;
using test::ok_reply;
using test::Peer;
using test::post;
using test::ScriptedServer;
using test::TlsWorld;

namespace {

using Addresses = net::Resolver::Addresses;

/// A server called cloud.test, on 127.0.0.1, and a name server that a test has in hand.
struct NamedWorld : TlsWorld {
  explicit NamedWorld(Result<Addresses> says, ScriptedServer::Script script = test::answer_all)
      : TlsWorld("DNS:cloud.test", std::move(script)), names(std::make_shared<NamedAddresses>(std::move(says))) {}

  net::HttpOptions options(Duration look_up_every = 1h) const {
    net::HttpOptions options = trusting();
    options.connect_timeout = 30s;
    options.look_up_every = look_up_every;
    options.resolver = names;
    return options;
  }
  std::unique_ptr<Attempts> attempts(net::HttpOptions options) const {
    auto made = std::make_unique<Attempts>(std::move(options));
    names->loop = &made->loop();
    return made;
  }
  SendResult send(Attempts& attempts, Duration time = Attempts::kLong) const {
    return attempts.send(at("cloud.test"), post("x"), time);
  }
  /// Another server of that name at the same port.
  std::unique_ptr<ScriptedServer> also_at(const std::string& address, ScriptedServer::Script script,
                                          bool silent = false) {
    return std::make_unique<ScriptedServer>(std::move(script), &context,
                                            ScriptedServer::Options{address, server->port(), {}, silent});
  }

  std::shared_ptr<NamedAddresses> names;
};

ScriptedServer::Script says(std::string body) {
  return [body](Peer& peer) {
    while (!peer.read_request().empty()) peer.send(ok_reply(body));
  };
}

ScriptedServer::Script says_once(std::string body) {
  return [body](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
              body);
  };
}

}  // namespace

TEST_CASE("what a name server said is believed for a while, and then it is asked again") {
  const NamedWorld world(Addresses{"127.0.0.1"}, says_once("here"));
  const auto look_ups = [&](Duration look_up_every) {
    const auto before = world.names->looked_up().size();
    const auto attempts = world.attempts(world.options(look_up_every));
    for (int i = 0; i < 4; ++i) CHECK(world.send(*attempts).reply->body == "here");
    return world.names->looked_up().size() - before;
  };
  CHECK(look_ups(1h) == 1);
  CHECK(look_ups(1ns) == 4);
  CHECK(world.names->looked_up()[0] == "cloud.test");
}

TEST_CASE("a name that does not resolve is a typed error, and the next attempt asks again") {
  const NamedWorld world(Error{ErrorCode::kNotFound, "no such host"});
  const auto attempts = world.attempts(world.options());
  const auto result = world.send(*attempts);
  CHECK(error_of(result) == "unavailable: endpoint 'cloud': look-up failed: no such host");
  CHECK(result.bytes_sent == 0);
  world.names->say(Addresses{"nonsense", "1.2.3", ""});
  CHECK(error_of(world.send(*attempts)) == "unavailable: endpoint 'cloud': look-up failed: no address");
  world.names->say(Addresses{"nonsense", "127.0.0.1"});
  CHECK(error_of(world.send(*attempts)) == "(replied)");
}

TEST_CASE("a name server that says nothing costs no more than the connect timeout") {
  const NamedWorld world(Addresses{"127.0.0.1"});
  world.names->say_nothing();
  auto options = world.options();
  options.connect_timeout = 30ms;
  const auto attempts = world.attempts(options);
  CHECK(error_of(world.send(*attempts)) == "unavailable: endpoint 'cloud': no connection within the connect timeout");
  CHECK(error_of(world.send(*attempts)) == "unavailable: endpoint 'cloud': no connection within the connect timeout");
  CHECK(world.names->looked_up().size() == 1);  // one look-up at a time
  CHECK(world.server->connections() == 0);
}

TEST_CASE("literal addresses and localhost are never looked up") {
  const TlsWorld world("DNS:localhost,IP:127.0.0.1");
  const auto names = std::make_shared<NamedAddresses>(Addresses{"127.0.0.9"});
  net::HttpOptions options = world.trusting();
  options.resolver = names;
  Attempts attempts(options);
  names->loop = &attempts.loop();
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    CHECK(error_of(attempts.send(world.at(host), post("x"))) == "(replied)");
  }
  CHECK(names->looked_up().empty());
}

TEST_CASE("when a name moves, kept connections to the old address are used no more") {
  NamedWorld world(Addresses{"127.0.0.1"}, says("old"));
  const auto moved = world.also_at("127.0.0.2", says("new"));
  const auto attempts = world.attempts(world.options(1ns));
  CHECK(world.send(*attempts).reply->body == "old");
  world.names->say(Addresses{"127.0.0.2"});
  CHECK(world.send(*attempts).reply->body == "old");  // the name is looked up beside it
  CHECK(world.send(*attempts).reply->body == "new");
  CHECK(world.send(*attempts).reply->body == "new");
  CHECK(world.server->connections() == 1);
  CHECK(moved->connections() == 1);
}

TEST_CASE("a name server that fails later changes nothing for connections that work") {
  const NamedWorld world(Addresses{"127.0.0.1"});
  const auto attempts = world.attempts(world.options(1ns));
  CHECK(world.send(*attempts).reply->body == "0");
  world.names->say(Error{ErrorCode::kUnavailable, "nobody there"});
  for (int i = 0; i < 5; ++i) CHECK(world.send(*attempts).reply->body == "0");
  CHECK(world.server->connections() == 1);
}

TEST_CASE("after a connection could not be made the name is looked up again") {
  const NamedWorld world(Addresses{"127.0.0.2"});
  const auto attempts = world.attempts(world.options());
  CHECK(error_of(world.send(*attempts)) == "unavailable: endpoint 'cloud': cannot connect: Connection refused");
  world.names->say(Addresses{"127.0.0.1"});
  CHECK(error_of(world.send(*attempts)) == "(replied)");
  CHECK(world.names->looked_up().size() == 2);
}

TEST_CASE("of several addresses one that refuses is passed over in the same attempt") {
  const NamedWorld world(Addresses{"127.0.0.2", "127.0.0.3", "127.0.0.1"});
  const auto attempts = world.attempts(world.options());
  CHECK(error_of(world.send(*attempts)) == "(replied)");
  CHECK(world.server->connections() == 1);
}

TEST_CASE("an address that does not answer costs its share of the connect timeout, once, and then comes last") {
  NamedWorld world(Addresses{"127.0.0.2", "127.0.0.1"}, says_once("here"));
  const auto silent = world.also_at("127.0.0.2", says("never"), true);
  auto options = world.options();
  options.connect_timeout = 2s;
  const auto attempts = world.attempts(options);
  CHECK(world.send(*attempts).reply->body == "here");
  // In turn the silent one would be first again; half the connect timeout is more than these have.
  for (int i = 0; i < 4; ++i) CHECK(error_of(world.send(*attempts, 900ms)) == "(replied)");
  CHECK(silent->connections() == 0);
}

TEST_CASE("new connections take the addresses in turn") {
  NamedWorld world(Addresses{"127.0.0.1", "127.0.0.2"}, says_once("one"));
  const auto other = world.also_at("127.0.0.2", says_once("two"));
  const auto attempts = world.attempts(world.options());
  for (int i = 0; i < 6; ++i) CHECK(error_of(world.send(*attempts)) == "(replied)");
  CHECK(world.server->connections() == 3);
  CHECK(other->connections() == 3);
}

TEST_CASE("an address is trusted for the name that was asked for, not for being in an answer") {
  NamedWorld world(Addresses{"127.0.0.2"});
  TlsWorld elsewhere("DNS:elsewhere.test", test::answer_all, false,
                     ScriptedServer::Options{"127.0.0.2", world.server->port(), {}, false});
  const auto attempts = world.attempts(world.options());
  const auto result = world.send(*attempts);
  CHECK(error_of(result).starts_with("unavailable: endpoint 'cloud': TLS handshake failed"));
  CHECK(result.bytes_sent == 0);
}
