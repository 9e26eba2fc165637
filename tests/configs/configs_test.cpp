// Every file that ships is good, its tests hold, and the schemas name exactly what the loaders accept.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include <hearth/config.h>

#include "policies/policy.h"
#include "policies/prove.h"
#include "runtime/base/json_reader.h"
#include "runtime/config/checks.h"
#include "runtime/signals/profile.h"
#include "runtime/sim/fault_timeline.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<fs::path> files_in(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE_FALSE(files.empty());
  return files;
}

json schema(const std::string& name) {
  const auto document = JsonDocument::read_file("configs/schema/" + name + ".schema.json");
  INFO((document.ok() ? "" : document.error().message));
  REQUIRE(document.ok());
  return document.value()->root();
}

TEST_CASE("every file in configs is JSON without double keys") {
  for (const fs::path& file : files_in("configs")) {
    const auto document = JsonDocument::read_file(file.string());
    INFO((document.ok() ? "" : document.error().message));
    CHECK(document.ok());
  }
}

TEST_CASE("every policy that ships loads, and all the tests in it hold") {
  for (const fs::path& file : files_in("configs/policies")) {
    INFO(file.string());
    const auto policy = policies::Policy::load_file(file.string());
    INFO((policy.ok() ? "" : policy.error().message));
    REQUIRE(policy.ok());
    CHECK(policy.value()->test_count() >= 2);
    CHECK(policy.value()->run_tests() == std::vector<std::string>{});
  }
}

/// What some case in the file expects under `key`.
std::set<std::string> expected_in(const json& policy, const std::string& key) {
  std::set<std::string> found;
  for (const json& test : policy.at("tests")) {
    if (test.at("expect").contains(key)) found.insert(test.at("expect").at(key).get<std::string>());
  }
  return found;
}

TEST_CASE("every rule of a policy that ships decides some case in it, and something leaves but under local-only") {
  for (const fs::path& file : files_in("configs/policies")) {
    INFO(file.string());
    const json policy = JsonDocument::read_file(file.string()).value()->root();
    const std::pair<const char*, const char*> lists[] = {
        {"classify", "classify_rule"}, {"forbid", "rule"}, {"prefer", "prefer_rule"}};
    for (const auto& [list, key] : lists) {
      const auto decided = expected_in(policy, key);
      for (const json& rule : policy.value(list, json::array())) {
        INFO(list << ": " << rule.at("id"));
        CHECK(decided.contains(rule.at("id").get<std::string>()));
      }
    }
    const auto stopped = expected_in(policy, "rule");
    const json budgets = policy.value("budgets", json::object());
    for (const auto& [budget, limit] : budgets.items()) { CHECK(stopped.contains("budget:" + budget)); }
    for (const json& data_class : policy.at("classes")) {
      const bool restricts = data_class.at("egress") != "allow" || data_class.contains("regions");
      INFO(data_class.at("name"));
      CHECK((!restricts || stopped.contains("class:" + data_class.at("name").get<std::string>())));
    }
    const auto& tests = policy.at("tests");
    const bool leaves = std::any_of(tests.begin(), tests.end(), [](const json& test) {
      return test.at("expect").value("mask", json::array()).size() > 1;
    });
    CHECK(leaves == (policy.at("name") != "local-only"));
  }
}

TEST_CASE("every property of a policy that ships is proved") {
  for (const fs::path& file : files_in("configs/policies")) {
    INFO(file.string());
    const auto policy = policies::Policy::load_file(file.string());
    REQUIRE(policy.ok());
    const json root = JsonDocument::read_file(file.string()).value()->root();
    const json properties = root.value("properties", json::array());
    CHECK(properties.size() >= 3);
    for (const json& property : properties) {
      INFO(property.dump());
      const bool never = property.contains("never");
      const auto query = property.at(never ? "never" : "always").get<std::string>();
      const auto proof =
          never ? policies::prove_never(*policy.value(), query) : policies::prove_always(*policy.value(), query);
      INFO((proof.ok() ? "" : proof.error().message));
      REQUIRE(proof.ok());
      INFO((proof->witness ? proof->witness->as_json() : ""));
      CHECK(proof->verdict == policies::Verdict::kProved);
    }
  }
}

