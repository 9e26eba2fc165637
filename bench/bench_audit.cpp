// Goal: what the audit log costs. Method: real records through the sealed journal onto a real disk, against a plain
// write(2) of the very same lines; infer() of a model that does nothing, with and without the log. Runs take turns.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <hearth/runtime.h>

#include "runtime/device/audit_log.h"
#include "runtime/device/journal_files.h"
#include "runtime/net/net.h"
#include "runtime/privacy/audit_records.h"

namespace {

using namespace hearth;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr const char* kPolicy = R"({"version": 1, "name": "bench",
  "classes": [{"name": "public", "egress": "allow"}, {"name": "phi", "egress": "never"}], "default_class": "phi",
  "prefer": [{"id": "photos", "when": {"model": "photo-tagger"}, "deadline_ms": 150}]})";

std::vector<std::string> decision_records(std::size_t count) {
  const auto policy = policies::Policy::load(kPolicy, "bench").value();
  const std::vector<Endpoint> endpoints = {{"eu-1", "https://eu.example.org", "eu"}};
  const std::string sha(64, 'a');
  std::vector<std::string> records;
  for (std::size_t i = 0; i < count; ++i) {
    privacy::Decision decision;
    decision.request = i;
    decision.at = WallTime(std::chrono::seconds(1'780'000'000));
    decision.policy = policy;
    decision.classified = true;
    decision.set_label("public");
    decision.mask = Mask::all(1);
    decision.plan = PlanKind::kEdge;
    decision.status = OutcomeStatus::kServed;
    decision.reason = Reason::kLocalByDefault;
    decision.served_on = kEdgeSite;
    decision.attempts.resize(1);
    decision.attempts[0].took = std::chrono::microseconds(1'234);
    records.push_back(privacy::decision_record(decision, {"photo-tagger", sha, sha}, endpoints));
  }
  return records;
}

RuntimeConfig log_config(const fs::path& folder) {
  RuntimeConfig config;
  config.journal_file = folder / "journal";
  return config;
}

void clear(const fs::path& folder) {
  fs::remove_all(folder);
  fs::create_directories(folder);
}

/// Appends all records, so many on their way at a time, on the loop.
class Feeder {
 public:
  Feeder(EventLoop& loop, Journal& journal, const std::vector<std::string>& records, Durability durability)
      : loop_(loop), journal_(journal), records_(records), durability_(durability) {}

  /// Records per second.
  double run(std::size_t in_flight) {
    const auto began = Clock::now();
    loop_.post([this, in_flight] {
      for (std::size_t i = 0; i < in_flight; ++i) append_next();
    });
    if (!done_.get_future().get()) throw std::runtime_error("the journal failed");
    return static_cast<double>(records_.size()) / std::chrono::duration<double>(Clock::now() - began).count();
  }

 private:
  void append_next() {
    if (next_ == records_.size()) return;
    journal_.append(records_[next_++], durability_, [this](Status status) {
      ok_ = ok_ && status.ok();
      if (++recorded_ == records_.size()) return done_.set_value(ok_);
      append_next();
    });
  }

  EventLoop& loop_;
  Journal& journal_;
  const std::vector<std::string>& records_;
  const Durability durability_;
  std::size_t next_ = 0;
  std::size_t recorded_ = 0;
  bool ok_ = true;
  std::promise<bool> done_;
};

double run_log(const fs::path& folder, const std::vector<std::string>& records, Durability durability) {
  clear(folder);
  const auto loop = net::make_asio_loop();
  const auto journal = device::open_audit_log(*loop, log_config(folder)).value();
  if (!journal->replay().ok()) throw std::runtime_error("the journal has no past");
  return Feeder(*loop, *journal, records, durability).run(durability == Durability::kWritten ? 4096 : 64);
}

/// The sealed lines that the log's segments hold, over and over until there are so many.
std::vector<std::string> lines_in(const fs::path& folder, std::size_t count) {
  std::vector<std::string> lines;
  const std::string log = folder / "journal";
  auto files = device::older_segments(log);
  files.push_back({0, log});
  for (const auto& file : files) {
    std::ifstream in(file.file);
    for (std::string line; std::getline(in, line) && lines.size() < count;) lines.push_back(line + '\n');
  }
  for (std::size_t i = 0; lines.size() < count; ++i) lines.push_back(lines[i]);
  return lines;
}

double run_plain(const fs::path& folder, const std::vector<std::string>& lines, bool synced) {
  const int file = ::open((folder / "plain").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const auto began = Clock::now();
  for (const auto& line : lines)
    if (::write(file, line.data(), line.size()) < 0 || (synced && ::fdatasync(file) != 0))
      throw std::runtime_error("the reference cannot write");
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  ::close(file);
  return static_cast<double>(lines.size()) / seconds;
}

/// A model that does nothing, so that what is around it shows.
struct NoModel final : EdgeModel {
  void start(std::span<const Tensor> inputs, Callback done) override { done(run(inputs)); }
  Outputs run(std::span<const Tensor>) override { return std::vector<Tensor>{Tensor::of_floats("", {1, 1}, one)}; }
  const std::string& sha256() const override { return sha; }
  const float one[1] = {1};
  std::string sha = std::string(64, 'a');
};

enum class Log { kNone, kNoDecisions, kDecisions };

/// Microseconds per infer(), the median over bursts with pauses between them, as an app would make them.
double run_infer(const fs::path& folder, Log log, int bursts) {
  constexpr int kBurst = 200;
  clear(folder);
  RuntimeConfig config = log_config(folder);
  config.audit_decisions = log == Log::kDecisions;
  config.policy_json = kPolicy;
  ModelPair pair;
  pair.name = "photo-tagger";
  pair.edge.file = "none";
  pair.edge.inputs = {{"x", Datatype::kFp32, {1, 1}}};
  pair.edge.outputs = {{"y", Datatype::kFp32, {1, 1}}};
  config.models = {pair};
  World world;
  world.loop = net::make_asio_loop();
  if (log != Log::kNone) world.journal = device::open_audit_log(*world.loop, config).value();
  world.load_edge_model = [](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
    return std::shared_ptr<EdgeModel>(std::make_shared<NoModel>());
  };
  const auto runtime = Runtime::create(config, std::move(world)).value();
  Request request;
  request.model = pair.name;
  request.label = "public";
  const float value[] = {1};
  request.inputs = {Tensor::of_floats("x", {1, 1}, value)};
  std::vector<double> times;
  for (int burst = 0; burst < bursts; ++burst) {
    const auto began = Clock::now();
    for (int i = 0; i < kBurst; ++i)
      if (runtime->infer(request).status != OutcomeStatus::kServed) throw std::runtime_error("not served");
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - began).count() / kBurst);
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

struct Row {
  const char* key;
  const char* name;
  std::function<double()> run;
  std::vector<double> figures{};
};

void print(std::vector<Row>& rows, bool json, nlohmann::ordered_json facts) {
  for (auto& row : rows) {
    std::sort(row.figures.begin(), row.figures.end());
    const double median = row.figures[row.figures.size() / 2];
    facts[row.key] = {{"median", median}, {"min", row.figures.front()}, {"max", row.figures.back()}};
    if (!json) std::printf("%-44s %11.2f  (%.2f to %.2f)\n", row.name, median, row.figures.front(), row.figures.back());
  }
  if (json) std::printf("%s\n", facts.dump(2).c_str());
}

}  // namespace

int main(int argc, char** argv) try {
  bool quick = false, json = false;
  std::string where = fs::temp_directory_path();
  CLI::App app(
      "The audit log: records per second and what infer() pays for it, against plain writes of the same lines");
  app.add_flag("--quick", quick, "Short runs, to show that it works");
  app.add_flag("--json", json, "Print one JSON object");
  app.add_option("--folder", where, "Where to write (default: the system's temporary folder)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) { return app.exit(help); } catch (const CLI::ParseError& error) {
    return std::fprintf(stderr, "bench_audit: %s\n", error.what()), 2;
  }
  const fs::path folder = fs::path(where) / ("bench_audit." + std::to_string(::getpid()));
  const auto records = decision_records(quick ? 10'000 : 200'000);
  const auto few = decision_records(quick ? 500 : 5'000);
  const int bursts = quick ? 5 : 60;
  run_log(folder, records, Durability::kWritten);  // warms up, and leaves the lines of the reference
  const auto lines = lines_in(folder, records.size());
  const std::vector<std::string> few_lines(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(few.size() / 5));

  std::vector<Row> rows = {
      {"log_per_s", "audit log, records/s, not synced", [&] { return run_log(folder, records, Durability::kWritten); }},
      {"plain_per_s", "plain write(2) of the same lines, records/s", [&] { return run_plain(folder, lines, false); }},
      {"log_synced_per_s", "audit log, records/s, synced, 64 on their way",
       [&] { return run_log(folder, few, Durability::kSynced); }},
      {"plain_synced_per_s", "plain write(2) and fdatasync of each",
       [&] { return run_plain(folder, few_lines, true); }},
      {"infer_us", "infer() without a log, us", [&] { return run_infer(folder, Log::kNone, bursts); }},
      {"infer_journal_us", "infer() with a log, no decisions, us",
       [&] { return run_infer(folder, Log::kNoDecisions, bursts); }},
      {"infer_audited_us", "infer() with every decision in the log, us",
       [&] { return run_infer(folder, Log::kDecisions, bursts); }},
  };
  const int runs = quick ? 1 : 5;
  for (int i = 0; i < runs; ++i)
    for (auto& row : rows) row.figures.push_back(row.run());
  fs::remove_all(folder);
  const nlohmann::ordered_json facts = {
      {"records", records.size()}, {"line_bytes", lines.back().size()}, {"runs", runs}};
  if (!json)
    std::printf("%zu records of %zu bytes, %d run(s), median (least to most)\n", records.size(), lines.back().size(),
                runs);
  print(rows, json, facts);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_audit: %s\n", error.what());
  return 3;
}
