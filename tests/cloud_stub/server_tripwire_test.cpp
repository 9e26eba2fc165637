#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "tests/cloud_stub/server_fixture.h"

using namespace hearth;
using namespace hearth::stub;
using nlohmann::json;

namespace {

const std::string kCanary = "Maria Hüber, +43 660";

/// Registers the FP32 tensor {1.5, -2} and kCanary.
void arm(Served& served) {
  const json things = {{"input_sha256", {sha256_hex(bytes_of({1.5F, -2}))}}, {"canaries", {kCanary}}};
  REQUIRE(served.post("/admin/tripwire", things.dump()).status == 200);
}

std::string infer_json(const std::vector<float>& values, const std::string& caption) {
  return json{{"inputs",
               {{{"name", "a"}, {"datatype", "FP32"}, {"shape", {1, 2}}, {"data", values}},
                {{"name", "t"}, {"datatype", "BYTES"}, {"shape", {1}}, {"data", {"boot"}}},
                {{"name", "caption"}, {"datatype", "BYTES"}, {"shape", {1}}, {"data", {caption}}}}}}
      .dump(-1, ' ', /*ensure_ascii=*/true);
}

httplib::Response infer_binary(Served& served, const std::vector<float>& values, const std::string& caption) {
  const std::string text = text_element(caption);
  const json header = {
      {"inputs",
       {{{"name", "a"}, {"datatype", "FP32"}, {"shape", {1, 2}}, {"parameters", {{"binary_data_size", 8}}}},
        {{"name", "caption"},
         {"datatype", "BYTES"},
         {"shape", {1}},
         {"parameters", {{"binary_data_size", text.size()}}}},
        {{"name", "t"}, {"datatype", "BYTES"}, {"shape", {1}}, {"data", {"boot"}}}}}};
  return served.post_binary("/v2/models/double/infer", header.dump(), bytes_of(values) + text);
}

std::string counts(Served& served) {
  const auto stats = served.server().stats();
  return std::to_string(stats.sensitive_requests) + " requests, " + std::to_string(stats.sensitive_inputs_seen) +
         " inputs, " + std::to_string(stats.canaries_seen) + " canaries";
}

}  // namespace

TEST_CASE("a sensitive tensor is counted the same in JSON and in binary, and others are not") {
  Served served;
  arm(served);
  CHECK(served.post("/v2/models/double/infer", infer_json({1.5F, -2.5F}, "a boot")).status == 200);
  CHECK(infer_binary(served, {2, -2}, "a boot").status == 200);
  CHECK(counts(served) == "0 requests, 0 inputs, 0 canaries");
  CHECK(served.post("/v2/models/double/infer", infer_json({1.5F, -2}, "a boot")).status == 200);
  CHECK(counts(served) == "1 requests, 1 inputs, 0 canaries");
  CHECK(infer_binary(served, {1.5F, -2}, "a boot").status == 200);
  CHECK(counts(served) == "2 requests, 2 inputs, 0 canaries");
}

TEST_CASE("a canary is counted in escaped JSON and in binary text") {
  Served served;
  arm(served);
  const std::string escaped = infer_json({1, 2}, "by " + kCanary);
  REQUIRE(escaped.find(kCanary) == std::string::npos);
  CHECK(served.post("/v2/models/double/infer", escaped).status == 200);
  CHECK(counts(served) == "1 requests, 0 inputs, 1 canaries");
  CHECK(infer_binary(served, {1, 2}, "by " + kCanary).status == 200);
  CHECK(counts(served) == "2 requests, 0 inputs, 2 canaries");
  CHECK(infer_binary(served, {1.5F, -2}, kCanary).status == 200);
  CHECK(counts(served) == "3 requests, 1 inputs, 3 canaries");
}

TEST_CASE("the tripwire looks before anything is refused, on any path") {
  StubConfig config;
  config.body_bytes_max = 1000;
  config.shaping.error_rate = 1;
  Served served(config);
  arm(served);
  SECTION("an injected failure") {
    CHECK(infer_binary(served, {1.5F, -2}, "").status >= 500);
    CHECK(counts(served) == "1 requests, 1 inputs, 0 canaries");
  }
  SECTION("an unknown model") {
    const json header = {
        {"inputs", {{{"name", "z"}, {"datatype", "FP32"}, {"shape", {2}}, {"parameters", {{"binary_data_size", 8}}}}}}};
    served.post("/admin/shaping", "{}");
    CHECK(served.post_binary("/v2/models/nobody/infer", header.dump(), bytes_of({1.5F, -2})).status == 404);
    CHECK(counts(served) == "1 requests, 1 inputs, 0 canaries");
  }
  SECTION("an unknown path") {
    CHECK(served.post("/collect", kCanary).status == 404);
    CHECK(counts(served) == "1 requests, 0 inputs, 1 canaries");
  }
  SECTION("a bare tensor to an unknown path") {
    CHECK(served.post("/collect", bytes_of({1.5F, -2})).status == 404);
    CHECK(counts(served) == "1 requests, 1 inputs, 0 canaries");
  }
  SECTION("no valid JSON") {
    served.post("/admin/shaping", "{}");
    CHECK(served.post("/v2/models/double/infer", "{\"id\": \"" + kCanary).status == 400);
    CHECK(counts(served) == "1 requests, 0 inputs, 1 canaries");
  }
  SECTION("a body over the limit") {
    served.post("/admin/shaping", "{}");
    CHECK(served.post("/v2/models/double/infer", kCanary + std::string(2000, ' ')).status == 413);
    CHECK(counts(served) == "1 requests, 0 inputs, 1 canaries");
  }
  SECTION("a header") {
    served.post("/v2", "", {{"X-Note", kCanary}});
    CHECK(counts(served) == "1 requests, 0 inputs, 1 canaries");
  }
  SECTION("a query on GET") {
    served.get("/v2?q=Maria%20H%C3%BCber%2C%20%2B43%20660");
    CHECK(counts(served) == "1 requests, 0 inputs, 1 canaries");
  }
  SECTION("a multipart form") {
    const httplib::MultipartFormDataItems parts{{"note", "by " + kCanary, "", ""}};
    served.client().Post("/collect", parts);
    CHECK(counts(served) == "1 requests, 0 inputs, 1 canaries");
  }
}

TEST_CASE("a bad registration is refused with its place and registers nothing") {
  Served served;
  const auto refused = served.post("/admin/tripwire", "{\"canaries\": [\"abcd\"],\n\"hashes\": []}");
  CHECK(refused.status == 400);
  CHECK(error_of(refused).find("/admin/tripwire:2:11: /hashes: unknown key") != std::string::npos);
  CHECK(error_of(served.post("/admin/tripwire", R"({"canaries":["abc"]})")) ==
        "canaries[0] is not 4 to 4096 bytes long");
  CHECK(served.post("/admin/tripwire", "not JSON").status == 400);
  served.post("/collect", "abcd");
  CHECK(counts(served) == "0 requests, 0 inputs, 0 canaries");
}
