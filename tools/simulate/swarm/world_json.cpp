// Worlds as files. Each part names its keys once, for writing and reading alike.
#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

#include "runtime/base/json_reader.h"
#include "tools/simulate/swarm/world.h"

namespace hearth::simulate {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMsMax = 3'600'000;
constexpr std::array<std::string_view, 9> kActs = {"give_consent", "revoke_consent", "reload",
                                                   "cancel",       "end_session",    "forget_session",
                                                   "go_offline",   "go_online",      "set_clock"};
constexpr std::array<std::string_view, 5> kPlans = {"edge", "cloud", "cascade", "safety_net", "hedge"};
constexpr std::array<std::string_view, 3> kPriorities = {"background", "normal", "urgent"};
constexpr std::array<std::string_view, 3> kDirections = {"both", "up", "down"};
constexpr std::array<std::string_view, 6> kSpreads = {"constant", "uniform", "normal", "lognormal", "pareto", "trace"};

/// Puts values into an object.
class Writer {
 public:
  void ms(const char* key, const Duration& value) { out_[key] = to_ms(value); }
  template <class Whole>
  void whole(const char* key, const Whole& value, std::uint64_t = 0, std::uint64_t = 0) {
    out_[key] = value;
  }
  void real(const char* key, const double& value, double = 0, double = 0) { out_[key] = value; }
  void flag(const char* key, const bool& value) { out_[key] = value; }
  void text(const char* key, const std::string& value) { out_[key] = value; }
  void texts(const char* key, const std::set<std::string>& value) { out_[key] = value; }
  template <class Choice, std::size_t n>
  void choice(const char* key, const Choice& value, const std::array<std::string_view, n>& names) {
    out_[key] = names[static_cast<std::size_t>(value)];
  }
  template <class Visit>
  void object(const char* key, const Visit& visit) {
    Writer inner;
    visit(inner);
    out_[key] = std::move(inner.out_);
  }
  template <class Value, class Visit>
  void objects(const char* key, std::vector<Value>& values, const Visit& visit) {
    out_[key] = Json::array();
    for (Value& value : values) {
      Writer inner;
      visit(inner, value);
      out_[key].push_back(std::move(inner.out_));
    }
  }
  void optional_ms(const char* key, const std::optional<Duration>& value) {
    if (value) ms(key, *value);
  }
  void faults(const char* key, const sim::FaultTimeline& timeline);
  const Json& out() const { return out_; }

 private:
  Json out_ = Json::object();
};

/// Takes values from an object; what is absent stays as it is.
class Reader {
 public:
  explicit Reader(JsonReader& in) : in_(in) {}

  void ms(const char* key, Duration& value) {
    double read = to_ms(value);
    in_.read(key, read, 0, kMsMax);
    value = Duration(std::llround(read * 1e6));
  }
  template <class Whole>
  void whole(const char* key, Whole& value, std::uint64_t min = 0, std::uint64_t max = UINT64_MAX) {
    std::uint64_t read = value;
    in_.read(key, read, min, max);
    value = static_cast<Whole>(read);
  }
  void whole(const char* key, std::int64_t& value, std::uint64_t = 0, std::uint64_t max = 0) {
    double read = static_cast<double>(value);
    in_.read(key, read, -static_cast<double>(max), static_cast<double>(max));
    value = std::llround(read);
  }
  void real(const char* key, double& value, double min, double max) { in_.read(key, value, min, max); }
  void flag(const char* key, bool& value) { in_.read(key, value); }
  void text(const char* key, std::string& value) { in_.read(key, value); }
  void texts(const char* key, std::set<std::string>& value) {
    std::vector<std::string> read;
    in_.read(key, read);
    value = {read.begin(), read.end()};
  }
  template <class Choice, std::size_t n>
  void choice(const char* key, Choice& value, const std::array<std::string_view, n>& names) {
    auto index = static_cast<std::size_t>(value);
    in_.read_choice(key, index, std::span(names));
    value = static_cast<Choice>(index);
  }
  template <class Visit>
  void object(const char* key, const Visit& visit) {
    in_.object(key, [&](JsonReader& inner) {
      Reader reader(inner);
      visit(reader);
    });
  }
  template <class Value, class Visit>
  void objects(const char* key, std::vector<Value>& values, const Visit& visit) {
    in_.objects(key, [&](JsonReader& inner, std::size_t) {
      Reader reader(inner);
      visit(reader, values.emplace_back());
    });
  }
  void optional_ms(const char* key, std::optional<Duration>& value) {
    if (!in_.has(key)) return;
    ms(key, value.emplace());
  }
  void faults(const char* key, sim::FaultTimeline& timeline);

