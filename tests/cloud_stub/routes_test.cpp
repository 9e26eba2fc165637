#include <string>

#include <catch2/catch.hpp>

#include "cloud_stub/routes.h"

using namespace hearth::stub;

TEST_CASE("each path of the protocol finds its call, with and without a version") {
  CHECK(route("GET", "/v2").call == Call::kServerMetadata);
  CHECK(route("GET", "/v2/").call == Call::kServerMetadata);
  CHECK(route("GET", "/v2/health/live").call == Call::kServerLive);
  CHECK(route("GET", "/v2/health/ready").call == Call::kServerReady);
  CHECK(route("GET", "/v2/models/m").call == Call::kModelMetadata);
  CHECK(route("GET", "/v2/models/m/versions/3").call == Call::kModelMetadata);
  CHECK(route("GET", "/v2/models/m/ready").call == Call::kModelReady);
  const auto infer = route("POST", "/v2/models/some model/versions/3/infer");
  CHECK(infer.call == Call::kInfer);
  CHECK(infer.model == "some model");
  CHECK(infer.version == "3");
  CHECK(route("POST", "/v2/models/m/infer").version.empty());
  CHECK(route("POST", "/v2/models/versions/infer").model == "versions");
}

TEST_CASE("a known path with another method is told apart from an unknown path") {
  CHECK(route("GET", "/v2/models/m/infer").call == Call::kWrongMethod);
  CHECK(route("POST", "/v2/health/live").call == Call::kWrongMethod);
  CHECK(route("GET", "/admin/quit").call == Call::kWrongMethod);
  for (const char* path : {"", "/", "v2", "/v3", "/v2x", "//v2", "/v2/health", "/v2/health/dead", "/v2/models",
                           "/v2/models/", "/v2/models/m/versions", "/v2/models/m/versions//infer", "/v2/models//infer",
                           "/v2/models/m/infer/", "/v2/models/m/a/b/c/d/e/f/g", "/admin", "/admin/", "/admin/x"}) {
    CAPTURE(path);
    CHECK(route("POST", path).call == Call::kUnknown);
  }
}

TEST_CASE("only paths under /admin are the server's own") {
  CHECK(is_admin("/admin"));
  CHECK(is_admin("/admin/anything"));
  CHECK_FALSE(is_admin("/administrator"));
  CHECK_FALSE(is_admin("/v2/admin"));
}
