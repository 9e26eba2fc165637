#include "tools/hearth/observe.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <hearth/runtime.h>

#include "policies/policy.h"
#include "runtime/base/json_reader.h"
#include "runtime/edge/torch_engine.h"
#include "tools/hearth/evaluate.h"
#include "tools/hearth/exit_codes.h"
#include "tools/hearth/fashion_mnist.h"
#include "tools/hearth/inputs.h"
#include "tools/hearth/phase.h"
#include "tools/hearth/places.h"
#include "tools/hearth/stub_process.h"
#include "tools/hearth/training_line.h"
#include "tools/simulate/observed.h"

namespace hearth::tool {
namespace {

using simulate::Observed;
using simulate::ObservedRequest;
using Clock = std::chrono::steady_clock;

constexpr auto kStubPatience = std::chrono::seconds(60);
constexpr int kPings = 41;
constexpr double kNoLimitMbit = 10'000;  ///< Loopback, where the stub sets no rate.

int report_error(const Error& error) {
  std::cerr << "hearth observe: " << error.message << '\n';
  const bool input = error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kNotFound ||
                     error.code == ErrorCode::kCorrupt;
  return input ? kExitBadInput : kExitFailed;
}

/// What both halves say to every photo, so that a simulation can take either road.
Result<std::vector<sim::Answer>> read_answers(const RunOptions& options, const Inputs& inputs) {
  auto images = load_fashion_mnist_test(std::string(kFashionMnistFolder));
  if (!images.ok()) return images.error();
  images->labels.resize(inputs.spec.images);
  images->pixels.resize(inputs.spec.images * kImagePixels);
  edge::TorchEngine engine(1);
  EdgeBinding cloud;
  cloud.file = options.models + "/cloud.pt";
  cloud.inputs = inputs.pair.cloud.inputs;
  cloud.outputs = inputs.pair.cloud.outputs;
  std::vector<Answers> halves;
  for (const EdgeBinding& binding : {inputs.pair.edge, cloud}) {
    if (binding.inputs.size() != 1) return Error{ErrorCode::kInvalidArgument, "the pair: expected one input a half"};
    std::vector<std::int64_t> shape = binding.inputs[0].shape;
    for (auto& dimension : shape) dimension = dimension < 0 ? 1 : dimension;
    auto model = engine.load(binding);
    if (!model.ok()) return model.error();
    TrainingLine line("asking " + std::filesystem::path(binding.file).filename().string());
    auto all = answer(*model.value(), shape, images.value(), [&](double done) { line.show(done); });
    if (!all.ok()) return all.error();
    halves.push_back(std::move(all).value());
  }
  std::vector<sim::Answer> answers;
  for (std::size_t i = 0; i < inputs.spec.images; ++i) {
    const auto right = [&](const Answers& half) { return half.labels[i] == images->labels[i]; };
    answers.push_back({halves[0].confidences[i], right(halves[0]), right(halves[1])});
  }
  return answers;
}

/// The median time that the system takes to connect: a packet there and one back, without the stub's threads, whose
/// waking up belongs to the server. Nothing where the address is not the stub's.
Duration measure_round_trip(const std::string& url) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::strtoul(url.substr(url.rfind(':') + 1).c_str(), nullptr, 10)));
  std::vector<Duration> taken;
  for (int i = 0; i < kPings; ++i) {
    const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one < 0) continue;
    const auto began = Clock::now();
    if (::connect(one, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      taken.push_back(Clock::now() - began);
    ::close(one);
  }
  std::sort(taken.begin(), taken.end());
  return taken.empty() ? Duration{} : taken[taken.size() / 2];
}

/// The stub checks its file when it starts; here its shaping becomes a link and a time.
Status read_shaping(const std::string& file, Observed& observed) {
  const auto document = JsonDocument::read_file(file);
  if (!document.ok()) return document.error();
  const auto number = [](const nlohmann::json& object, const char* key) {
    return object.is_object() && object.contains(key) && object[key].is_number() ? object[key].get<double>() : 0.0;
  };
  const auto& root = document.value()->root();
  const auto rate = [&](const char* key) { return number(root, key) > 0 ? number(root, key) : kNoLimitMbit; };
  const auto latency = root.is_object() ? root.value("latency", nlohmann::json()) : nlohmann::json();
  observed.link.up_mbit_per_s = rate("uplink_mbit_per_s");
  observed.link.down_mbit_per_s = rate("downlink_mbit_per_s");
  observed.error_rate = number(root, "error_rate");
  observed.service.median = from_ms(number(latency, "ms") + number(latency, "median_ms") +
                                    (number(latency, "min_ms") + number(latency, "max_ms")) / 2);
  observed.service.sigma = number(latency, "sigma");
  return Done{};
}

