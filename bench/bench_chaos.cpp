// Chaos, live: the whole runtime on real sockets against the stub with a fault every few requests, while policies are
// reloaded, consent comes and goes and requests are cancelled.
//
// Holds when each request got exactly one outcome, the server's own tripwire saw nothing that must stay and sees what
// is planted at the end, the audit log holds and has a record of every attempt that arrived, and neither sockets nor
// memory have grown. Exit code 1 when something does not.
//
// bench_chaos [--seconds S | --requests N] [--seed N] [--quick] [--json]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <httplib.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <hearth/runtime.h>

#include "cloud_stub/server.h"
#include "runtime/base/digest.h"
#include "runtime/device/audit_log.h"
#include "runtime/net/net.h"
#include "tests/support/leak_draws.h"
#include "tests/support/temp_folder.h"
#include "tests/support/threaded_model.h"

namespace {

using namespace hearth;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

/// Each entry hits a share of the requests; outages and partitions come and go.
const char* const kFaults = R"({"seed": 1, "faults": [
  {"fault": "latency", "delay_ms": 5, "distribution": "lognormal", "sigma": 0.6},
  {"fault": "latency", "delay_ms": 150, "probability": 0.05},
  {"fault": "status", "status": 500, "probability": 0.03}, {"fault": "status", "status": 400, "probability": 0.01},
  {"fault": "status", "status": 429, "retry_after": "1", "probability": 0.005},
  {"fault": "status", "status": 503, "probability": 0.02}, {"fault": "redirect", "probability": 0.01},
  {"fault": "reset_after_request", "probability": 0.02, "executed": true},
  {"fault": "reset_mid_body", "bytes": 10, "probability": 0.02}, {"fault": "cut_mid_body", "bytes": 20, "probability": 0.02},
  {"fault": "blackhole", "probability": 0.01}, {"fault": "close_on_reuse", "probability": 0.02},
  {"fault": "close_after_reply", "probability": 0.02}, {"fault": "duplicate_bytes", "bytes": 30, "probability": 0.01},
  {"fault": "garbage", "bytes": 40, "probability": 0.01}, {"fault": "bad_json", "probability": 0.02},
  {"fault": "wrong_shape", "probability": 0.01}, {"fault": "nan", "probability": 0.01},
  {"fault": "wrong_id", "probability": 0.02}, {"fault": "length_too_long", "bytes": 9, "probability": 0.01},
  {"fault": "refuse", "at_ms": 3000, "for_ms": 700, "every_ms": 11000},
  {"fault": "partition", "at_ms": 5000, "for_ms": 300, "every_ms": 7000},
  {"fault": "status", "status": 503, "at_ms": 8000, "for_ms": 1500, "every_ms": 13000}
]})";

constexpr std::size_t kInFlightMax = 256;
constexpr double kGrowthMaxMib = 64;

/// Answers "tagger-large" with scores and "notes-large" with what it was told.
class Echo final : public stub::Model {
 public:
  explicit Echo(const ModelPair& pair) {
    info_.name = pair.cloud.model;
    info_.inputs = pair.cloud.inputs;
    info_.outputs = pair.cloud.outputs;
    const TensorSpec text{pair.cloud.text_input, Datatype::kBytes, {1}};
    (pair.cloud.inputs.empty() ? info_.inputs : info_.optional_inputs).push_back(text);
  }
  const stub::ModelInfo& info() const override { return info_; }
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    const auto& output = info_.outputs[0];
    if (output.datatype == Datatype::kFp32) {
      const float scores[] = {0, 9, 0};
      return std::vector{Tensor::of_floats(output.name, {3}, scores)};
    }
    Tensor echo = inputs[0];
    echo.name = output.name;
    return std::vector{std::move(echo)};
  }

 private:
  stub::ModelInfo info_;
};

ModelPair notes_pair() {
  ModelPair pair = test::notes_pair();
  pair.name = "notes";
  return pair;
}

EdgeModel::Outputs edge_answer(std::span<const Tensor> inputs) {
  if (inputs.empty()) return std::vector{Tensor::of_text("", "at home")};
  return test::edge_answer(inputs);
}

std::string draw_any_policy(RandomStream& draw) {
  std::string policy = test::draw_policy(draw);
  const std::string only = R"("when": {"model": "tagger"})";
  return policy.replace(policy.find(only), only.size(), R"("when": {})");
}

struct Footprint {
  std::size_t sockets = 0;
  double resident_mib = 0;
};

