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
  CHECK(files_of(folder) == std::set<std::string>{"model.pt", "pair.json", "why.json"});
  const json report = json::parse(text_of(folder.at("why.json")));
  CHECK(report["written"] == false);
  CHECK_FALSE(report.contains("after"));
}

TEST_CASE("bad input to optimize ends with code 2 and one line that names it, and leaves no file") {
  const WithModel folder;
  folder.write("cut.pt", text_of(folder.at("model.pt")).substr(0, 3000));
  save_script(folder.at("none.pt"), "def forward(self, x: Tensor):\n  return torch.narrow(x, 1, 0, 10) + 1.0\n", {});
  folder.write("wide.json", pair_json("model.pt", 513, 10));
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
           {"model.pt --out o.pt --calibration-data .", "edge.inputs: expected one FP32 tensor of 784 elements"},
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
