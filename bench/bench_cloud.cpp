// The cloud path on loopback: 1 KiB binary tensors, 8 attempts in flight, each on its kept connection.
//
//   hearth       judge, encode, search, mint, send over HttpTransport, decode: all that an attempt costs, on the loop's
//                thread
//   bare Beast   the same bytes, written and read by Boost.Beast alone, on one thread too; nothing encoded or decoded
//   cpp-httplib  the same bytes, 8 threads with kept connections; nothing encoded or decoded
//
// hearth and Beast meet a server that answers from memory (a thread of this process), hearth and cpp-httplib the stub
// (a process). They run in turn. Requests per second are the median of five runs, with their spread; latencies and CPU
// time the median run's; ratios are of runs that follow each other.
//
// bench_cloud [--quick] [--json] [--stub PROGRAM]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <httplib.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/bare_beast.h"
#include "bench/memory_server.h"
#include "policies/policy.h"
#include "runtime/cloud/oip_codec.h"
#include "runtime/net/net.h"
#include "runtime/privacy/guard.h"
#include "tools/hearth/stub_process.h"

namespace {

using namespace hearth;
using Clock = std::chrono::steady_clock;

constexpr unsigned kInFlight = 8;
constexpr const char* kPolicy = R"({
  "version": 1, "name": "bench", "classes": [{"name": "public", "egress": "allow"}], "default_class": "public"})";

/// One timed run of one client.
struct Run {
  double requests_per_s = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us = 0;  ///< Of the client's thread, per request. 0: it has several.
  std::string error;  ///< Of the first request that failed; then the numbers mean nothing.
};

double us(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Run run_of(bench::Ran ran) {
  const auto count = static_cast<double>(ran.latencies_us.size());
  return {count / ran.took_s, quantile(ran.latencies_us, 0.5), quantile(ran.latencies_us, 0.99),
          count > 0 ? ran.cpu_s * 1e6 / count : 0, std::move(ran.error)};
}

CloudBinding null_binding() {
  CloudBinding binding;
  binding.model = "null";
  binding.inputs = {{"x", Datatype::kFp32, {256}}};
  binding.outputs = {{"y", Datatype::kFp32, {10}}};
  return binding;
}

Request photo_request() {
  std::vector<float> values(256);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 256.0f;
  Request request;
  request.model = "null";
  request.label = "public";
  request.inputs = {Tensor::of_floats("x", {256}, values)};
  return request;
}

/// hearth's side. Everything but run() happens on the loop's thread.
class HearthClient {
 public:
  HearthClient(std::shared_ptr<const policies::Policy> policy, const std::string& url)
      : guard_(std::move(policy), {{"stub", url, "eu"}}, 1),
        loop_(net::make_asio_loop()),
        transport_(net::make_http_transport(*loop_, {})) {}

  Run run(Clock::duration time) {
    ran_ = {};
    over_.emplace();
    const auto began = Clock::now();
    loop_->post([this, until = began + time] {
      until_ = until;
      ran_.cpu_s = -bench::thread_cpu_s();
      for (unsigned i = 0; i < kInFlight; ++i) send();
    });
    over_->get_future().wait();
    ran_.took_s = std::chrono::duration<double>(Clock::now() - began).count();
    return run_of(std::move(ran_));
  }

 private:
  void send() {
    const auto began = Clock::now();
    const AttemptId attempt = ++last_attempt_;
    const std::string wire_id = std::to_string(attempt);
    auto judgement = guard_.judge(request_, guard_.classify(request_), {});
    auto minted = guard_.mint(judgement, request_, 1,
                              [&](const Request& request) {
                                return cloud::encode_infer(binding_, request.inputs, request.text, wire_id,
                                                           cloud::Encoding::kBinary);
                              },
                              {});
    if (!minted.ok()) return stop(minted.error().message);
    ++in_flight_;
    transport_->send(attempt, std::move(minted->permit), loop_->now() + std::chrono::seconds(1),
                     [this, began, wire_id](SendResult result) { on_reply(began, wire_id, std::move(result)); });
  }

  void on_reply(Clock::time_point began, const std::string& wire_id, SendResult result) {
    --in_flight_;
    if (!result.reply.ok()) return stop(result.reply.error().message);
    const auto outputs = cloud::decode_infer(binding_, result.reply.value(), wire_id);
    if (!outputs.ok()) return stop(outputs.error().message);
    const auto now = Clock::now();
    ran_.latencies_us.push_back(us(now - began));
    if (now < until_ && ran_.error.empty()) {
      send();
    } else {
      stop("");
    }
  }

  void stop(const std::string& error) {
    if (ran_.error.empty()) ran_.error = error;
    if (in_flight_ > 0) return;
    ran_.cpu_s += bench::thread_cpu_s();
    std::exchange(over_, {})->set_value();
  }

  const CloudBinding binding_ = null_binding();
  const Request request_ = photo_request();
  PrivacyGuard guard_;
  bench::Ran ran_;
  std::optional<std::promise<void>> over_;
  Clock::time_point until_;
  AttemptId last_attempt_ = 0;
  unsigned in_flight_ = 0;
  std::shared_ptr<EventLoop> loop_;
  std::shared_ptr<Transport> transport_;
};

HttpMessage one_message() {
  return cloud::encode_infer(null_binding(), photo_request().inputs, "", "1", cloud::Encoding::kBinary);
}

/// What the stub's null model would say, head and body.
std::string null_reply() {
  const std::string json =
      R"({"model_name":"null","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[10],)"
      R"("parameters":{"binary_data_size":40}}]})";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: " +
         std::to_string(json.size()) + "\r\nContent-Length: " + std::to_string(json.size() + 40) + "\r\n\r\n" + json +
         std::string(40, '\0');
}

