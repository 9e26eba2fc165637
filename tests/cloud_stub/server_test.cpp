#include <atomic>
#include <future>
#include <thread>

#include "tests/cloud_stub/server_fixture.h"

using namespace hearth;
using namespace hearth::stub;
using nlohmann::json;

TEST_CASE("health and metadata answer as the protocol says") {
  Served served;
  CHECK(served.get("/v2/health/live").body == R"({"live":true})");
  CHECK(served.get("/v2/health/ready").body == R"({"ready":true})");
  for (const char* path : {"/v2", "/v2/"}) {
    const auto server = json::parse(served.get(path).body);
    CHECK(server["name"] == "hearth-cloud-stub");
    CHECK(server["extensions"] == json::array({"binary_tensor_data"}));
  }
  const auto model = json::parse(served.get("/v2/models/double").body);
  CHECK(model["name"] == "double");
  CHECK(model["versions"] == json::array({"7"}));
  CHECK(model["inputs"][0] == json{{"name", "a"}, {"datatype", "FP32"}, {"shape", {1, 2}}});
  CHECK(model["inputs"][2]["name"] == "caption");
  CHECK(model["inputs"][2]["parameters"]["optional"] == true);
  CHECK(model["outputs"].size() == 2);
  CHECK(json::parse(served.get("/v2/models/null").body)["inputs"][0]["shape"] == json::array({-1}));
  CHECK(served.get("/v2/models/double/versions/7").status == 200);
  CHECK(json::parse(served.get("/v2/models/double/versions/7/ready").body) ==
        json{{"name", "double"}, {"ready", true}});
}

TEST_CASE("a JSON request is answered in JSON with its id") {
  Served served;
  const auto response = served.post("/v2/models/double/infer", kDoubleJson);
  REQUIRE(response.status == 200);
  CHECK(response.get_header_value("Content-Type") == "application/json");
  CHECK_FALSE(response.has_header("Inference-Header-Content-Length"));
  const auto body = json::parse(response.body);
  CHECK(body["id"] == "q");
  CHECK(body["model_name"] == "double");
  CHECK(body["model_version"] == "7");
  CHECK(body["outputs"][0]["data"] == json::array({3.0, -4.0}));
  CHECK(body["outputs"][1]["data"] == json::array({"boot"}));
}

TEST_CASE("a binary request is answered in binary, in the order asked for") {
  Served served;
  const std::string header =
      R"({"id":"q","inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},)"
      R"({"name":"t","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":8}}],)"
      R"("outputs":[{"name":"t","parameters":{"binary_data":true}},{"name":"twice","parameters":{"binary_data":true}}]})";
  const auto response =
      served.post_binary("/v2/models/double/versions/7/infer", header, bytes_of({1.5F, -2}) + text_element("boot"));
  REQUIRE(response.status == 200);
  CHECK(response.get_header_value("Content-Type") == "application/octet-stream");
  const auto length = std::stoul(response.get_header_value("Inference-Header-Content-Length"));
  const auto body = json::parse(response.body.substr(0, length));
  CHECK(body["outputs"][0]["parameters"]["binary_data_size"] == 8);
  CHECK(response.body.substr(length) == text_element("boot") + bytes_of({3, -4}));
}

TEST_CASE("JSON and binary may be mixed, and an optional input is accepted") {
  Served served;
  const std::string header = R"({"parameters":{"binary_data_output":true},"inputs":[)"
                             R"({"name":"caption","datatype":"BYTES","shape":[1],"data":["two boots"]},)"
                             R"({"name":"a","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},)"
                             R"({"name":"t","datatype":"BYTES","shape":[1],"data":["boot"]}],)"
                             R"("outputs":[{"name":"twice"},{"name":"t","parameters":{"binary_data":false}}]})";
  const auto response = served.post_binary("/v2/models/double/infer", header, bytes_of({1, 2}));
  REQUIRE(response.status == 200);
  const auto length = std::stoul(response.get_header_value("Inference-Header-Content-Length"));
  CHECK(json::parse(response.body.substr(0, length))["outputs"][1]["data"] == json::array({"boot"}));
  CHECK(response.body.substr(length) == bytes_of({2, 4}));
}

