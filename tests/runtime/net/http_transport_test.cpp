// What leaves and what comes back when all is well: bytes on the wire, connections kept, redirects left alone.
#include <future>
#include <mutex>
#include <string>
#include <vector>

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

/// Answers every request on every connection with its number.
void answer_all(Peer& peer) {
  while (!peer.read_request().empty()) peer.send(ok_reply(std::to_string(peer.number())));
}

/// The reply to one request when the server says exactly `bytes` and then closes.
SendResult reply_to(const std::string& bytes, net::HttpOptions options = {}, const std::string& method = "POST") {
  ScriptedServer server([&](Peer& peer) {
    if (!peer.read_request().empty()) peer.send(bytes);
  });
  Attempts attempts(std::move(options));
  HttpMessage message = post("x");
  message.method = method;
  return attempts.send(endpoint_at(server.port()), std::move(message));
}

}  // namespace

TEST_CASE("a request is on the wire as the permit says, and every byte of it is counted") {
  std::promise<std::string> seen;
  ScriptedServer server([&](Peer& peer) {
    seen.set_value(peer.read_request());
    peer.send("HTTP/1.1 200 Fine\r\nX-Kind: Test\r\nContent-Length: 4\r\n\r\npong");
  });
  Attempts attempts;
  const auto result = attempts.send(endpoint_at("http://127.0.0.1:" + std::to_string(server.port()) + "/base/"),
                                    post("ping", "/v2/infer"));

  const std::string expected = "POST /base/v2/infer HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                               "\r\nUser-Agent: hearth\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nping";
  CHECK(seen.get_future().get() == expected);
  CHECK(result.bytes_sent == expected.size());
  REQUIRE(result.reply.ok());
  CHECK(result.reply->status == 200);
  CHECK(result.reply->body == "pong");
  CHECK(result.reply->headers ==
        std::vector<std::pair<std::string, std::string>>{{"x-kind", "Test"}, {"content-length", "4"}});
}

TEST_CASE("proxy variables change nothing") {
  ScriptedServer proxy(answer_all);
  ScriptedServer server(answer_all);
  const std::string url = "http://127.0.0.1:" + std::to_string(proxy.port());
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) setenv(name, url.c_str(), 1);
  Attempts attempts;
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply.ok());
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(name);
  CHECK(proxy.connections() == 0);
}

TEST_CASE("a body larger than any socket buffer arrives whole") {
  std::promise<std::string> seen;
  ScriptedServer server([&](Peer& peer) {
    seen.set_value(peer.read_request());
    peer.send(ok_reply(std::string(3 << 20, 'r')));
  });
  Attempts attempts;
  std::string body(8 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761u >> 13);
  const auto result = attempts.send(endpoint_at(server.port()), post(body));
  const std::string request = seen.get_future().get();
  CHECK(request.ends_with(body));
  CHECK(result.bytes_sent == request.size());
  REQUIRE(result.reply.ok());
  CHECK(result.reply->body == std::string(3 << 20, 'r'));
}

TEST_CASE("one after another, attempts share one connection") {
  ScriptedServer server(answer_all);
  Attempts attempts;
  for (int i = 0; i < 20; ++i) CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "0");
  CHECK(server.connections() == 1);
}

TEST_CASE("attempts beyond the pool open their own connection and close it") {
  std::mutex mutex;
  std::vector<std::string> seen(2);
  std::promise<void> both;
  std::size_t arrived = 0;
  auto together = both.get_future().share();
  std::promise<void> surplus_closed;
  ScriptedServer server([&](Peer& peer) {
    std::string request = peer.read_request();
    {
      const std::lock_guard lock(mutex);
      seen[peer.number()] = request;
      if (++arrived == 2) both.set_value();
    }
    together.wait();
    peer.send(ok_reply("first"));
    const bool surplus = request.find("Connection: close") != std::string::npos;
    if (!peer.read_request().empty()) peer.send(ok_reply("second"));
    if (surplus) surplus_closed.set_value();
  });
  net::HttpOptions options;
  options.connections_per_endpoint_max = 1;
  Attempts attempts(options);
  auto a = attempts.start(1, endpoint_at(server.port()), post("a"));
  auto b = attempts.start(2, endpoint_at(server.port()), post("b"));
  CHECK(a.get().reply->body == "first");
  CHECK(b.get().reply->body == "first");
  surplus_closed.get_future().get();
  CHECK(attempts.send(endpoint_at(server.port()), post("c")).reply->body == "second");
  CHECK(server.connections() == 2);
  CHECK((seen[0].find("Connection: close") != std::string::npos) +
            (seen[1].find("Connection: close") != std::string::npos) ==
        1);
}

