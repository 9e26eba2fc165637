// `hearth optimize` from its flags to its files, with models made on the spot.
#include <filesystem>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/runtime/edge/scripts.h"
#include "tests/support/hearth_command.h"

using namespace hearth::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

std::string pair_json(const std::string& file, int in, int out, const std::string& more = "") {
  const auto spec = [](const char* name, int width) {
    return R"([{"name": ")" + std::string(name) + R"(", "datatype": "FP32", "shape": [1, )" + std::to_string(width) +
           "]}]";
  };
  return R"({"name": "p", "edge": {"file": ")" + file + R"(", "inputs": )" + spec("x", in) + R"(, "outputs": )" +
         spec("scores", out) + "}" + more + "}";
}

/// A model with its pair: pair.json and model.pt, 512 wide, so that its layers are worth something.
struct WithModel : CommandFolder {
  WithModel() {
    save_script(at("model.pt"),
                "def forward(self, x: Tensor):\n"
                "  return torch.linear(torch.relu(torch.linear(x, self.w1, self.b1)), self.w2, self.b2)\n",
                {{"w1", {512, 512}, {}}, {"b1", {512}, {}}, {"w2", {10, 512}, {}}, {"b2", {10}, {}}});
    write("pair.json", pair_json("model.pt", 512, 10));
  }
};

std::set<std::string> files_of(const CommandFolder& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.temp.path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("std")) names.insert(name);
  }
  return names;
}

}  // namespace

TEST_CASE("the report tells of each layer, of before and after, and agrees with the exit code and the files") {
  const WithModel folder;
  const Ran ran = folder.run("optimize model.pt --out fast.pt --output-error 0.1 --json");
  INFO(ran.err);
  const json report = json::parse(ran.out);  // Nothing but JSON on standard output.
  CHECK(ran.code == (report["written"] == true ? 0 : 1));
  CHECK(std::filesystem::exists(folder.at("fast.pt")) == (report["written"] == true));
  CHECK(json::parse(text_of(folder.at("fast.pt.json"))) == report);
  CHECK_THAT(text_of(folder.at("fast.pt.html")), Contains("Layer by layer"));
  CHECK_FALSE(std::filesystem::exists(folder.at("fast.pt.state")));
  CHECK(report["judged_on"] == "16 random inputs, for want of calibration data");
  CHECK(report["output_error_max"] == 0.1);
  CHECK(report["machine"].is_string());
  REQUIRE(report["layers"].size() == 2);
  for (const json& layer : report["layers"]) {
    for (const char* kind : {"float", "torch_int8", "hearth_int8", "hearth_int4"}) {
      REQUIRE(layer["latency_us"].contains(kind));
      CHECK(layer["latency_us"][kind]["p10"] <= layer["latency_us"][kind]["p90"]);
    }
    CHECK(layer.contains("why_float") == (layer["chosen"] == "float"));
  }
  CHECK(report["layers"][0]["activation"] == "relu");
  CHECK(report["before"]["bytes"] == std::filesystem::file_size(folder.at("model.pt")));
  CHECK(report["before"]["output_error"] == 0);
  if (report["written"] == true) {
    CHECK(report["after"]["bytes"] == std::filesystem::file_size(folder.at("fast.pt")));
    CHECK(report["after"]["output_error"] <= 0.1);
    CHECK(report["after"]["latency_us"]["p50"] < report["before"]["latency_us"]["p50"]);
  }
}

TEST_CASE("a budget of nothing leaves the model unwritten, with exit code 1 and the report") {
  const WithModel folder;
  const Ran ran = folder.run("optimize pair.json --out fast.pt --output-error 0 --report why.json");
  CHECK(ran.code == 1);
  CHECK_THAT(ran.err, Contains("only the report was written: why.json"));
  CHECK(files_of(folder) == std::set<std::string>{"model.pt", "pair.json", "why.json", "why.html"});
  const json report = json::parse(text_of(folder.at("why.json")));
  CHECK(report["written"] == false);
  CHECK_FALSE(report.contains("after"));
}