Footprint footprint() {
  Footprint now;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    now.sockets += std::filesystem::read_symlink(entry, error).string().starts_with("socket:");
  }
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  now.resident_mib = static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
  return now;
}

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : draw_(seed, "chaos") {
    stub::StubConfig config;
    config.allow_faults = true;
    config.judge = true;
    config.faults = sim::parse_timeline(kFaults, "chaos").value();
    server_ = std::make_unique<stub::StubServer>(
        std::move(config), std::vector<std::shared_ptr<stub::Model>>{std::make_shared<Echo>(test::tagger_pair()),
                                                                     std::make_shared<Echo>(notes_pair())});
    port_ = server_->start().value();
    arm();
    make_runtime(seed);
  }

  /// Until `requests` or, when that is zero, `seconds` are over.
  void run(std::uint64_t requests, double seconds) {
    const auto began = Clock::now();
    const auto share_done = [&] {
      return requests > 0 ? static_cast<double>(submitted_) / static_cast<double>(requests)
                          : std::chrono::duration<double>(Clock::now() - began).count() / seconds;
    };
    auto told = began;
    while (share_done() < 1) {
      one_request();
      if (submitted_ % 512 == 0 && early_.resident_mib == 0 && share_done() > 0.2) early_ = footprint();
      if (submitted_ % 64 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // about 3,000 a second
      if (Clock::now() - told < std::chrono::seconds(5)) continue;
      told = Clock::now();
      std::fprintf(stderr, "  %3.0f %%  %llu requests, %llu arrived, %llu faults\n", 100 * share_done(),
                   static_cast<unsigned long long>(submitted_),
                   static_cast<unsigned long long>(server_->stats().infer_requests),
                   static_cast<unsigned long long>(server_->stats().errors_injected));
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ == 0; });
  }

  json finish() {
    const auto late = footprint();
    const auto before_plant = server_->stats();
    runtime_.reset();
    const std::size_t records = count_records();
    const Status log = verify_log();
    plant();
    const auto stats = server_->stats();
    const json verdict = json::parse(server_->verdict_json());
    json found = {{"requests", submitted_},
                  {"outcomes", outcomes_},
                  {"doubled_outcomes", doubled_},
                  {"served_on_cloud", on_cloud_},
                  {"failed", failed_},
                  {"attempts_arrived", before_plant.infer_requests},
                  {"faults_injected", before_plant.errors_injected},
                  {"sensitive_seen", before_plant.sensitive_requests},
                  {"planted_seen", stats.sensitive_requests - before_plant.sensitive_requests},
                  {"egress_records", records},
                  {"audit_log", log.ok() ? "holds" : log.error().message},
                  {"sockets", {{"early", early_.sockets}, {"late", late.sockets}}},
                  {"resident_mib", {{"early", early_.resident_mib}, {"late", late.resident_mib}}},
                  {"server_verdict", verdict}};
    found["holds"] = outcomes_ == submitted_ && doubled_ == 0 && before_plant.sensitive_requests == 0 &&
                     stats.sensitive_requests > before_plant.sensitive_requests && log.ok() &&
                     records >= before_plant.infer_requests && before_plant.infer_requests > 0 &&
                     verdict.value("redirects_followed", 1) == 0 &&
                     late.resident_mib - early_.resident_mib <= kGrowthMaxMib && late.sockets <= early_.sockets + 64;
    return found;
  }

 private:
  void arm() const {
    httplib::Client admin("127.0.0.1", server_->server_port());
    json hashes = json::array();
    for (int sureness = 0; sureness < 3; ++sureness) {
      const float photo[] = {static_cast<float>(sureness), test::kCanaryPixel};
      hashes.push_back(sha256_hex({reinterpret_cast<const char*>(photo), sizeof photo}));
    }
    const json body = {{"input_sha256", hashes}, {"canaries", {test::kCanaryAddress}}};
    const auto reply = admin.Post("/admin/tripwire", body.dump(), "application/json");
    if (!reply || reply->status != 200) throw std::runtime_error("the stub refused the tripwire");
  }

  RuntimeConfig config(std::uint64_t seed) {
    RuntimeConfig made;
    made.models = {test::tagger_pair(), notes_pair()};
    const std::string url = "http://127.0.0.1:" + std::to_string(port_);
    made.endpoints = {{"eu-1", url, "eu"}, {"eu-2", url, "eu"}, {"us-1", url, "us"}};
    made.policy_json = draw_any_policy(draw_);
    made.journal_file = (folder_.path() / "journal").string();
    made.limits.queue_length_max = 10'000;
    made.limits.journal_segments_max = 10'000;
    made.cloud.breaker_backoff = std::chrono::milliseconds(50);  // a cloud that keeps failing is to be asked often here
    made.cloud.breaker_backoff_max = std::chrono::milliseconds(400);
    made.seed = seed;
    return made;
  }
  void make_runtime(std::uint64_t seed) {
    const RuntimeConfig made = config(seed);
    World world;
    world.loop = net::make_asio_loop();
    world.transport = net::make_http_transport(*world.loop, {});
    world.journal = device::open_audit_log(*world.loop, made).value();
    world.redaction_secret = std::string(32, 's');
    world.load_edge_model = [](const ModelPair&) -> Result<std::shared_ptr<EdgeModel>> {
      return std::shared_ptr<EdgeModel>(std::make_shared<test::ThreadedModel>(edge_answer));
    };
    runtime_ = Runtime::create(made, std::move(world)).value();
    runtime_->set_consent(Consent::kGiven);
  }

  Request draw_any_request() {
    Request request = draw_.below(4) == 0 ? test::draw_note(draw_) : test::draw_request(draw_);
    if (request.inputs.empty()) request.model = "notes";
    // Otherwise taint soon keeps everything home.
    if (!request.session.empty()) request.session += " of " + std::to_string(submitted_ / 200);
    request.deadline = std::chrono::milliseconds(50 + draw_.below(350));
    request.idempotent = draw_.below(5) != 0;
    return request;
  }
  void one_request() {
    const auto what = draw_.below(400);
    if (what == 0) runtime_->set_consent(Consent::kRevoked);
    if (what < 8) runtime_->set_consent(Consent::kGiven);
    if (what == 8) (void)runtime_->reload_policy(draw_any_policy(draw_));
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return in_flight_ < kInFlightMax; });
      ++in_flight_;
      ++submitted_;
    }
    const auto told = std::make_shared<std::atomic<int>>(0);
    const RequestId id = runtime_->submit(draw_any_request(), [this, told](const Outcome& outcome) {
      std::lock_guard lock(mutex_);
      doubled_ += told->fetch_add(1) > 0;
      ++outcomes_;
      on_cloud_ += outcome.status == OutcomeStatus::kServed && outcome.served_on != "edge";
      failed_ += outcome.status == OutcomeStatus::kFailed;
      --in_flight_;
      changed_.notify_all();
    });
    if (what == 9) runtime_->cancel(id);
  }

  /// In all segments. An attempt that was withheld after all has a record too.
  std::size_t count_records() const {
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) found += line.starts_with(R"({"kind":"egress")");
    }
    return found;
  }
  /// Opening replays and checks the newest segment's chain.
  Status verify_log() {
    const auto loop = net::make_asio_loop();
    const auto log = device::open_audit_log(*loop, config(1));
    if (!log.ok()) return log.error();
    const auto records = log.value()->replay();
    return records.ok() ? Status(Done{}) : Status(records.error());
  }
  /// What must stay, past the guard: the tripwire has to see it.
  void plant() const {
    httplib::Client past("127.0.0.1", server_->server_port());
    const json body = {
        {"inputs",
         {{{"name", "image"}, {"datatype", "FP32"}, {"shape", {2}}, {"data", {1, 2}}},
          {{"name", "caption"}, {"datatype", "BYTES"}, {"shape", {1}}, {"data", {test::kCanaryAddress}}}}}};
    (void)past.Post("/v2/models/tagger-large/infer", body.dump(), "application/json");
  }

  RandomStream draw_;
  test::TempFolder folder_;
  std::unique_ptr<stub::StubServer> server_;
  int port_ = 0;
  std::unique_ptr<Runtime> runtime_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t in_flight_ = 0;
  std::uint64_t submitted_ = 0, outcomes_ = 0, doubled_ = 0, on_cloud_ = 0, failed_ = 0;
  Footprint early_;
};

}  // namespace

int main(int argc, char** argv) {
  double seconds = 600;
  std::uint64_t requests = 0, seed = 1;
  bool quick = false, as_json = false;
  CLI::App app(
      "Chaos, live: real sockets, a fault every few requests, and what must stay stays.\n"
      "example: bench_chaos --requests 100000");
  app.add_option("--seconds", seconds, "how long, when --requests is not given")->check(CLI::Range(1.0, 86400.0));
  app.add_option("--requests", requests, "how many, instead of how long");
  app.add_option("--seed", seed, "of requests, policies and what happens to them");
  app.add_flag("--quick", quick, "4,000 requests");
  app.add_flag("--json", as_json, "one JSON object");
  CLI11_PARSE(app, argc, argv);
  if (quick) requests = 4'000;
  Chaos chaos(seed);
  chaos.run(requests, seconds);
  const json found = chaos.finish();
  std::printf("%s\n", found.dump(as_json ? -1 : 2).c_str());
  return found["holds"].get<bool>() ? 0 : 1;
}