template <class Index>
Index index_of(const std::vector<std::string>& names, const std::string& name, Index none) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? none : static_cast<Index>(found - names.begin());
}

simulate::Record record_of(const Served& served, const simulate::Names& names) {
  const Outcome& outcome = served.outcome;
  simulate::Record record;
  record.id = served.arrival + std::uint64_t{1};
  record.data_class = index_of<std::uint8_t>(names.classes, outcome.data_class, 0);
  record.mask = outcome.mask;
  record.plan = outcome.plan;
  record.permit_rule = index_of<std::uint16_t>(names.rules, outcome.permit_rule, 0xffff);
  record.prefer_rule = index_of<std::uint16_t>(names.rules, outcome.prefer_rule, 0xffff);
  record.status = outcome.status;
  record.reason = outcome.reason;
  record.arrived = TimePoint(std::max(served.submitted, Duration{}));
  record.latency = outcome.latency;
  record.deadline = outcome.deadline;
  record.in_time = outcome.deadline_met;
  record.correct = served.correct;
  record.confidence = outcome.confidence;
  record.bytes_up = outcome.bytes_sent;
  for (const Attempt& attempt : outcome.attempts) {
    if (attempt.site == kEdgeSite) {
      record.edge_wait = attempt.began;
      record.edge_time = attempt.took;
      continue;
    }
    ++record.attempts;
    if (!attempt.error.empty()) continue;
    record.cloud_began = attempt.began;
    record.cloud_time = attempt.took;
    record.answered_by = attempt.site;
  }
  if (outcome.served_on == "edge") record.answered_by = kEdgeSite;
  return record;
}

class Observation {
 public:
  Observation(const RunOptions& options, Inputs inputs) : options_(options), inputs_(std::move(inputs)) {}

  Status prepare();
  Status run();
  const Observed& observed() const { return observed_; }

 private:
  Result<std::unique_ptr<Runtime>> make_runtime() const;
  Status name_all();
  void take(const std::vector<Served>& served);

  const RunOptions& options_;
  Inputs inputs_;
  std::unique_ptr<StubProcess> stub_;
  std::vector<Arrival> arrivals_;
  std::vector<sim::Answer> answers_;
  Observed observed_;
};

/// The names that records hold by index, from the policy as it is in force.
Status Observation::name_all() {
  const auto policy = policies::Policy::load(inputs_.policy.json, "policy.json");
  if (!policy.ok()) return policy.error();
  observed_.names.models = {inputs_.pair.name};
  observed_.names.streams = {"photos"};
  observed_.names.endpoints = {observed_.endpoint.name};
  for (const auto& rule : policy.value()->classes()) {
    observed_.names.classes.push_back(rule.name);
    observed_.kinds.push_back({0, rule.name, "", true, false});
  }
  for (policies::RuleIndex i = 0; !policy.value()->rule_id(i).empty(); ++i)
    observed_.names.rules.emplace_back(policy.value()->rule_id(i));
  return Done{};
}

Status Observation::prepare() {
  if (const auto shaping = read_shaping(inputs_.stub_config, observed_); !shaping.ok()) return shaping;
  arrivals_ = generate_arrivals(inputs_.spec, inputs_.photo_sha256);
  auto answers = read_answers(options_, inputs_);
  if (!answers.ok()) return answers.error();
  answers_ = std::move(answers).value();
  auto stub = StubProcess::start(
      program_folder() + "/hearth-cloud-stub",
      {"--pair", options_.models + "/pair.json", "--config", inputs_.stub_config, "--exit-with-stdin"}, kStubPatience);
  if (!stub) return stub.error();
  stub_ = std::move(stub).value();

  observed_.endpoint = {"cloud", stub_->url(), "eu"};
  observed_.policy_json = inputs_.policy.json;
  observed_.name = "observed-" + inputs_.spec.name;
  observed_.story = std::to_string(inputs_.spec.images) + " photos through the runtime and the stub on " +
                    machine_line() + "; the stub: " + inputs_.link;
  observed_.limits.connections_per_endpoint_max = 64;
  observed_.limits.queue_length_max = 4096;
  observed_.device = {NetworkKind::kUnmetered, 80, false};
  observed_.link.round_trip_median = measure_round_trip(stub_->url());
  observed_.link.round_trip_sigma = 0;
  return name_all();
}

