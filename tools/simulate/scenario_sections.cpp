#include "tools/simulate/scenario_sections.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/config/checks.h"
#include "runtime/signals/profile.h"

namespace hearth::simulate {
namespace {

constexpr double kMsMax = 86'400'000;
constexpr double kSMax = 30 * 86'400.0;
constexpr std::size_t kQuantilesMax = 10'001;
constexpr std::uint64_t kAnswersMax = 10'000'000;
constexpr std::uint64_t kAnswersBytesMax = 1ull << 30;

void read_ms(JsonReader& reader, std::string_view key, Duration& out, double min = 0, double max = kMsMax) {
  double ms = to_ms(out);
  reader.read(key, ms, min, max);
  out = from_ms(ms);
}

void read_s(JsonReader& reader, std::string_view key, Duration& out, double min = 0) {
  double seconds = std::chrono::duration<double>(out).count();
  reader.read(key, seconds, min, kSMax);
  out = from_ms(seconds * 1e3);
}

void read_size(JsonReader& reader, std::string_view key, std::size_t& out, std::uint64_t min, std::uint64_t max) {
  std::uint64_t number = out;
  reader.read(key, number, min, max);
  out = static_cast<std::size_t>(number);
}

/// Steps `[{"at_s": 0, key: value}, ...]`, in order.
template <class Value, class Read>
void read_steps(JsonReader& reader, std::string_view key, std::vector<sim::Step<Value>>& out, const Read& read) {
  if (!reader.has(key)) return;
  out.clear();
  reader.objects(key, [&](JsonReader& step, std::size_t index) {
    sim::Step<Value> one;
    step.require({"at_s"});
    read_s(step, "at_s", one.at);
    read(step, one.value);
    if (index == 0 && one.at != Duration{}) step.problem("at_s", "the first step begins at 0");
    if (!out.empty() && one.at <= out.back().at) step.problem("at_s", "expected later than the step before");
    out.push_back(one);
  });
  if (out.empty()) {
    reader.problem(key, "expected at least one step");
    out.emplace_back();
  }
}

/// Milliseconds at 0, 1/n, ... 1, none less than the one before.
void read_quantiles(JsonReader& reader, std::vector<Duration>& out) {
  const nlohmann::json& list = *reader.raw("quantiles_ms");
  const auto bad = [&] {
    out.clear();
    reader.problem("quantiles_ms", "expected 2 to 10001 numbers from 0 to 86400000, none less than the one before");
  };
  if (!list.is_array() || list.size() < 2 || list.size() > kQuantilesMax) return bad();
  for (const auto& entry : list) {
    if (!entry.is_number() || !(entry.get<double>() >= 0 && entry.get<double>() <= kMsMax)) return bad();
    out.push_back(from_ms(entry.get<double>()));
    if (out.size() > 1 && out.back() < out[out.size() - 2]) return bad();
  }
}

/// Of its first model, for one inference a pass.
void read_profile(JsonReader& reader, const std::string& folder, std::size_t threads, std::vector<Duration>& out) {
  std::string file;
  reader.read("profile", file);
  if (file.empty()) return;
  const auto profile = signals::read_profile(beside_folder(folder, file));
  if (!profile.ok()) return reader.problem("profile", profile.error().message);
  if (profile->edge.empty()) return reader.problem("profile", file + ": no edge model in it");
  constexpr int kSteps = 1000;
  for (int i = 0; i <= kSteps; ++i) {
    const Duration at = profile->edge.front().latency(1, threads, static_cast<double>(i) / kSteps);
    out.push_back(out.empty() ? at : std::max(at, out.back()));
  }
}

/// A formula, what was measured, or a profile file (where `threads` is not 0).
void read_time(JsonReader& reader, sim::TimeModel& out, const std::string& folder = {}, std::size_t threads = 0) {
  const int ways = int{reader.has("median_ms")} + int{reader.has("quantiles_ms")} + int{reader.has("profile")};
  if (ways != 1) {
    reader.problem("", threads > 0 ? "expected one of \"median_ms\", \"quantiles_ms\", \"profile\""
                                   : "expected one of \"median_ms\", \"quantiles_ms\"");
  }
  read_ms(reader, "median_ms", out.median);
  reader.read("sigma", out.sigma, 0, 5);
  if (reader.has("sigma") && !reader.has("median_ms")) reader.problem("sigma", "is of a \"median_ms\"");
  if (reader.has("quantiles_ms")) read_quantiles(reader, out.quantiles);
  if (threads > 0 && reader.has("profile")) read_profile(reader, folder, threads, out.quantiles);
}

// ---- models ---------------------------------------------------------------------------------------------------------

/// One line of recorded answers.
bool read_answer(const std::string& line, sim::Answer& out) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return false;
  const auto confidence = json.find("confidence"), edge = json.find("edge_correct"), cloud = json.find("cloud_correct");
  if (confidence == json.end() || edge == json.end() || cloud == json.end()) return false;
  if (!confidence->is_number() || !edge->is_boolean() || !cloud->is_boolean()) return false;
  const double value = confidence->get<double>();
  if (!(value >= 0 && value <= 1)) return false;
  out = {static_cast<float>(value), edge->get<bool>(), cloud->get<bool>()};
  return true;
}

void read_answers(JsonReader& pair, const std::string& folder, sim::PairModel& out) {
  std::string file;
  pair.read("answers", file);
  if (file.empty()) return;
  const auto text = read_whole_file(beside_folder(folder, file), kAnswersBytesMax);
  if (!text.ok()) return pair.problem("answers", text.error().message);
  std::vector<sim::Answer> answers;
  std::size_t at = 0, line = 0;
  while (at < text->size()) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    ++line;
    if (end > at) {
      sim::Answer answer;
      if (!read_answer(text->substr(at, end - at), answer) || answers.size() == kAnswersMax) {
        return pair.problem("answers", file + ":" + std::to_string(line) +
                                           ": expected {\"confidence\": 0 to 1, \"edge_correct\": true or false, "
                                           "\"cloud_correct\": true or false}, at most 10,000,000 lines");
      }
      answers.push_back(answer);
    }
    at = end + 1;
  }
  if (answers.empty()) return pair.problem("answers", file + ": no answers in it");
  out.answers = std::make_shared<const std::vector<sim::Answer>>(std::move(answers));
}