TEST_CASE("the null model takes any number of values") {
  Served served;
  const std::string header =
      R"({"inputs":[{"name":"x","datatype":"FP32","shape":[256],"parameters":{"binary_data_size":1024}}],)"
      R"("outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  for (int i = 0; i < 20; ++i) {  // more than httplib's own keep-alive maximum
    const auto response = served.post_binary("/v2/models/null/infer", header, std::string(1024, '\1'));
    REQUIRE(response.status == 200);
    CHECK(response.body.size() == std::stoul(response.get_header_value("Inference-Header-Content-Length")) + 40);
  }
  CHECK(served.server().stats().connections == 1);
}

TEST_CASE("what is not there is 404 and a wrong method 405") {
  Served served;
  CHECK(error_of(served.get("/v2/models/nobody")) == "unknown model or version");
  CHECK(served.get("/v2/models/nobody").status == 404);
  CHECK(served.post("/v2/models/nobody/infer", kDoubleJson).status == 404);
  CHECK(served.post("/v2/models/double/versions/8/infer", kDoubleJson).status == 404);
  CHECK(served.get("/v2/models/double/versions/8/ready").status == 404);
  CHECK(error_of(served.get("/v3")) == "unknown path");
  CHECK(served.get("/v3").status == 404);
  CHECK(served.get("/v2%0A").status == 404);
  CHECK(served.get("/v2/models/double/infer").status == 405);
  CHECK(error_of(served.post("/v2/health/live", "")) == "this path does not answer to that method");
}

TEST_CASE("a model's own refusal is 400 and does not carry its words") {
  Served served;
  auto negative = kDoubleJson;
  negative.replace(negative.find("1.5"), 3, "-15");
  const auto response = served.post("/v2/models/double/infer", negative);
  CHECK(response.status == 400);
  CHECK(error_of(response) == "the model refused the inputs");
}

TEST_CASE("a server that is not ready says 503 and stays alive") {
  Served served;
  CHECK(served.post("/admin/ready", R"({"ready":false})").status == 200);
  CHECK(served.get("/v2/health/live").status == 200);
  CHECK(served.get("/v2/health/ready").status == 503);
  CHECK(served.get("/v2/models/double").status == 200);
  CHECK(served.get("/v2/models/double/ready").status == 503);
  const auto refused = served.post("/v2/models/double/infer", kDoubleJson);
  CHECK(refused.status == 503);
  CHECK(error_of(refused) == "the model is not ready");
  CHECK(served.post("/admin/ready", R"({"ready":true})").status == 200);
  CHECK(served.post("/v2/models/double/infer", kDoubleJson).status == 200);
  CHECK(served.post("/admin/ready", R"({"ready":1})").status == 400);
}

TEST_CASE("requests, bytes and answers are counted and /admin is not") {
  Served served;
  served.post("/v2/models/double/infer", kDoubleJson);
  served.post("/v2/models/double/infer", "{}");
  served.get("/v2");
  const auto stats = served.stats();
  CHECK(stats["requests"] == 3);
  CHECK(stats["infer_requests"] == 2);
  CHECK(stats["ok"] == 1);
  CHECK(stats["errors_injected"] == 0);
  CHECK(stats["bytes_in"].get<std::size_t>() > kDoubleJson.size() + 2);
  CHECK(stats["bytes_in"].get<std::size_t>() < kDoubleJson.size() + 2 + 3 * 300);
  CHECK(stats["bytes_out"].get<std::size_t>() > 0);
  CHECK(stats["sensitive_requests"] == 0);
  CHECK(served.stats()["requests"] == 3);
}

