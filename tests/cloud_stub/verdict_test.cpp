// The stub's verdict on its clients, its bearer token, and what it refuses after Triton's and OVMS's lists.
#include "tests/cloud_stub/raw_client.h"
#include "tests/cloud_stub/server_fixture.h"

using namespace hearth;
using namespace hearth::stub;
using nlohmann::json;

namespace {

StubConfig judged() {
  StubConfig config;
  config.judge = true;
  return config;
}

json verdict(Served& served) { return json::parse(served.get("/admin/verdict").body); }

constexpr const char* kPath = "/v2/models/double/infer";

std::string with_id(const std::string& id, const std::string& first = "1.5") {
  return R"({"id":")" + id + R"(","inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":[)" + first +
         R"(,-2]},{"name":"t","datatype":"BYTES","shape":[1],"data":["boot"]}]})";
}

/// kDoubleJson with its first input replaced.
std::string input(const std::string& a) {
  return R"({"inputs":[)" + a + R"(,{"name":"t","datatype":"BYTES","shape":[1],"data":["boot"]}]})";
}

const std::string kRight = R"({"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2]})";

std::string binary_input(const std::string& size) {
  return input(R"({"name":"a","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":)" + size + "}}");
}

struct Wrong {
  std::string what;
  std::string body;
};

// Triton qa/L0_http (http_test.py, http_input_size_limit_test.py) and OVMS kfs_rest_parser_test.cpp, case by case.
std::vector<Wrong> wrong_tensors() {
  return {
      {"negative dimension", input(R"({"name":"a","datatype":"FP32","shape":[-1,2],"data":[1,2]})")},
      {"two negative dimensions", input(R"({"name":"a","datatype":"FP32","shape":[-1,-2],"data":[1,2]})")},
      {"dimension not a number", input(R"({"name":"a","datatype":"FP32","shape":["1",2],"data":[1,2]})")},
      {"dimension with a fraction", input(R"({"name":"a","datatype":"FP32","shape":[1.5,2],"data":[1,2]})")},
      {"zero batch", input(R"({"name":"a","datatype":"FP32","shape":[0,2],"data":[1,2]})")},
      {"element count overflows",
       input(R"({"name":"a","datatype":"FP32","shape":[9223372036854775807,2],"data":[1,2]})")},
      {"dimension over 64 bits",
       input(R"({"name":"a","datatype":"FP32","shape":[99999999999999999999,2],"data":[1,2]})")},
      {"shape missing", input(R"({"name":"a","datatype":"FP32","data":[1,2]})")},
      {"shape not an array", input(R"({"name":"a","datatype":"FP32","shape":2,"data":[1,2]})")},
      {"too many elements", input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2,3]})")},
      {"too few elements", input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":[1]})")},
      {"no data", input(R"({"name":"a","datatype":"FP32","shape":[1,2]})")},
      {"data not an array", input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":1})")},
      {"data of another type", input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":["1","2"]})")},
      {"data nested otherwise than the shape",
       input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":[[1],[2]]})")},
      {"data over the type's range", input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":[1e39,2]})")},
      {"datatype missing", input(R"({"name":"a","shape":[1,2],"data":[1,2]})")},
      {"datatype unknown", input(R"({"name":"a","datatype":"FP31","shape":[1,2],"data":[1,2]})")},
      {"datatype not a string", input(R"({"name":"a","datatype":32,"shape":[1,2],"data":[1,2]})")},
      {"name missing", input(R"({"datatype":"FP32","shape":[1,2],"data":[1,2]})")},
      {"name not a string", input(R"({"name":1,"datatype":"FP32","shape":[1,2],"data":[1,2]})")},
      {"unknown input", input(R"({"name":"b","datatype":"FP32","shape":[1,2],"data":[1,2]})")},
      {"input twice", input(kRight + "," + kRight)},
      {"input missing", R"({"inputs":[)" + kRight + "]}"},
      {"no inputs", R"({"inputs":[]})"},
      {"inputs missing", R"({"id":"1"})"},
      {"inputs not an array", R"({"inputs":{}})"},
      {"input not an object", R"({"inputs":[1]})"},
      {"id not a string", R"({"id":1,"inputs":[)" + kRight + "]}"},
  };
}

std::vector<Wrong> wrong_requests() {
  return {
      {"parameters not an object", R"({"parameters":[],"inputs":[)" + kRight + "]}"},
      {"a parameter that is an object", R"({"parameters":{"a":{}},"inputs":[)" + kRight + "]}"},
      {"timeout not a number", R"({"parameters":{"timeout":"1"},"inputs":[)" + kRight + "]}"},
      {"binary size negative", binary_input("-8")},
      {"binary size a string", binary_input("\"8\"")},
      {"binary size a fraction", binary_input("8.0")},
      {"binary size more than the body holds", binary_input("99999999999")},
      {"binary size over 64 bits", binary_input("99999999999999999999")},
      {"binary size and data",
       input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2],"parameters":{"binary_data_size":0}})")},
      {"output twice", R"({"outputs":[{"name":"twice"},{"name":"twice"}],)" + input(kRight).substr(1)},
      {"unknown output", R"({"outputs":[{"name":"thrice"}],)" + input(kRight).substr(1)},
      {"outputs not an array", R"({"outputs":{},)" + input(kRight).substr(1)},
      {"output without a name", R"({"outputs":[{}],)" + input(kRight).substr(1)},
      {"binary_data not a boolean",
       R"({"outputs":[{"name":"twice","parameters":{"binary_data":1}}],)" + input(kRight).substr(1)},
      {"nested 1000 deep", input(R"({"name":"a","datatype":"FP32","shape":[1,2],"data":)" + std::string(1000, '[') +
                                 std::string(1000, ']') + "}")},
      {"a raw request of nothing", ""},
      {"not an object", "[1]"},
      {"trailing text", kDoubleJson + "x"},
  };
}

}  // namespace

