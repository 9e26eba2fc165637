// Where an endpoint points must be beyond doubt: what two tools could read differently is refused.
#include <string>

#include <catch2/catch.hpp>

#include "runtime/base/url.h"

using namespace hearth;

namespace {

std::string refusal(const std::string& text) {
  const auto url = parse_url(text);
  return url.ok() ? "(accepted)" : name_of(url.error().code) + std::string(": ") + url.error().message;
}

}  // namespace

TEST_CASE("a URL is taken apart") {
  CHECK(parse_url("https://Cloud.Example.org").value() == Url{"https", "cloud.example.org", 443, ""});
  CHECK(parse_url("HTTP://127.0.0.1/").value() == Url{"http", "127.0.0.1", 80, ""});
  CHECK(parse_url("http://localhost:8080/a/b/").value() == Url{"http", "localhost", 8080, "/a/b"});
  CHECK(parse_url("https://[2001:DB8::1]:8443/x").value() == Url{"https", "2001:db8::1", 8443, "/x"});
  CHECK(parse_url("https://a-b_c.example:65535/%20~").value() == Url{"https", "a-b_c.example", 65535, "/%20~"});
}

TEST_CASE("the authority is what a Host header wants") {
  CHECK(parse_url("https://example.org:443").value().authority() == "example.org");
  CHECK(parse_url("http://example.org:443").value().authority() == "example.org:443");
  CHECK(parse_url("http://[::1]:80").value().authority() == "[::1]");
  CHECK(parse_url("http://[::1]:81").value().authority() == "[::1]:81");
}

TEST_CASE("what is not an endpoint is refused, and never quoted") {
  const std::string scheme = "invalid_argument: URL: expected http:// or https://";
  for (const std::string text : {"", "example.org", "ftp://example.org", "https:/example.org", "file:///etc/passwd"}) {
    CHECK(refusal(text) == scheme);
  }
  const std::string user = "invalid_argument: URL: a user name or password is not accepted";
  CHECK(refusal("https://user:hunter2@example.org") == user);
  CHECK(refusal("https://127.0.0.1@example.org") == user);
  const std::string query = "invalid_argument: URL: a query or fragment is not accepted";
  CHECK(refusal("https://example.org/?key=hunter2") == query);
  CHECK(refusal("https://example.org#a") == query);
  const std::string port = "invalid_argument: URL: the port must be 1 to 65535";
  for (const std::string text : {":", ":0", ":65536", ":-1", ":80a", ":+80", ": 80", ":99999999999999999999"}) {
    CHECK(refusal("https://example.org" + text) == port);
  }
  CHECK(refusal("https://[::1]80") == port);
  const std::string path = "invalid_argument: URL: the path holds '.' or '..' segments, or bytes that need escaping";
  for (const std::string text : {"/a b", "/a/../b", "/..", "/.", "/a//b", "/\xc3\xa9", "/a\r\nb", "/\"", "/\\"}) {
    CHECK(refusal("https://example.org" + text) == path);
  }
}

TEST_CASE("hosts that tools read differently are refused") {
  const std::string host = "invalid_argument: URL: not a host name or address";
  for (const std::string text : {"", "127.1", "2130706433", "0177.0.0.1", "127.0.0.256", "1.2.3.4.5", "0x7f.0.0.0x1",
                                 "a..b", ".a", "a.", "-a", "a b", "a%41", "ex\xc3\xa4mple.org", "127.0.0.1.", "a\\b"}) {
    CHECK(refusal("http://" + text + "/") == host);
  }
  CHECK(refusal("http://" + std::string(64, 'a') + ".org") == host);
  CHECK(refusal("http://" + std::string(63, 'a') + ".org") == "(accepted)");
  const std::string ipv6 = "invalid_argument: URL: not a plain IPv6 address";
  for (const std::string text : {"", ":", ":::", "1", "::1%eth0", "::ffff:127.0.0.1", "1:2:3:4:5:6:7:8:9", "::12345",
                                 "1::2::3", "1:2:3:4:5:6:7", "g::", "1:2:3:4::5:6:7:8", ":1::", "1:"}) {
    CHECK(refusal("http://[" + text + "]/") == ipv6);
  }
  CHECK(refusal("http://[::1/") == "invalid_argument: URL: the IPv6 address has no closing bracket");
}

TEST_CASE("loopback is 127.0.0.0/8, ::1 and localhost, and nothing that looks like it") {
  for (const std::string host : {"localhost", "127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1", "0::0001"}) {
    CHECK(is_loopback(host));
  }
  for (const std::string host :
       {"", "localhost.example.org", "localhost.", "128.0.0.1", "127.0.0.1.example.org", "126.0.0.1", "0.0.0.0",
        "::", "::2", "1::1", "::ffff:127.0.0.1", "127.1", "127.0.0.01"}) {
    CHECK_FALSE(is_loopback(host));
  }
}
