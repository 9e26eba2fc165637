#include "tools/simulate/scenario.h"

#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/config/config.h"
#include "tools/simulate/network_reader.h"
#include "tools/simulate/scenario_sections.h"
#include "tools/simulate/workload_reader.h"

namespace hearth::simulate {
namespace {

constexpr double kLengthMax_s = 30 * 86'400.0;

void read_seconds(JsonReader& reader, std::string_view key, Duration& out, double min) {
  double seconds = std::chrono::duration<double>(out).count();
  reader.read(key, seconds, min, kLengthMax_s);
  out = from_ms(seconds * 1e3);
}

void read_header(JsonReader& reader, Scenario& out) {
  std::uint64_t version = 1;
  reader.require({"version", "name", "policy", "models", "workload"});
  reader.read("$schema", out.story);
  out.story.clear();
  reader.read("version", version, 1, 1);
  reader.read("name", out.name);
  reader.read("story", out.story);
  reader.read("seed", out.fleet.seed, 0, ~std::uint64_t{0});
  read_seconds(reader, "length_s", out.fleet.length, 0.001);
  read_seconds(reader, "warm_up_s", out.warm_up, 0);
  if (out.warm_up >= out.fleet.length) reader.problem("warm_up_s", "expected less than length_s");
  std::size_t consent = static_cast<std::size_t>(out.fleet.consent);
  reader.read_choice("consent", consent, {"absent", "given", "revoked"});
  out.fleet.consent = static_cast<Consent>(consent);
}

void check_policy(JsonReader& reader, Scenario& out) {
  std::vector<policies::EndpointFacts> endpoints;
  for (const auto& endpoint : out.fleet.runtime.endpoints) endpoints.push_back({endpoint.name, endpoint.region});
  std::vector<std::string> models;
  for (const auto& pair : out.fleet.runtime.models) models.push_back(pair.name);
  if (const auto names = out.fleet.policy->check_names(endpoints, models); !names.ok())
    reader.problems().add_line(names.error().message);
  for (const auto& failure : out.fleet.policy->run_tests()) reader.problems().add_line(failure);
}

void read_policy(JsonReader& reader, const std::string& folder, Scenario& out) {
  std::string file;
  reader.read("policy", file);
  if (file.empty()) return;
  auto policy = policies::Policy::load_file(beside_folder(folder, file));
  if (!policy.ok()) return reader.problem("policy", policy.error().message);
  out.fleet.policy = std::move(policy).value();
  check_policy(reader, out);
}

}  // namespace

Result<Scenario> parse_scenario(const std::string& text, const std::string& file) {
  const auto document = JsonDocument::parse(text, file);
  if (!document.ok()) return document.error();
  Scenario out;
  out.file = file;
  const ValueSeen seen = [&](const std::string& pointer, const nlohmann::json& value, bool given) {
    out.echo.push_back({pointer, value.dump(), given ? document.value()->place_of(pointer) : "default"});
  };
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  if (!document.value()->root().is_object()) return problems.as_error();
  reader.tell(&seen);
  const std::string folder = std::filesystem::path(file).parent_path().string();
  read_header(reader, out);
  sim::FleetModel& fleet = out.fleet;
  reader.section("runtime", [&](JsonReader& runtime) { read_bounds(runtime, fleet.runtime); });
  read_devices(reader, fleet);
  read_models(reader, folder, fleet);
  read_network(reader, folder, fleet.link);
  std::vector<std::string> models;
  for (const auto& pair : fleet.runtime.models) models.push_back(pair.name);
  read_workload(reader, folder, models, fleet.streams);
  read_clouds(reader, folder, fleet);
  read_policy(reader, folder, out);
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  fleet.runtime.seed = fleet.seed;
  return out;
}

Result<Scenario> load_scenario(const std::string& file) {
  const auto text = read_whole_file(file, JsonDocument::kSizeMaxBytes);
  if (!text.ok()) return text.error();
  return parse_scenario(text.value(), file);
}

Status set_policy(Scenario& scenario, const std::string& policy_file) {
  auto policy = policies::Policy::load_file(policy_file);
  if (!policy.ok()) return policy.error();
  scenario.fleet.policy = std::move(policy).value();
  const auto document = JsonDocument::parse("{}", policy_file);
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  check_policy(reader, scenario);
  return problems.empty() ? Status(Done{}) : Status(problems.as_error());
}

}  // namespace hearth::simulate
