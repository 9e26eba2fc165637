#include "tools/hearth/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <hearth/runtime.h>

#include "tools/hearth/exit_codes.h"
#include "tools/hearth/inputs.h"
#include "tools/hearth/leak_plant.h"
#include "tools/hearth/phase.h"
#include "tools/hearth/places.h"
#include "tools/hearth/prepare.h"
#include "tools/hearth/report.h"
#include "tools/hearth/story.h"
#include "tools/hearth/stub_process.h"
#include "tools/hearth/summary.h"

namespace hearth::tool {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kStubPatience = std::chrono::seconds(60);
constexpr std::size_t kConnections = 64;  // cloud-only keeps about twenty requests in flight
constexpr std::size_t kQueue = 4096;      // a machine that stood still for seconds hands over at once what has gathered

int report_error(const Error& error) {
  std::cerr << "hearth run: " << error.message << '\n';
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt:
      return kExitBadInput;
    default:
      return kExitFailed;
  }
}

/// What a runtime warns of, on standard error and here. Told by any thread.
class Warnings {
 public:
  void add(std::string_view line) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(line);
    std::cerr << ("hearth: " + lines_.back() + "\n");
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// One run, its parts made in order.
class Job {
 public:
  Job(const RunOptions& options, Inputs inputs) : options_(options), inputs_(std::move(inputs)) {}

  Status prepare_world();
  Status run_modes();
  Story take_story() { return std::move(story_); }

 private:
  Status arm_tripwire();
  Status run_mode(ModeRun& mode, const std::string& name, const std::string& title, const std::string& policy,
                  const BeforeSubmit& before);
  Status plant();
  Status run_hearth();
  void kill_cloud(Clock::time_point phase_began);
  Result<std::unique_ptr<Runtime>> make_runtime(const std::string& policy, bool hearths_turn) const;

