// Where a credential comes from, where it goes, and that it is nowhere else.
#include <cstdlib>
#include <fstream>
#include <future>
#include <string>

#include <catch2/catch.hpp>

#include "runtime/net/credential.h"
#include "tests/runtime/net/attempts.h"
#include "tests/runtime/net/scripted_server.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using test::Attempts;
using test::endpoint_at;
using test::error_of;
using test::ok_reply;
using test::Peer;
using test::post;
using test::ScriptedServer;

namespace {

constexpr const char* kSecret = "s3same-0pen";
constexpr const char* kVariable = "HEARTH_TEST_CREDENTIAL";

struct Variable {
  explicit Variable(const std::string& value) { setenv(kVariable, value.c_str(), 1); }
  ~Variable() { unsetenv(kVariable); }
};

Endpoint with(Auth auth, Endpoint endpoint = endpoint_at(1)) {
  endpoint.auth = std::move(auth);
  return endpoint;
}

Auth bearer_in_variable() { return {Auth::Kind::kBearer, Auth::Source::kEnvironment, kVariable}; }

std::string line_or_error(const Auth& auth) {
  const auto line = net::credential_line(with(auth));
  return line.ok() ? line.value() : std::string(name_of(line.error().code)) + ": " + line.error().message;
}

std::string request_seen_by_server(const Auth& auth) {
  std::promise<std::string> seen;
  ScriptedServer server([&](Peer& peer) {
    seen.set_value(peer.read_request());
    peer.send(ok_reply("fine"));
  });
  Attempts attempts;
  CHECK(attempts.send(with(auth, endpoint_at(server.port())), post("x")).reply.ok());
  return seen.get_future().get();
}

}  // namespace

TEST_CASE("a bearer token goes into Authorization, an API key into the header that the endpoint names") {
  const Variable variable(kSecret);
  CHECK(request_seen_by_server(bearer_in_variable()).find("\r\nAuthorization: Bearer s3same-0pen\r\n") !=
        std::string::npos);
  const Auth key{Auth::Kind::kApiKey, Auth::Source::kEnvironment, kVariable, "X-Goog-Api-Key"};
  const std::string request = request_seen_by_server(key);
  CHECK(request.find("\r\nX-Goog-Api-Key: s3same-0pen\r\n") != std::string::npos);
  CHECK(request.find("Authorization") == std::string::npos);
  CHECK(request_seen_by_server({}).find(kSecret) == std::string::npos);
}

TEST_CASE("a file is read anew for each attempt, without the white space at its ends") {
  const test::TempFolder folder;
  const std::string path = (folder.path() / "token").string();
  const Auth auth{Auth::Kind::kBearer, Auth::Source::kFile, path};
  std::ofstream(path) << "  first\n";
  CHECK(line_or_error(auth) == "Authorization: Bearer first\r\n");
  std::ofstream(path) << "second";
  CHECK(line_or_error(auth) == "Authorization: Bearer second\r\n");
}

TEST_CASE("a credential that is missing, empty or no header value is a typed error that does not quote it") {
  const test::TempFolder folder;
  const std::string path = (folder.path() / "token").string();
  const Auth file{Auth::Kind::kBearer, Auth::Source::kFile, path};
  const std::string in_variable = "endpoint 'cloud': its credential, environment variable 'HEARTH_TEST_CREDENTIAL', ";
  CHECK(line_or_error(bearer_in_variable()) == "not_found: " + in_variable + "is not set");
  CHECK(line_or_error(file) == "not_found: endpoint 'cloud': its credential, file '" + path + "', cannot be read");
  for (const std::string text : {"", " \n"}) {
    std::ofstream(path) << text;
    CHECK(line_or_error(file) == "not_found: endpoint 'cloud': its credential, file '" + path + "', is empty");
  }
  const std::string longest(8192, 'k');
  for (const std::string& text : {std::string("two\r\nlines"), std::string("a b"), std::string("\xc3\xa4"),
                                  longest + "k", std::string(100'000, 'k')}) {
    const Variable variable(text);
    CHECK(line_or_error(bearer_in_variable()) ==
          "invalid_argument: " + in_variable + "is no header value: expected 1 to 8192 printable characters");
  }
  const Variable variable(longest);
  CHECK(line_or_error(bearer_in_variable()) == "Authorization: Bearer " + longest + "\r\n");
}

TEST_CASE("without its credential an attempt makes no connection") {
  ScriptedServer server([](Peer&) {});
  Attempts attempts;
  const auto result = attempts.send(with(bearer_in_variable(), endpoint_at(server.port())), post("x"));
  CHECK(error_of(result).starts_with("not_found: endpoint 'cloud': its credential"));
  CHECK(result.bytes_sent == 0);
  CHECK(server.connections() == 0);
}

TEST_CASE("a message cannot bring a credential of its own") {
  const Variable variable(kSecret);
  ScriptedServer server([](Peer&) {});
  Attempts attempts;
  const auto refused = [&](const std::string& header, const Auth& auth) {
    HttpMessage message = post("x");
    message.headers.emplace_back(header, "mine");
    return error_of(attempts.send(with(auth, endpoint_at(server.port())), std::move(message)));
  };
  CHECK(refused("authorization", {}) == "invalid_argument: message: a header belongs to the transport");
  CHECK(refused("X-API-key", {Auth::Kind::kApiKey, Auth::Source::kEnvironment, kVariable}) ==
        "invalid_argument: message: a header belongs to the credential");
  CHECK(server.connections() == 0);
}

TEST_CASE("no error of an attempt quotes the credential, whatever the server does") {
  const Variable variable(kSecret);
  for (const std::string& reply :
       {std::string("HTTP/1.1 s3same-0pen\r\n\r\n"), std::string("s3same-0pen"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: s3same-0pen\r\n\r\n"), std::string()}) {
    ScriptedServer server([&](Peer& peer) {
      if (!peer.read_request().empty()) peer.send(reply);
    });
    Attempts attempts;
    const auto result = attempts.send(with(bearer_in_variable(), endpoint_at(server.port())), post("x"));
    REQUIRE_FALSE(result.reply.ok());
    CHECK(error_of(result).find(kSecret) == std::string::npos);
  }
}
