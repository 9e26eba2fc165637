// Replies in gzip: unpacked as they arrive, within the reply's bound, or a typed error.
#include <zlib.h>

#include <string>

#include <catch2/catch.hpp>

#include "runtime/net/inflater.h"
#include "tests/runtime/net/attempts.h"
#include "tests/runtime/net/scripted_server.h"

using namespace hearth;
using net::Inflater;
using test::Attempts;
using test::endpoint_at;
using test::error_of;
using test::Peer;
using test::post;
using test::ScriptedServer;

namespace {

std::string gzip(std::string_view text) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(compressBound(static_cast<uLong>(text.size())) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string reply_with(const std::string& body, const std::string& encoding = "gzip") {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// What became of `bytes`: the body, or "code: message".
std::string received(const std::string& bytes, std::uint64_t reply_bytes_max = 1 << 20, bool close = true) {
  ScriptedServer server([&](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send(bytes);
    if (!close) peer.wait_for_close();
  });
  net::HttpOptions options;
  options.reply_bytes_max = reply_bytes_max;
  Attempts attempts(options);
  const auto result = attempts.send(endpoint_at(server.port()), post("x"));
  return result.reply.ok() ? result.reply->body : error_of(result);
}

const std::string kText = "a reply that says a reply that says a reply";

}  // namespace

TEST_CASE("a reply in gzip comes out as it was, and no longer says that it is packed") {
  ScriptedServer server([](Peer& peer) {
    if (!peer.read_request().empty()) peer.send(reply_with(gzip(kText)));
  });
  Attempts attempts;
  const auto result = attempts.send(endpoint_at(server.port()), post("x"));
  REQUIRE(result.reply.ok());
  CHECK(result.reply->body == kText);
  for (const auto& header : result.reply->headers) CHECK(header.first != "content-encoding");
  CHECK(received(reply_with(gzip(kText), "X-GZIP")) == kText);
  CHECK(received(reply_with(kText, "identity")) == kText);
  CHECK(received(reply_with("", "gzip")).empty());
}

TEST_CASE("a gzip body may come in chunks, end with the connection, or have several members") {
  const std::string packed = gzip(kText);
  std::string chunks = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char byte : packed) chunks += std::string("1\r\n") + byte + "\r\n";
  CHECK(received(chunks + "0\r\n\r\n", 1 << 20, false) == kText);
  CHECK(received("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed) == kText);
  CHECK(received(reply_with(packed + packed)) == kText + kText);
}

TEST_CASE("a gzip bomb ends at the reply limit") {
  const std::string bomb = gzip(std::string(8 << 20, '\0'));
  REQUIRE(bomb.size() < 16 << 10);
  CHECK(received(reply_with(bomb)) == "resource_exhausted: endpoint 'cloud': reply body over 1048576 bytes");
  CHECK(received(reply_with(gzip(std::string(1 << 20, 'x')))).size() == 1 << 20);  // as large as it may be
  CHECK(received(reply_with(gzip(std::string((1 << 20) + 1, 'x')))).starts_with("resource_exhausted: "));
}

TEST_CASE("what is no gzip, cut or followed by something else is corrupt") {
  const std::string packed = gzip(kText);
  const std::string corrupt = "corrupt: endpoint 'cloud': ";
  CHECK(received(reply_with(kText)) == corrupt + "the body is not the gzip it says it is");
  CHECK(received(reply_with(packed + "rest")) == corrupt + "the body is not the gzip it says it is");
  for (std::size_t cut = 1; cut < packed.size(); ++cut) {
    CAPTURE(cut);
    CHECK(received(reply_with(packed.substr(0, cut))) == corrupt + "the gzip body is cut short");
  }
  CHECK(received("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed.substr(0, 20)) ==
        corrupt + "the gzip body is cut short");
  std::string flipped = packed;
  flipped[packed.size() - 6] ^= 1;  // of the checksum
  CHECK(received(reply_with(flipped)) == corrupt + "the body is not the gzip it says it is");
  for (const std::string encoding : {"br", "deflate", "gzip, gzip"}) {
    CHECK(received(reply_with(packed, encoding)) == corrupt + "the body is in an encoding that was not asked for");
  }
}

TEST_CASE("an inflater takes its input in pieces of any size") {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i * 7919 % 10'007);
  const std::string packed = gzip(text);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, packed.size()}) {
    Inflater inflater(text.size());
    CHECK(inflater.whole());
    std::string out;
    for (std::size_t at = 0; at < packed.size(); at += piece) {
      REQUIRE(inflater.put(std::string_view(packed).substr(at, piece), out) == Inflater::State::kGoesOn);
    }
    CHECK(out == text);
    CHECK(inflater.whole());
  }
}