TEST_CASE("a connection that the server closed while idle is not used again") {
  std::promise<void> closed;
  ScriptedServer server([&](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send(ok_reply(std::to_string(peer.number())));
    if (peer.number() > 0) return peer.wait_for_close();
    peer.close();
    closed.set_value();
  });
  Attempts attempts;
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "0");
  closed.get_future().get();
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "1");
}

TEST_CASE("a connection on which the server spoke out of turn is not used again") {
  ScriptedServer server([](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send(ok_reply(std::to_string(peer.number())) + ok_reply("smuggled"));
    peer.wait_for_close();
  });
  Attempts attempts;
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "0");
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "1");
}

TEST_CASE("idle connections are closed after their time") {
  std::promise<void> closed;
  ScriptedServer server([&](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send(ok_reply("0"));
    if (peer.read_request().empty()) closed.set_value();
  });
  net::HttpOptions options;
  options.idle_timeout = std::chrono::milliseconds(1);
  Attempts attempts(options);
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply.ok());
  closed.get_future().get();
  SUCCEED();
}

TEST_CASE("a redirect is handed back as it came, and nobody follows it") {
  ScriptedServer elsewhere(answer_all);
  const std::string target = "http://127.0.0.1:" + std::to_string(elsewhere.port()) + "/";
  for (const std::string status : {"301", "302", "303", "307", "308"}) {
    const auto result = reply_to("HTTP/1.1 " + status + " Go\r\nLocation: " + target + "\r\nContent-Length: 0\r\n\r\n");
    REQUIRE(result.reply.ok());
    CHECK(std::to_string(result.reply->status) == status);
    CHECK(result.reply->headers[0] == std::pair<std::string, std::string>{"location", target});
  }
  CHECK(elsewhere.connections() == 0);
}

TEST_CASE("replies of every framing are understood") {
  CHECK(reply_to("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n")
            .reply->body == "abcde");
  CHECK(reply_to("HTTP/1.0 200 OK\r\n\r\nuntil the end").reply->body == "until the end");
  CHECK(reply_to("HTTP/1.1 200 OK\r\n\r\nuntil the end").reply->body == "until the end");
  CHECK(reply_to("HTTP/1.1 204 No Content\r\n\r\n").reply->status == 204);
  CHECK(reply_to("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").reply->body.empty());
  CHECK(reply_to("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", {}, "HEAD").reply->body.empty());
  CHECK(reply_to("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno").reply->status == 503);
  CHECK(reply_to("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok_reply("real"))
            .reply->body == "real");
}

TEST_CASE("a reply in single bytes is the same reply") {
  ScriptedServer server([](Peer& peer) {
    if (peer.read_request().empty()) return;
    for (const char c : std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")) {
      peer.send({&c, 1});
    }
    peer.wait_for_close();
  });
  Attempts attempts;
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "abc");
}

TEST_CASE("an HTTP/1.0 reply ends its connection") {
  ScriptedServer server([](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(peer.number()));
    peer.wait_for_close();
  });
  Attempts attempts;
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "0");
  CHECK(attempts.send(endpoint_at(server.port()), post("x")).reply->body == "1");
}

TEST_CASE("\"localhost\" is loopback without being looked up") {
  ScriptedServer server(answer_all);
  Attempts attempts;
  CHECK(attempts.send(endpoint_at("http://LOCALHOST:" + std::to_string(server.port())), post("x")).reply.ok());
}

TEST_CASE("attempts in flight at once each get their own reply") {
  ScriptedServer server([](Peer& peer) {
    for (std::string request = peer.read_request(); !request.empty(); request = peer.read_request()) {
      peer.send(ok_reply(request.substr(request.find("\r\n\r\n") + 4)));
    }
  });
  Attempts attempts;
  std::vector<std::future<SendResult>> results;
  for (int i = 0; i < 64; ++i) {
    results.push_back(attempts.start(static_cast<AttemptId>(i), endpoint_at(server.port()), post(std::to_string(i))));
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto result = results[i].get();
    CHECK(error_of(result) == "(replied)");
    if (result.reply.ok()) CHECK(result.reply->body == std::to_string(i));
  }
}
