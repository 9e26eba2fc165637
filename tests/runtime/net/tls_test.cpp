// https means: TLS 1.2 or newer, a certificate that somebody trusted vouches for, and the name that was asked for.
#include <future>
#include <string>

#include <openssl/ssl.h>
#include <catch2/catch.hpp>

#include "tests/runtime/net/attempts.h"
#include "tests/runtime/net/scripted_server.h"
#include "tests/runtime/net/tls_world.h"

using namespace hearth;
using test::Attempts;
using test::endpoint_at;
using test::error_of;
using test::ok_reply;
using test::Peer;
using test::post;
using test::ScriptedServer;
using test::TlsWorld;

namespace {

constexpr const char* kNotTrusted = "unavailable: endpoint 'cloud': TLS handshake failed: certificate verify failed";

}  // namespace

TEST_CASE("over TLS a request and its reply are the same, and the connection is kept") {
  TlsWorld world("DNS:localhost");
  Attempts attempts(world.trusting());
  for (int i = 0; i < 5; ++i) {
    const auto result = attempts.send(world.at("localhost"), post("ping"));
    REQUIRE(error_of(result) == "(replied)");
    CHECK(result.reply->body == "0");
    const std::size_t port_digits = std::to_string(world.server->port()).size();
    CHECK(result.bytes_sent == std::string("POST /infer HTTP/1.1\r\nHost: localhost:\r\nUser-Agent: hearth\r\n"
                                           "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nping")
                                       .size() +
                                   port_digits);
  }
  CHECK(world.server->connections() == 1);
}

TEST_CASE("a second reply that came along with the first is not taken for the reply to the next request") {
  TlsWorld world("DNS:localhost", [](Peer& peer) {
    peer.read_request();
    if (peer.number() == 0) peer.send_together(ok_reply("first"), ok_reply("stale"));
    if (peer.number() > 0 || !peer.read_request().empty()) peer.send(ok_reply("second"));
    peer.wait_for_close();
  });
  Attempts attempts(world.trusting());
  std::promise<SendResult> first;
  std::promise<SendResult> second;
  const auto permit = [&] {
    return std::make_shared<EgressPermit>(test::permit_for(world.at("localhost"), post("x")));
  };
  attempts.loop().post([&, one = permit(), two = permit()] {
    const TimePoint deadline = attempts.loop().now() + Attempts::kLong;
    attempts.transport().send(1, std::move(*one), deadline, [&, two, deadline](SendResult result) {
      first.set_value(std::move(result));
      // At once, before the loop has looked at the connection again.
      attempts.transport().send(2, std::move(*two), deadline,
                                [&](SendResult next) { second.set_value(std::move(next)); });
    });
  });
  CHECK(first.get_future().get().reply->body == "first");
  const SendResult result = second.get_future().get();
  REQUIRE(error_of(result) == "(replied)");
  CHECK(result.reply->body == "second");
}

TEST_CASE("an address in the certificate is as good as a name") {
  TlsWorld world("IP:127.0.0.1");
  Attempts attempts(world.trusting());
  CHECK(error_of(attempts.send(world.at("127.0.0.1"), post("x"))) == "(replied)");
}

TEST_CASE("a large body goes both ways over TLS") {
  TlsWorld world("DNS:localhost", [](Peer& peer) {
    const std::string request = peer.read_request();
    peer.send(ok_reply(request.substr(request.find("\r\n\r\n") + 4)));
  });
  Attempts attempts(world.trusting());
  const std::string body(3 << 20, 'b');
  const auto result = attempts.send(world.at("localhost"), post(body));
  REQUIRE(error_of(result) == "(replied)");
  CHECK(result.reply->body == body);
}

TEST_CASE("a certificate that nobody trusted vouches for is refused before a byte is sent") {
  TlsWorld world("DNS:localhost");
  Attempts attempts;
  const auto result = attempts.send(world.at("localhost"), post("x"));
  CHECK(error_of(result).starts_with(kNotTrusted));
  CHECK(result.bytes_sent == 0);
}