Result<std::unique_ptr<Runtime>> Observation::make_runtime() const {
  RuntimeConfig config;
  config.models = {inputs_.pair};
  config.endpoints = {observed_.endpoint};
  config.policy_json = inputs_.policy.json;
  config.seed = inputs_.spec.seed;
  config.limits = observed_.limits;
  auto runtime = Runtime::create(config, [](LogLevel level, std::string_view line) {
    if (level != LogLevel::kInfo) std::cerr << ("hearth: " + std::string(line) + "\n");
  });
  if (!runtime) return runtime;
  runtime.value()->set_device_state(observed_.device);
  runtime.value()->set_consent(Consent::kGiven);
  return runtime;
}

void Observation::take(const std::vector<Served>& served) {
  std::uint64_t reply_bytes = 0;
  for (const auto& output : inputs_.pair.cloud.outputs)
    reply_bytes += element_count(output.shape).value_or(0) * sizeof(float);
  for (const Served& one : served) {
    const Arrival& arrival = arrivals_[one.arrival];
    ObservedRequest request;
    request.record = record_of(one, observed_.names);
    request.answer = answers_[arrival.photo];
    if (one.outcome.confidence > 0) request.answer.confidence = one.outcome.confidence;
    request.payload_bytes = inputs_.photos[arrival.photo].data.size() + arrival.caption.size();
    request.reply_bytes = reply_bytes;
    request.kind = request.record.data_class;
    observed_.requests.push_back(std::move(request));
  }
  simulate::split_cloud_times(observed_);
}

Status Observation::run() {
  auto runtime = make_runtime();
  if (!runtime) return runtime.error();
  const Stream stream{arrivals_, inputs_.photos, inputs_.truth, inputs_.pair.name, from_ms(inputs_.spec.deadline_ms)};
  const auto served = run_phase(*runtime.value(), stream, "observing");
  runtime.value()->shutdown();
  if (!served) return served.error();
  take(served.value());
  return Done{};
}

void print(const RunOptions& options, const Observed& observed) {
  std::uint64_t on_cloud = 0;
  for (const ObservedRequest& one : observed.requests) on_cloud += one.record.answered_by != kEdgeSite ? 1 : 0;
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"folder", options.out},
                                        {"requests", observed.requests.size()},
                                        {"served_on_cloud", on_cloud},
                                        {"loopback_round_trip_ms", to_ms(observed.link.round_trip_median)}}
                     .dump(2)
              << '\n';
    return;
  }
  std::cout << observed.requests.size() << " requests, " << on_cloud << " answered by the cloud, kept in "
            << options.out << ".\n`hearth simulate " << options.out
            << "/scenario.json` replays them, `hearth calibrate simulator " << options.out << "` says how well.\n";
}

}  // namespace

int observe(const RunOptions& options) {
  if (const auto status = check_early(options); !status) return report_error(status.error());
  std::error_code error;
  for (const char* file : {"/pair.json", "/cloud.pt"}) {
    if (!std::filesystem::exists(options.models + file, error))
      return report_error({ErrorCode::kNotFound, options.models + file + " is missing; `hearth prepare` makes it"});
  }
  auto inputs = read_inputs(options);
  if (!inputs) return report_error(inputs.error());
  Observation observation(options, std::move(inputs).value());
  auto status = observation.prepare();
  if (status) status = observation.run();
  if (status) status = simulate::write_observed(options.out, observation.observed());
  if (!status) return report_error(status.error());
  print(options, observation.observed());
  return kExitOk;
}

}  // namespace hearth::tool
