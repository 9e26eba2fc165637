// `hearth profile` from its flags to its file, with models made on the spot.
#include <filesystem>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/signals/profile.h"
#include "tests/runtime/edge/scripts.h"
#include "tests/support/hearth_command.h"

using namespace hearth::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

std::string pair_json(const std::string& batch, const std::string& more = "") {
  return R"({"name": "p", "edge": {"file": "model.pt", )" + more +
         R"("inputs": [{"name": "x", "datatype": "FP32", "shape": [)" + batch +
         R"(, 64]}], "outputs": [{"name": "scores", "datatype": "FP32", "shape": [)" + batch + R"(, 10]}]}})";
}

struct WithModel : CommandFolder {
  WithModel() {
    save_perceptron(at("model.pt"));
    write("pair.json", pair_json("-1"));
  }
};

std::set<std::string> files_of(const CommandFolder& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.temp.path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("std")) names.insert(name);
  }
  return names;
}

}  // namespace

TEST_CASE("what is measured is in the file, by batch and threads, and on standard output") {
  const WithModel folder;
  const Ran ran = folder.run("profile model.pt --seconds 0.05 --quick --batches 4,1 --threads 1,2 --out p.json --json");
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const auto profile = hearth::signals::read_profile(folder.at("p.json"));
  INFO((profile.ok() ? "" : profile.error().message));
  REQUIRE(profile.ok());
  REQUIRE(profile->edge.size() == 1);
  CHECK(profile->cloud.empty());
  CHECK(profile->machine->cores >= 1);
  CHECK_FALSE(profile->machine->cpu.empty());
  const auto& model = profile->edge[0];
  CHECK(model.model_sha256 == hearth::sha256_hex(text_of(folder.at("model.pt"))));
  REQUIRE(model.rows.size() == 4);

  const json figures = json::parse(ran.out);  // Nothing but JSON on standard output.
  CHECK(figures["model"] == "model.pt");
  CHECK(figures["model_sha256"] == model.model_sha256);
  CHECK(figures["out"] == "p.json");
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& row = figures["rows"][i];
    CHECK(model.rows[i].batch == (i % 2 == 0 ? 1u : 4u));
    CHECK(model.rows[i].threads == (i < 2 ? 1u : 2u));
    CHECK(row["batch"] == model.rows[i].batch);
    CHECK(row["threads"] == model.rows[i].threads);
    CHECK(row["samples"].get<double>() == Approx(model.rows[i].latency.weight()));
    CHECK(row["samples"] >= 20 * static_cast<int>(model.rows[i].threads));
    CHECK(row["latency_us"]["p10"] <= row["latency_us"]["p50"]);
    CHECK(row["latency_us"]["p50"] <= row["latency_us"]["p90"]);
    CHECK(row["latency_us"]["p50"].get<double>() ==
          Approx(1000 * hearth::to_ms(model.latency(model.rows[i].batch, model.rows[i].threads, 0.5))));
    CHECK(row.contains("joules_per_inference") == model.rows[i].joules_per_inference.has_value());
  }
}

TEST_CASE(
    "the profile goes where the pair names it, else beside the model, and a pair can name it before it is there") {
  const WithModel folder;
  CHECK(folder.run("profile pair.json --quick --seconds 0.01 --batches 1 --threads 1").code == 0);
  CHECK(std::filesystem::exists(folder.at("model.profile.json")));
  folder.write("named.json", pair_json("-1", R"("profile": "named.profile.json", )"));
  const Ran ran = folder.run("profile named.json --quick --seconds 0.01 --batches 1 --threads 1");
  CHECK(ran.code == 0);
  CHECK_THAT(ran.out, Contains("named.profile.json holds it"));
  CHECK(hearth::signals::read_profile(folder.at("named.profile.json")).ok());
}

TEST_CASE("a model of fixed shapes is measured at batch 1") {
  const WithModel folder;
  folder.write("pair.json", pair_json("1"));
  const Ran ran = folder.run("profile model.pt --quick --seconds 0.01 --threads 1 --json");
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(json::parse(ran.out)["rows"].size() == 1);
}

TEST_CASE("bad input to profile ends with code 2 and one line that names it, and leaves no file") {
  const WithModel folder;
  folder.write("fixed.json", pair_json("1"));
  folder.write("cut.pt", text_of(folder.at("model.pt")).substr(0, 2000));
  folder.write("server.json", R"({"name": "p", "edge": {"endpoint": "http://127.0.0.1:1/v1", "model": "m",
    "outputs": [{"name": "y", "datatype": "BYTES", "shape": [1]}]}})");
  const auto before = files_of(folder);
  for (const auto& [flags, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"gone.pt", "gone.pt: there is no such file"},
           {"model.pt --pair gone.json", "gone.json: there is no such file"},
           {"cut.pt", "cut.pt: cut, damaged, or not a TorchScript file"},
           {"server.json", "edge.inputs: expected one or more"},
           {"fixed.json --batches 4", "--batches: the pair's shapes do not all begin with -1"},
           {"model.pt --batches 0", "--batches: expected 1 to 65536, got 0"},
           {"model.pt --batches 1,1", "--batches: 1 is there twice"},
           {"model.pt --batches 1,x", "--batches"},
           {"model.pt --threads 257", "--threads: expected 1 to 256, got 257"},
           {"model.pt --seconds 0", "--seconds"},
           {"model.pt --out model.pt", "would overwrite what is read"},
           {"model.pt --out gone/p.json", "gone/p.json"},
           {"", "MODEL is required"}}) {
    INFO(flags);
    const Ran ran = folder.run("profile " + flags);
    INFO(ran.err);
    CHECK(ran.code == 2);
    CHECK_THAT(ran.err, Contains(complaint));
    CHECK(ran.out.empty());
    CHECK(files_of(folder) == before);
  }
}
