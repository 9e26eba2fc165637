// hearth-cloud-stub: flags in, a server out.
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cloud_stub/faults.h"
#include "cloud_stub/models.h"
#include "cloud_stub/server.h"
#include "cloud_stub/shaping.h"

namespace {

using namespace hearth::stub;

constexpr int kExitNo = 1;
constexpr int kExitBadInput = 2;
constexpr int kExitRuntimeFailure = 3;

struct Flags {
  StubConfig server;
  std::string pair;
  std::string model_file;
  std::size_t model_threads = 1;
  std::vector<std::string> null_models;
  std::string imitate;
  double piece_ms = 0;
  std::string config;
  std::string faults;
  bool tls = false;
  std::string tls_authority;
  std::string bearer_env;
  bool verdict = false;
  std::uint64_t body_mib_max = 16;
  double latency_ms = 0;
  std::vector<double> latency_uniform;
  std::vector<double> latency_lognormal;
  double uplink = 0;
  double downlink = 0;
  double error_rate = 0;
  std::uint64_t seed = 1;
  bool exit_with_stdin = false;
  bool json = false;
  bool stats = false;
};

void describe_faults(CLI::App& app, Flags& flags) {
  app.add_option("--faults", flags.faults, "Fault timeline; its time begins with the server");
  app.add_flag("--allow-faults", flags.server.allow_faults, "Obey the header x-hearth-fault and POST /admin/faults");
  auto* tls = app.add_flag("--tls", flags.tls, "Speak https, with certificates made on the spot");
  app.add_option("--tls-authority", flags.tls_authority, "Write the certificate that clients must trust to this file")
      ->needs(tls);
  app.add_option("--bearer-env", flags.bearer_env, "Ask for the bearer token in this environment variable, else 401");
  app.add_flag("--verdict", flags.verdict, "Print the verdict on the clients on standard error; exit with 1 when bad");
}

void describe(CLI::App& app, Flags& flags) {
  app.get_formatter()->column_width(36);
  app.footer(
      "Example: hearth-cloud-stub --pair models/pair.json --config configs/stub/default.json\n"
      "         curl -s http://127.0.0.1:PORT/v2/models/NAME\n"
      "         hearth-cloud-stub --null-model n --faults configs/faults/flaky.json --verdict\n"
      "Endpoints and limits: cloud_stub/README.md; faults: docs/faults.md. Exit codes: 0 ok, 1 --verdict found "
      "something,\n"
      "2 bad input, 3 failed while running.");
  app.add_option("--host", flags.server.host, "Address to listen on")->capture_default_str();
  app.add_option("--port", flags.server.port, "Port; 0 is any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--pair", flags.pair, "Pair file whose cloud half is served");
  app.add_option("--model-file", flags.model_file, "TorchScript file of the cloud half [cloud.pt next to the pair]");
  app.add_option("--model-threads", flags.model_threads, "Forward passes at the same time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--null-model", flags.null_models, "Also serve a model of this name that answers zeros at once");
  app.add_option("--text-model", flags.server.text_models,
                 "Also serve the OpenAI API's text model under this name, at /v1");
  app.add_option("--piece-ms", flags.piece_ms, "Pause between two pieces of a streamed answer")
      ->check(CLI::Range(0.0, 60'000.0));
  app.add_option("--imitate", flags.imitate, "Have the manners of triton, kserve, ovms or mlserver")
      ->check(CLI::IsMember({"triton", "kserve", "ovms", "mlserver"}));
  app.add_option("--config", flags.config, "Shaping file; the flags below win over it");
  auto* constant = app.add_option("--latency-ms", flags.latency_ms, "Round trip, always the same");
  auto* uniform = app.add_option("--latency-uniform", flags.latency_uniform, "Round trip between two values (ms)");
  auto* lognormal =
      app.add_option("--latency-lognormal", flags.latency_lognormal, "Round trip by median (ms) and sigma");
  uniform->expected(2)->excludes(constant);
  lognormal->expected(2)->excludes(constant)->excludes(uniform);
  app.add_option("--uplink-mbit", flags.uplink, "Shared bandwidth of requests, Mbit/s; 0: no limit");
  app.add_option("--downlink-mbit", flags.downlink, "Shared bandwidth of replies, Mbit/s; 0: no limit");
  app.add_option("--error-rate", flags.error_rate, "Share of infer requests answered with 500 or 503, 0 to 1");
  app.add_option("--seed", flags.seed, "Seed of latency and errors")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
  app.add_option("--threads", flags.server.threads, "Open connections served at the same time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--keep-alive-s", flags.server.keep_alive_s, "Idle connections are closed after this")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--body-mib-max", flags.body_mib_max, "Larger bodies get 413")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  describe_faults(app, flags);
  app.add_flag("--exit-with-stdin", flags.exit_with_stdin, "Stop when standard input ends (with a parent that died)");
  app.add_flag("--json", flags.json, "Print the ready line as JSON");
  app.add_flag("--stats", flags.stats, "Print the final counts on standard error");
}

/// The file's shaping with the given flags over it, and what is wrong with either.
Shaping shaping_of(const CLI::App& app, const Flags& flags, std::vector<std::string>& problems) {
  Shaping shaping;
  if (!flags.config.empty()) {
    auto loaded = load_shaping(flags.config);
    if (loaded) {
      shaping = loaded.value();
    } else {
      problems.push_back(loaded.error().message);
    }
  }
  Latency& latency = shaping.latency;
  if (app.count("--latency-ms") > 0) latency = {.kind = LatencyKind::kConstant, .ms = flags.latency_ms};
  if (flags.latency_uniform.size() == 2) {
    latency = {.kind = LatencyKind::kUniform, .min_ms = flags.latency_uniform[0], .max_ms = flags.latency_uniform[1]};
  }
  if (flags.latency_lognormal.size() == 2) {
    latency = {
        .kind = LatencyKind::kLognormal, .median_ms = flags.latency_lognormal[0], .sigma = flags.latency_lognormal[1]};
  }
  if (app.count("--uplink-mbit") > 0) shaping.uplink_mbit_per_s = flags.uplink;
  if (app.count("--downlink-mbit") > 0) shaping.downlink_mbit_per_s = flags.downlink;
  if (app.count("--error-rate") > 0) shaping.error_rate = flags.error_rate;
  if (app.count("--seed") > 0) shaping.seed = flags.seed;
  for (auto& problem : problems_of(shaping)) problems.push_back(std::move(problem));
  return shaping;
}

void read_faults(Flags& flags, std::vector<std::string>& problems) {
  if (!flags.faults.empty()) {
    auto loaded = hearth::sim::load_timeline(flags.faults);
    if (!loaded) {
      problems.push_back(loaded.error().message);
    } else if (auto known = check_servable(loaded.value(), flags.tls); !known) {
      problems.push_back(flags.faults + ": " + known.error().message);
    } else {
      flags.server.faults = std::move(loaded).value();
    }
  }
  if (!flags.bearer_env.empty()) {
    const char* token = std::getenv(flags.bearer_env.c_str());
    if (token == nullptr || *token == '\0') {
      problems.push_back("--bearer-env " + flags.bearer_env + ": no such variable in the environment, or it is empty");
    } else {
      flags.server.bearer = token;
    }
  }
  flags.server.judge = flags.verdict;
  if (!flags.tls || !problems.empty()) return;
  flags.server.tls = make_tls_identities();
  if (flags.tls_authority.empty()) return;
  std::ofstream file(flags.tls_authority);
  if (!(file << flags.server.tls->authority_pem).flush()) {
    problems.push_back("--tls-authority " + flags.tls_authority + ": cannot be written");
  }
}

std::vector<std::shared_ptr<Model>> models_of(const Flags& flags, std::vector<std::string>& problems) {
  std::vector<std::shared_ptr<Model>> models;
  if (!flags.pair.empty()) {
    auto loaded = load_pair_model(flags.pair, flags.model_file, flags.model_threads);
    if (loaded) {
      models.push_back(std::move(loaded).value());
    } else {
      problems.push_back(loaded.error().message);
    }
  } else if (!flags.model_file.empty()) {
    problems.emplace_back("--model-file needs --pair, which names its inputs and outputs");
  }
  for (const auto& name : flags.null_models) {
    for (const auto& model : models) {
      if (model->info().name == name)
        problems.push_back("--null-model " + name + ": a model of this name is there already");
    }
    if (name.empty() || name.find('/') != std::string::npos) {
      problems.emplace_back("--null-model: a name must not be empty or hold '/'");
    }
    models.push_back(null_model(name));
  }
  if (flags.pair.empty() && flags.null_models.empty() && flags.server.text_models.empty())
    problems.emplace_back("nothing to serve: give --pair, --null-model or --text-model");
  return models;
}

/// An eventfd that ends the program. The only global: a signal handler can reach nothing else. (Not a blocked signal
/// and a signalfd: libraries start threads before main() that have it unblocked.)
int end_of_program = -1;  // NOLINT

extern "C" void on_signal(int) {
  const std::uint64_t one = 1;
  if (::write(end_of_program, &one, sizeof one) < 0) return;  // Full: it was told already.
}

void wait_for_end(bool with_stdin) {
  std::array<pollfd, 2> waits{{{end_of_program, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
  for (;;) {
    const int ready = ::poll(waits.data(), with_stdin ? 2 : 1, -1);
    if (ready < 0 && errno != EINTR) return;
    if (ready <= 0) continue;
    if (waits[0].revents != 0) return;
    if (with_stdin && waits[1].revents != 0) {
      std::array<char, 256> ignored{};
      if (::read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0) return;
    }
  }
}

int run(const Flags& flags, std::vector<std::shared_ptr<Model>> models) {
  end_of_program = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (end_of_program < 0) {
    std::cerr << "hearth-cloud-stub: cannot get a file descriptor\n";
    return kExitRuntimeFailure;
  }
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  StubServer server(flags.server, std::move(models), [] { on_signal(0); });
  const auto port = server.start();
  if (!port) {
    std::cerr << "hearth-cloud-stub: " << port.error().message << '\n';
    return kExitRuntimeFailure;
  }
  const std::string host =
      flags.server.host.find(':') == std::string::npos ? flags.server.host : "[" + flags.server.host + "]";
  const std::string url = (flags.tls ? "https://" : "http://") + host + ":" + std::to_string(port.value());
  const bool fronted = server.server_port() != port.value();
  const std::string behind = "http://127.0.0.1:" + std::to_string(server.server_port());
  if (flags.json) {
    nlohmann::json ready{{"listening", url}};
    if (fronted) ready["server"] = behind;
    std::cout << ready.dump() << std::endl;
  } else {
    std::cout << "listening " << url << (fronted ? "\nserver " + behind : "") << std::endl;
  }
  wait_for_end(flags.exit_with_stdin);
  server.stop();
  if (flags.stats) std::cerr << stats_json(server.stats()) << '\n';
  if (!flags.verdict) return 0;
  const std::string verdict = server.verdict_json();
  std::cerr << verdict << '\n';
  return nlohmann::json::parse(verdict)["clean"].get<bool>() ? 0 : kExitNo;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app{
      "A real HTTP server that stands in for the cloud: Open Inference Protocol v2, a network with latency,\n"
      "bandwidth and errors on demand, and a tripwire that counts sensitive data which arrives."};
  describe(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) { return app.exit(help); } catch (const CLI::ParseError& error) {
    std::cerr << "hearth-cloud-stub: " << error.what() << " (--help lists the flags)\n";
    return kExitBadInput;
  }
  std::vector<std::string> problems;
  flags.server.shaping = shaping_of(app, flags, problems);
  flags.server.body_bytes_max = flags.body_mib_max << 20;
  flags.server.imitate = imitated_from(flags.imitate).value_or(Imitated::kNone);
  flags.server.piece_delay = hearth::from_ms(flags.piece_ms);
  auto models = models_of(flags, problems);
  read_faults(flags, problems);
  for (const auto& problem : problems) std::cerr << "hearth-cloud-stub: " << problem << '\n';
  if (!problems.empty()) return kExitBadInput;
  return run(flags, std::move(models));
}
