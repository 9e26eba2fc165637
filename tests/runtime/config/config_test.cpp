#include "runtime/config/config.h"

#include <catch2/catch.hpp>

#include "tests/runtime/config/config_files.h"

namespace hearth {
namespace {

TEST_CASE("a pair file is read with its paths beside it") {
  const Folder folder("good_pair");
  const std::string cloud = R"({"model": "large", "version": "2", "text_input": "caption",
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]})";
  const auto pair = load_pair(folder.write(
      "p.json", Folder::pair(cloud, R"(, "scores": "probabilities", "labels": ["a", "b", "c"], "description": "d")")));
  INFO((pair.ok() ? "" : pair.error().message));
  REQUIRE(pair.ok());
  CHECK(pair->name == "tagger");
  CHECK(pair->edge.file == folder.at("model.pt"));
  CHECK(pair->edge.profile.empty());
  CHECK(pair->edge.inputs == std::vector<TensorSpec>{{"x", Datatype::kFp32, {-1, 784}}});
  CHECK(pair->cloud.model == "large");
  CHECK(pair->cloud.version == "2");
  CHECK(pair->cloud.text_input == "caption");
  CHECK(pair->cloud.inputs == std::vector<TensorSpec>{{"image", Datatype::kFp32, {-1, 1, 28, 28}}});
  CHECK(pair->cloud.outputs == pair->edge.outputs);  // Left out: the edge's.
  CHECK(pair->scores == Scores::kProbabilities);
  CHECK(pair->labels == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("a pair may name a profile, beside it, that is still to be measured") {
  const Folder folder("pair_with_profile");
  std::string text = Folder::pair();
  text.replace(text.find(R"("file")"), 0, R"("profile": "measured/p.json", )");
  const auto pair = load_pair(folder.write("p.json", text));
  REQUIRE(pair.ok());
  CHECK(pair->edge.profile == folder.at("measured/p.json"));
}

TEST_CASE("a pair says how its requests share this device, and batches need rows that look alike") {
  const auto read = [](const std::string& shape, const std::string& rest) {
    return pair_refusal(R"({"name": "tagger", "edge": {"file": "model.pt",
"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 784]}],
"outputs": [{"name": "y", "datatype": "FP32", "shape": )" +
                        shape + "}], " + rest + "}}");
  };
  CHECK(read("[1, 3]", R"("share": 2.5, "batch_max": 8, "batch_wait_ms": 1.5)") == "(accepted)");
  CHECK(read("[3]", R"("share": 0.01, "batch_max": 1)") == "(accepted)");
  CHECK(read("[1, 3]", R"("share": 0)") == "p.json:3: /edge/share: expected a number from 0.01 to 100, got 0");
  CHECK(read("[1, 3]", R"("batch_max": 65)") ==
        "p.json:3: /edge/batch_max: expected a whole number from 1 to 64, got 65");
  CHECK(read("[1, 3]", R"("batch_wait_ms": 2)") == "p.json:3: /edge/batch_wait_ms: belongs to a batch_max above 1");
  for (const char* shape : {"[3]", "[-1, 3]", "[2, 3]", "[1, -1]", "[]"}) {
    INFO(shape);
    CHECK_THAT(
        read(shape, R"("batch_max": 2)"),
        Catch::Contains("p.json:3: /edge/outputs/0/shape: expected, for a batch_max above 1, a first dimension of "
                        "1 and no -1; got ["));
  }

  const Folder folder("sharing");
  const auto pair = load_pair(folder.write("p.json", R"({"name": "t", "edge": {"file": "model.pt", "batch_max": 4,
    "batch_wait_ms": 0.5, "share": 3, "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 3]}]}})"));
  REQUIRE(pair.ok());
  CHECK(pair->edge.batch_max == 4);
  CHECK(pair->edge.batch_wait == std::chrono::microseconds(500));
  CHECK(pair->edge.share == 3);
  RuntimeConfig config;
  config.models = {pair.value()};
  config.policy_json = "{}";
  CHECK(validate(config).ok());
  config.models[0].edge.batch_wait = -std::chrono::milliseconds(1);
  CHECK_THAT(validate(config).error().message, Catch::Contains("/models/0/edge/batch_wait_ms: expected 0 to 60000"));
}

TEST_CASE("a configuration is read, and what it leaves out keeps its default") {
  const Folder folder("good_config");
  fs::create_directories(folder.at("runtime"));
  const auto config = load_config(folder.write("runtime/c.json", R"({
    "models": ["../pair.json"], "policy": "../policy.json", "profile": "../state/learned.json", "journal": "../state/journal",
    "audit_key": "../keys/device", "audit_decisions": false,
    "endpoints": [{"name": "main", "url": "https://models.example.org/v1", "region": "eu"},
                  {"name": "spare", "url": "https://spare.example.org", "weight": 0.25}],
    "default_deadline_ms": 0.5, "threads": 4, "seed": 18446744073709551615,
    "limits": {"queue_length_max": 7, "journal_segments_max": 3}, "cloud": {"breaker_failures": 9, "connect_timeout_ms": 12.5, "look_up_every_ms": 5000}})"));
  INFO((config.ok() ? "" : config.error().message));
  REQUIRE(config.ok());
  CHECK(config->models.size() == 1);
  CHECK(config->policy_file == folder.at("policy.json"));
  CHECK(config->profile_file == folder.at("state/learned.json"));
  CHECK(config->journal_file == folder.at("state/journal"));
  CHECK(config->audit_key_file == folder.at("keys/device"));
  CHECK_FALSE(config->audit_decisions);
  REQUIRE(config->endpoints.size() == 2);
  CHECK(config->endpoints[0] == Endpoint{"main", "https://models.example.org/v1", "eu"});
  CHECK(config->endpoints[1].weight == 0.25);
  CHECK(config->default_deadline == std::chrono::microseconds(500));
  CHECK(config->threads == 4);
  CHECK(config->seed == 18446744073709551615u);
  CHECK(config->limits.queue_length_max == 7);
  CHECK(config->limits.journal_segments_max == 3);
  CHECK(config->limits.journal_segment_mib == Limits{}.journal_segment_mib);
  CHECK(config->limits.edge_slots == Limits{}.edge_slots);
  CHECK(config->cloud.breaker_failures == 9);
  CHECK(config->cloud.connect_timeout == std::chrono::microseconds(12500));
  CHECK(config->cloud.look_up_every == std::chrono::seconds(5));
  CHECK(config->cloud.breaker_backoff == CloudTiming{}.breaker_backoff);
  CHECK(validate(config.value()).ok());
}

TEST_CASE("a pair may take text alone and answer in text, when its cloud half takes the text") {
  ModelPair pair;
  pair.name = "notes";
  pair.edge.file = "simulated";
  pair.edge.outputs = pair.cloud.outputs = {{"answer", Datatype::kBytes, {1}}};
  pair.cloud.model = "notes-large";
  RuntimeConfig config;
  config.models = {pair};
  config.policy_json = "{}";
  CHECK_FALSE(validate(config).ok());
  config.models[0].cloud.text_input = "text";
  CHECK(validate(config).ok());
  config.models[0].cloud.inputs = {{"x", Datatype::kFp32, {1}}};
  CHECK(validate(config).error().message ==
        "configuration: /models/0/cloud/inputs: expected 0 as on the edge side, got 1");
}

struct Case {
  std::string text;
  std::string expected;
};

TEST_CASE("every mistake in a pair file is named") {
  const std::string hex63(63, 'a');
  const std::vector<Case> cases = {
      {"", "p.json:1: the file is empty, expected JSON"},
      {"[]", "p.json:1: expected an object, got an array"},
      {"{}", "p.json:1: \"name\" is missing\np.json:1: \"edge\" is missing"},
      {R"({"name": "t", "edge": {"file": "absent.pt"}})",
       "p.json:1: /edge: \"inputs\" is missing\np.json:1: /edge: \"outputs\" is missing\n"
       "p.json:1: /edge/file: no such file: absent.pt"},
      {R"({"name": "t", "edge": {"file": "model.pt", "inputs": [], "outputs": [{"name": "y", "datatype": "float32",
"shape": [1, 0.5, "x"]}]}})",
       "p.json:1: /edge/outputs/0/datatype: expected one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, "
       "INT64, FP16, FP32, FP64, BYTES; got \"float32\"\n"
       "p.json:2: /edge/outputs/0/shape/1: expected a whole number from 1, or -1 for any; got 0.5\n"
       "p.json:2: /edge/outputs/0/shape/2: expected a whole number from 1, or -1 for any; got \"x\""},
      {R"({"name": "t", "edge": {"file": "model.pt", "inputs": [],
"outputs": [{"name": "y", "datatype": "BYTES", "shape": [0]}]}})",
       "p.json:1: /edge/inputs: expected at least one tensor\n"
       "p.json:2: /edge/outputs/0/shape: expected dimensions of at least 1, or -1 for any, whose product fits in "
       "memory; "
       "got [0]\n"
       "p.json:2: /edge/outputs/0/datatype: BYTES is not a type that a TorchScript model takes"},
      {R"({"name": "t", "edge": {"file": "model.pt", "sha256": ")" + hex63 + R"(", "inputs": [{"name": "x", "datatype":
"FP32", "shape": [4611686018427387903, 4611686018427387903]}, {"name": "x", "datatype": "FP32", "shape": []}],
"outputs": [{"name": "y", "datatype": "FP32", "shape": [1]}]}})",
       "p.json:1: /edge/sha256: expected 64 lower-case hexadecimal digits\n"
       "p.json:2: /edge/inputs/0/shape: expected dimensions of at least 1, or -1 for any, whose product fits in "
       "memory; "
       "got [4611686018427387903, 4611686018427387903]\n"
       "p.json:2: /edge/inputs/1/name: tensor \"x\" is there twice"},
      {Folder::pair(R"({"version": "1"})"), "p.json:4: /cloud: \"model\" is missing"},
      {Folder::pair(R"({"model": "../admin"})"),
       "p.json:4: /cloud/model: expected 1 to 128 letters, digits, '-', '_', '.', ':' or '/' between them"},
      {Folder::pair(R"({"model": "a//b"})"),
       "p.json:4: /cloud/model: expected 1 to 128 letters, digits, '-', '_', '.', ':' or '/' between them"},
      {Folder::pair(R"({"model": "m", "sha256": "ABC"})"),
       "p.json:4: /cloud/sha256: expected 64 lower-case hexadecimal digits"},
      {Folder::pair(R"({"model": "m", "inputs": [{"name": "a", "datatype": "FP32", "shape": [784]},
{"name": "b", "datatype": "FP32", "shape": [1]}]})"),
       "p.json:4: /cloud/inputs: expected 1 as on the edge side, got 2"},
      {Folder::pair(R"({"model": "m", "inputs": [{"name": "a", "datatype": "FP16", "shape": [-1, 783]}]})"),
       "p.json:4: /cloud/inputs/0/datatype: expected FP32 as on the edge side, got FP16\n"
       "p.json:4: /cloud/inputs/0/shape: expected as many elements as the edge's [-1, 784], got [-1, 783]"},
      {Folder::pair(R"({"model": "m", "inputs": [{"name": "a", "datatype": "FP32", "shape": [784]}]})"),
       "p.json:4: /cloud/inputs/0/shape: expected as many elements as the edge's [-1, 784], got [784]"},
      {Folder::pair(R"({"model": "m", "text_input": "x"})"),
       "p.json:4: /cloud/text_input: is already the name of a tensor in inputs"},
      {Folder::pair(R"({"model": "m"})", R"(, "labels": ["a", "b"])"),
       "p.json:4: /labels: expected 3 labels, one for each score in outputs[0], got 2"},
      {Folder::pair(R"({"model": "m"})", R"(, "scores": "logit")"),
       "p.json:4: /scores: expected one of logits, probabilities; got \"logit\" (did you mean \"logits\"?)"},
      {Folder::pair(R"({"model": "m"})", R"(, "label": [])"),
       "p.json:4: /label: unknown key (did you mean \"labels\"?)"},
  };
  for (const Case& one : cases) {
    INFO(one.text);
    CHECK(pair_refusal(one.text) == one.expected);
  }
}