Run run_httplib(const std::string& url, Clock::duration time) {
  const HttpMessage message = one_message();
  httplib::Headers headers;
  std::string content_type;
  for (const auto& [name, value] : message.headers) {
    if (name == "Content-Type") {
      content_type = value;
    } else {
      headers.emplace(name, value);
    }
  }
  std::vector<std::vector<double>> latencies_us(kInFlight);
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
  const auto began = Clock::now();
  for (auto& mine : latencies_us) {
    threads.emplace_back([&] {
      httplib::Client client(url);
      client.set_keep_alive(true);
      client.set_tcp_nodelay(true);
      for (auto now = Clock::now(); now < began + time && !failed;) {
        const auto result = client.Post(message.target, headers, message.body, content_type);
        const auto after = Clock::now();
        if (!result || result->status != 200) failed = true;
        mine.push_back(us(after - now));
        now = after;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  bench::Ran ran;
  ran.took_s = std::chrono::duration<double>(Clock::now() - began).count();
  for (const auto& mine : latencies_us) ran.latencies_us.insert(ran.latencies_us.end(), mine.begin(), mine.end());
  if (failed) ran.error = "a cpp-httplib request failed";
  return run_of(std::move(ran));
}

/// The median run by requests per second, with the spread of all.
nlohmann::ordered_json summary_of(std::vector<Run> runs) {
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.requests_per_s < b.requests_per_s; });
  const Run& median = runs[runs.size() / 2];
  return {{"requests_per_s", median.requests_per_s},
          {"requests_per_s_min", runs.front().requests_per_s},
          {"requests_per_s_max", runs.back().requests_per_s},
          {"p50_us", median.p50_us},
          {"p99_us", median.p99_us},
          {"cpu_us_per_request", median.cpu_us}};
}

/// One client's rate by the other's, run by run.
nlohmann::ordered_json ratio_of(const std::vector<Run>& ours, const std::vector<Run>& theirs) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i].requests_per_s / theirs[i].requests_per_s);
  std::sort(ratios.begin(), ratios.end());
  return {{"median", ratios[ratios.size() / 2]}, {"min", ratios.front()}, {"max", ratios.back()}};
}

