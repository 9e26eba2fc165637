// Every scenario that ships loads, and its schema says exactly what the reader accepts, by name and by default.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/base/json_reader.h"
#include "tools/simulate/scenario.h"

namespace hearth::simulate {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kFolder = "configs/scenarios";

json schema(const std::string& file) {
  const auto document = JsonDocument::read_file("configs/schema/" + file);
  INFO((document.ok() ? "" : document.error().message));
  REQUIRE(document.ok());
  return document.value()->root();
}

/// What a `$ref` stands for, with what stands beside it.
json resolved(json node, const json& root) {
  while (node.contains("$ref")) {
    const auto ref = node.at("$ref").get<std::string>();
    const auto hash = ref.find('#');
    json target = (hash == 0 ? root : schema(ref.substr(0, hash))).at(json::json_pointer(ref.substr(hash + 1)));
    node.erase("$ref");
    for (const auto& [key, value] : node.items()) target[key] = value;
    node = target;
  }
  return node;
}

/// The schema of the value at a JSON pointer; null where it has none.
json schema_of(const std::string& pointer, const json& root) {
  json node = resolved(root, root);
  for (std::size_t at = 0; at < pointer.size();) {
    const auto end = std::min(pointer.find('/', at + 1), pointer.size());
    const std::string step = pointer.substr(at + 1, end - at - 1);
    at = end;
    if (node.contains("items")) {
      node = node.at("items");
    } else if (node.contains("properties") && node.at("properties").contains(step)) {
      node = node.at("properties").at(step);
    } else {
      return nullptr;
    }
    node = resolved(node, root);
  }
  return node;
}

std::vector<fs::path> scenarios() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFolder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() >= 8);
  return files;
}

/// The keys that the reader asks for at the place where `scenario` has one that nobody knows.
std::set<std::string> accepted(const json& scenario) {
  const auto loaded = parse_scenario(scenario.dump(), kFolder + "/test.json");
  REQUIRE_FALSE(loaded.ok());
  const std::string& message = loaded.error().message;
  const std::string marker = "unknown key; valid keys: ";
  INFO(message);
  const auto found = message.find(marker);
  REQUIRE(found != std::string::npos);
  const auto begin = found + marker.size();
  std::string list = message.substr(begin, message.find('\n', begin) - begin) + ", ";
  std::set<std::string> keys;
  for (std::size_t end; (end = list.find(", ")) != std::string::npos; list.erase(0, end + 2))
    keys.insert(list.substr(0, end));
  return keys;
}

std::set<std::string> keys_at(const std::string& pointer) {
  const json root = schema("scenario.schema.json");
  const json node = schema_of(pointer, root);
  INFO(pointer);
  REQUIRE(node.is_object());
  std::set<std::string> keys;
  for (const auto& [key, value] : node.at("properties").items()) keys.insert(key);
  return keys;
}

const char* const kUnknown = "qqqqqqqqqqqqqqqqqqqq";

}  // namespace

TEST_CASE("every scenario that ships loads, tells its story and is named as its file") {
  for (const fs::path& file : scenarios()) {
    INFO(file.string());
    const auto scenario = load_scenario(file.string());
    INFO((scenario.ok() ? "" : scenario.error().message));
    REQUIRE(scenario.ok());
    CHECK(scenario->name == file.stem().string());
    CHECK(scenario->story.size() > 200);
    CHECK(scenario->story.find("Question:") != std::string::npos);
    CHECK_FALSE(scenario->fleet.streams.empty());
    CHECK_FALSE(scenario->fleet.clouds.empty());
  }
}

TEST_CASE("every value that a scenario settles stands in the schema, with the code's default") {
  const json root = schema("scenario.schema.json");
  for (const fs::path& file : scenarios()) {
    const auto scenario = load_scenario(file.string());
    REQUIRE(scenario.ok());
    CHECK(scenario->echo.size() > 20);
    for (const EchoLine& line : scenario->echo) {
      INFO(file.string() << " " << line.path);
      const json node = schema_of(line.path, root);
      REQUIRE(node.is_object());
      const json value = json::parse(line.value);
      if (line.from != "default" || value == "") continue;  // an empty text is none
      if (node.contains("default")) CHECK(node.at("default") == value);
    }
  }
}

TEST_CASE("the scenario schema names exactly the keys that the reader accepts") {
  const std::string place =
      GENERATE(as<std::string>{}, "", "/runtime", "/models/0", "/models/0/edge", "/models/0/edge/latency",
               "/models/0/cloud", "/devices", "/devices/network/0", "/devices/charging/0", "/devices/thermal",
               "/devices/battery", "/devices/background", "/devices/record", "/network", "/network/loss",
               "/network/handover", "/network/captive/0", "/workload/0", "/workload/0/diurnal", "/workload/0/spikes/0",
               "/workload/0/kinds/0", "/workload/0/payload", "/workload/0/reply", "/clouds/0", "/clouds/0/service",
               "/clouds/0/autoscale", "/clouds/0/cold_start", "/clouds/0/rate_limit", "/clouds/0/prices/0");
  json scenario = json::object();
  scenario[json::json_pointer(place)][kUnknown] = 0;
  CHECK(accepted(scenario) == keys_at(place));
}

TEST_CASE("the scenario schema names exactly the keys that some kind of arrivals or of link accepts") {
  const auto all = [](const std::string& place, const std::vector<std::string>& variants) {
    std::set<std::string> keys;
    for (const std::string& text : variants) {
      json variant = json::parse(text);
      variant[kUnknown] = 0;
      json scenario = json::object();
      scenario[json::json_pointer(place)] = variant;
      keys.merge(accepted(scenario));
    }
    CHECK(keys == keys_at(place));
  };
  all("/workload/0/arrivals", {R"({"process": "poisson"})", R"({"process": "gamma"})", R"({"process": "modulated"})",
                               R"({"process": "closed_loop"})", R"({"trace": "none", "format": "azure_llm"})"});
  const json states =
      json::parse(R"({"workload": [{"arrivals": {"process": "modulated", "states": [{"qqqqqqqqqqqqqqqqqqqq": 0}]}}]})");
  CHECK(accepted(states) == keys_at("/workload/0/arrivals/states/0"));
  all("/network/round_trip", {R"({"median_ms": 1})", R"({"ping_trace": "none"})"});
  all("/network/up", {R"({"mbit_per_s": 1})"});
  all("/network/down", {R"({"mbit_per_s": 1})"});
}

}  // namespace hearth::simulate
