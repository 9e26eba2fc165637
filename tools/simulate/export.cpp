#include "tools/simulate/export.h"

#include <array>
#include <filesystem>
#include <map>
#include <variant>

#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "runtime/base/json_reader.h"
#include "tools/hearth/summary.h"
#include "tools/simulate/observed.h"

namespace hearth::simulate {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::array kFileKeys = {"policy",    "answers",        "profile",    "ping_trace",
                                  "csv_trace", "mahimahi_trace", "rate_trace", "faults"};
constexpr std::size_t kFileBytesMax = 1u << 30;

/// Copies what a scenario names, and names the copies instead.
class Copier {
 public:
  Copier(fs::path from, fs::path to) : from_(std::move(from)), to_(std::move(to)) {}

  Status copy_all(Json& value) {
    if (value.is_array() || value.is_object()) {
      for (auto& [key, below] : value.items()) {
        auto status = is_file_key(key) && below.is_string() ? copy(below) : copy_all(below);
        if (!status.ok()) return status;
      }
    }
    return Done{};
  }

 private:
  static bool is_file_key(const std::string& key) {
    for (const char* one : kFileKeys)
      if (key == one) return true;
    return false;
  }

  Status copy(Json& name) {
    const fs::path file = from_ / name.get<std::string>();
    auto& copied = copies_[file.lexically_normal().string()];
    if (copied.empty()) {
      const auto text = read_whole_file(file.string(), kFileBytesMax);
      if (!text.ok()) return text.error();
      copied = std::to_string(copies_.size()) + "-" + file.filename().string();
      if (auto status = tool::write_whole_file((to_ / copied).string(), text.value()); !status.ok()) return status;
    }
    name = copied;
    return Done{};
  }

  fs::path from_, to_;
  std::map<std::string, std::string> copies_;
};

/// A policy that names other files stays where it is, for it finds them beside itself.
bool stands_alone(const std::string& policy_file) {
  const auto text = read_whole_file(policy_file, JsonDocument::kSizeMaxBytes);
  return text.ok() && policies::Policy::load(text.value(), policy_file).ok();
}

std::string arrivals_of(const Scenario& scenario, std::size_t stream) {
  std::string lines;
  sim::Source source(scenario.fleet.streams[stream], static_cast<std::uint16_t>(stream), 0, scenario.fleet.seed);
  while (const auto next = source.next()) {
    if (next->at >= TimePoint(scenario.fleet.length)) break;
    lines += arrival_line(*next);
  }
  return lines;
}

Status check(const Scenario& scenario) {
  if (scenario.fleet.devices != 1) {
    return {ErrorCode::kInvalidArgument, scenario.file + ": devices.count is " +
                                             std::to_string(scenario.fleet.devices) +
                                             ", expected 1: a trace holds the requests of one device"};
  }
  for (const auto& stream : scenario.fleet.streams) {
    if (!std::holds_alternative<sim::ClosedLoopArrivals>(stream.arrivals)) continue;
    return {ErrorCode::kInvalidArgument, scenario.file + ": the stream \"" + stream.name +
                                             "\" is a closed loop, expected arrivals that do not depend on answers"};
  }
  return Done{};
}

}  // namespace

Status export_scenario(const std::string& folder, const Scenario& scenario, const std::string& policy_file) {
  if (auto status = check(scenario); !status.ok()) return status;
  const auto text = read_whole_file(scenario.file, JsonDocument::kSizeMaxBytes);
  if (!text.ok()) return text.error();
  Json json = Json::parse(text.value());
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return {ErrorCode::kInvalidArgument, folder + ": " + failure.message()};

  json.erase("$schema");
  json["seed"] = scenario.fleet.seed;
  for (std::size_t i = 0; i < scenario.fleet.streams.size(); ++i) {
    const std::string name = "arrivals-" + std::to_string(i + 1) + ".jsonl";
    const std::string lines = arrivals_of(scenario, i);
    if (lines.empty())
      return {ErrorCode::kInvalidArgument,
              scenario.file + ": the stream \"" + scenario.fleet.streams[i].name + "\" has no request"};
    if (auto status = tool::write_whole_file((fs::path(folder) / name).string(), lines); !status.ok()) return status;
    Json& stream = json["workload"][i];
    stream["arrivals"] = {{"trace", name}, {"format", "jsonl"}};
    stream.erase("diurnal");
    stream.erase("spikes");
  }
  const fs::path home = fs::absolute(scenario.file).parent_path();
  const fs::path policy = policy_file.empty() ? home / json["policy"].get<std::string>() : fs::absolute(policy_file);
  json["policy"] = policy.lexically_normal().string();
  Json rest = json;
  if (!stands_alone(policy.string())) rest.erase("policy");
  if (auto status = Copier(home, folder).copy_all(rest); !status.ok()) return status;
  if (!rest.contains("policy")) rest["policy"] = json["policy"];
  return tool::write_whole_file((fs::path(folder) / kScenarioFile).string(), rest.dump(1) + "\n");
}

}  // namespace hearth::simulate