TEST_CASE("the same id twice is a repeated attempt, the same inputs under new ids are a retry or a hedge") {
  Served served(judged());
  served.post(kPath, with_id("1"));
  served.post(kPath, with_id("2", "7"));
  json seen = verdict(served);
  CHECK(seen["clean"] == true);
  CHECK(seen["amplification"] == 1.0);
  served.post(kPath, with_id("3"));  // the first one's inputs
  seen = verdict(served);
  CHECK(seen["clean"] == true);
  CHECK(seen["inputs_executed_twice"] == 1);
  CHECK(seen["ids_executed_twice"] == 0);
  CHECK(seen["amplification"] == 1.5);
  served.post(kPath, with_id("3"));
  seen = verdict(served);
  CHECK(seen["clean"] == false);
  CHECK(seen["ids_executed_twice"] == 1);
  CHECK(seen["attempts"] == 4);
  CHECK(seen["executed"] == 4);
  CHECK(seen["distinct_requests"] == 2);
}

TEST_CASE("a request that waited longer than it allowed is after its deadline, however it said so") {
  StubConfig config = judged();
  config.shaping.latency.ms = 20;
  Served served(config);
  served.post(kPath, with_id("1"), {{"x-envoy-expected-rq-timeout-ms", "60000"}});
  CHECK(verdict(served)["after_deadline"] == 0);
  served.post(kPath, with_id("2"), {{"x-envoy-expected-rq-timeout-ms", "1"}});
  CHECK(verdict(served)["after_deadline"] == 1);
  std::string body = with_id("3");
  body.insert(1, R"("parameters":{"timeout":1000},)");  // microseconds, Triton's way
  served.post(kPath, body);
  CHECK(verdict(served)["after_deadline"] == 2);
  served.post(kPath, with_id("4"), {{"x-envoy-expected-rq-timeout-ms", "soon"}});
  CHECK(verdict(served)["after_deadline"] == 2);
}

TEST_CASE("what a fault holds back counts towards the deadline") {
  StubConfig config;
  config.faults = sim::parse_timeline(R"({"faults":[{"fault":"latency","delay_ms":10}]})", "t").value();
  Served served(config);
  served.post(kPath, with_id("1"), {{"x-envoy-expected-rq-timeout-ms", "5"}});
  CHECK(verdict(served)["after_deadline"] == 1);
}

TEST_CASE("without being asked the stub keeps no verdict and says so") {
  Served served;
  served.post(kPath, with_id("1"));
  CHECK(verdict(served)["judging"] == false);
  CHECK(verdict(served)["attempts"] == 0);
}

TEST_CASE("with a bearer token set every other request is 401") {
  StubConfig config;
  config.bearer = "sesame";
  Served served(config);
  CHECK(served.post(kPath, kDoubleJson).status == 401);
  CHECK(served.post(kPath, kDoubleJson, {{"Authorization", "Bearer sesam"}}).status == 401);
  CHECK(served.post(kPath, kDoubleJson, {{"Authorization", "Bearer sesame"}}).status == 200);
  CHECK(served.get("/admin/stats").status == 200);
}

TEST_CASE("requests from the lists of Triton and OVMS are each refused with one clear line, and the stub lives on") {
  Served served;
  REQUIRE(served.post(kPath, input(kRight)).status == 200);
  for (const auto& list : {wrong_tensors(), wrong_requests()}) {
    for (const auto& [what, body] : list) {
      CAPTURE(what);
      const auto reply = served.post(kPath, body);
      CHECK(reply.status == 400);
      CHECK(error_of(reply) != "no error");
      CHECK(error_of(reply).find('\n') == std::string::npos);
      CHECK(error_of(reply).size() < 200);
    }
  }
  CHECK(served.post(kPath, input(kRight)).status == 200);
  CHECK(served.server().stats().connections == 1);
}

TEST_CASE("a body just over 64 MiB is 413 where that is the limit, and one just under it is read") {
  StubConfig config;
  config.body_bytes_max = 64ull << 20;
  Served served(config);
  const auto of_size = [](std::size_t bytes) {
    const std::string head = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[)" + std::to_string(bytes / 4) +
                             R"(],"parameters":{"binary_data_size":)" + std::to_string(bytes) + "}}]}";
    return std::pair(head, std::string(bytes, '\0'));
  };
  const auto [small_head, small] = of_size((64 << 20) - 1024);
  CHECK(served.post_binary("/v2/models/null/infer", small_head, small).status == 200);
  const auto [large_head, large] = of_size(64 << 20);
  const auto refused = served.post_binary("/v2/models/null/infer", large_head, large);
  CHECK(refused.status == 413);
  CHECK(error_of(refused) == "the body is larger than 67108864 bytes");
  CHECK(served.post(kPath, kDoubleJson).status == 200);
}
