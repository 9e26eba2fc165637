#include "tools/simulate/trace_writer.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "tools/hearth/summary.h"

namespace hearth::simulate {
namespace {

using nlohmann::ordered_json;

/// One slice, before its track is known.
struct Slice {
  Duration begin{}, end{};
  std::string name;
  std::uint32_t device = 0;
  std::size_t group = 0;  ///< Tracks of one kind: of the queue, of the edge, of an endpoint.
  const Record* record = nullptr;
};

constexpr std::size_t kQueue = 0, kEdge = 1, kEndpoints = 2;
constexpr std::uint64_t kWorld = 1, kFirstDevice = 2;  // process ids
constexpr std::uint64_t kTracksPerGroup = 10'000;
constexpr std::uint64_t kNotServed = 9'999;  // a thread id before every group's

double us(Duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

class Trace {
 public:
  explicit Trace(const Names& names) : names_(names) {}

  ordered_json& event(const char* phase, const std::string& name, std::uint64_t process, std::uint64_t track,
                      Duration at) {
    events_.push_back({{"ph", phase}, {"name", name}, {"pid", process}, {"tid", track}, {"ts", us(at)}});
    return events_.back();
  }
  void slice(const std::string& name, std::uint64_t process, std::uint64_t track, Duration at, Duration length) {
    event("X", name, process, track, at)["dur"] = us(length);
  }
  void name_process(std::uint64_t process, const std::string& name) {
    event("M", "process_name", process, 0, {})["args"] = {{"name", name}};
    event("M", "process_sort_index", process, 0, {})["args"] = {{"sort_index", process}};
  }
  void name_track(std::uint64_t process, std::uint64_t track, const std::string& name) {
    event("M", "thread_name", process, track, {})["args"] = {{"name", name}};
    event("M", "thread_sort_index", process, track, {})["args"] = {{"sort_index", track}};
  }
  void request(const Slice& slice, std::uint64_t track);
  void not_served(const Record& record);

  ordered_json& events() { return events_; }
  ordered_json told(const Record& record) const;

 private:
  const Names& names_;
  ordered_json events_ = ordered_json::array();
};

ordered_json Trace::told(const Record& record) const {
  return {{"request", record.id},
          {"class", names_.classes[record.data_class]},
          {"plan", name_of(record.plan)},
          {"status", name_of(record.status)},
          {"reason", name_of(record.reason)},
          {"latency_ms", to_ms(record.latency)},
          {"deadline_ms", to_ms(record.deadline)},
          {"in_time", record.in_time},
          {"correct", record.correct},
          {"confidence", record.confidence},
          {"edge_road_ms", record.edge.open ? ordered_json(to_ms(record.edge.latency)) : ordered_json()},
          {"cloud_road_ms", record.cloud.open ? ordered_json(to_ms(record.cloud.latency)) : ordered_json()}};
}

void Trace::request(const Slice& one, std::uint64_t track) {
  const Record& record = *one.record;
  const std::uint64_t process = kFirstDevice + one.device;
  slice(one.name, process, track, one.begin, one.end - one.begin);
  events_.back()["args"] = told(record);
  const bool followed = record.edge_time > Duration::zero() && record.cloud_time > Duration::zero() &&
                        record.cloud_began >= record.edge_wait + record.edge_time;
  if (one.group == kEdge && followed) {
    event("s", "asks the cloud", process, track, one.end)["id"] = record.id;
    events_.back()["cat"] = "asks";
  }
  if (one.group < kEndpoints) return;
  if (followed) {
    event("f", "asks the cloud", process, track, one.begin)["id"] = record.id;
    events_.back()["cat"] = "asks";
    events_.back()["bp"] = "e";
  }
  const Duration arrived = one.begin + record.up_time, left = arrived + record.server_time;
  slice("up", process, track, one.begin, record.up_time);
  if (record.server_wait > Duration::zero()) slice("server queue", process, track, arrived, record.server_wait);
  slice("server", process, track, arrived + record.server_wait, record.server_time - record.server_wait);
  slice("down", process, track, left, one.end - left);
}

void Trace::not_served(const Record& record) {
  event("i", std::string(name_of(record.status)) + ": " + name_of(record.reason), kFirstDevice + record.device,
        kNotServed, record.arrived.time_since_epoch() + record.latency)["s"] = "t";
  events_.back()["args"] = told(record);
}

/// Of each device and group, in order of their beginnings.
std::map<std::pair<std::uint32_t, std::size_t>, std::vector<Slice>> slices_of(const std::vector<Record>& records,
                                                                              const Names& names) {
  std::map<std::pair<std::uint32_t, std::size_t>, std::vector<Slice>> all;
  for (const Record& record : records) {
    const Duration came = record.arrived.time_since_epoch();
    const std::string name = names.streams[record.stream] + " " + std::to_string(record.id);
    const auto add = [&](std::size_t group, Duration began, Duration took) {
      if (took <= Duration::zero()) return;
      all[{record.device, group}].push_back({came + began, came + began + took, name, record.device, group, &record});
    };
    add(kQueue, {}, record.edge_time > Duration::zero() ? record.edge_wait : Duration{});
    add(kEdge, record.edge_wait, record.edge_time);
    if (record.status == OutcomeStatus::kServed && record.answered_by != kEdgeSite)
      add(kEndpoints + record.answered_by - 1u, record.cloud_began, record.cloud_time);
  }
  for (auto& [place, slices] : all) {
    std::sort(slices.begin(), slices.end(), [](const Slice& one, const Slice& other) {
      return std::tie(one.begin, one.record->id) < std::tie(other.begin, other.record->id);
    });
  }
  return all;
}

}  // namespace

TraceWriter::TraceWriter(Names names, Duration from, std::uint64_t requests_max)
    : names_(std::move(names)), from_(from), requests_max_(requests_max) {}

void TraceWriter::take(const Record& record) {
  if (records_.size() < requests_max_ && record.arrived.time_since_epoch() >= from_) records_.push_back(record);
}

std::string TraceWriter::json(const std::string& title, const std::vector<Mark>& marks) const {
  Trace trace(names_);
  if (!marks.empty()) {
    trace.name_process(kWorld, "the world");
    trace.name_track(kWorld, 1, "faults");
  }
  for (const Mark& mark : marks) {
    if (mark.length > Duration::zero()) {
      trace.slice(mark.words, kWorld, 1, mark.at, mark.length);
    } else {
      trace.event("i", mark.words, kWorld, 1, mark.at)["s"] = "g";
    }
  }
  std::vector<std::uint32_t> devices;
  for (const Record& record : records_) {
    devices.push_back(record.device);
    if (record.status != OutcomeStatus::kServed) trace.not_served(record);
  }
  std::sort(devices.begin(), devices.end());
  devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
  for (const std::uint32_t device : devices) {
    trace.name_process(kFirstDevice + device, "device " + std::to_string(device + 1));
    trace.name_track(kFirstDevice + device, kNotServed, "not served");
  }
  for (const auto& [place, slices] : slices_of(records_, names_)) {
    const auto& [device, group] = place;
    const std::string kind = group == kQueue  ? "waits for the edge"
                             : group == kEdge ? "edge"
                                              : names_.endpoints[group - kEndpoints];
    std::vector<Duration> free;  // when each track of the group is
    for (const Slice& slice : slices) {
      const auto found = std::find_if(free.begin(), free.end(), [&](Duration at) { return at <= slice.begin; });
      const auto lane = static_cast<std::uint64_t>(found - free.begin());
      const std::uint64_t track = (group + 1) * kTracksPerGroup + lane;
      if (found == free.end()) {
        free.push_back(slice.end);
        trace.name_track(kFirstDevice + device, track, kind + " " + std::to_string(lane + 1));
      } else {
        *found = slice.end;
      }
      trace.request(slice, track);
    }
  }
  std::string out =
      "{\"displayTimeUnit\":\"ms\",\"otherData\":" + ordered_json({{"title", title}}).dump() + ",\"traceEvents\":[\n";
  for (std::size_t i = 0; i < trace.events().size(); ++i)
    out += trace.events()[i].dump() + (i + 1 < trace.events().size() ? ",\n" : "\n");
  return out + "]}\n";
}

Status TraceWriter::write(const std::string& file, const std::string& title, const std::vector<Mark>& marks) const {
  return tool::write_whole_file(file, json(title, marks));
}

}  // namespace hearth::simulate
