#include "runtime/sim/fleet.h"

#include <memory>
#include <stdexcept>

#include "runtime/sim/fleet_device.h"

namespace hearth::sim {
namespace {

constexpr int kReports = 100;  ///< Of progress, over the whole length.

std::vector<std::shared_ptr<Cloud>> clouds_of(const FleetModel& model) {
  std::vector<std::shared_ptr<Cloud>> clouds;
  for (std::size_t i = 0; i < model.clouds.size(); ++i)
    clouds.push_back(std::make_shared<Cloud>(model.runtime.endpoints[i].name, model.clouds[i], model.seed));
  return clouds;
}

std::vector<std::vector<std::string>> sessions_of(const std::vector<Stream>& streams) {
  std::vector<std::vector<std::string>> names(streams.size());
  for (std::size_t i = 0; i < streams.size(); ++i) {
    for (std::uint64_t n = 1; n <= streams[i].sessions; ++n)
      names[i].push_back(streams[i].name + " " + std::to_string(n));
  }
  return names;
}

}  // namespace

FleetFacts run_fleet(const FleetModel& model, RecordSink& sink, const Progress& progress) {
  VirtualLoop loop;
  Commons commons{model,
                  loop,
                  sink,
                  {},
                  std::make_shared<Rulebook>(model.runtime, model.policy),
                  clouds_of(model),
                  sessions_of(model.streams),
                  {}};
  std::vector<std::unique_ptr<FleetDevice>> devices;
  devices.reserve(model.devices);
  for (std::uint64_t i = 0; i < model.devices; ++i) {
    devices.push_back(std::make_unique<FleetDevice>(commons, static_cast<std::uint32_t>(i)));
    devices.back()->start();
  }
  for (int i = 1; i <= kReports; ++i) {
    const Duration until = model.length / kReports * i;
    loop.run_until(TimePoint(until));
    if (progress) progress(until);
  }
  loop.run_until_idle();
  for (const auto& device : devices) commons.facts.left_in_flight += device->unfinished();
  commons.facts.events = loop.ran();
  return commons.facts;
}

}  // namespace hearth::sim
