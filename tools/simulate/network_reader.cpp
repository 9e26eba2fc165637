#include "tools/simulate/network_reader.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace hearth::simulate {
namespace {

constexpr double kMbitMin = 0.001;
constexpr double kMsMax = 600'000;
constexpr double kSecondsMax = 1e7;  ///< Four months.
constexpr std::size_t kOutagesMax = 1000;

template <class Unit>
void read_time(JsonReader& reader, std::string_view key, Duration& out, double min, double max, Unit unit) {
  const double unit_ms = std::chrono::duration<double, std::milli>(unit).count();
  double value = to_ms(out) / unit_ms;
  reader.read(key, value, min, max);
  out = from_ms(value * unit_ms);
}

class NetworkReader {
 public:
  NetworkReader(std::string folder, sim::LinkModel& out) : folder_(std::move(folder)), out_(out) {}

  void read(JsonReader& reader) {
    using std::chrono::milliseconds;
    using std::chrono::seconds;
    read_defaults(reader);
    reader.object("round_trip", [&](JsonReader& entry) { read_round_trip(entry); });
    reader.object("up", [&](JsonReader& entry) {
      read_direction(entry, out_.up_mbit_per_s, out_.up, out_.up_rate, &sim::RadioLog::up, "up_kbps");
    });
    reader.object("down", [&](JsonReader& entry) {
      read_direction(entry, out_.down_mbit_per_s, out_.down, out_.down_rate, &sim::RadioLog::down, "down_kbps");
    });
    reader.section("loss", [&](JsonReader& entry) {
      entry.read("enter_bad", out_.loss.enter_bad, 0, 1);
      entry.read("leave_bad", out_.loss.leave_bad, 0, 1);
      entry.read("loss_good", out_.loss.loss_good, 0, 1);
      entry.read("loss_bad", out_.loss.loss_bad, 0, 1);
      read_time(entry, "retransmit_ms", out_.loss.retransmit, 1, kMsMax, milliseconds(1));
    });
    reader.object("handover", [&](JsonReader& entry) {
      entry.require({"every_s"});
      read_time(entry, "every_s", out_.handovers.every, 0.1, kSecondsMax, seconds(1));
      read_time(entry, "gap_ms", out_.handovers.gap_median, 0, kMsMax, milliseconds(1));
      entry.read("sigma", out_.handovers.gap_sigma, 0, 4);
      if (out_.handovers.every > Duration{} && out_.handovers.gap_median * 2 > out_.handovers.every)
        entry.problem("gap_ms", "expected at most half of every_s");
    });
    reader.objects("captive", [&](JsonReader& entry, std::size_t) {
      sim::Outage outage;
      entry.require({"at_s", "for_s"});
      read_time(entry, "at_s", outage.at, 0, kSecondsMax, seconds(1));
      read_time(entry, "for_s", outage.length, 0.001, kSecondsMax, seconds(1));
      out_.outages.push_back(outage);
    });
    if (out_.outages.size() > kOutagesMax) reader.problem("captive", "expected at most 1000");
    read_time(reader, "trace_offset_s", out_.trace_offset, 0, kSecondsMax, seconds(1));
    read_time(reader, "trace_spread_s", out_.trace_spread, 0, kSecondsMax, seconds(1));
    for (const char* key : {"trace_offset_s", "trace_spread_s"})
      if (reader.has(key) && !has_trace_) reader.problem(key, "there is no trace here");
  }

 private:
  /// Of what the file leaves out, so that it is seen: a formula each.
  void read_defaults(JsonReader& reader) {
    using std::chrono::milliseconds;
    if (!reader.has("round_trip")) {
      reader.section("round_trip", [&](JsonReader& entry) {
        read_time(entry, "median_ms", out_.round_trip_median, 0, kMsMax, milliseconds(1));
        entry.read("sigma", out_.round_trip_sigma, 0, 4);
      });
    }
    for (const char* key : {"up", "down"}) {
      double& mbit_per_s = key[0] == 'u' ? out_.up_mbit_per_s : out_.down_mbit_per_s;
      if (!reader.has(key))
        reader.section(key, [&](JsonReader& entry) { entry.read("mbit_per_s", mbit_per_s, 0.001, 1e6); });
    }
  }

