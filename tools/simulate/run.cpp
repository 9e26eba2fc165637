#include "tools/simulate/run.h"

#include <chrono>
#include <cstdio>
#include <utility>

namespace hearth::simulate {

RunFacts run(const Scenario& scenario, RecordSink& sink, const sim::Progress& progress) {
  const auto began = std::chrono::steady_clock::now();
  const sim::FleetFacts facts = sim::run_fleet(scenario.fleet, sink, progress);
  RunFacts out;
  out.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  out.scenario = scenario.name;
  out.policy_name = scenario.fleet.policy->name();
  out.policy_sha256 = scenario.fleet.policy->sha256();
  out.seed = scenario.fleet.seed;
  out.length = scenario.fleet.length;
  out.warm_up = scenario.warm_up;
  out.devices = scenario.fleet.devices;
  out.requests = facts.requests;
  out.events = facts.events;
  out.left_in_flight = facts.left_in_flight;
  out.attempts = facts.attempts;
  out.permits_denied = facts.permits_denied;
  out.leaks = facts.leaks;
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(facts.hash));
  out.trace_hash = hash;
  return out;
}

Names names_of(const Scenario& scenario) {
  Names names;
  for (const auto& pair : scenario.fleet.runtime.models) names.models.push_back(pair.name);
  for (const auto& stream : scenario.fleet.streams) names.streams.push_back(stream.name);
  for (const auto& rule : scenario.fleet.policy->classes()) names.classes.push_back(rule.name);
  for (const auto& endpoint : scenario.fleet.runtime.endpoints) names.endpoints.push_back(endpoint.name);
  for (policies::RuleIndex i = 0; !scenario.fleet.policy->rule_id(i).empty(); ++i)
    names.rules.emplace_back(scenario.fleet.policy->rule_id(i));
  return names;
}

Scenario with_seed(Scenario scenario, std::uint64_t seed) {
  scenario.fleet.seed = scenario.fleet.runtime.seed = seed;
  return scenario;
}

}  // namespace hearth::simulate
