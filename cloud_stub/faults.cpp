#include "cloud_stub/faults.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace hearth::stub {

using sim::FaultStage;

Status check_servable(const sim::FaultTimeline& timeline, bool tls) {
  for (std::size_t i = 0; i < timeline.faults.size(); ++i) {
    const auto& facts = sim::facts_of(timeline.faults[i].kind);
    const std::string where = "/faults/" + std::to_string(i) + ": " + std::string(facts.name);
    if (facts.stage == FaultStage::kClient) {
      return {ErrorCode::kInvalidArgument,
              where + " is on the client's side of the network: only a simulation serves it"};
    }
    if (!tls && facts.row == "C15") {
      return {ErrorCode::kInvalidArgument, where + " needs TLS: start the stub with --tls"};
    }
  }
  return Done{};
}

void Faults::replace(sim::FaultTimeline timeline) {
  const std::lock_guard lock(mutex_);
  schedule_ = sim::FaultSchedule(std::move(timeline));
  began_ = Clock::now();
  log_.clear();
}

void Faults::log(sim::FaultKind kind, bool by_header) {
  ++injected_;
  if (log_.size() == kLogMax) log_.pop_front();
  log_.push_back({now(), kind, by_header});
}

std::optional<sim::FaultSpec> Faults::on_connect() {
  const std::lock_guard lock(mutex_);
  auto found = schedule_.on_connect(now());
  if (found) log(found->kind, false);
  return found;
}

sim::FaultDecision Faults::on_request(bool infer) {
  const std::lock_guard lock(mutex_);
  auto decision = schedule_.on_request(now(), infer);
  if (decision.fault) log(decision.fault->kind, false);
  return decision;
}

Result<sim::FaultDecision> Faults::on_request_with(std::string_view asked, bool infer) {
  auto spec = sim::parse_fault(asked, "x-hearth-fault");
  if (!spec) return spec.error();
  const FaultStage stage = sim::facts_of(spec.value().kind).stage;
  const bool alone = stage == FaultStage::kRequest || stage == FaultStage::kReply ||
                     spec.value().kind == sim::FaultKind::kLatency || spec.value().kind == sim::FaultKind::kDegraded ||
                     spec.value().kind == sim::FaultKind::kLoss;
  if (!alone) {
    return {ErrorCode::kInvalidArgument, "x-hearth-fault: " + std::string(sim::facts_of(spec.value().kind).name) +
                                             " strikes more than one request; use a timeline or /admin/faults"};
  }
  const std::lock_guard lock(mutex_);
  const sim::FaultKind kind = spec.value().kind;
  sim::FaultTimeline timeline{.seed = schedule_.timeline().seed + ++asked_, .faults = {}};
  timeline.faults.push_back(std::move(spec).value());
  const Duration at = timeline.faults[0].at;
  sim::FaultSchedule once(std::move(timeline));
  auto decision = once.on_request(at, infer);
  if (once.hits()[0] > 0) log(kind, true);
  return decision;
}

bool Faults::refuses() const {
  const std::lock_guard lock(mutex_);
  return schedule_.refuses(now());
}

std::optional<Duration> Faults::cut_for(sim::Direction direction) const {
  const std::lock_guard lock(mutex_);
  const Duration at = now();
  const auto until = schedule_.cut_until(at, direction);
  if (!until) return std::nullopt;
  return *until == sim::kForever ? sim::kForever : *until - at;
}

std::string Faults::json() const {
  const std::lock_guard lock(mutex_);
  const Duration at = now();
  auto faults = nlohmann::json::array();
  const auto& specs = schedule_.timeline().faults;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    faults.push_back({{"fault", sim::facts_of(specs[i].kind).name},
                      {"active", sim::is_active(specs[i], at)},
                      {"hits", schedule_.hits()[i]}});
  }
  auto log = nlohmann::json::array();
  for (const Logged& entry : log_) {
    log.push_back({{"at_ms", to_ms(entry.at)},
                   {"fault", sim::facts_of(entry.kind).name},
                   {"by", entry.by_header ? "header" : "timeline"}});
  }
  return nlohmann::json{{"now_ms", to_ms(at)},
                        {"seed", schedule_.timeline().seed},
                        {"injected", injected_},
                        {"faults", std::move(faults)},
                        {"log", std::move(log)}}
      .dump();
}

std::uint64_t Faults::injected() const {
  const std::lock_guard lock(mutex_);
  return injected_;
}

}  // namespace hearth::stub