  /// At most one of `keys` may be there.
  void check_one(JsonReader& reader, std::initializer_list<std::string_view> keys) {
    std::string_view first;
    for (const auto key : keys) {
      if (!reader.has(key)) continue;
      if (!first.empty()) reader.problem(key, "stands beside \"" + std::string(first) + "\", expected one of them");
      first = key;
    }
    if (first.empty()) {
      std::string list;
      for (const auto key : keys) list += (list.empty() ? "\"" : ", \"") + std::string(key) + "\"";
      reader.problem("", "expected one of " + list);
    }
  }

  /// The path at `key`, where there is one.
  std::optional<std::string> path_at(JsonReader& reader, std::string_view key) {
    if (!reader.has(key)) return {};
    std::string file;
    reader.read(key, file);
    if (file.empty() && reader.raw(key)->is_string()) reader.problem(key, "expected a file");
    has_trace_ = true;
    if (file.empty()) return {};
    return (std::filesystem::path(folder_) / file).string();
  }

  /// What `load` makes of the file at `key`, where there is one; a problem where it is bad.
  template <class Trace>
  std::shared_ptr<const Trace> load_at(JsonReader& reader, std::string_view key,
                                       Result<Trace> (*load)(const std::string&)) {
    const auto path = path_at(reader, key);
    if (!path) return nullptr;
    auto trace = load(*path);
    if (!trace) {
      reader.problem(key, trace.error().message);
      return nullptr;
    }
    return std::make_shared<const Trace>(std::move(trace.value()));
  }

  /// The same for a column of a log, each of which is read once.
  template <class Trace>
  std::shared_ptr<const Trace> column_at(JsonReader& reader, Trace sim::RadioLog::*column, bool (*empty)(const Trace&),
                                         const char* name) {
    const auto path = path_at(reader, "csv_trace");
    if (!path) return nullptr;
    auto& log = logs_[*path];
    if (!log) {
      auto loaded = sim::load_radio_log(*path);
      if (!loaded) {
        reader.problem("csv_trace", loaded.error().message);
        return nullptr;
      }
      log = std::make_shared<const sim::RadioLog>(std::move(loaded.value()));
    }
    if (empty((*log).*column)) {
      reader.problem("csv_trace", *path + ": nothing in a column " + name);
      return nullptr;
    }
    return {log, &((*log).*column)};
  }

  void read_round_trip(JsonReader& reader) {
    check_one(reader, {"median_ms", "ping_trace", "csv_trace"});
    if (reader.has("median_ms")) {
      read_time(reader, "median_ms", out_.round_trip_median, 0, kMsMax, std::chrono::milliseconds(1));
      reader.read("sigma", out_.round_trip_sigma, 0, 4);
    }
    if (auto trace = load_at(reader, "ping_trace", &sim::load_ping)) out_.round_trips = std::move(trace);
    const auto empty = [](const sim::PingTrace& trace) { return trace.round_trips.empty(); };
    if (auto trace = column_at<sim::PingTrace>(reader, &sim::RadioLog::round_trips, empty, "rtt_ms"))
      out_.round_trips = std::move(trace);
  }

  void read_direction(JsonReader& reader, double& mbit_per_s, std::shared_ptr<const sim::PacketTrace>& packets,
                      std::shared_ptr<const sim::RateTrace>& rates, sim::RateTrace sim::RadioLog::*column,
                      const char* name) {
    check_one(reader, {"mbit_per_s", "mahimahi_trace", "rate_trace", "csv_trace"});
    if (reader.has("mbit_per_s")) reader.read("mbit_per_s", mbit_per_s, kMbitMin, sim::kRateMbitMax);
    if (auto trace = load_at(reader, "mahimahi_trace", &sim::load_packet_trace)) packets = std::move(trace);
    if (auto trace = load_at(reader, "rate_trace", &sim::load_rate_trace)) rates = std::move(trace);
    const auto empty = [](const sim::RateTrace& trace) { return trace.pieces.empty(); };
    if (auto trace = column_at<sim::RateTrace>(reader, column, empty, name)) rates = std::move(trace);
  }

  std::string folder_;
  sim::LinkModel& out_;
  std::map<std::string, std::shared_ptr<const sim::RadioLog>> logs_;
  bool has_trace_ = false;  ///< Names one, good or bad.
};

}  // namespace

void read_network(JsonReader& scenario, const std::string& folder, sim::LinkModel& out) {
  scenario.section("network", [&](JsonReader& reader) { NetworkReader(folder, out).read(reader); });
}

}  // namespace hearth::simulate