TEST_CASE("bad input to optimize ends with code 2 and one line that names it, and leaves no file") {
  const WithModel folder;
  folder.write("cut.pt", text_of(folder.at("model.pt")).substr(0, 3000));
  save_script(folder.at("none.pt"), "def forward(self, x: Tensor):\n  return torch.narrow(x, 1, 0, 10) + 1.0\n", {});
  folder.write("wide.json", pair_json("model.pt", 513, 10));
  folder.write("wide.jsonl", R"({"inputs": {"x": [1, 2, 3]}})");
  folder.write("bad.json", R"({"version": 1, "name": "bad", "steps": [{"do": "shrink"}]})");
  const auto before = files_of(folder);
  for (const auto& [flags, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"gone.pt --out o.pt", "gone.pt: there is no such file"},
           {"model.pt --pair gone.json --out o.pt", "gone.json: there is no such file"},
           {"cut.pt --out o.pt", "cut.pt: cut, damaged, or not a TorchScript file"},
           {"none.pt --out o.pt", "no linear layer with constant FP32 weights"},
           {"wide.json --out o.pt", "does not run on FP32 [1,513]"},
           {"model.pt --out model.pt", "would overwrite what is read"},
           {"model.pt --out gone/o.pt", "gone/o.pt"},
           {"model.pt --out o.pt --report o.pt", "expected two files"},
           {"model.pt --out o.html --report o.json", "expected two files"},
           {"model.pt --out o.pt --calibration-data .", "edge.inputs: expected one FP32 tensor of 784 elements"},
           {"model.pt --out o.pt --calibration-data wide.jsonl", "wide.jsonl:1: input \"x\""},
           {"model.pt --out o.pt --recipe fastes", "did you mean \"fastest\""},
           {"model.pt --out o.pt --recipe bad.json", "bad.json:1:"},
           {"model.pt --out o.pt --recipe distil-prune", "--teacher FILE has to be given"},
           {"model.pt --out o.pt --recipe distil-prune --teacher gone.pt", "gone.pt: there is no such file"},
           {"model.pt --out o.pt --recipe distil-prune --teacher model.pt", "--calibration-data with labels"},
           {"model.pt --out o.pt --target-accuracy 0.5", "--target-accuracy needs labelled examples"},
           {"model.pt --out o.pt --target-accuracy 1.5", "--target-accuracy"},
           {"model.pt --out o.pt --max-size many", "--max-size"},
           {"model.pt --out o.pt --output-error 2", "--output-error"},
           {"model.pt", "--out is required"}}) {
    INFO(flags);
    const Ran ran = folder.run("optimize " + flags);
    INFO(ran.err);
    CHECK(ran.code == 2);
    CHECK_THAT(ran.err, Contains(complaint));
    CHECK(ran.out.empty());
    CHECK(files_of(folder) == before);
  }
}

namespace {

/// Ten labels, told by which of the first ten inputs is large, in 512 inputs; and a net that knows nothing of them.
struct WithExamples : CommandFolder {
  WithExamples() {
    save_script(
        at("model.pt"),
        "def forward(self, x: Tensor):\n"
        "  return torch.linear(torch.relu(torch.linear(x, self.w1, self.b1)), self.w2, self.b2)\n",
        {{"w1", {512, 512}, small(512 * 512)}, {"b1", {512}, {}}, {"w2", {10, 512}, small(5120)}, {"b2", {10}, {}}});
    write("pair.json", pair_json("model.pt", 512, 10));
    std::string lines;
    for (int i = 0; i < 600; ++i) {
      const int label = i % 10;
      json values = json::array();
      for (int k = 0; k < 512; ++k) values.push_back(k == label ? 1.0 : (i * 7 + k * 3) % 11 / 22.0);
      lines += json{{"inputs", {{"x", values}}}, {"label", label}}.dump() + "\n";
    }
    write("examples.jsonl", lines);
    write("r.json", R"({"version": 1, "name": "r", "steps": [{"do": "train", "epochs": 25, "rate": 0.005},
      {"do": "prune", "keep": 0.25, "rounds": 1, "epochs": 10}, {"do": "quantize", "as": "hearth_int8"}]})");
  }
  static std::vector<float> small(std::size_t count) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = static_cast<float>(static_cast<double>(i * 7919 % 2003) / 20030 - 0.05);
    return values;
  }
};

}  // namespace

TEST_CASE("a recipe trains, prunes and quantizes; refused, its steps are kept, and the next run goes on from them") {
  const WithExamples folder;
  const std::string common = "optimize model.pt --out small.pt --recipe r.json --calibration-data examples.jsonl ";
  const Ran refused = folder.run(common + "--max-size 1KiB");
  INFO(refused.err);
  REQUIRE(refused.code == 1);
  CHECK_THAT(refused.err, Contains("bytes, at most 1024 may be") && Contains("small.pt.state"));
  CHECK_FALSE(std::filesystem::exists(folder.at("small.pt")));

  const Ran ran = folder.run(common + "--target-accuracy 0.9 --max-size 90KiB --json");
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, Contains("trained on labels: taken from the run before"));
  CHECK_THAT(ran.err, Contains("pruned to 25 %: taken from the run before"));
  const json report = json::parse(ran.out);
  REQUIRE(report["steps"].size() == 4);
  CHECK(report["before"]["validation_accuracy"] < 0.5);
  CHECK(report["after"]["validation_accuracy"] >= 0.9);
  CHECK(report["after"]["test_accuracy"] >= 0.9);
  CHECK(report["after"]["bytes"] <= 90 * 1024);
  CHECK(report["after"]["bytes"] == std::filesystem::file_size(folder.at("small.pt")));
  CHECK(report["after"]["latency_us"]["p50"] < report["before"]["latency_us"]["p50"]);
  CHECK(files_of(folder) == std::set<std::string>{"examples.jsonl", "model.pt", "pair.json", "r.json", "small.pt",
                                                  "small.pt.html", "small.pt.json"});
}

TEST_CASE("what misses the accuracy that was asked for is not written") {
  const WithExamples folder;
  const Ran ran = folder.run(
      "optimize model.pt --out o.pt --calibration-data examples.jsonl --target-accuracy 0.99 "
      "--recipe smallest");
  INFO(ran.err);
  CHECK(ran.code == 1);
  CHECK_THAT(ran.err, Contains("misses the accuracy budget"));
  CHECK_FALSE(std::filesystem::exists(folder.at("o.pt")));
  CHECK_FALSE(std::filesystem::exists(folder.at("o.pt.state")));
  const Ran full = folder.run("optimize model.pt --out o.pt --calibration-data examples.jsonl --target-accuracy 0.99");
  CHECK(full.code == 1);
  CHECK_FALSE(std::filesystem::exists(folder.at("o.pt")));
}
