#include "runtime/signals/profile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/json_reader.h"
#include "runtime/signals/forecasts.h"

namespace hearth::signals {
namespace {

constexpr std::uint64_t kBatchMax = 65'536;
constexpr std::uint64_t kThreadsMax = 256;
constexpr std::uint64_t kLatencyNsMax = 10'000'000'000'000;  ///< Beyond a sketch's range; what is more is no latency.
constexpr double kSamplesMax = 1e7;  ///< Of one cell: a float counts them one by one up to here.

// ---- reading --------------------------------------------------------------------------------------------------------

struct Cell {
  std::uint64_t ns;
  double samples;
};

std::optional<Cell> cell_of(const nlohmann::json& pair) {
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_unsigned() || !pair[1].is_number()) return {};
  const Cell cell{pair[0].get<std::uint64_t>(), pair[1].get<double>()};
  if (cell.ns < 1 || cell.ns > kLatencyNsMax || !(cell.samples > 0 && cell.samples <= kSamplesMax)) return {};
  return cell;
}

/// `samples` and `latency_ns`: the one is the other's sum, so that a file that lost a part is noticed.
QuantileSketch read_latency(JsonReader& row) {
  QuantileSketch latency(std::numeric_limits<float>::max());
  double samples = 0, sum = 0;
  row.read("samples", samples, 0.001, 1e12);
  const auto* cells = row.raw("latency_ns");
  if (cells == nullptr) return latency;
  if (!cells->is_array() || cells->empty()) {
    row.problem("latency_ns", "expected pairs [nanoseconds, samples], got " + describe(*cells));
    return latency;
  }
  bool good = true;
  for (std::size_t i = 0; i < cells->size(); ++i) {
    if (const auto cell = cell_of((*cells)[i])) {
      latency.observe(Duration(static_cast<Duration::rep>(cell->ns)), static_cast<float>(cell->samples));
      sum += cell->samples;
      continue;
    }
    good = false;
    row.problems().add(row.document(), row.pointer_to("latency_ns") + "/" + std::to_string(i),
                       "expected [nanoseconds, samples], both above 0 and at most " + std::to_string(kLatencyNsMax) +
                           " and " + std::to_string(static_cast<std::uint64_t>(kSamplesMax)) + "; got " +
                           (*cells)[i].dump().substr(0, 60));
  }
  if (good && samples > 0 && std::abs(sum - samples) > samples * 0.001)
    row.problem("samples", "expected the sum of what latency_ns counts, got " + nlohmann::json(samples).dump());
  return latency;
}

void read_sha256(JsonReader& reader, std::string& out) {
  reader.read("model_sha256", out);
  if (reader.has("model_sha256") && !is_sha256(out))
    reader.problem("model_sha256", "expected 64 lower-case hexadecimal digits");
}

/// Counts rows over the whole file, and refuses the first that is too many.
class RowCount {
 public:
  bool full(JsonReader& reader) {
    if (++rows_ == Profile::kRowsMax + 1)
      reader.problem("", "expected at most " + std::to_string(Profile::kRowsMax) + " rows in a file");
    return rows_ > Profile::kRowsMax;
  }

