#include "tools/simulate/workload_reader.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "runtime/config/checks.h"
#include "runtime/sim/radio_trace.h"
#include "tools/simulate/workload_trace.h"

namespace hearth::simulate {
namespace {

using sim::Stream;

constexpr double kRateMin = 1e-6, kRateMax = 1e6;
constexpr double kSecondsMax = 1e7;  ///< Of anything in a scenario but a trace: four months.
constexpr std::uint64_t kBytesMax = 1ull << 40;
constexpr std::size_t kStreamsMax = 1000, kKindsMax = 100, kSpikesMax = 1000, kStatesMax = 100;

void read_seconds(JsonReader& reader, std::string_view key, Duration& out, double min, double max = kSecondsMax) {
  double s = std::chrono::duration<double>(out).count();
  reader.read(key, s, min, max);
  out = from_ms(s * 1e3);
}

std::string text_of(double value) { return nlohmann::json(value).dump(); }

// ---- when they come -------------------------------------------------------------------------------------------------

void read_trace(JsonReader& reader, const std::string& folder, Stream& stream) {
  std::string file;
  std::size_t format = 99;
  TokenBytes tokens;
  sim::RecordedArrivals arrivals;
  reader.read("trace", file);
  reader.require({"format"});
  reader.read_choice("format", format, {"azure_llm", "jsonl", "gaps"});
  reader.read("repeat", arrivals.repeat);
  reader.read("spread", arrivals.spread);
  reader.read("speed", arrivals.speed, 0.001, 1000);
  if (format == 0) {
    reader.read("payload_bytes_per_token", tokens.payload, 0, 1e4);
    reader.read("reply_bytes_per_token", tokens.reply, 0, 1e4);
  }
  if (arrivals.spread && !arrivals.repeat) reader.problem("spread", "needs \"repeat\": true");
  if (file.empty() || format == 99) return;
  const auto path = (std::filesystem::path(folder) / file).string();
  const auto text = read_whole_file(path, sim::kTraceBytesMax);
  if (!text) return reader.problem("trace", text.error().message);
  Problems problems;
  WorkloadTrace trace =
      parse_workload_trace(text.value(), path, static_cast<TraceFormat>(format), tokens, stream.kinds.size(), problems);
  if (!problems.empty()) return reader.problems().append(problems);
  if (arrivals.repeat && trace.period == Duration{})
    return reader.problem("trace", "takes no time, so it cannot be repeated: expected a later last line");
  arrivals.period = std::max(trace.period, Duration(1));
  arrivals.requests = std::make_shared<const std::vector<sim::RecordedRequest>>(std::move(trace.requests));
  stream.arrivals = std::move(arrivals);
}

void read_states(JsonReader& reader, sim::ModulatedArrivals& arrivals) {
  bool any = false;
  reader.require({"states"});
  reader.objects("states", [&](JsonReader& entry, std::size_t) {
    sim::ModulatedArrivals::State state;
    entry.require({"rate_per_s", "stay_mean_s"});
    entry.read("rate_per_s", state.rate_per_s, 0, kRateMax);
    read_seconds(entry, "stay_mean_s", state.stay_mean, 0.001);
    any = any || state.rate_per_s >= kRateMin;
    arrivals.states.push_back(state);
  });
  if (!reader.has("states")) return;
  if (arrivals.states.empty() || arrivals.states.size() > kStatesMax) {
    reader.problem("states", "expected 1 to 100 states");
  } else if (!any) {
    reader.problem("states", "no state has a rate, expected at least one of 0.000001 or more");
  }
}

void read_arrivals(JsonReader& reader, const std::string& folder, Stream& stream) {
  if (reader.has("trace")) return read_trace(reader, folder, stream);
  if (!reader.has("process")) return reader.problem("", "expected a \"process\" or a \"trace\"");
  std::size_t process = 99;
  reader.read_choice("process", process, {"poisson", "gamma", "modulated", "closed_loop"});
  const auto read_rate = [&](double& rate) {
    reader.require({"rate_per_s"});
    reader.read("rate_per_s", rate, kRateMin, kRateMax);
  };
  if (process == 0) {
    sim::PoissonArrivals arrivals;
    read_rate(arrivals.rate_per_s);
    stream.arrivals = arrivals;
  } else if (process == 1) {
    sim::GammaArrivals arrivals;
    read_rate(arrivals.rate_per_s);
    reader.read("cv", arrivals.cv, 0, 20);
    stream.arrivals = arrivals;
  } else if (process == 2) {
    sim::ModulatedArrivals arrivals;
    read_states(reader, arrivals);
    stream.arrivals = arrivals;
  } else if (process == 3) {
    sim::ClosedLoopArrivals arrivals;
    reader.read("users", arrivals.users, 1, 1'000'000);
    double think_ms = to_ms(arrivals.think_mean);
    reader.read("think_mean_ms", think_ms, 0, kSecondsMax * 1e3);
    arrivals.think_mean = from_ms(think_ms);
    stream.arrivals = arrivals;
  } else {
    for (const auto& [key, value] : reader.value().items()) reader.raw(key);  // what it takes is not known either
  }
}

void read_shape(JsonReader& reader, Stream& stream) {
  auto& shape = stream.shape;
  reader.object("diurnal", [&](JsonReader& entry) {
    entry.require({"amplitude"});
    entry.read("amplitude", shape.diurnal_amplitude, 0, 1);
    read_seconds(entry, "day_s", shape.day, 1);
    read_seconds(entry, "peak_s", shape.peak, 0);
  });
  reader.objects("spikes", [&](JsonReader& entry, std::size_t) {
    sim::RateShape::Spike spike;
    entry.require({"at_s", "for_s", "factor"});
    read_seconds(entry, "at_s", spike.at, 0);
    read_seconds(entry, "for_s", spike.length, 0.001);
    entry.read("factor", spike.factor, 0, 1e4);
    shape.spikes.push_back(spike);
  });
  if (shape.spikes.size() > kSpikesMax) reader.problem("spikes", "expected at most 1000");
  if (!shape.flat() && std::holds_alternative<sim::ClosedLoopArrivals>(stream.arrivals))
    reader.problem(reader.has("spikes") ? "spikes" : "diurnal",
                   "a closed loop has no rate of its own: its users wait for their answers");
}

// ---- what they ask --------------------------------------------------------------------------------------------------

void read_kinds(JsonReader& reader, Stream& stream) {
  if (!reader.has("kinds")) {
    stream.kinds.emplace_back();
    return;
  }
  double sum = 0;
  bool sessions = false;
  reader.objects("kinds", [&](JsonReader& entry, std::size_t) {
    sim::RequestKind kind;
    entry.require({"share"});
    entry.read("share", kind.share, 0, 1);
    entry.read("label", kind.label);
    entry.read("text", kind.text);
    entry.read("tensors", kind.has_tensors);
    entry.read("in_session", kind.in_session);
    if (!kind.has_tensors && kind.text.empty()) entry.problem("", "a request needs tensors or a text");
    sum += kind.share;
    sessions = sessions || kind.in_session;
    stream.kinds.push_back(std::move(kind));
  });
  if (!reader.raw("kinds")->is_array()) return;
  if (stream.kinds.empty() || stream.kinds.size() > kKindsMax) {
    reader.problem("kinds", "expected 1 to 100 kinds");
  } else if (std::abs(sum - 1) > 1e-6) {
    reader.problem("kinds", "the shares add up to " + text_of(sum) + ", expected 1");
  }
  if (sessions && stream.sessions == 0)
    reader.problem("kinds", "\"in_session\" needs \"sessions\", expected 1 or more of them");
}

void read_bytes(JsonReader& reader, std::string_view key, sim::Bytes& out) {
  reader.object(key, [&](JsonReader& entry) {
    entry.read("median_bytes", out.median, 0, kBytesMax);
    entry.read("sigma", out.sigma, 0, 4);
    out.max = std::max(out.max, out.median);
    entry.read("max_bytes", out.max, 1, kBytesMax);
    if (out.median > out.max)
      entry.problem("max_bytes", "expected no less than median_bytes, " + std::to_string(out.median));
  });
}

void read_model(JsonReader& reader, std::span<const std::string> models, Stream& stream) {
  if (!reader.has("model") && models.size() != 1) {
    if (!models.empty()) reader.problem("", "\"model\" is missing: there are " + std::to_string(models.size()));
    return;
  }
  std::string name = models.size() == 1 ? models.front() : "";
  reader.read("model", name);
  const auto found = std::find(models.begin(), models.end(), name);
  if (found != models.end()) {
    stream.model = static_cast<std::uint16_t>(found - models.begin());
  } else if (!name.empty()) {
    reader.problem("model", "the scenario has no model " + describe(nlohmann::json(name)) +
                                suggestion(name, {models.begin(), models.end()}));
  }
}

void read_stream(JsonReader& reader, const std::string& folder, std::span<const std::string> models, Stream& stream) {
  reader.require({"name", "arrivals"});
  reader.read("name", stream.name);
  if (reader.has("name") && (stream.name.empty() || stream.name.size() > 128))
    reader.problem("name", "expected 1 to 128 characters");
  read_model(reader, models, stream);
  reader.read("sessions", stream.sessions, 0, 10'000'000);
  read_kinds(reader, stream);
  reader.object("arrivals", [&](JsonReader& entry) { read_arrivals(entry, folder, stream); });
  read_shape(reader, stream);
  read_bytes(reader, "payload", stream.payload);
  read_bytes(reader, "reply", stream.reply);
  if (reader.has("deadline_ms")) {
    double deadline_ms = 1000;
    reader.read("deadline_ms", deadline_ms, config::kDeadlineMsMin, config::kDeadlineMsMax);
    stream.deadline = from_ms(deadline_ms);
  }
  std::size_t priority = static_cast<std::size_t>(stream.priority);
  reader.read_choice("priority", priority, {"background", "normal", "urgent"});
  stream.priority = static_cast<Priority>(priority);
  reader.read("idempotent", stream.idempotent);
}

}  // namespace

void read_workload(JsonReader& scenario, const std::string& folder, std::span<const std::string> models,
                   std::vector<Stream>& out) {
  scenario.require({"workload"});
  scenario.objects("workload", [&](JsonReader& reader, std::size_t) {
    Stream stream;
    read_stream(reader, folder, models, stream);
    const auto same = [&](const Stream& other) { return other.name == stream.name && !stream.name.empty(); };
    if (std::any_of(out.begin(), out.end(), same))
      reader.problem("name", "there is another stream of this name, and draws go by it");
    out.push_back(std::move(stream));
  });
  const auto* list = scenario.raw("workload");
  if (list != nullptr && list->is_array() && (out.empty() || out.size() > kStreamsMax))
    scenario.problem("workload", "expected 1 to 1000 streams");
}

}  // namespace hearth::simulate