 private:
  JsonReader& in_;
};

// ---- the keys -------------------------------------------------------------------------------------------------------

template <class Io>
void each_key(Io& io, PolicyVariant& policy) {
  io.choice("plan", policy.plan, kPlans);
  io.whole("attempts_max", policy.attempts_max, 0, 5);
  io.flag("objective", policy.objective);
  io.flag("edge", policy.edge);
  io.texts("closed", policy.closed);
}

template <class Io>
void each_key(Io& io, Act& act) {
  io.ms("at_ms", act.at);
  io.choice("act", act.kind, kActs);
  switch (act.kind) {
    case ActKind::kReload:
      return io.object("policy", [&](auto& inner) { each_key(inner, act.policy); });
    case ActKind::kCancel:
      return io.whole("back", act.back);
    case ActKind::kEndSession:
    case ActKind::kForgetSession:
      return io.text("session", act.session);
    case ActKind::kSetClock:
      return io.whole("clock_s", act.clock_s, 0, 1'000'000'000);
    case ActKind::kGiveConsent:
    case ActKind::kRevokeConsent:
    case ActKind::kGoOffline:
    case ActKind::kGoOnline:
      return;
  }
}

template <class Io>
void each_key(Io& io, SwarmRequest& request) {
  io.ms("at_ms", request.at);
  io.ms("deadline_ms", request.deadline);
  io.text("label", request.label);
  io.real("sureness", request.sureness, -1000, 1000);
  io.flag("mail", request.mail);
  io.flag("malformed", request.malformed);
  io.text("session", request.session);
  io.flag("idempotent", request.idempotent);
  io.choice("priority", request.priority, kPriorities);
}

template <class Io>
void each_key(Io& io, SwarmEndpoint& one) {
  io.text("name", one.endpoint.name);
  io.text("url", one.endpoint.url);
  io.text("region", one.endpoint.region);
  io.real("usd_per_request", one.endpoint.usd_per_request, 0, 1000);
  io.faults("faults", one.faults);
}

template <class Io>
void each_key(Io& io, CloudTiming& cloud) {
  io.whole("attempts_max", cloud.attempts_max, 1, 5);
  io.ms("connect_timeout_ms", cloud.connect_timeout);
  io.whole("breaker_failures", cloud.breaker_failures, 1, 1000);
  io.ms("breaker_backoff_ms", cloud.breaker_backoff);
  io.ms("breaker_backoff_max_ms", cloud.breaker_backoff_max);
  io.ms("retry_after_max_ms", cloud.retry_after_max);
  io.real("extra_attempts_share_max", cloud.extra_attempts_share_max, 0, 1);
  io.ms("retry_backoff_ms", cloud.retry_backoff);
}

template <class Io>
void each_key_of_network(Io& io, SwarmWorld& world) {
  io.ms("round_trip_ms", world.link.round_trip_median);
  io.real("round_trip_sigma", world.link.round_trip_sigma, 0, 4);
  io.real("up_mbit_per_s", world.link.up_mbit_per_s, 0.001, 1e6);
  io.real("down_mbit_per_s", world.link.down_mbit_per_s, 0.001, 1e6);
  io.ms("look_up_ms", world.look_up);
  io.ms("service_ms", world.server.service_median);
  io.real("service_sigma", world.server.service_sigma, 0, 4);
  io.whole("servers", world.server.servers, 1, 10'000);
}

template <class Io>
void each_key(Io& io, SwarmWorld& world) {
  io.whole("seed", world.seed);
  io.ms("trouble_ms", world.trouble);
  io.flag("troubled", world.troubled);
  io.optional_ms("shut_down_ms", world.shut_down);
  io.flag("recovery", world.recovery);
  io.object("limits", [&](auto& inner) {
    inner.whole("edge_slots", world.limits.edge_slots, 1, 1000);
    inner.whole("queue_length_max", world.limits.queue_length_max, 1, 100'000);
    inner.whole("cloud_in_flight_max", world.limits.cloud_in_flight_max, 1, 100'000);
  });
  io.object("cloud", [&](auto& inner) { each_key(inner, world.cloud); });
  io.object("network", [&](auto& inner) { each_key_of_network(inner, world); });
  io.ms("edge_ms", world.edge_median);
  io.real("edge_failing", world.edge_failing, 0, 1);
  io.ms("journal_write_ms", world.journal_write);
  io.flag("written_records", world.written_records);
  io.flag("audit_decisions", world.audit_decisions);
  io.object("policy", [&](auto& inner) { each_key(inner, world.policy); });
  io.objects("endpoints", world.endpoints, [](auto& inner, SwarmEndpoint& one) { each_key(inner, one); });
  io.objects("acts", world.acts, [](auto& inner, Act& one) { each_key(inner, one); });
  io.objects("requests", world.requests, [](auto& inner, SwarmRequest& one) { each_key(inner, one); });
}

// ---- faults ---------------------------------------------------------------------------------------------------------

void write_parameter(Json& out, std::string_view key, const sim::FaultSpec& spec) {
  const auto put = [&](std::string_view name, const auto& value) {
    if (key == name) out[std::string(key)] = value;
  };
  put("bytes", spec.bytes);
  put("delay_ms", to_ms(spec.delay));
  put("jitter_ms", to_ms(spec.jitter));
  put("idle_ms", to_ms(spec.idle));
  put("skew_ms", to_ms(spec.skew));
  put("sigma", spec.sigma);
  put("alpha", spec.alpha);
  put("executed", spec.executed);
  put("factor", spec.factor);
  put("servers", spec.servers);
  put("queue_max", spec.queue_max);
  put("growth", spec.growth);
  put("per_s", spec.per_s);
  put("burst", spec.burst);
  put("enter_bad", spec.enter_bad);
  put("leave_bad", spec.leave_bad);
  put("loss_good", spec.loss_good);
  put("loss_bad", spec.loss_bad);
  put("packets", spec.packets);
  put("status", spec.status);
  put("direction", kDirections[static_cast<std::size_t>(spec.direction)]);
  put("distribution", kSpreads[static_cast<std::size_t>(spec.spread)]);
  if (spec.has_retry_after) put("retry_after", spec.retry_after);
  if (key == "trace_ms" && !spec.trace.empty())
    for (const Duration one : spec.trace) out["trace_ms"].push_back(to_ms(one));
}

Json fault_json(const sim::FaultSpec& spec) {
  const auto& facts = sim::facts_of(spec.kind);
  Json out = {{"fault", facts.name}, {"at_ms", to_ms(spec.at)}};
  if (spec.length != sim::kForever) out["for_ms"] = to_ms(spec.length);
  if (spec.every > Duration{}) out["every_ms"] = to_ms(spec.every);
  if (spec.probability != 1) out["probability"] = spec.probability;
  if (spec.after > 0) out["after"] = spec.after;
  if (spec.times > 0) out["times"] = spec.times;
  if (spec.route == sim::FaultRoute::kAny) out["route"] = "any";
  for (std::string_view rest = facts.parameters; !rest.empty();) {
    const auto space = std::min(rest.find(' '), rest.size());
    write_parameter(out, rest.substr(0, space), spec);
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return out;
}

void Writer::faults(const char* key, const sim::FaultTimeline& timeline) {
  Json list = Json::array();
  for (const auto& spec : timeline.faults) list.push_back(fault_json(spec));
  out_[key] = {{"seed", timeline.seed}, {"faults", std::move(list)}};
}

void Reader::faults(const char* key, sim::FaultTimeline& timeline) {
  const auto* value = in_.raw(key);
  if (value == nullptr) return;
  auto read = sim::parse_timeline(value->dump(), in_.document().place_of(in_.pointer_to(key)));
  if (read.ok()) {
    timeline = std::move(read).value();
  } else {
    in_.problems().add_line(read.error().message);
  }
}

void check(JsonReader& reader, const SwarmWorld& world) {
  const auto by_time = [](const auto& one, const auto& other) { return one.at < other.at; };
  if (world.endpoints.empty()) reader.problem("endpoints", "expected at least one endpoint");
  if (world.endpoints.size() > 31) reader.problem("endpoints", "more than 31");
  if (!std::is_sorted(world.acts.begin(), world.acts.end(), by_time)) reader.problem("acts", "expected by time");
  if (!std::is_sorted(world.requests.begin(), world.requests.end(), by_time))
    reader.problem("requests", "expected by time");
  if (world.shut_down && world.recovery) reader.problem("recovery", "needs a world that is not shut down");
}

}  // namespace

const char* name_of(ActKind kind) { return kActs[static_cast<std::size_t>(kind)].data(); }

std::string world_json(const SwarmWorld& world) {
  SwarmWorld copy = world;
  Writer writer;
  each_key(writer, copy);
  // A line for each key, and for each element of a list: a world is read by people too.
  std::string text;
  for (const auto& [key, value] : writer.out().items()) {
    text += (text.empty() ? "{\n  " : ",\n  ") + Json(key).dump() + ": ";
    if (!value.is_array() || value.empty()) {
      text += value.dump();
      continue;
    }
    for (std::size_t i = 0; i < value.size(); ++i) text += (i == 0 ? "[\n    " : ",\n    ") + value[i].dump();
    text += "\n  ]";
  }
  return text + "\n}\n";
}

Result<SwarmWorld> parse_world(std::string_view json, const std::string& origin) {
  auto document = JsonDocument::parse(json, origin);
  if (!document) return document.error();
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  reader.require({"seed", "policy", "endpoints", "requests"});
  SwarmWorld world;
  Reader io(reader);
  each_key(io, world);
  check(reader, world);
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  return world;
}

}  // namespace hearth::simulate