  const RunOptions& options_;
  Inputs inputs_;
  std::shared_ptr<Warnings> warnings_ = std::make_shared<Warnings>();
  std::unique_ptr<StubProcess> stub_;
  Story story_;
  Result<TripwireCount> last_count_ = TripwireCount{};  ///< Right before the kill.
};

Status Job::prepare_world() {
  story_.spec = inputs_.spec;
  story_.arrivals = generate_arrivals(inputs_.spec, inputs_.photo_sha256);
  story_.labels = inputs_.pair.labels;
  story_.truth = inputs_.truth;
  story_.model = inputs_.pair.name;
  story_.edge_sha256 = inputs_.pair.edge.sha256;
  story_.cloud_sha256 = inputs_.pair.cloud.sha256;
  story_.policy_name = inputs_.policy.name;
  story_.threshold = inputs_.policy.threshold;
  story_.curve = inputs_.curve;
  story_.link = inputs_.link;
  story_.machine = machine_line();
  story_.version = HEARTH_VERSION;
  std::cerr << "hearth run: starting the cloud stub\n";
  auto stub = StubProcess::start(
      program_folder() + "/hearth-cloud-stub",
      {"--pair", options_.models + "/pair.json", "--config", inputs_.stub_config, "--exit-with-stdin"}, kStubPatience);
  if (!stub) return stub.error();
  stub_ = std::move(stub).value();
  return arm_tripwire();
}

/// Every photo and caption that must stay, by the workload's truth.
Status Job::arm_tripwire() {
  std::vector<std::string> hashes, canaries;
  for (const Arrival& arrival : story_.arrivals) {
    if (arrival.stays == Stays::kNo) continue;
    hashes.push_back(inputs_.photo_sha256[arrival.photo]);
    if (!arrival.canary.empty()) canaries.push_back(arrival.canary);
  }
  return stub_->arm(hashes, canaries);
}

Result<std::unique_ptr<Runtime>> Job::make_runtime(const std::string& policy, bool hearths_turn) const {
  RuntimeConfig config;
  if (hearths_turn) {
    config.journal_file = options_.journal;
    config.profile_file = options_.profile;
  }
  config.models = {inputs_.pair};
  config.endpoints = {{"cloud", stub_->url(), "eu"}};
  config.policy_json = policy;
  config.seed = inputs_.spec.seed;
  config.limits.connections_per_endpoint_max = kConnections;
  config.limits.queue_length_max = kQueue;
  auto runtime = Runtime::create(config, [warnings = warnings_](LogLevel level, std::string_view line) {
    if (level != LogLevel::kInfo) warnings->add(line);
  });
  if (!runtime) return runtime;
  DeviceState device;
  device.network = NetworkKind::kUnmetered;
  device.battery_percent = 80;
  device.charging = false;
  runtime.value()->set_device_state(device);
  runtime.value()->set_consent(Consent::kGiven);
  return runtime;
}

Status Job::run_mode(ModeRun& mode, const std::string& name, const std::string& title, const std::string& policy,
                     const BeforeSubmit& before) {
  mode.name = name;
  auto runtime = make_runtime(policy, name == "hearth");
  if (!runtime) return runtime.error();
  const auto count_before = stub_->tripwire();
  if (!count_before) return count_before.error();
  const Stream stream{story_.arrivals, inputs_.photos, inputs_.truth, inputs_.pair.name,
                      from_ms(inputs_.spec.deadline_ms)};
  auto served = run_phase(*runtime.value(), stream, title, before);
  if (!served) return served.error();
  mode.served = std::move(served).value();
  story_.policy_sha256 = runtime.value()->policy_sha256();
  if (name == "hearth" && !options_.profile.empty()) {
    if (auto kept = write_whole_file(options_.profile, runtime.value()->profile()); !kept) return kept;
  }
  runtime.value()->shutdown();
  story_.warnings = warnings_->take();  // in the end, those of hearth's turn
  const auto count_after = stub_->killed() ? last_count_ : stub_->tripwire();
  if (!count_after) return count_after.error();
  mode.left = count_after.value() - count_before.value();
  return Done{};
}

Status Job::plant() {
  const Arrival* photo = nullptr;
  const Arrival* caption = nullptr;
  for (const Arrival& arrival : story_.arrivals) {
    if (arrival.stays == Stays::kSensitivePhoto && photo == nullptr) photo = &arrival;
    if (!arrival.canary.empty() && caption == nullptr) caption = &arrival;
  }
  if (photo == nullptr || caption == nullptr) {
    return {ErrorCode::kInvalidArgument,
            "--plant-leak: the workload has no sensitive photo or no caption that must stay to plant"};
  }
  auto planted = plant_leaks(*stub_, inputs_.pair.cloud, inputs_.photos[photo->photo], caption->canary);
  if (!planted) return planted.error();
  story_.leaks = std::move(planted).value();
  return Done{};
}

/// The server's count is taken right before it is killed: afterwards it has none. What the runtime sent meanwhile and
/// later is in the outcomes, which are counted too.
void Job::kill_cloud(Clock::time_point phase_began) {
  last_count_ = stub_->tripwire();
  stub_->kill();
  story_.killed_at_s = std::chrono::duration<double>(Clock::now() - phase_began).count();
}

Status Job::run_hearth() {
  const std::size_t last = story_.arrivals.size() - 1;
  std::optional<std::size_t> kill_at;
  if (options_.kill_cloud_at) {
    const double share = *options_.kill_cloud_at * static_cast<double>(story_.arrivals.size());
    kill_at = std::min(static_cast<std::size_t>(std::llround(share)), last);
  }
  std::thread killer;  // so that no photo waits for the kill
  Clock::time_point began;
  const auto before = [&](std::size_t i) {
    if (i == 0) began = Clock::now();
    if (i == kill_at) killer = std::thread([this, began] { kill_cloud(began); });
    if (i == last && killer.joinable()) killer.join();  // what follows the phase asks whether the stub is alive
  };
  const auto status = run_mode(story_.hearth, "hearth", "hearth", inputs_.policy.json, before);
  if (killer.joinable()) killer.join();
  return status;
}

Status Job::run_modes() {
  auto status = run_mode(story_.edge_only, "edge_only", "edge only", edge_only_policy(), {});
  if (status) status = run_mode(story_.cloud_only, "cloud_only", "cloud only", cloud_only_policy(), {});
  if (status && options_.plant_leak) status = plant();
  if (status) status = run_hearth();
  return status;
}

Status write_results(const std::string& out, const Story& story, const Board& board, const std::string& policy) {
  auto status = write_whole_file(out + "/requests.jsonl", make_request_lines(story));
  if (status) status = write_whole_file(out + "/policy.json", policy);
  if (status) status = write_whole_file(out + "/report.html", make_report(story, board));
  if (status) status = write_whole_file(out + "/summary.json", make_summary(story, board).dump(2) + "\n");
  return status;
}

Status make_models(const RunOptions& options) {
  std::error_code error;
  if (std::filesystem::exists(options.models + "/pair.json", error)) return Done{};
  std::cerr << "hearth run: no models in " << options.models << "; preparing them first (minutes, once)\n";
  PrepareOptions prepare_options;
  prepare_options.out = options.models;
  prepare_options.quiet = options.json;
  if (const int code = prepare(prepare_options); code != 0) {
    return {code == kExitBadInput ? ErrorCode::kInvalidArgument : ErrorCode::kInternal, "the models cannot be made"};
  }
  return Done{};
}

}  // namespace

int run(const RunOptions& options) {
  const auto began = Clock::now();
  if (const auto status = check_early(options); !status) return report_error(status.error());
  if (const auto status = make_models(options); !status) return report_error(status.error());
  auto inputs = read_inputs(options);
  if (!inputs) return report_error(inputs.error());
  const std::string policy = inputs.value().policy.json;
  Job job(options, std::move(inputs).value());
  if (const auto status = job.prepare_world(); !status) return report_error(status.error());
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) return report_error({ErrorCode::kInvalidArgument, "--out: " + options.out + ": " + error.message()});
  if (const auto status = job.run_modes(); !status) return report_error(status.error());
  Story story = job.take_story();
  story.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  const Board board = make_board(story);
  if (const auto status = write_results(options.out, story, board, policy); !status)
    return report_error(status.error());
  if (options.json) {
    std::cout << make_summary(story, board).dump(2) << '\n';
  } else {
    std::cout << make_table(story, board) << "\n  " << options.out << "/report.html shows it; summary.json and "
              << "requests.jsonl beside it hold the figures.\n";
  }
  return passed(story, board) ? kExitOk : kExitNo;
}

}  // namespace hearth::tool
