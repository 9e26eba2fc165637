#include "tools/simulate/observed.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/hearth/summary.h"
#include "tools/simulate/record_writer.h"

namespace hearth::simulate {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::size_t kQuantilesMax = 1001;
constexpr std::uint64_t kHeadBytes = 320;  ///< Of a message, as SimulatedTransport counts it.

double rounded_ms(double ms) { return std::round(ms * 1e6) / 1e6; }

Duration time_of(std::uint64_t bytes, double mbit_per_s) {
  return from_ms(static_cast<double>(bytes) * 8 / (mbit_per_s * 1e3));
}

/// As it was measured, or by the formula where too little was.
Json time_json(const std::vector<Duration>& measured, std::size_t least, const sim::TimeModel& otherwise) {
  if (measured.size() >= least) return {{"quantiles_ms", quantiles_ms(measured)}};
  return {{"median_ms", to_ms(otherwise.median)}, {"sigma", otherwise.sigma}};
}

struct Fitted {
  std::vector<Duration> passes, services;
  double edge_right = 0, cloud_right = 0;  ///< Shares.
};

Fitted fit(const Observed& observed) {
  Fitted fitted;
  for (const ObservedRequest& one : observed.requests) {
    if (one.record.edge_time > Duration{}) fitted.passes.push_back(one.record.edge_time);
    if (one.record.server_time > Duration{}) fitted.services.push_back(one.record.server_time);
    fitted.edge_right += one.answer.edge_correct ? 1 : 0;
    fitted.cloud_right += one.answer.cloud_correct ? 1 : 0;
  }
  const double count = static_cast<double>(std::max<std::size_t>(observed.requests.size(), 1));
  fitted.edge_right /= count;
  fitted.cloud_right /= count;
  return fitted;
}

Json kinds_json(const Observed& observed) {
  std::vector<std::uint64_t> counts(observed.kinds.size(), 0);
  for (const ObservedRequest& one : observed.requests) ++counts[one.kind];
  Json kinds = Json::array();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double share = static_cast<double>(counts[i]) / static_cast<double>(observed.requests.size());
    Json kind = {{"share", share}};
    if (!observed.kinds[i].label.empty()) kind["label"] = observed.kinds[i].label;
    if (!observed.kinds[i].text.empty()) kind["text"] = observed.kinds[i].text;
    if (!observed.kinds[i].has_tensors) kind["tensors"] = false;
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

Json device_json(const Observed& observed) {
  constexpr const char* kNetworks[] = {"unknown", "offline", "metered", "unmetered"};
  Json device = {{"edge_slots", observed.limits.edge_slots}};
  device["network"] = {{{"at_s", 0}, {"kind", kNetworks[static_cast<std::size_t>(observed.device.network)]}}};
  if (observed.device.battery_percent) {  // so large that it stays as it was found
    device["battery"] = {{"capacity_wh", 1e6},
                         {"start_percent", *observed.device.battery_percent},
                         {"idle_watts", 0},
                         {"charge_watts", 0}};
    device["charging"] = {{{"at_s", 0}, {"on", observed.device.charging.value_or(false)}}};
  }
  return device;
}

Json faults_json(double error_rate) {
  // The second one draws only where the first has not hit.
  return {{"description", "The error rate of the run that was observed"},
          {"faults",
           {{{"fault", "status"}, {"status", 500}, {"probability", error_rate / 2}},
            {{"fault", "status"}, {"status", 503}, {"probability", error_rate / (2 - error_rate)}}}}};
}

Json scenario_json(const Observed& observed) {
  const Fitted fitted = fit(observed);
  const sim::LinkModel& link = observed.link;
  const std::string model = observed.names.models.front();
  Json cloud = {{"name", observed.endpoint.name}, {"region", observed.endpoint.region}, {"url", observed.endpoint.url}};
  cloud["service"] = time_json(fitted.services, Observed::kAnswersMin, observed.service);
  if (observed.error_rate > 0) cloud["faults"] = "faults.json";
  const double last_s =
      std::chrono::duration<double>(observed.requests.back().record.arrived.time_since_epoch()).count();
  return {
      {"version", 1},
      {"name", observed.name},
      {"story", observed.story},
      {"length_s", std::ceil(last_s) + 1},
      {"consent", "given"},
      {"policy", "policy.json"},
      {"runtime",
       {{"limits",
         {{"queue_length_max", observed.limits.queue_length_max},
          {"cloud_in_flight_max", observed.limits.cloud_in_flight_max},
          {"connections_per_endpoint_max", observed.limits.connections_per_endpoint_max}}}}},
      {"models",
       {{{"name", model},
         {"edge", {{"latency", time_json(fitted.passes, 1, {})}, {"accuracy", fitted.edge_right}}},
         {"cloud", {{"accuracy", fitted.cloud_right}}},
         {"answers", "answers.jsonl"}}}},
      {"devices", device_json(observed)},
      {"network",
       {{"round_trip", {{"median_ms", to_ms(link.round_trip_median)}, {"sigma", link.round_trip_sigma}}},
        {"up", {{"mbit_per_s", link.up_mbit_per_s}}},
        {"down", {{"mbit_per_s", link.down_mbit_per_s}}}}},
      {"workload",
       {{{"name", observed.names.streams.front()},
         {"model", model},
         {"arrivals", {{"trace", "arrivals.jsonl"}, {"format", "jsonl"}}},
         {"kinds", kinds_json(observed)}}}},
      {"clouds", {std::move(cloud)}},
  };
}

Status write_live(const std::string& file, const Observed& observed) {
  auto writer = RecordWriter::open(file, observed.names, observed.requests.size());
  if (!writer.ok()) return writer.error();
  for (const ObservedRequest& one : observed.requests) writer.value()->take(one.record);
  return writer.value()->publish();
}

sim::Arriving arriving_of(const ObservedRequest& one) {
  sim::Arriving arriving;
  arriving.at = one.record.arrived;
  arriving.kind = static_cast<std::uint16_t>(one.kind);
  arriving.payload_bytes = one.payload_bytes;
  arriving.reply_bytes = one.reply_bytes;
  arriving.deadline = one.record.deadline;
  arriving.sample = one.record.id - 1;
  return arriving;
}

}  // namespace

std::vector<double> quantiles_ms(std::vector<Duration> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t steps = std::clamp<std::size_t>(values.size() - 1, 1, kQuantilesMax - 1);
  std::vector<double> out;
  for (std::size_t i = 0; i <= steps; ++i) {
    const double at = static_cast<double>(i) * static_cast<double>(values.size() - 1) / static_cast<double>(steps);
    const auto low = static_cast<std::size_t>(at);
    const auto high = std::min(low + 1, values.size() - 1);
    const double part = at - static_cast<double>(low);
    out.push_back(rounded_ms(to_ms(values[low]) * (1 - part) + to_ms(values[high]) * part));
  }
  return out;
}

void split_cloud_times(Observed& observed) {
  const sim::LinkModel& link = observed.link;
  std::vector<ObservedRequest*> answered;
  for (ObservedRequest& one : observed.requests)
    if (one.record.cloud_time > Duration{}) answered.push_back(&one);
  const auto begins = [](const ObservedRequest* one) { return one->record.arrived + one->record.cloud_began; };
  std::sort(answered.begin(), answered.end(), [&](auto* a, auto* b) { return begins(a) < begins(b); });
  TimePoint up_free{};
  for (ObservedRequest* const one : answered) {
    Record& record = one->record;
    const std::uint64_t sent = record.bytes_up / std::max<std::uint64_t>(record.attempts, 1);
    up_free = std::max(up_free, begins(one)) + time_of(kHeadBytes + sent, link.up_mbit_per_s);
    const Duration up = up_free - begins(one) + link.round_trip_median / 2;
    const Duration down = time_of(kHeadBytes + one->reply_bytes, link.down_mbit_per_s) + link.round_trip_median / 2;
    record.up_time = std::min(up, record.cloud_time);
    record.server_time = std::max(Duration{}, record.cloud_time - up - down);
  }
}

std::string arrival_line(const sim::Arriving& arriving) {
  const auto ns = static_cast<double>(arriving.at.time_since_epoch().count());
  Json line = {{"at_s", ns / 1e9},
               {"payload_bytes", arriving.payload_bytes},
               {"reply_bytes", arriving.reply_bytes},
               {"kind", arriving.kind},
               {"sample", arriving.sample}};
  if (arriving.deadline) line["deadline_ms"] = to_ms(*arriving.deadline);
  return line.dump() + "\n";
}

Status write_observed(const std::string& folder, const Observed& observed) {
  if (observed.requests.empty()) return {ErrorCode::kInvalidArgument, "a run without requests is no scenario"};
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return {ErrorCode::kInvalidArgument, folder + ": " + failure.message()};
  const auto file = [&](const char* name) { return (fs::path(folder) / name).string(); };
  std::string arrivals, answers;
  for (const ObservedRequest& one : observed.requests) {
    arrivals += arrival_line(arriving_of(one));
    const Json answer = {{"confidence", one.answer.confidence},
                         {"edge_correct", one.answer.edge_correct},
                         {"cloud_correct", one.answer.cloud_correct}};
    answers += answer.dump() + "\n";
  }
  auto status = tool::write_whole_file(file("arrivals.jsonl"), arrivals);
  if (status) status = tool::write_whole_file(file("answers.jsonl"), answers);
  if (status) status = tool::write_whole_file(file("policy.json"), observed.policy_json);
  if (status && observed.error_rate > 0)
    status = tool::write_whole_file(file("faults.json"), faults_json(observed.error_rate).dump(2) + "\n");
  if (status) status = write_live(file(kLiveFile), observed);
  // The scenario last: it vouches for the rest.
  if (status) status = tool::write_whole_file(file(kScenarioFile), scenario_json(observed).dump(1) + "\n");
  return status;
}

}  // namespace hearth::simulate