ModelPair runtime_pair(const std::string& name, EdgeBinding binding, const sim::PairModel& model, bool has_cloud) {
  ModelPair pair;
  pair.name = name;
  pair.edge = std::move(binding);
  pair.edge.file = "simulated";
  pair.edge.inputs = {{"x", Datatype::kFp32, {1}}};
  pair.edge.outputs = {{"y", Datatype::kFp32, {1}}};
  if (!has_cloud) return pair;
  pair.cloud.model = name;
  pair.cloud.inputs = pair.edge.inputs;
  pair.cloud.outputs = pair.edge.outputs;
  pair.cloud.accuracy = model.cloud_accuracy;
  return pair;
}

// ---- clouds ---------------------------------------------------------------------------------------------------------

/// A fault that lasts.
void add_fault(JsonReader& cloud, const char* key, const std::string& fault, sim::CloudModel& out) {
  auto spec = sim::parse_fault(fault, "scenario");
  if (!spec.ok()) return cloud.problem(key, spec.error().message);
  out.faults.faults.push_back(std::move(spec).value());
}

void read_load(JsonReader& cloud, sim::CloudModel& out) {
  cloud.object("service", [&](JsonReader& service) {
    sim::TimeModel time;
    read_time(service, time);
    out.server.service_median = time.median;
    out.server.service_sigma = time.sigma;
    out.server.service_quantiles = std::move(time.quantiles);
  });
  read_size(cloud, "servers", out.server.servers, 1, 1'000'000);
  read_size(cloud, "queue_max", out.server.queue_max, 0, 10'000'000);
  cloud.object("autoscale", [&](JsonReader& scale) {
    scale.require({"servers_max"});
    read_size(scale, "servers_max", out.autoscale.servers_max, 1, 1'000'000);
    scale.read("target_busy", out.autoscale.target_busy, 0.01, 1);
    read_s(scale, "every_s", out.autoscale.every, 0.001);
    read_s(scale, "start_s", out.autoscale.start);
    if (out.autoscale.servers_max < out.server.servers) scale.problem("servers_max", "expected at least \"servers\"");
  });
  cloud.object("cold_start", [&](JsonReader& cold) {
    double delay_ms = 1000, idle_s = 300;
    cold.read("delay_ms", delay_ms, 0, kMsMax);
    cold.read("idle_s", idle_s, 0, kSMax);
    add_fault(cold, "delay_ms",
              nlohmann::json{{"fault", "cold_start"}, {"delay_ms", delay_ms}, {"idle_ms", idle_s * 1e3}}.dump(), out);
  });
  cloud.object("rate_limit", [&](JsonReader& limit) {
    double per_s = 100;
    std::uint64_t burst = 100;
    limit.require({"per_s"});
    limit.read("per_s", per_s, 0.001, 1e9);
    limit.read("burst", burst, 1, 1'000'000'000);
    add_fault(limit, "per_s", nlohmann::json{{"fault", "rate_limit"}, {"per_s", per_s}, {"burst", burst}}.dump(), out);
  });
}

void read_prices(JsonReader& cloud, sim::CloudModel& out) {
  std::vector<sim::Step<double>> steps;
  read_steps(cloud, "prices", steps, [](JsonReader& step, double& factor) {
    step.require({"factor"});
    factor = 1;
    step.read("factor", factor, 0, 1e6);
  });
  for (const auto& step : steps) out.prices.push_back({step.at, step.value});
}

void read_faults(JsonReader& cloud, const std::string& folder, sim::CloudModel& out) {
  std::string file;
  cloud.read("faults", file);
  if (file.empty()) return;
  auto timeline = sim::load_timeline(beside_folder(folder, file));
  if (!timeline.ok()) return cloud.problem("faults", timeline.error().message);
  out.faults.seed = timeline->seed;
  for (auto& fault : timeline->faults) out.faults.faults.push_back(std::move(fault));
}

}  // namespace

