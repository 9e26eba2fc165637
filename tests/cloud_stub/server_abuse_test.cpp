// What a hostile or broken client sends. The server answers with the right status and keeps serving.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/cloud_stub/server_fixture.h"

using namespace hearth;
using namespace hearth::stub;

namespace {

/// Sends bytes as they are and returns the head of the answer, or what came until the server closed. `hang_up`: nothing
/// more follows (httplib then drops the connection instead of answering).
std::string send_raw(int port, const std::string& bytes, bool hang_up = false) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  std::string reply;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (hang_up) ::shutdown(fd, SHUT_WR);
    char buffer[4096];
    while (reply.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      reply.append(buffer, static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  return reply;
}

void check_alive(Served& served) { CHECK(served.post("/v2/models/double/infer", kDoubleJson).status == 200); }

}  // namespace

TEST_CASE("header lengths out of range are 400 and the server lives on") {
  Served served;
  for (const char* length : {"99999999999", "-1", "99999999999999999999999999999", "0", "abc"}) {
    CAPTURE(length);
    const auto response =
        served.post("/v2/models/double/infer", kDoubleJson, {{"Inference-Header-Content-Length", length}});
    CHECK(response.status == 400);
    CHECK(error_of(response).find("Inference-Header-Content-Length") == 0);
  }
  const std::string length = std::to_string(kDoubleJson.size());
  const auto twice =
      served.post("/v2/models/double/infer", kDoubleJson,
                  {{"Inference-Header-Content-Length", length}, {"Inference-Header-Content-Length", length}});
  CHECK(error_of(twice) == "Inference-Header-Content-Length is given more than once");
  check_alive(served);
}

TEST_CASE("bodies that are no request are 400 with a reason that quotes nothing") {
  Served served;
  for (const std::string& body :
       {std::string(), std::string("Maria Huber"), std::string("{\"id\":\"Maria Huber\""), std::string(200'000, '['),
        std::string("\0\xff\xfe", 3), kDoubleJson.substr(0, 60),
        std::string(R"({"inputs":[{"name":"a","datatype":"FP32","shape":[9999999999999,9999999999],"data":[]}]})")}) {
    const auto response = served.post("/v2/models/double/infer", body);
    CHECK(response.status == 400);
    CHECK(error_of(response) != "no error");
    CHECK(response.body.find("Maria") == std::string::npos);
  }
  check_alive(served);
}

TEST_CASE("a body over the limit is 413 and the connection goes on with the next request") {
  StubConfig config;
  config.body_bytes_max = 1000;
  Served served(config);
  const auto response = served.post("/v2/models/double/infer", std::string(300'000, ' '));
  CHECK(response.status == 413);
  CHECK(error_of(response) == "the body is larger than 1000 bytes");
  check_alive(served);
  CHECK(served.server().stats().connections == 1);
  CHECK(served.server().stats().bytes_in > 300'000);
}

TEST_CASE("heads that are not HTTP get 400") {
  Served served;
  for (const std::string& bytes : {std::string("nonsense\r\n\r\n"), std::string("GET /v2\r\n\r\n"),
                                   std::string("BREW /v2 HTTP/1.1\r\n\r\n"), std::string(3, '\0') + "\r\n\r\n"}) {
    CHECK(send_raw(served.port(), bytes).find("HTTP/1.1 400 ") == 0);
  }
  CHECK(send_raw(served.port(), "GET /" + std::string(10'000, 'a') + " HTTP/1.1\r\n\r\n").find("HTTP/1.1 4") == 0);
  check_alive(served);
}

TEST_CASE("a body cut short, or shorter than an absurd Content-Length, ends its connection and nothing else") {
  Served served;
  REQUIRE(served.post("/admin/tripwire", R"({"canaries":["Maria Huber"]})").status == 200);
  std::uint64_t cut = 0;
  for (const char* length : {"500", "99999999999999", "-5", "99999999999999999999999999"}) {
    CAPTURE(length);
    const std::string head = "POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: ";
    CHECK(send_raw(served.port(), head + length + "\r\n\r\n{\"id\": \"Maria Huber\"", true).empty());
    // What came of it has left its device all the same.
    CHECK(served.server().stats().canaries_seen == ++cut);
  }
  CHECK(served.server().stats().ok == 0);
  check_alive(served);
}

TEST_CASE("a chunked body is read and a broken one refused") {
  Served served;
  const std::string head = "POST /v2/models/double/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(send_raw(served.port(), head + "2\r\n{}\r\n0\r\n\r\n").find("HTTP/1.1 400 ") == 0);
  CHECK(send_raw(served.port(), head + "zz\r\n{}\r\n0\r\n\r\n").find("HTTP/1.1 400 ") == 0);
  check_alive(served);
}

TEST_CASE("other methods and multipart bodies are answered, not obeyed") {
  Served served;
  CHECK(served.client().Put("/v2/models/double/infer", "x", "text/plain")->status == 405);
  CHECK(served.client().Patch("/v2/models/double/infer", "x", "text/plain")->status == 405);
  CHECK(served.client().Delete("/v2/models/double/infer", "x", "text/plain")->status == 405);
  CHECK(served.client().Delete("/v2/models/double")->status == 405);
  CHECK(served.client().Options("/v2")->status == 405);
  CHECK(served.client().Head("/v2")->status == 200);
  const httplib::MultipartFormDataItems parts{{"a", "b", "c.txt", "text/plain"}};
  CHECK(served.client().Post("/v2/models/double/infer", parts)->status == 400);
  check_alive(served);
}