void print_row(const char* name, const nlohmann::ordered_json& row) {
  std::printf("  %-11s %7.0f requests/s  (%.0f to %.0f)   p50 %4.0f us   p99 %4.0f us", name,
              row["requests_per_s"].get<double>(), row["requests_per_s_min"].get<double>(),
              row["requests_per_s_max"].get<double>(), row["p50_us"].get<double>(), row["p99_us"].get<double>());
  if (const double cpu = row["cpu_us_per_request"]; cpu > 0) std::printf("   CPU %4.1f us", cpu);
  std::printf("\n");
}

void print_meeting(const nlohmann::ordered_json& meeting, const char* where, const char* other) {
  std::printf("%s\n", where);
  print_row("hearth", meeting["hearth"]);
  print_row(other, meeting["reference"]);
  const auto& ratio = meeting["ratio"];
  std::printf("  %-11s %7.2f             (%.2f to %.2f)\n", "ratio", ratio["median"].get<double>(),
              ratio["min"].get<double>(), ratio["max"].get<double>());
}

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "bench_cloud: %s\n", message.c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  bool json = false;
  std::string stub = (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "hearth-cloud-stub").string();
  CLI::App app("The cloud path on loopback, against a plain cpp-httplib client");
  app.add_flag("--quick", quick, "One short run, to show that it works");
  app.add_flag("--json", json, "Print one JSON object");
  app.add_option("--stub", stub, "The server to run (default: hearth-cloud-stub beside this program)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) { return app.exit(help); } catch (const CLI::ParseError& error) {
    return fail(error.what(), 2);
  }

  const auto policy = policies::Policy::load(kPolicy, "bench policy");
  if (!policy.ok()) return fail(policy.error().message, 3);
  const auto server =
      tool::StubProcess::start(stub, {"--null-model", "null", "--exit-with-stdin"}, std::chrono::seconds(30));
  if (!server.ok()) return fail(server.error().message, 3);

  bench::MemoryServer memory(null_reply());
  const std::string& url = server.value()->url();
  const int run_count = quick ? 1 : 5;
  const Clock::duration time = quick ? std::chrono::milliseconds(200) : std::chrono::seconds(3);
  HearthClient to_memory(policy.value(), memory.url());
  HearthClient to_stub(policy.value(), url);
  to_memory.run(time / 10);  // connections open, caches warm
  std::vector<Run> runs[4];
  for (int i = 0; i < run_count; ++i) {
    runs[0].push_back(to_memory.run(time));
    runs[1].push_back(run_of(bench::run_bare_beast(memory.port(), one_message(), kInFlight, time)));
    runs[2].push_back(to_stub.run(time));
    runs[3].push_back(run_httplib(url, time));
    for (const auto& of : runs) {
      if (!of.back().error.empty()) return fail(of.back().error, 1);
    }
  }

  const auto meeting_of = [](const std::vector<Run>& ours, const std::vector<Run>& theirs) {
    return nlohmann::ordered_json{
        {"hearth", summary_of(ours)}, {"reference", summary_of(theirs)}, {"ratio", ratio_of(ours, theirs)}};
  };
  const nlohmann::ordered_json result = {{"in_flight", kInFlight},
                                         {"tensor_bytes", 1024},
                                         {"runs", run_count},
                                         {"memory_server", meeting_of(runs[0], runs[1])},
                                         {"stub", meeting_of(runs[2], runs[3])}};
  if (json) {
    std::printf("%s\n", result.dump(2).c_str());
    return 0;
  }
  std::printf("1 KiB binary tensors, %u in flight, %d run(s) of %.1f s each\n", kInFlight, run_count,
              std::chrono::duration<double>(time).count());
  print_meeting(result["memory_server"], "against a server that answers from memory", "bare Beast");
  print_meeting(result["stub"], "against the stub", "cpp-httplib");
  return 0;
}