TEST_CASE("in a ready-made policy nothing that a detector finds leaves as the least class") {
  const std::set<std::string> examples = {"clinic", "demo"};
  for (const fs::path& file : files_in("configs/policies")) {
    INFO(file.string());
    const auto policy = policies::Policy::load_file(file.string());
    REQUIRE(policy.ok());
    if (examples.contains(policy.value()->name())) continue;
    for (std::size_t type = 0; type < policies::kDetectedCount; ++type) {
      const std::string query = "class=" + policy.value()->classes().front().name + " & detected." +
                                std::string(name_of(static_cast<policies::Detected>(type))) + ">0 -> cloud";
      INFO(query);
      const auto proof = policies::prove_never(*policy.value(), query);
      REQUIRE(proof.ok());
      CHECK(proof->verdict == policies::Verdict::kProved);
    }
  }
}

/// What only the author of a policy has, and nobody who takes it ready-made.
TEST_CASE("a policy that ships names no endpoint and no model that is not the demo's") {
  const std::vector<policies::EndpointFacts> endpoints = {{"someones-own", "eu"}};
  const std::vector<std::string> models = {"photo-tagger"};
  for (const fs::path& file : files_in("configs/policies")) {
    INFO(file.string());
    const auto policy = policies::Policy::load_file(file.string());
    REQUIRE(policy.ok());
    const Status known = policy.value()->check_names(endpoints, models);
    INFO((known.ok() ? "" : known.error().message));
    CHECK(known.ok());
  }
}

/// A copy of configs/ beside a pair, as `hearth prepare` would have left one.
class Checkout {
 public:
  Checkout() : path_(fs::temp_directory_path() / "hearth_configs_test") {
    fs::remove_all(path_);
    fs::create_directories(path_ / "models");
    fs::copy("configs", path_ / "configs", fs::copy_options::recursive);
    write("models/edge.pt", "not read here");
    write("models/pair.json", R"({"name": "photo-tagger", "edge": {"file": "edge.pt",
      "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 784]}],
      "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 10]}]}, "cloud": {"model": "large"}})");
  }
  ~Checkout() { fs::remove_all(path_); }
  Checkout(const Checkout&) = delete;
  Checkout& operator=(const Checkout&) = delete;

  std::string at(const std::string& file) const { return (path_ / file).string(); }
  std::string write(const std::string& file, const std::string& text) const {
    std::ofstream(at(file), std::ios::binary) << text;
    return at(file);
  }

 private:
  fs::path path_;
};

TEST_CASE("every runtime configuration that ships loads, with the policy it names") {
  const Checkout checkout;
  for (const fs::path& file : files_in("configs/runtime")) {
    INFO(file.string());
    const auto config = load_config(checkout.at(file.string()));
    INFO((config.ok() ? "" : config.error().message));
    REQUIRE(config.ok());
    CHECK(policies::Policy::load_file(config->policy_file).ok());
  }
}

/// The keys that a loader asks for, out of its own answer to one it does not know: `...; valid keys: a, b`.
std::set<std::string> accepted_keys(const std::string& message) {
  const std::string marker = "unknown key; valid keys: ";
  const auto found = message.find(marker);
  INFO(message);
  REQUIRE(found != std::string::npos);
  const auto begin = found + marker.size();
  std::string list = message.substr(begin, message.find('\n', begin) - begin) + ", ";
  std::set<std::string> keys;
  for (std::size_t end; (end = list.find(", ")) != std::string::npos; list.erase(0, end + 2)) {
    keys.insert(list.substr(0, end));
  }
  return keys;
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.at("properties").items()) keys.insert(key);
  return keys;
}

