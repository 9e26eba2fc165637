// `hearth export triton` as it is run. No Triton was here to read what it writes: config.pbtxt is read by a small
// reader of protobuf's text format below, and held against what model_config.proto declares.
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <hearth/config.h>

#include "runtime/base/digest.h"
#include "tests/support/hearth_command.h"

namespace {

namespace fs = std::filesystem;
using hearth::test::CommandFolder;
using hearth::test::text_of;
using nlohmann::json;

/// protobuf's text format: `name: value`, `name { ... }`, `name: [ ... ]`. Messages become objects whose every field is
/// an array. https://protobuf.dev/reference/protobuf/textformat-spec/
class TextFormat {
 public:
  explicit TextFormat(const std::string& text) : text_(text) {}
  json message(char end = 0) {
    json fields = json::object();
    for (skip(); at_ < text_.size() && text_[at_] != end; skip()) {
      const std::string name = word();
      skip();
      const bool colon = text_[at_] == ':';
      if (colon) ++at_;
      skip();
      if (text_[at_] == '[') {
        ++at_;
        for (skip(); text_[at_] != ']'; skip()) {
          fields[name].push_back(value());
          skip();
          if (text_[at_] == ',') ++at_;
        }
        ++at_;
        if (!fields.contains(name)) fields[name] = json::array();
      } else {
        if (!colon && text_[at_] != '{') throw std::runtime_error("a scalar without a colon");
        fields[name].push_back(value());
      }
    }
    if (end != 0 && at_ == text_.size()) throw std::runtime_error("a message without an end");
    if (end != 0) ++at_;
    return fields;
  }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  std::string word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '-'))
      ++at_;
    if (begin == at_) throw std::runtime_error("expected a word at " + text_.substr(begin, 10));
    return text_.substr(begin, at_ - begin);
  }
  json value() {
    if (text_[at_] == '{') return ++at_, message('}');
    if (text_[at_] != '"') {
      const std::string token = word();
      return std::isdigit(static_cast<unsigned char>(token.back())) && token[0] != 'T' ? json::parse(token)
                                                                                       : json(token);
    }
    const std::size_t end = text_.find('"', at_ + 1);
    const std::string held = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return held;
  }
  std::string text_;
  std::size_t at_ = 0;
};

std::string pair_text(const std::string& cloud) {
  return R"({"name": "photo-tagger", "edge": {"file": "edge.pt",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 784]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 10]}]}, "cloud": )" +
         cloud + "}";
}

struct Folder : CommandFolder {
  explicit Folder(const std::string& cloud = R"({"model": "Photo_Large"})") {
    write("edge.pt", "an edge model");
    write("cloud.pt", "a cloud model");
    write("pair.json", pair_text(cloud));
  }
  json config() const { return TextFormat(text_of(at("out/repository/Photo_Large/config.pbtxt"))).message(); }
  bool wrote_nothing() const {
    for (const auto& entry : fs::directory_iterator(temp.path())) {
      if (entry.path().filename().string().starts_with("out")) return false;
    }
    return true;
  }
};

}  // namespace

TEST_CASE("an exported model is a folder as Triton's PyTorch backend reads it") {
  const Folder folder;
  const auto ran = folder.run("export triton pair.json out");
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(text_of(folder.at("out/repository/Photo_Large/1/model.pt")) == "a cloud model");
  const json config = folder.config();
  CHECK(config == json::parse(R"({
    "name": ["Photo_Large"], "platform": ["pytorch_libtorch"], "max_batch_size": [0],
    "input": [{"name": ["INPUT__0"], "data_type": ["TYPE_FP32"], "dims": [-1, 784]}],
    "output": [{"name": ["OUTPUT__0"], "data_type": ["TYPE_FP32"], "dims": [-1, 10]}],
    "version_policy": [{"specific": [{"versions": [1]}]}]})"));
}

TEST_CASE("with --batch-max the first dimension is Triton's, and the rest are the tensor's") {
  const Folder folder;
  REQUIRE(folder.run("export triton pair.json out --batch-max 8").code == 0);
  const json config = folder.config();
  CHECK(config["max_batch_size"] == json({8}));
  CHECK(config["input"][0]["dims"] == json({784}));
  CHECK(config["output"][0]["dims"] == json({10}));
  CHECK(config["dynamic_batching"] ==
        json::parse(R"([{"default_queue_policy": [{"allow_timeout_override": ["true"]}]}])"));
}

