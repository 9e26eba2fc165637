// Runtime::create() with this device's clock, network, sensors, disk and LibTorch behind the seams.
#include <random>

#include <hearth/runtime.h>

#include "runtime/device/audit_log.h"
#include "runtime/device/file_watch.h"
#include "runtime/device/linux_probe.h"
#include "runtime/edge/torch_engine.h"
#include "runtime/net/net.h"

namespace hearth {
namespace {

net::HttpOptions http_options(const RuntimeConfig& config) {
  net::HttpOptions options;
  options.connections_per_endpoint_max = config.limits.connections_per_endpoint_max;
  options.connect_timeout = config.cloud.connect_timeout;
  options.look_up_every = config.cloud.look_up_every;
  options.reply_bytes_max = config.limits.reply_kib_max * 1024;
  return options;
}

std::uint64_t seed_from_entropy() {
  std::random_device entropy;
  return (std::uint64_t{entropy()} << 32) | entropy();
}

std::string secret_from_entropy() {
  std::random_device entropy;
  std::string secret;
  while (secret.size() < 32) secret += static_cast<char>(entropy() & 0xff);
  return secret;
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::create(const RuntimeConfig& config, LogCallback log) {
  RuntimeConfig seeded = config;
  if (seeded.seed == 0) seeded.seed = seed_from_entropy();

  World world;
  world.loop = net::make_asio_loop();
  world.transport = net::make_http_transport(*world.loop, http_options(config));
  world.probe = std::make_shared<device::LinuxProbe>();
  world.watch_file = device::watch_file;
  if (!config.journal_file.empty()) {
    auto journal = device::open_audit_log(*world.loop, config);
    if (!journal.ok()) return journal.error();
    world.journal = std::move(journal).value();
  }
  edge::LogLine engine_log;
  if (log) engine_log = [log](std::string_view line) { log(LogLevel::kWarning, line); };
  const auto engine =
      std::make_shared<edge::TorchEngine>(config.threads, engine_log, config.limits.edge_memory_mib_max * 1024 * 1024);
  world.load_edge_model = [engine,
                           limits = config.limits](const ModelPair& pair) -> Result<std::shared_ptr<EdgeModel>> {
    if (pair.edge.endpoint.empty()) return engine->load(pair.edge);
    return net::make_local_text_model(pair.edge, limits.edge_slots, limits.reply_kib_max * 1024);
  };
  world.redaction_secret = secret_from_entropy();
  return create(seeded, std::move(world), std::move(log));
}

}  // namespace hearth