/// Attributes are properties, and one pattern for the types that are detected.
std::set<std::string> attributes_of(const json& when) {
  auto keys = keys_of(when);
  if (when.contains("patternProperties")) keys.insert("detected.<TYPE>");
  return keys;
}

const json kUnknown = {{"qqqqqqqqqqqqqqqqqqqq", 0}};

std::set<std::string> policy_keys(const json& file) {
  const auto loaded = policies::Policy::load(file.dump(), "p");
  REQUIRE_FALSE(loaded.ok());
  return accepted_keys(loaded.error().message);
}

TEST_CASE("the policy schema names exactly the keys that the loader accepts") {
  const json all = schema("policy");
  const json& top = all.at("properties");
  CHECK(policy_keys(kUnknown) == keys_of(all));
  for (const char* list : {"classes", "detectors", "classify", "forbid", "prefer", "properties", "tests"}) {
    INFO(list);
    CHECK(policy_keys({{list, json::array({kUnknown})}}) == keys_of(top.at(list).at("items")));
  }
  CHECK(policy_keys({{"budgets", kUnknown}}) == keys_of(top.at("budgets")));
  CHECK(policy_keys({{"prefer", json::array({{{"objective", kUnknown}}})}}) ==
        keys_of(top.at("prefer").at("items").at("properties").at("objective")));
  const json& test = top.at("tests").at("items").at("properties");
  CHECK(policy_keys({{"tests", json::array({{{"request", kUnknown}}})}}) == keys_of(test.at("request")));
  CHECK(policy_keys({{"tests", json::array({{{"expect", kUnknown}}})}}) == keys_of(test.at("expect")));
  CHECK(policy_keys({{"tests", json::array({{{"endpoints", json::array({kUnknown})}}})}}) ==
        keys_of(test.at("endpoints").at("items")));
}

TEST_CASE("the policy schema names exactly the attributes that conditions accept") {
  const json all = schema("policy");
  const auto attributes = [](const char* list) {
    const json rule = {{"id", "r"}, {"when", kUnknown}, {"class", "a"}};
    const auto loaded = policies::Policy::load(json{{list, json::array({rule})}}.dump(), "p");
    REQUIRE_FALSE(loaded.ok());
    std::string message = loaded.error().message;
    const std::string marker = "unknown attribute; attributes: ";
    const auto found = message.find(marker);
    REQUIRE(found != std::string::npos);
    message.replace(found, marker.size(), "unknown key; valid keys: ");
    return accepted_keys(message.substr(found));
  };
  CHECK(attributes("classify") == attributes_of(all.at("definitions").at("when_content")));
  CHECK(attributes("forbid") == attributes_of(all.at("definitions").at("when")));
  CHECK(attributes("prefer") == attributes_of(all.at("definitions").at("when")));
}

TEST_CASE("the runtime schema names exactly the keys that the loader accepts") {
  const Checkout checkout;
  const json all = schema("runtime");
  const json& top = all.at("properties");
  const auto keys = [&](const json& file) {
    const auto config = load_config(checkout.write("c.json", file.dump()));
    REQUIRE_FALSE(config.ok());
    return accepted_keys(config.error().message);
  };
  CHECK(keys(kUnknown) == keys_of(all));
  CHECK(keys({{"limits", kUnknown}}) == keys_of(top.at("limits")));
  CHECK(keys({{"cloud", kUnknown}}) == keys_of(top.at("cloud")));
  CHECK(keys({{"endpoints", json::array({kUnknown})}}) == keys_of(top.at("endpoints").at("items")));
  CHECK(keys({{"endpoints", json::array({{{"auth", kUnknown}}})}}) ==
        keys_of(top.at("endpoints").at("items").at("properties").at("auth")));
}

