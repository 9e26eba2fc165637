// Everything that can go wrong on the way: each fault is one typed error, once, and never a second attempt.
#include <future>
#include <string>

#include <catch2/catch.hpp>

#include "tests/runtime/net/attempts.h"
#include "tests/runtime/net/scripted_server.h"

using namespace hearth;
using test::Attempts;
using test::endpoint_at;
using test::error_of;
using test::ok_reply;
using test::Peer;
using test::post;
using test::ScriptedServer;

namespace {

constexpr Duration kShort = std::chrono::milliseconds(30);

/// What becomes of one attempt when the server reads its request, says `bytes` and closes; or, `hold`, waits.
std::string fault(const std::string& bytes, net::HttpOptions options = {}) {
  std::size_t requests = 0;
  std::string error;
  {
    ScriptedServer server([&](Peer& peer) {
      if (peer.read_request().empty()) return;
      ++requests;
      peer.send(bytes);
    });
    Attempts attempts(std::move(options));
    error = error_of(attempts.send(endpoint_at(server.port()), post("x")));
    CHECK(server.connections() == 1);
  }
  CHECK(requests == 1);
  return error;
}

std::string refused(const std::string& url) {
  Attempts attempts;
  const auto result = attempts.send(endpoint_at(url), post("x"));
  CHECK(result.bytes_sent == 0);
  return error_of(result);
}

}  // namespace

TEST_CASE("plain http goes to loopback only, and other hosts are not even looked up") {
  // A look-up of a name under .invalid fails (RFC 6761); were it made, the error would be kUnavailable.
  const std::string expected =
      "permission_denied: endpoint 'cloud': http:// goes to loopback addresses only; use https://";
  CHECK(refused("http://cloud.invalid/") == expected);
  CHECK(refused("http://10.0.0.1:8080") == expected);
  CHECK(refused("http://[fe80::1]") == expected);
  CHECK(refused("http://localhost.invalid") == expected);
  CHECK(refused("http://0.0.0.0") == expected);
}

TEST_CASE("a URL that cannot be an endpoint is refused without being repeated") {
  CHECK(refused("ftp://127.0.0.1") == "invalid_argument: URL: expected http:// or https://");
  CHECK(refused("http://user:secret@127.0.0.1") == "invalid_argument: URL: a user name or password is not accepted");
}

TEST_CASE("a message that could be read as two requests is refused") {
  ScriptedServer server([](Peer& peer) { peer.wait_for_close(); });
  Attempts attempts;
  const auto with = [&](HttpMessage message) {
    const auto result = attempts.send(endpoint_at(server.port()), std::move(message));
    CHECK(result.bytes_sent == 0);
    return error_of(result);
  };
  CHECK(with(post("x", "/a\r\nX: y")) == "invalid_argument: message: the target holds bytes that need escaping");
  CHECK(with(post("x", "a")) == "invalid_argument: message: the target does not begin with '/'");
  CHECK(with({"PO ST", "/", {}, ""}) == "invalid_argument: message: the method is not a token");
  CHECK(with({"POST", "/", {{"A: b\r\nC", "d"}}, ""}) == "invalid_argument: message: a header name is not a token");
  CHECK(with({"POST", "/", {{"A", "b\r\nC: d"}}, ""}) ==
        "invalid_argument: message: a header value holds control characters");
  CHECK(with({"POST", "/", {{"content-LENGTH", "0"}}, "abc"}) ==
        "invalid_argument: message: a header belongs to the transport");
  CHECK(server.connections() == 0);
}

TEST_CASE("a refused connection is kUnavailable with nothing sent") {
  unsigned short port = 0;
  {
    port = ScriptedServer([](Peer&) {}).port();
  }
  Attempts attempts;
  const auto result = attempts.send(endpoint_at(port), post("x"));
  CHECK(error_of(result) == "unavailable: endpoint 'cloud': cannot connect: Connection refused");
  CHECK(result.bytes_sent == 0);
}

TEST_CASE("a name that does not exist is kUnavailable") {
  Attempts attempts;
  const auto result = attempts.send(endpoint_at("https://cloud.invalid"), post("x"));
  CHECK(error_of(result).starts_with("unavailable: endpoint 'cloud': "));
  CHECK(result.bytes_sent == 0);
}