std::string beside_folder(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

void read_models(JsonReader& scenario, const std::string& folder, sim::FleetModel& out) {
  std::set<std::string> names;
  scenario.objects("models", [&](JsonReader& pair, std::size_t) {
    std::string name;
    sim::PairModel model;
    EdgeBinding binding;
    pair.require({"name", "edge"});
    pair.read("name", name);
    pair.object("edge", [&](JsonReader& edge) {
      edge.require({"latency"});
      edge.object("latency",
                  [&](JsonReader& latency) { read_time(latency, model.edge, folder, out.runtime.limits.edge_slots); });
      edge.read("accuracy", model.edge_accuracy, 0, 1);
      edge.read("share", binding.share, config::kShareMin, config::kShareMax);
      edge.read("batch_max", binding.batch_max, 1, config::kBatchMax);
      read_ms(edge, "batch_wait_ms", binding.batch_wait, 0, config::kBatchWaitMsMax);
      edge.read("batch_growth", model.batch_growth, 0, 1);
    });
    const bool has_cloud = pair.has("cloud");
    pair.object("cloud", [&](JsonReader& cloud) { cloud.read("accuracy", model.cloud_accuracy, 0, 1); });
    read_answers(pair, folder, model);
    if (!name.empty() && !names.insert(name).second) pair.problem("name", "model \"" + name + "\" is there twice");
    out.runtime.models.push_back(runtime_pair(name, std::move(binding), model, has_cloud));
    out.pairs.push_back(std::move(model));
  });
  if (out.pairs.empty() && scenario.has("models")) scenario.problem("models", "expected at least one model");
}

void read_devices(JsonReader& scenario, sim::FleetModel& out) {
  scenario.section("devices", [&](JsonReader& devices) {
    sim::DeviceModel& device = out.device;
    devices.read("count", out.devices, 1, 10'000'000);
    read_size(devices, "edge_slots", out.runtime.limits.edge_slots, 1, 256);
    read_steps(devices, "network", device.network, [](JsonReader& step, NetworkKind& kind) {
      std::size_t choice = static_cast<std::size_t>(kind);
      step.read_choice("kind", choice, {"unknown", "offline", "metered", "unmetered"});
      kind = static_cast<NetworkKind>(choice);
    });
    read_steps(devices, "charging", device.charging, [](JsonReader& step, bool& on) { step.read("on", on); });
    devices.object("thermal", [&](JsonReader& thermal) {
      thermal.require({"time_constant_s"});
      read_s(thermal, "time_constant_s", device.thermal.time_constant, 0.001);
      thermal.read("from_busy_share", device.thermal.from, 0, 0.99);
      thermal.read("slow_factor", device.thermal.slow_factor, 1, 1000);
    });
    devices.object("battery", [&](JsonReader& battery) {
      battery.require({"capacity_wh"});
      battery.read("capacity_wh", device.battery.capacity_wh, 0.001, 1e6);
      battery.read("start_percent", device.battery.start_percent, 0, 100);
      battery.read("idle_watts", device.battery.idle_watts, 0, 10'000);
      battery.read("charge_watts", device.battery.charge_watts, 0, 10'000);
    });
    devices.object("background", [&](JsonReader& background) {
      background.require({"busy_share"});
      background.read("busy_share", device.background.busy_share, 0, 0.99);
      read_ms(background, "busy_mean_ms", device.background.busy_mean, 0.001);
      background.read("slow_factor", device.background.slow_factor, 1, 1000);
    });
    const bool recorded = devices.has("record");
    devices.section("record", [&](JsonReader& record) {
      if (recorded) return read_time(record, device.record);
      read_ms(record, "median_ms", device.record.median);  // the default is seen, too
    });
    read_s(devices, "probe_every_s", device.probe_every);
    std::size_t calls = device.on_caller ? 1 : 0;
    devices.read_choice("calls", calls, {"submit", "infer"});
    device.on_caller = calls == 1;
  });
}

void read_clouds(JsonReader& scenario, const std::string& folder, sim::FleetModel& out) {
  std::set<std::string> names;
  scenario.objects("clouds", [&](JsonReader& cloud, std::size_t) {
    Endpoint endpoint;
    sim::CloudModel model;
    cloud.require({"name"});
    cloud.read("name", endpoint.name);
    endpoint.url = "https://" + endpoint.name + ".example";
    cloud.read("url", endpoint.url);
    cloud.read("region", endpoint.region);
    cloud.read("usd_per_request", endpoint.usd_per_request, 0, 1000);
    cloud.read("usd_per_mib", endpoint.usd_per_mib, 0, 1000);
    read_load(cloud, model);
    read_prices(cloud, model);
    read_faults(cloud, folder, model);
    config::check_endpoint(endpoint, [&](const std::string& below, const std::string& message) {
      cloud.problems().add(cloud.document(), cloud.pointer() + below, message);
    });
    if (!names.insert(endpoint.name).second) cloud.problem("name", "cloud \"" + endpoint.name + "\" is there twice");
    out.runtime.endpoints.push_back(std::move(endpoint));
    out.clouds.push_back(std::move(model));
  });
  if (out.clouds.size() > config::kEndpointsMax) scenario.problem("clouds", "expected at most 31 clouds");
}

}  // namespace hearth::simulate
