#include "cloud_stub/shaping.h"

#include <algorithm>

#include "runtime/base/json_reader.h"

namespace hearth::stub {
namespace {

constexpr std::string_view kLatencyStream = "stub.latency";
constexpr std::string_view kErrorStream = "stub.errors";

void read_latency(JsonReader& reader, Latency& latency) {
  reader.require({"distribution"});
  std::size_t kind = 0;
  reader.read_choice("distribution", kind, {"constant", "uniform", "lognormal"});
  latency.kind = static_cast<LatencyKind>(kind);
  switch (latency.kind) {
    case LatencyKind::kConstant:
      reader.require({"ms"});
      reader.read("ms", latency.ms, 0, kLatencyMsMax);
      break;
    case LatencyKind::kUniform:
      reader.require({"min_ms", "max_ms"});
      reader.read("min_ms", latency.min_ms, 0, kLatencyMsMax);
      reader.read("max_ms", latency.max_ms, 0, kLatencyMsMax);
      if (latency.min_ms > latency.max_ms) reader.problem("min_ms", "is more than max_ms");
      break;
    case LatencyKind::kLognormal:
      reader.require({"median_ms", "sigma"});
      reader.read("median_ms", latency.median_ms, 0, kLatencyMsMax);
      reader.read("sigma", latency.sigma, 0, kSigmaMax);
      break;
  }
}

void read_rate(JsonReader& reader, std::string_view key, double& rate) {
  reader.read(key, rate, 0, kMbitPerSMax);
  if (rate > 0 && rate < kMbitPerSMin) reader.problem(key, "is under 0.001; 0 means no limit");
}

Result<Shaping> read_shaping(const JsonDocument& document) {
  Shaping shaping;
  Problems problems;
  JsonReader reader(document, document.root(), "", problems);
  std::string description;  // For people: what this network stands for.
  reader.read("description", description);
  reader.object("latency", [&](JsonReader& latency) { read_latency(latency, shaping.latency); });
  read_rate(reader, "uplink_mbit_per_s", shaping.uplink_mbit_per_s);
  read_rate(reader, "downlink_mbit_per_s", shaping.downlink_mbit_per_s);
  reader.read("error_rate", shaping.error_rate, 0, 1);
  reader.read("seed", shaping.seed, 0, UINT64_MAX);
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  return shaping;
}

/// How long `bytes` keep a link of `mbit_per_s` busy.
Duration time_on_link(std::uint64_t bytes, double mbit_per_s) {
  return mbit_per_s > 0 ? from_ms(static_cast<double>(bytes) * 8 / (mbit_per_s * 1e3)) : Duration{};
}

}  // namespace

bool Shaping::idle() const {
  const bool no_latency = latency.kind == LatencyKind::kConstant  ? latency.ms == 0
                          : latency.kind == LatencyKind::kUniform ? latency.max_ms == 0
                                                                  : latency.median_ms == 0;
  return no_latency && uplink_mbit_per_s == 0 && downlink_mbit_per_s == 0 && error_rate == 0;
}

Result<Shaping> parse_shaping(std::string_view json, const std::string& origin) {
  auto document = JsonDocument::parse(json, origin);
  if (!document) return document.error();
  return read_shaping(*document.value());
}

Result<Shaping> load_shaping(const std::string& file) {
  auto document = JsonDocument::read_file(file);
  if (!document) return document.error();
  return read_shaping(*document.value());
}

std::vector<std::string> problems_of(const Shaping& shaping) {
  std::vector<std::string> problems;
  const auto check = [&](const char* what, double value, double max) {
    if (!(value >= 0 && value <= max)) {  // Also catches NaN.
      problems.push_back(std::string(what) + " must be between 0 and " + std::to_string(static_cast<long>(max)));
    }
  };
  const Latency& latency = shaping.latency;
  for (const double ms : {latency.ms, latency.min_ms, latency.max_ms, latency.median_ms}) {
    check("latency (ms)", ms, kLatencyMsMax);
  }
  check("latency sigma", latency.sigma, kSigmaMax);
  if (latency.min_ms > latency.max_ms) problems.emplace_back("the smallest latency is more than the largest");
  for (const double rate : {shaping.uplink_mbit_per_s, shaping.downlink_mbit_per_s}) {
    check("bandwidth (Mbit/s)", rate, kMbitPerSMax);
    if (rate > 0 && rate < kMbitPerSMin) problems.emplace_back("bandwidth is under 0.001 Mbit/s; 0 means no limit");
  }
  check("error rate", shaping.error_rate, 1);
  return problems;
}

Shaper::Shaper(const Shaping& shaping)
    : shaping_(shaping), latency_stream_(shaping.seed, kLatencyStream), error_stream_(shaping.seed, kErrorStream) {}

void Shaper::replace(const Shaping& shaping) {
  const std::lock_guard lock(mutex_);
  shaping_ = shaping;
  latency_stream_ = RandomStream(shaping.seed, kLatencyStream);
  error_stream_ = RandomStream(shaping.seed, kErrorStream);
}

Duration Shaper::draw_latency() {
  const Latency& latency = shaping_.latency;
  double ms = latency.ms;
  if (latency.kind == LatencyKind::kUniform) {
    ms = latency.min_ms + (latency.max_ms - latency.min_ms) * latency_stream_.uniform();
  } else if (latency.kind == LatencyKind::kLognormal) {
    ms = latency.median_ms > 0 ? latency_stream_.lognormal(latency.median_ms, latency.sigma) : 0;
  }
  return from_ms(std::min(ms, kLatencyMsMax));
}

Shaper::Arrival Shaper::arrive(Duration now, std::uint64_t bytes, bool may_fail) {
  const std::lock_guard lock(mutex_);
  const Duration round_trip = draw_latency();
  Arrival arrival;
  uplink_free_ = std::max(now, uplink_free_) + time_on_link(bytes, shaping_.uplink_mbit_per_s);
  arrival.at = uplink_free_ + round_trip / 2;
  arrival.way_back = round_trip - round_trip / 2;
  if (may_fail && shaping_.error_rate > 0) {
    const double draw = error_stream_.uniform();
    if (draw < shaping_.error_rate) arrival.error_status = draw < shaping_.error_rate / 2 ? 500 : 503;
  }
  return arrival;
}

Duration Shaper::depart(Duration now, std::uint64_t bytes, Duration way_back) {
  const std::lock_guard lock(mutex_);
  downlink_free_ = std::max(now, downlink_free_) + time_on_link(bytes, shaping_.downlink_mbit_per_s);
  return downlink_free_ + way_back;
}

}  // namespace hearth::stub