TEST_CASE("a certificate for another name is refused before a byte is sent") {
  TlsWorld world("DNS:elsewhere.test,IP:127.0.0.2");
  Attempts attempts(world.trusting());
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    const auto result = attempts.send(world.at(host), post("x"));
    CHECK(error_of(result).starts_with(kNotTrusted));
    CHECK(result.bytes_sent == 0);
  }
}

TEST_CASE("an expired certificate is refused") {
  TlsWorld world("DNS:localhost", test::answer_all, true);
  Attempts attempts(world.trusting());
  CHECK(error_of(attempts.send(world.at("localhost"), post("x"))).starts_with(kNotTrusted));
}

TEST_CASE("TLS 1.2 is accepted, TLS 1.1 is not") {
  TlsWorld world("DNS:localhost");
  SSL_CTX_set_cipher_list(world.context.native_handle(), "DEFAULT:@SECLEVEL=0");
  SSL_CTX_set_min_proto_version(world.context.native_handle(), TLS1_VERSION);
  Attempts attempts(world.trusting());
  SSL_CTX_set_max_proto_version(world.context.native_handle(), TLS1_2_VERSION);
  CHECK(error_of(Attempts(world.trusting()).send(world.at("localhost"), post("x"))) == "(replied)");
  SSL_CTX_set_max_proto_version(world.context.native_handle(), TLS1_1_VERSION);
  const auto result = attempts.send(world.at("localhost"), post("x"));
  CHECK(error_of(result).starts_with("unavailable: endpoint 'cloud': TLS handshake failed"));
  CHECK(result.bytes_sent == 0);
}

TEST_CASE("https to a server that speaks plain HTTP fails, and https never becomes http") {
  ScriptedServer server([](Peer& peer) { peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); });
  Attempts attempts;
  const auto result = attempts.send(endpoint_at("https://localhost:" + std::to_string(server.port())), post("x"));
  CHECK(error_of(result).starts_with("unavailable: endpoint 'cloud': TLS handshake failed"));
  CHECK(result.bytes_sent == 0);
}

TEST_CASE("a handshake that does not end costs no more than the connect timeout") {
  ScriptedServer server([](Peer& peer) { peer.wait_for_close(); });
  net::HttpOptions options;
  options.connect_timeout = std::chrono::milliseconds(30);
  Attempts attempts(options);
  const auto result = attempts.send(endpoint_at("https://localhost:" + std::to_string(server.port())), post("x"));
  CHECK(error_of(result) == "unavailable: endpoint 'cloud': no connection within the connect timeout");
  CHECK(result.bytes_sent == 0);
}

TEST_CASE("a deadline before the connect timeout is the deadline") {
  const TlsWorld world("DNS:localhost");
  ScriptedServer silent([](Peer& peer) { peer.wait_for_close(); });
  net::HttpOptions options = world.trusting();
  options.connect_timeout = Attempts::kLong;
  Attempts attempts(options);
  const auto result = attempts.send(endpoint_at("https://localhost:" + std::to_string(silent.port())), post("x"),
                                    std::chrono::milliseconds(100));
  CHECK(error_of(result) == "deadline_exceeded: endpoint 'cloud': no whole reply before the deadline");
}

TEST_CASE("a body without a length that TLS did not close properly is cut, not whole") {
  TlsWorld world("DNS:localhost", [](Peer& peer) {
    if (!peer.read_request().empty()) peer.send("HTTP/1.1 200 OK\r\n\r\nhalf an ans");
  });
  Attempts attempts(world.trusting());
  CHECK(error_of(attempts.send(world.at("localhost"), post("x"))) ==
        "unavailable: endpoint 'cloud': connection broke in the reply: stream truncated");
}

TEST_CASE("trusted certificates that cannot be read are an error, not an open door") {
  TlsWorld world("DNS:localhost");
  net::HttpOptions options;
  options.ca_file = "/nonexistent/ca.pem";
  Attempts attempts(options);
  const auto result = attempts.send(world.at("localhost"), post("x"));
  CHECK(error_of(result) == "invalid_argument: cannot read trusted certificates from '/nonexistent/ca.pem'");
  CHECK(world.server->connections() == 0);
}