TEST_CASE("injected errors come as configured and leave health alone") {
  StubConfig config;
  config.shaping.error_rate = 0.5;
  config.shaping.seed = 3;
  Served served(config);
  // The same draws without a server.
  Shaper expected(config.shaping);
  std::uint64_t failures = 0;
  for (int i = 0; i < 40; ++i) {
    const int status = expected.arrive({}, 0, true).error_status;
    failures += status != 0;
    const auto response = served.post("/v2/models/double/infer", kDoubleJson);
    CHECK(response.status == (status == 0 ? 200 : status));
    CHECK(error_of(response) == (status == 0 ? "no error" : "injected failure"));
    CHECK(served.get("/v2/health/ready").status == 200);
  }
  CHECK(failures > 0);
  CHECK(served.server().stats().errors_injected == failures);
  CHECK(served.server().stats().ok == 40 - failures);
}

TEST_CASE("shaping is replaced while the server runs") {
  Served served;
  CHECK(served.post("/admin/shaping", R"({"error_rate": 1})").status == 200);
  CHECK(served.post("/v2/models/double/infer", kDoubleJson).status >= 500);
  CHECK(served.post("/admin/shaping", R"({"latency": {"distribution": "constant", "ms": 1}})").status == 200);
  CHECK(served.post("/v2/models/double/infer", kDoubleJson).status == 200);
  const auto refused = served.post("/admin/shaping", "{\n\"error_rate\": 2}");
  CHECK(refused.status == 400);
  CHECK(error_of(refused).find("/admin/shaping:2:15: /error_rate: ") != std::string::npos);
  CHECK(served.post("/v2/models/double/infer", kDoubleJson).status == 200);
}

TEST_CASE("quit tells the owner, who stops the server") {
  std::promise<void> told;
  Served served({}, [&] { told.set_value(); });
  CHECK(served.post("/admin/quit", "").status == 200);
  told.get_future().wait();  // It is told once the reply is written.
  served.server().stop();
  CHECK_FALSE(served.client().Get("/v2"));
  Served other;
  CHECK(error_of(other.post("/admin/quit", "")) == "this server is stopped by its owner");
}

TEST_CASE("stopping ends idle connections and delays at once") {
  StubConfig config;
  config.shaping.latency.ms = 60'000;
  auto served = std::make_unique<Served>(config);
  httplib::Client idle("127.0.0.1", served->port());
  idle.set_keep_alive(true);
  REQUIRE(idle.Get("/admin/stats"));
  std::thread waiting([port = served->port()] {
    httplib::Client client("127.0.0.1", port);
    client.Get("/v2");  // 60 s away
  });
  while (served->server().stats().requests == 0) std::this_thread::yield();
  served->server().stop();  // hangs until the test's time limit when it waits for either
  waiting.join();
  SUCCEED();
}

TEST_CASE("a port that is taken is an error") {
  Served served;
  StubConfig config;
  config.port = served.port();
  StubServer second(config, {null_model("null")});
  const auto port = second.start();
  REQUIRE_FALSE(port.ok());
  CHECK(port.error().code == ErrorCode::kUnavailable);
  CHECK(port.error().message.find(std::to_string(config.port)) != std::string::npos);
}

TEST_CASE("many clients at once get their own answers") {
  Served served;
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&right, client, port = served.port()] {
      httplib::Client http("127.0.0.1", port);
      http.set_keep_alive(true);
      http.set_tcp_nodelay(true);
      for (int i = 0; i < 25; ++i) {
        const std::string id = std::to_string(client) + "-" + std::to_string(i);
        auto body = json::parse(kDoubleJson);
        body["id"] = id;
        body["inputs"][0]["data"] = {client, i};
        const auto response = http.Post("/v2/models/double/infer", body.dump(), "application/json");
        if (!response || response->status != 200) continue;
        const auto reply = json::parse(response->body);
        right += reply["id"] == id && reply["outputs"][0]["data"] == json::array({client * 2.0, i * 2.0});
      }
    });
  }
  for (auto& client : clients) client.join();
  CHECK(right == 200);
}