TEST_CASE("a reset before the reply is kUnavailable, and what left is counted") {
  std::promise<std::size_t> received;
  ScriptedServer server([&](Peer& peer) {
    received.set_value(peer.read_request().size());
    peer.reset();
  });
  Attempts attempts;
  const auto result = attempts.send(endpoint_at(server.port()), post("x"));
  CHECK(error_of(result) == "unavailable: endpoint 'cloud': connection broke: Connection reset by peer");
  CHECK(result.bytes_sent == received.get_future().get());
  CHECK(server.connections() == 1);
}

TEST_CASE("a reset in the middle of the reply is kUnavailable") {
  ScriptedServer server([&](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    peer.reset();
  });
  Attempts attempts;
  const std::string error = error_of(attempts.send(endpoint_at(server.port()), post("x")));
  CHECK(error.starts_with("unavailable: endpoint 'cloud': connection broke"));
  CHECK(server.connections() == 1);
}

TEST_CASE("a reply that ends too early is kUnavailable") {
  const std::string cut = "unavailable: endpoint 'cloud': the server closed the connection in the middle of its reply";
  CHECK(fault("") == "unavailable: endpoint 'cloud': the server closed the connection without a reply");
  CHECK(fault("HTTP/1.1 200 OK\r\nContent-Le") == cut);
  CHECK(fault("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc") == cut);
  CHECK(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab") == cut);
  CHECK(fault("HTTP/1.1 100 Continue\r\n\r\n") ==
        "unavailable: endpoint 'cloud': the server closed the connection without a reply");
}

TEST_CASE("what is not HTTP is kCorrupt") {
  const std::string expected = "corrupt: endpoint 'cloud': not an HTTP reply";
  CHECK(fault("SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n").starts_with(expected));
  CHECK(fault("HTTP/1.1 abc OK\r\n\r\n").starts_with(expected));
  CHECK(fault("HTTP/2.0 200 OK\r\n\r\n").starts_with(expected));
  CHECK(fault("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").starts_with(expected));
  CHECK(fault("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab").starts_with(expected));
  CHECK(fault("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            .starts_with(expected));
  CHECK(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n").starts_with(expected));
  CHECK(fault("HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n").starts_with(expected));
  CHECK(fault(std::string(2000, '\0')).starts_with(expected));
}

TEST_CASE("a server that will not come to the point is kCorrupt") {
  std::string interim;
  for (int i = 0; i < 9; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  CHECK(fault(interim + ok_reply("late")) == "corrupt: endpoint 'cloud': unexpected interim replies");
  CHECK(fault("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") ==
        "corrupt: endpoint 'cloud': unexpected interim replies");
}

TEST_CASE("a reply over the limits is kResourceExhausted, announced or not") {
  net::HttpOptions options;
  options.reply_bytes_max = 1000;
  options.reply_head_bytes_max = 500;
  const std::string body = "resource_exhausted: endpoint 'cloud': reply body over 1000 bytes";
  const std::string head = "resource_exhausted: endpoint 'cloud': reply head over 500 bytes";
  CHECK(fault(ok_reply(std::string(1000, 'a')), options) == "(replied)");
  CHECK(fault(ok_reply(std::string(1001, 'a')), options) == body);
  CHECK(fault("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", options) == body);
  CHECK(fault("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'a'), options) == body);
  CHECK(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'a'), options) ==
        body);
  CHECK(fault("HTTP/1.1 200 OK\r\nX: " + std::string(600, 'a') + "\r\n\r\n", options) == head);
  CHECK(fault("HTTP/1.1 200 OK\r\nX: " + std::string(600, 'a'), options) == head);
  CHECK(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: " + std::string(600, 'a'), options) ==
        head);
}

TEST_CASE("the deadline ends an attempt whose reply does not come, or does not end") {
  const std::string expected = "deadline_exceeded: endpoint 'cloud': no whole reply before the deadline";
  for (const std::string said : {"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"}) {
    std::promise<std::size_t> received;
    ScriptedServer server([&](Peer& peer) {
      received.set_value(peer.read_request().size());
      peer.send(said);
      peer.wait_for_close();
    });
    Attempts attempts;
    const auto result = attempts.send(endpoint_at(server.port()), post("x"), kShort);
    CHECK(error_of(result) == expected);
    CHECK(result.bytes_sent == received.get_future().get());
    CHECK(server.connections() == 1);
  }
}

TEST_CASE("a deadline that has passed sends nothing") {
  ScriptedServer server([](Peer& peer) { peer.wait_for_close(); });
  Attempts attempts;
  const auto result = attempts.send(endpoint_at(server.port()), post("x"), -kShort);
  CHECK(error_of(result) == "deadline_exceeded: the deadline had passed before sending");
  CHECK(result.bytes_sent == 0);
  CHECK(server.connections() == 0);
}

TEST_CASE("a server that stops reading costs no more than the deadline, and the part that left is counted") {
  std::promise<void> over;
  auto wait = over.get_future().share();
  ScriptedServer server([wait](Peer&) { wait.wait(); });
  Attempts attempts;
  const std::size_t size = 64 << 20;
  const auto result = attempts.send(endpoint_at(server.port()), post(std::string(size, 'a')), kShort);
  over.set_value();
  CHECK(error_of(result) == "deadline_exceeded: endpoint 'cloud': no whole reply before the deadline");
  CHECK(result.bytes_sent > 0);
  CHECK(result.bytes_sent < size);
}

TEST_CASE("an answer that comes before the whole request was read is still the answer") {
  ScriptedServer server([](Peer& peer) {
    peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    peer.wait_for_close();
  });
  Attempts attempts;
  const auto result = attempts.send(endpoint_at(server.port()), post(std::string(64 << 20, 'a')));
  REQUIRE(error_of(result) == "(replied)");
  CHECK(result.reply->status == 413);
}

TEST_CASE("a cancelled attempt ends with kCancelled and its connection closes") {
  std::promise<std::size_t> received;
  std::promise<void> closed;
  ScriptedServer server([&](Peer& peer) {
    received.set_value(peer.read_request().size());
    peer.wait_for_close();
    closed.set_value();
  });
  Attempts attempts;
  auto pending = attempts.start(7, endpoint_at(server.port()), post("x"));
  const std::size_t size = received.get_future().get();
  attempts.cancel(8);  // nobody: ignored
  attempts.cancel(7);
  attempts.cancel(7);
  const auto result = pending.get();
  CHECK(error_of(result) == "cancelled: the attempt was cancelled");
  CHECK(result.bytes_sent == size);
  closed.get_future().get();
}

TEST_CASE("cancelling right after sending is cancelling too") {
  ScriptedServer server([](Peer& peer) { peer.wait_for_close(); });
  Attempts attempts;
  auto pending = attempts.start(7, endpoint_at(server.port()), post("x"));
  attempts.cancel(7);
  CHECK(error_of(pending.get()) == "cancelled: the attempt was cancelled");
}

TEST_CASE("a kept connection that breaks under a request fails the attempt and is not tried again") {
  std::size_t requests = 0;
  std::size_t connections = 0;
  {
    ScriptedServer server([&](Peer& peer) {
      if (peer.read_request().empty()) return;
      ++requests;
      peer.send(ok_reply("first"));
      if (peer.read_request().empty()) return;
      ++requests;
      peer.reset();
    });
    Attempts attempts;
    CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "first");
    const auto result = attempts.send(endpoint_at(server.port()), post("x"));
    CHECK(error_of(result) == "unavailable: endpoint 'cloud': connection broke: Connection reset by peer");
    CHECK(result.bytes_sent > 0);
    connections = server.connections();
  }
  CHECK(requests == 2);
  CHECK(connections == 1);
}

TEST_CASE("destroying the transport cancels what is in flight") {
  std::promise<void> received;
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    received.set_value();
    peer.wait_for_close();
  });
  Attempts attempts;
  auto pending = attempts.start(1, endpoint_at(server.port()), post("x"));
  received.get_future().get();
  attempts.drop_transport();
  CHECK(error_of(pending.get()) == "cancelled: the transport was shut down");
}

TEST_CASE("a transport can be destroyed with its loop while attempts are in flight") {
  std::promise<void> received;
  ScriptedServer server([&](Peer& peer) {
    peer.read_request();
    received.set_value();
    peer.wait_for_close();
  });
  std::future<SendResult> pending;
  {
    Attempts attempts;
    pending = attempts.start(1, endpoint_at(server.port()), post("x"));
    received.get_future().get();
  }
  // Cancelled when the loop still came to it, dropped with its callback when not.
  std::string ended;
  try {
    ended = error_of(pending.get());
  } catch (const std::future_error& error) {
    ended = error.code() == std::future_errc::broken_promise ? "dropped" : error.what();
  }
  CHECK((ended == "dropped" || ended == "cancelled: the transport was shut down"));
}
