// What a configuration says of protocols, credentials and text.
#include <catch2/catch.hpp>

#include "tests/runtime/config/config_files.h"

namespace hearth {
namespace {

std::string endpoint_refusal(const std::string& extra) {
  return config_refusal(with(R"("endpoints": [{"name": "a", "url": "https://a.example", )" + extra + "}]"));
}

TEST_CASE("an endpoint's protocol, encoding and reference to a credential are read") {
  const Folder folder("protocols");
  const auto config = load_config(folder.write("c.json", with(R"("endpoints": [
    {"name": "a", "url": "https://a.example", "encoding": "json", "auth": {"bearer_env": "A_TOKEN"}},
    {"name": "b", "url": "https://b.example", "protocol": "openai", "auth": {"bearer_file": "keys/b"}},
    {"name": "c", "url": "https://c.example", "auth": {"api_key_env": "C_KEY", "header": "api-key"}},
    {"name": "d", "url": "https://d.example", "protocol": "oip", "auth": {"api_key_file": "/run/d"}},
    {"name": "e", "url": "https://e.example"}])")));
  INFO((config.ok() ? "" : config.error().message));
  REQUIRE(config.ok());
  const auto& endpoints = config->endpoints;
  using Kind = Auth::Kind;
  using Source = Auth::Source;
  CHECK(endpoints[0].protocol == Protocol::kOip);
  CHECK(endpoints[0].encoding == Encoding::kJson);
  CHECK(endpoints[0].auth == Auth{Kind::kBearer, Source::kEnvironment, "A_TOKEN"});
  CHECK(endpoints[1].protocol == Protocol::kOpenai);
  CHECK(endpoints[1].auth == Auth{Kind::kBearer, Source::kFile, folder.at("keys/b")});
  CHECK(endpoints[2].auth == Auth{Kind::kApiKey, Source::kEnvironment, "C_KEY", "api-key"});
  CHECK(endpoints[3].auth == Auth{Kind::kApiKey, Source::kFile, "/run/d"});
  CHECK(endpoints[3].encoding == Encoding::kBinary);
  CHECK(endpoints[4].auth == Auth{});
}

TEST_CASE("a credential in the place of its name is refused and not quoted") {
  const std::string refused = endpoint_refusal(R"("auth": {"bearer_env": "sk-abc.def"})");
  CHECK(refused ==
        "c.json:2: /endpoints/0/auth/bearer_env: expected the name of an environment variable (letters, "
        "digits and '_'), never the credential itself");
  const std::string one_of =
      "c.json:2: /endpoints/0/auth: expected one of bearer_env, bearer_file, api_key_env and "
      "api_key_file";
  CHECK(endpoint_refusal(R"("auth": {})") == one_of);
  CHECK(endpoint_refusal(R"("auth": {"bearer_env": "A", "api_key_env": "B"})") == one_of);
  CHECK(endpoint_refusal(R"("auth": {"bearer_env": "A", "header": "x"})") ==
        "c.json:2: /endpoints/0/auth/header: belongs to an API key: a bearer token goes into Authorization");
  for (const std::string header : {"Content-Type", "a b", "host", ""}) {
    CHECK(endpoint_refusal(R"("auth": {"api_key_env": "A", "header": ")" + header + "\"}") ==
          "c.json:2: /endpoints/0/auth/header: expected the name of a header that is free for an API key, such as "
          "x-api-key");
  }
  CHECK(endpoint_refusal(R"("protocol": "openai", "encoding": "json")")
            .starts_with("c.json:2: /endpoints/0/encoding: belongs to the protocol \"oip\"\n"));
  CHECK(endpoint_refusal(R"("protocol": "grpc")").starts_with("c.json:2: /endpoints/0/protocol: expected "));
}

TEST_CASE("a pair for a text API is read, and only text goes with it") {
  const Folder folder("text_pair");
  const std::string edge = R"("edge": {"file": "model.pt", "inputs": [],
    "outputs": [{"name": "y", "datatype": "BYTES", "shape": [1]}]})";
  const auto read = [&](const std::string& cloud) {
    const std::string file = folder.write("p.json", R"({"name": "notes", )" + edge + R"(, "cloud": )" + cloud + "}");
    const auto pair = load_pair(file);
    return pair.ok() ? "(accepted)" : test::without_columns(without(folder, pair.error().message));
  };
  CHECK(read(R"({"model": "org/small:1", "api": "chat", "text_input": "t", "system_prompt": "Be short.",
                 "tokens_max": 100})") == "(accepted)");
  const auto pair = load_pair(folder.at("p.json"));
  REQUIRE(pair.ok());
  CHECK(pair->cloud.api == CloudApi::kChat);
  CHECK(pair->cloud.system_prompt == "Be short.");
  CHECK(pair->cloud.tokens_max == 100);
  CHECK(read(R"({"model": "m", "api": "completions", "text_input": "t"})") == "(accepted)");
  CHECK(read(R"({"model": "m", "api": "embeddings", "text_input": "t"})") ==
        "p.json:2: /cloud/outputs: expected one FP32 tensor, the embedding");
  CHECK(read(R"({"model": "m", "api": "chat", "version": "2", "text_input": "t"})") ==
        "p.json:2: /cloud/version: the OpenAI API knows no versions: it belongs into the model's name");
  CHECK(read(R"({"model": "m", "text_input": "t", "system_prompt": "x", "tokens_max": 1})") ==
        "p.json:2: /cloud/system_prompt: belongs to the api \"chat\"\n"
        "p.json:2: /cloud/tokens_max: belongs to the apis \"chat\" and \"completions\"");
  CHECK(read(R"({"model": "/m", "text_input": "t"})").starts_with("p.json:2: /cloud/model: expected 1 to 128 letters"));
  CHECK(pair_refusal(Folder::pair(R"({"model": "m", "api": "chat", "text_input": "t"})")) ==
        "p.json:4: /cloud/api: expected a pair for text alone: a text_input, and no inputs on either side\n"
        "p.json:4: /cloud/outputs: expected one BYTES [1], the answer");
  CHECK(config_refusal(with(R"("endpoints": [{"name": "a", "url": "https://a.example", "protocol": "openai"}])")) ==
        "c.json:2: /endpoints: none speaks the protocol \"oip\", which the cloud half of model \"tagger\" needs");
}

TEST_CASE("an edge half may be a server on this device, for text and on loopback only") {
  const Folder folder("edge_endpoint");
  const auto read = [&](const std::string& edge) {
    const std::string file = folder.write("p.json", R"({"name": "notes", "edge": {)" + edge + "}}");
    const auto pair = load_pair(file);
    return pair.ok() ? "(accepted)" : test::without_columns(without(folder, pair.error().message));
  };
  const std::string outputs = R"("outputs": [{"name": "y", "datatype": "BYTES", "shape": [1]}])";
  const std::string model = R"("model": "llama3:8b", )";
  CHECK(read(R"("endpoint": "http://127.0.0.1:8080/v1", )" + model + outputs) == "(accepted)");
  CHECK(read(R"("endpoint": "http://[::1]:8080", "system_prompt": "Be short.", "tokens_max": 9, )" + model + outputs) ==
        "(accepted)");
  const std::string elsewhere =
      "p.json:1: /edge/endpoint: expected http:// to this machine (localhost, 127.0.0.0/8, "
      "[::1]): it counts as the device";
  CHECK(read(R"("endpoint": "http://192.168.0.2:8080/v1", )" + model + outputs) == elsewhere);
  CHECK(read(R"("endpoint": "https://llm.example.org/v1", )" + model + outputs) == elsewhere);
  CHECK(read(R"("endpoint": "http://127.0.0.1:1", "file": "model.pt", )" + model + outputs) ==
        "p.json:1: /edge/endpoint: expected a file or an endpoint, not both");
  CHECK(read(R"("endpoint": "http://127.0.0.1:1", )" + outputs) ==
        "p.json:1: /edge/model: expected the model's name on that server");
  CHECK(read(R"("endpoint": "http://127.0.0.1:1", )" + model +
             R"("outputs": [{"name": "y", "datatype": "FP32", "shape": [1]}])") ==
        "p.json:1: /edge/endpoint: expected a pair for text alone: no inputs, and one BYTES [1] output");
  CHECK(pair_refusal(R"({"name": "t", "edge": {"file": "model.pt", "model": "m",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}], )" +
                     std::string(R"("outputs": [{"name": "y", "datatype": "FP32", "shape": [1]}]}})")) ==
        "p.json:1: /edge: model, system_prompt and tokens_max belong to an endpoint");
}

}  // namespace
}  // namespace hearth