TEST_CASE("the runtime schema states the bounds and defaults of the code") {
  const json top = schema("runtime").at("properties");
  const RuntimeConfig defaults;
  const auto check = [](const json& value, double min, double max, double standard) {
    INFO(value.dump());
    CHECK(value.at("minimum").get<double>() == min);
    CHECK(value.at("maximum").get<double>() == max);
    CHECK(value.at("default").get<double>() == standard);
  };
  config::visit_limits(defaults.limits, [&](const char* key, const auto& value, double min, double max) {
    check(top.at("limits").at("properties").at(key), min, max, static_cast<double>(value));
  });
  config::visit_timing(defaults.cloud, [&](const char* key, const Duration& value, double min, double max) {
    check(top.at("cloud").at("properties").at(key), min, max, to_ms(value));
  });
  check(top.at("cloud").at("properties").at("breaker_failures"), 1, config::kBreakerFailuresMax,
        defaults.cloud.breaker_failures);
  check(top.at("default_deadline_ms"), config::kDeadlineMsMin, config::kDeadlineMsMax,
        to_ms(defaults.default_deadline));
  check(top.at("threads"), 1, config::kThreadsMax, static_cast<double>(defaults.threads));
}

TEST_CASE("the fault schema names every fault, and exactly the keys that some fault takes") {
  const json fault = schema("faults").at("properties").at("faults").at("items");
  std::set<std::string> names;
  std::set<std::string> keys = {"fault", "at_ms", "for_ms", "every_ms", "probability", "after", "times", "route"};
  for (const sim::FaultFacts& facts : sim::all_faults()) {
    names.emplace(facts.name);
    std::istringstream parameters{std::string(facts.parameters)};
    for (std::string key; parameters >> key;) keys.insert(key);
  }
  CHECK(fault.at("properties").at("fault").at("enum").get<std::set<std::string>>() == names);
  CHECK(keys_of(fault) == keys);
  for (const auto& name : names) {
    const auto loaded =
        sim::parse_timeline(json{{"faults", json::array({{{"fault", name}, {"qqqqqqqqqqqq", 0}}})}}.dump(), "f");
    REQUIRE_FALSE(loaded.ok());
    for (const auto& key : accepted_keys(loaded.error().message)) CHECK(keys.contains(key));
  }
}

TEST_CASE("docs/faults.md has a line for every fault") {
  std::ifstream file("docs/faults.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const sim::FaultFacts& facts : sim::all_faults()) {
    INFO(facts.name);
    CHECK(page.find("`" + std::string(facts.name) + "`") != std::string::npos);
  }
}

TEST_CASE("the profile schema names exactly the keys that the loader accepts") {
  const json all = schema("profile");
  const auto keys = [](const json& file) {
    const auto profile = signals::parse_profile(file.dump(), "p");
    REQUIRE_FALSE(profile.ok());
    return accepted_keys(profile.error().message);
  };
  CHECK(keys(kUnknown) == keys_of(all));
  CHECK(keys({{"machine", kUnknown}}) == keys_of(all.at("properties").at("machine")));
  for (const char* half : {"edge", "cloud"}) {
    const json item = all.at("properties").at(half).at("items");
    CHECK(keys({{half, json::array({kUnknown})}}) == keys_of(item));
    const json row = {{"rows", json::array({kUnknown})}};
    CHECK(keys({{half, json::array({row})}}) == keys_of(item.at("properties").at("rows").at("items")));
  }
}

TEST_CASE("the pair schema names exactly the keys that the loader accepts") {
  const Checkout checkout;
  const json all = schema("pair");
  const auto keys = [&](const json& file) {
    const auto pair = load_pair(checkout.write("p.json", file.dump()));
    REQUIRE_FALSE(pair.ok());
    return accepted_keys(pair.error().message);
  };
  CHECK(keys(kUnknown) == keys_of(all));
  CHECK(keys({{"edge", kUnknown}}) == keys_of(all.at("properties").at("edge")));
  CHECK(keys({{"cloud", kUnknown}}) == keys_of(all.at("properties").at("cloud")));
  CHECK(keys({{"edge", {{"inputs", json::array({kUnknown})}}}}) ==
        keys_of(all.at("definitions").at("tensors").at("items")));
}

}  // namespace
}  // namespace hearth