TEST_CASE("every mistake in a configuration is named") {
  const std::vector<Case> cases = {
      {"{\"models\": [",
       "c.json:1: syntax error while parsing value - unexpected end of input; expected '[', '{', or a "
       "literal"},
      {"{}", "c.json:1: \"models\" is missing\nc.json:1: \"policy\" is missing"},
      {R"({"models": [], "policy": ""})",
       "c.json:1: /models: expected at least one pair file\nc.json:1: /policy: expected the path of a policy file"},
      {R"({"models": ["a.json", 3], "policy": "policy.json"})", "c.json:1: /models/1: expected a string, got 3"},
      {R"({"models": ["a.json"], "policy": "b.json"})",
       "c.json:1: /models/0: no such file: a.json\nc.json:1: /policy: no such file: b.json"},
      {R"({"models": ["pair.json", "pair.json"], "policy": "policy.json"})",
       "c.json:1: /models/1: model \"tagger\" is there twice"},
      {R"({"models": ["policy.json"], "policy": "policy.json"})",
       "policy.json:1: syntax error while parsing value - invalid literal"},
      {with(R"("endpoints": [{"name": "edge", "url": "https://a.example"}])"),
       "c.json:2: /endpoints/0/name: \"edge\" is this device: choose another name"},
      {with(R"("endpoints": [{"name": "a", "url": "http://a.example"}])"),
       "c.json:2: /endpoints/0/url: http:// is for this machine only (localhost, 127.0.0.0/8, [::1]); expected "
       "https://"},
      {with(R"("endpoints": [{"name": "a", "url": "ftp://a.example"}])"),
       "c.json:2: /endpoints/0/url: URL: expected http:// or https://"},
      {with(R"("endpoints": [{"name": "a", "url": "http://127.0.0.1:1"}, {"name": "a", "url": "https://b.example"}])"),
       "c.json:2: /endpoints/1/name: endpoint \"a\" is there twice"},
      {with(R"("endpoints": [{"name": "a"}])"), "c.json:2: /endpoints/0: \"url\" is missing"},
      {with(R"("threads": 0)"), "c.json:2: /threads: expected a whole number from 1 to 256, got 0"},
      {with(R"("seed": -1)"), "c.json:2: /seed: expected a whole number from 0 to 18446744073709551615, got -1"},
      {with(R"("default_deadline_ms": 0)"),
       "c.json:2: /default_deadline_ms: expected a number from 0.1 to 3600000, got 0"},
      {with(R"("default_deadline_ms": 1e300)"),
       "c.json:2: /default_deadline_ms: expected a number from 0.1 to 3600000, got 1e+300"},
      {with(R"("limits": {"queue_lenght_max": 3})"),
       "c.json:2: /limits/queue_lenght_max: unknown key (did you mean \"queue_length_max\"?)"},
      {with(R"("limits": {"edge_slots": 1.5})"),
       "c.json:2: /limits/edge_slots: expected a whole number from 1 to 256, got 1.5"},
      {with(R"("cloud": {"breaker_backoff_ms": 2000, "breaker_backoff_max_ms": 1000})"),
       "c.json:2: /cloud/breaker_backoff_max_ms: expected at least breaker_backoff_ms, which is 2000"},
      {with(R"("audit_key": "key")"), "c.json:2: /audit_key: expected \"journal\" too: the key seals what is in it"},
      {with(R"("deadline_ms": 3)"), "c.json:2: /deadline_ms: unknown key (did you mean \"default_deadline_ms\"?)"},
  };
  for (const Case& one : cases) {
    INFO(one.text);
    CHECK(config_refusal(one.text) == one.expected);
  }
}

TEST_CASE("a problem has the line and the column of its value") {
  CHECK(config_refusal_with_columns(with(R"("limits": {"edge_slots": 1.5}, "threads": 0)")) ==
        "c.json:2:43: /threads: expected a whole number from 1 to 256, got 0\n"
        "c.json:2:26: /limits/edge_slots: expected a whole number from 1 to 256, got 1.5");
  CHECK(config_refusal_with_columns(with(R"("endpoints": [{"name": "a"}])")) ==
        "c.json:2:15: /endpoints/0: \"url\" is missing");
  CHECK(pair_refusal_with_columns("") == "p.json:1:1: the file is empty, expected JSON");
  CHECK(config_refusal_with_columns("{\"models\": [").starts_with("c.json:1:13: syntax error"));
  CHECK(config_refusal_with_columns(R"({"models": ["policy.json"], "policy": "policy.json"})")
            .starts_with("policy.json:1:2: syntax error"));
  CHECK(pair_refusal_with_columns(Folder::pair(R"({"version": "1"})")) == "p.json:4:10: /cloud: \"model\" is missing");
}

/// Of a configuration whose one endpoint has `extra`.
TEST_CASE("32 endpoints are one too many") {
  std::string list;
  for (int i = 0; i < 32; ++i) {
    list += (i == 0 ? "" : ", ") + std::string("{\"name\": \"e") + std::to_string(i) +
            "\", \"url\": \"https://a.example\"}";
  }
  CHECK(config_refusal(with("\"endpoints\": [" + list + "]")) == "c.json:2: /endpoints: expected at most 31 endpoints");
}

TEST_CASE("problems of the configuration and of its pairs come together") {
  const Folder folder("together");
  folder.write("bad.json", R"({"name": "b", "edge": 3})");
  const auto config = load_config(folder.write("c.json", R"({"models": ["bad.json"], "threads": "two"})"));
  REQUIRE_FALSE(config.ok());
  CHECK(config.error().message == folder.at("c.json") + ":1:1: \"policy\" is missing\n" + folder.at("bad.json") +
                                      ":1:23: /edge: expected an object, got 3\n" + folder.at("c.json") +
                                      ":1:37: /threads: expected a whole number from 1 to 256, got \"two\"");
}

TEST_CASE("missing files and folders are named") {
  CHECK(load_config("/nowhere/c.json").error().message == "/nowhere/c.json: no such file");
  CHECK(load_pair("/nowhere/p.json").error().message == "/nowhere/p.json: no such file");
  CHECK(load_pair("/tmp").error().message == "/tmp: is a folder, not a file");
}

RuntimeConfig good_config() {
  RuntimeConfig config;
  ModelPair pair;
  pair.name = "tagger";
  pair.edge.file = "not opened by validate()";
  pair.edge.inputs = {{"x", Datatype::kFp32, {4}}};
  pair.edge.outputs = {{"y", Datatype::kFp32, {2}}};
  config.models = {pair};
  config.policy_json = "{}";
  return config;
}

TEST_CASE("a configuration made in code is held to the same bounds") {
  CHECK(validate(good_config()).ok());
  RuntimeConfig config = good_config();
  config.models.push_back(config.models[0]);
  config.models[1].cloud.version = "1";
  config.models[1].labels = {"only one"};
  config.policy_json.clear();
  config.audit_key_file = "key";
  config.endpoints = {{"a", "http://203.0.113.5", ""}, {"a", "https://a.example", "e u"}};
  config.default_deadline = Duration(0);
  config.limits.edge_slots = 0;
  config.cloud.breaker_failures = 0;
  config.cloud.breaker_backoff = std::chrono::minutes(1);
  const Status status = validate(config);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::kInvalidArgument);
  CHECK(status.error().message ==
        "configuration: /models/1/cloud/model: expected the name of the model: the rest of its cloud half is there\n"
        "configuration: /models/1/labels: expected 2 labels, one for each score in outputs[0], got 1\n"
        "configuration: /models/1/name: model \"tagger\" is there twice\n"
        "configuration: /policy: expected a policy\n"
        "configuration: /audit_key: expected a journal too: the key seals what is in it\n"
        "configuration: /endpoints/0/url: http:// is for this machine only (localhost, 127.0.0.0/8, [::1]); expected "
        "https://\n"
        "configuration: /endpoints/1/region: expected 1 to 128 letters, digits, '-', '_' or '.'\n"
        "configuration: /endpoints/1/name: endpoint \"a\" is there twice\n"
        "configuration: /default_deadline_ms: expected 0.1 to 3600000, got 0\n"
        "configuration: /limits/edge_slots: expected 1 to 256, got 0\n"
        "configuration: /cloud/breaker_failures: expected 1 to 1000, got 0\n"
        "configuration: /cloud/breaker_backoff_max_ms: expected at least breaker_backoff_ms, which is 60000");
}

}  // namespace
}  // namespace hearth