TEST_CASE("the new cloud half fits the pair it came from") {
  const Folder folder(R"({"model": "Photo_Large", "version": "12", "accuracy": 0.9,
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]})");
  REQUIRE(folder.run("export triton pair.json out").code == 0);
  CHECK(fs::exists(folder.at("out/repository/Photo_Large/12/model.pt")));
  folder.write("new.json", pair_text(text_of(folder.at("out/cloud.json"))));
  const auto pair = hearth::load_pair(folder.at("new.json"));
  INFO((pair.ok() ? "" : pair.error().message));
  REQUIRE(pair.ok());
  CHECK(pair->cloud.model == "Photo_Large");
  CHECK(pair->cloud.version == "12");
  CHECK(pair->cloud.accuracy == 0.9);
  CHECK(pair->cloud.inputs == std::vector<hearth::TensorSpec>{{"INPUT__0", hearth::Datatype::kFp32, {-1, 1, 28, 28}}});
  CHECK(pair->cloud.outputs == std::vector<hearth::TensorSpec>{{"OUTPUT__0", hearth::Datatype::kFp32, {-1, 10}}});
}

TEST_CASE("the KServe manifest names the service as Kubernetes wants it, and Triton as its runtime") {
  const Folder folder;
  REQUIRE(folder.run("export triton pair.json out --storage-uri 's3://models/\"q\"'").code == 0);
  CHECK(text_of(folder.at("out/inference_service.yaml")) ==
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata:\n  name: \"photo-large\"\n"
        "spec:\n  predictor:\n    model:\n      modelFormat:\n        name: pytorch\n        version: \"1\"\n"
        "      runtime: kserve-tritonserver\n      protocolVersion: v2\n      storageUri: \"s3://models/\\\"q\\\"\"\n");
}

TEST_CASE("--json says what was written") {
  const Folder folder;
  const auto ran = folder.run("export triton pair.json out/ --json");
  REQUIRE(ran.code == 0);
  const json said = ran.lines().at(0);
  CHECK(said["repository"] == "out/repository");
  CHECK(said["version"] == "1");
  CHECK(said["model_sha256"] == hearth::sha256_hex("a cloud model"));
}

TEST_CASE("a scalar output is written as Triton can hold it") {
  Folder folder;
  folder.write("pair.json", R"({"name": "s", "edge": {"file": "edge.pt",
    "inputs": [{"name": "x", "datatype": "INT64", "shape": [2]}],
    "outputs": [{"name": "y", "datatype": "FP64", "shape": []}]}, "cloud": {"model": "Photo_Large"}})");
  REQUIRE(folder.run("export triton pair.json out").code == 0);
  CHECK(folder.config()["output"][0]["dims"] == json({1}));
  CHECK(folder.config()["output"][0]["reshape"] == json::parse(R"([{"shape": []}])"));
}

TEST_CASE("nothing is overwritten, and bad input writes nothing") {
  const auto refused = [](const Folder& folder, const std::string& arguments) {
    const auto ran = folder.run(arguments);
    CHECK(ran.code == 2);
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    CHECK(folder.wrote_nothing());
    return ran.err;
  };
  const std::string command = "export triton pair.json out";
  CHECK(refused(Folder(R"({"model": "m", "sha256": ")" + std::string(64, '0') + "\"}"), command) ==
        "hearth export: cloud.pt: its SHA-256 is not the one that pair.json names\n");
  CHECK(refused(Folder(R"({"model": "m", "version": "v2"})"), command) ==
        "hearth export: pair.json: cloud version \"v2\": Triton's versions are whole numbers from 1\n");
  CHECK(refused(Folder(R"({"model": "org/m"})"), command) ==
        "hearth export: pair.json: cloud model \"org/m\": expected a name that can be a folder\n");
  CHECK(refused(Folder(), "export triton missing.json out").starts_with("hearth export: "));
  CHECK(refused(Folder(), command + " --model-file none.pt").starts_with("hearth export: "));
  Folder fixed;
  fixed.write("pair.json", R"({"name": "s", "edge": {"file": "edge.pt",
    "inputs": [{"name": "x", "datatype": "UINT32", "shape": [2]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [2]}]}, "cloud": {"model": "m"}})");
  CHECK(refused(fixed, command) ==
        "hearth export: pair.json: tensor 'x': Triton's PyTorch backend does not take UINT32\n");
  fixed.write("pair.json", R"({"name": "s", "edge": {"file": "edge.pt",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [2]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [2]}]}, "cloud": {"model": "m"}})");
  CHECK(refused(fixed, command + " --batch-max 4") ==
        "hearth export: pair.json: tensor 'x': its first dimension is no batch: leave out --batch-max\n");
  const Folder there;
  there.write("out", "someone's own");
  const auto ran = there.run(command);
  CHECK(ran.code == 2);
  CHECK(ran.err == "hearth export: out is there already: nothing is overwritten\n");
  CHECK(text_of(there.at("out")) == "someone's own");
}