 private:
  std::size_t rows_ = 0;
};

void need_rows(JsonReader& reader) {
  const auto* rows = reader.raw("rows");
  if (rows != nullptr && rows->is_array() && rows->empty()) reader.problem("rows", "expected at least one row");
}

ModelProfile read_model(JsonReader& reader, RowCount& count) {
  ModelProfile model;
  reader.require({"model_sha256", "rows"});
  read_sha256(reader, model.model_sha256);
  need_rows(reader);
  const auto key = [](const EdgeRow& row) { return std::tuple(row.threads, row.batch); };
  reader.objects("rows", [&](JsonReader& row, std::size_t) {
    EdgeRow read;
    row.require({"batch", "threads", "samples", "latency_ns"});
    row.read("batch", read.batch, 1, kBatchMax);
    row.read("threads", read.threads, 1, kThreadsMax);
    double joules = -1;
    row.read("joules_per_inference", joules, 0, 1e6);
    if (joules >= 0) read.joules_per_inference = joules;
    if (count.full(row)) return (void)(row.raw("samples"), row.raw("latency_ns"));
    read.latency = read_latency(row);
    const bool twice = std::ranges::any_of(model.rows, [&](const EdgeRow& other) { return key(other) == key(read); });
    if (twice) row.problem("", "this batch and these threads are there twice");
    model.rows.push_back(std::move(read));
  });
  std::ranges::sort(model.rows, {}, key);
  return model;
}

CloudProfile read_cloud(JsonReader& reader, RowCount& count) {
  CloudProfile cloud;
  reader.require({"endpoint", "model", "rows"});
  reader.read("endpoint", cloud.endpoint);
  reader.read("model", cloud.model);
  need_rows(reader);
  reader.objects("rows", [&](JsonReader& row, std::size_t) {
    CloudRow read;
    row.require({"payload_bytes_max", "samples", "latency_ns"});
    row.read("payload_bytes_max", read.payload_bytes_max, 0, ~std::uint64_t{0});
    if (row.has("payload_bytes_max") && std::ranges::count(Forecasts::kSizeBytes, read.payload_bytes_max) == 0) {
      std::string sizes;
      for (const auto bytes : Forecasts::kSizeBytes) sizes += (sizes.empty() ? "" : ", ") + std::to_string(bytes);
      row.problem("payload_bytes_max", "expected one of " + sizes);
    }
    if (count.full(row)) return (void)(row.raw("samples"), row.raw("latency_ns"));
    read.latency = read_latency(row);
    for (const CloudRow& other : cloud.rows) {
      if (other.payload_bytes_max == read.payload_bytes_max) row.problem("", "this payload_bytes_max is there twice");
    }
    cloud.rows.push_back(std::move(read));
  });
  return cloud;
}

Result<Profile> read(const JsonDocument& document) {
  Profile profile;
  Problems problems;
  JsonReader reader(document, document.root(), "", problems);
  if (!document.root().is_object()) return problems.as_error();
  std::string ignored;
  reader.read("$schema", ignored);
  reader.read("description", ignored);
  reader.require({"version"});
  std::uint64_t version = 1;
  reader.read("version", version, 1, 1);
  reader.object("machine", [&](JsonReader& machine) {
    machine.require({"cpu", "cores"});
    machine.read("cpu", profile.machine.emplace().cpu);
    machine.read("cores", profile.machine->cores, 1, 65'536);
  });
  RowCount count;
  reader.objects("edge", [&](JsonReader& model, std::size_t) {
    ModelProfile read = read_model(model, count);
    if (profile.of_model(read.model_sha256) != nullptr) model.problem("model_sha256", "this model is there twice");
    profile.edge.push_back(std::move(read));
  });
  reader.objects("cloud", [&](JsonReader& cloud, std::size_t) {
    CloudProfile read = read_cloud(cloud, count);
    for (const CloudProfile& other : profile.cloud) {
      if (other.endpoint == read.endpoint && other.model == read.model)
        cloud.problem("", "this endpoint is there twice with this model");
    }
    profile.cloud.push_back(std::move(read));
  });
  reader.finish();
  if (!problems.empty()) return problems.as_error();
  return profile;
}

// ---- writing --------------------------------------------------------------------------------------------------------

using nlohmann::ordered_json;

double to_thousandths(double samples) { return std::round(samples * 1000) / 1000; }

void add_latency(ordered_json& row, const QuantileSketch& latency) {
  ordered_json cells = ordered_json::array();
  double samples = 0;
  for (const auto& cell : latency.cells()) {
    const double kept = to_thousandths(double{cell.weight});
    if (kept <= 0) continue;
    samples += kept;
    cells.push_back({cell.middle.count(), kept});
  }
  row["samples"] = to_thousandths(samples);
  row["latency_ns"] = std::move(cells);
}

/// One line; what is no UTF-8 becomes a sign for it.
std::string line_of(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// `key` with a list of objects, each with a line for its head and one for each row.
std::string list_of(const char* key, const std::vector<std::pair<ordered_json, std::vector<ordered_json>>>& objects) {
  if (objects.empty()) return {};
  std::string text = std::string(",\n  \"") + key + "\": [";
  const char* before = "\n    ";
  for (const auto& [head, rows] : objects) {
    std::string line = line_of(head);
    line.back() = ',';  // its closing bracket
    text += before + line + "\"rows\":[";
    before = "\n      ";
    for (const auto& row : rows) text += std::exchange(before, ",\n      ") + line_of(row);
    text += "]}";
    before = ",\n    ";
  }
  return text + "]";
}

}  // namespace

// ---- the public face ------------------------------------------------------------------------------------------------

Duration ModelProfile::latency(std::uint64_t batch, std::uint64_t threads, double q) const {
  std::uint64_t known = 0;
  for (const EdgeRow& row : rows) {  // by threads, then batch
    if (known == 0 || row.threads <= threads) known = row.threads;
  }
  const EdgeRow* below = nullptr;
  const EdgeRow* above = nullptr;
  for (const EdgeRow& row : rows) {
    if (row.threads != known) continue;
    if (row.batch <= batch) below = &row;
    if (row.batch >= batch && above == nullptr) above = &row;
  }
  if (below == nullptr && above == nullptr) return {};
  const auto ns = [q](const EdgeRow& row) { return static_cast<double>(row.latency.quantile(q).count()); };
  const auto of = [](double nanoseconds) { return Duration(static_cast<Duration::rep>(nanoseconds)); };
  if (below == nullptr) return of(ns(*above));
  const double at = static_cast<double>(batch), from = static_cast<double>(below->batch);
  if (above == nullptr) return of(ns(*below) * at / from);
  if (above == below) return of(ns(*below));
  const double part = (at - from) / (static_cast<double>(above->batch) - from);
  return of(ns(*below) + part * (ns(*above) - ns(*below)));
}

const ModelProfile* Profile::of_model(std::string_view sha256) const {
  const auto found = std::ranges::find(edge, sha256, &ModelProfile::model_sha256);
  return found == edge.end() ? nullptr : &*found;
}

Result<Profile> read_profile(const std::string& file) {
  const auto document = JsonDocument::read_file(file);
  if (!document.ok()) return document.error();
  return read(*document.value());
}

Result<Profile> parse_profile(std::string_view text, const std::string& origin) {
  const auto document = JsonDocument::parse(text, origin);
  if (!document.ok()) return document.error();
  return read(*document.value());
}

std::string text_of(const Profile& profile) {
  std::string text = "{\n  \"version\": 1";
  if (profile.machine) {
    text += ",\n  \"machine\": " + line_of({{"cpu", profile.machine->cpu}, {"cores", profile.machine->cores}});
  }
  std::vector<std::pair<ordered_json, std::vector<ordered_json>>> edge, cloud;
  for (const ModelProfile& model : profile.edge) {
    auto& rows =
        edge.emplace_back(ordered_json{{"model_sha256", model.model_sha256}}, std::vector<ordered_json>{}).second;
    for (const EdgeRow& row : model.rows) {
      auto& line = rows.emplace_back(ordered_json{{"batch", row.batch}, {"threads", row.threads}});
      if (row.joules_per_inference) line["joules_per_inference"] = *row.joules_per_inference;
      add_latency(line, row.latency);
    }
  }
  for (const CloudProfile& site : profile.cloud) {
    auto& rows =
        cloud
            .emplace_back(ordered_json{{"endpoint", site.endpoint}, {"model", site.model}}, std::vector<ordered_json>{})
            .second;
    for (const CloudRow& row : site.rows) {
      add_latency(rows.emplace_back(ordered_json{{"payload_bytes_max", row.payload_bytes_max}}), row.latency);
    }
  }
  return text + list_of("edge", edge) + list_of("cloud", cloud) + "\n}\n";
}

}  // namespace hearth::signals
