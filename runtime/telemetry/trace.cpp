#include "runtime/telemetry/trace.h"

#include <nlohmann/json.hpp>

namespace hearth::telemetry {
namespace {

double round_us(Duration d) {
  return static_cast<double>(d.count() / 1000) / 1000.0;
}  // milliseconds, to the microsecond

}  // namespace

std::string to_json_line(const Outcome& outcome) {
  using Json = nlohmann::ordered_json;
  Json attempts = Json::array();
  for (const auto& attempt : outcome.attempts) {
    Json line{{"site", attempt.site == kEdgeSite ? "edge" : attempt.endpoint},
              {"began_ms", round_us(attempt.began)},
              {"took_ms", round_us(attempt.took)}};
    if (attempt.site != kEdgeSite) line["bytes_sent"] = attempt.bytes_sent;
    if (!attempt.error.empty()) line["error"] = attempt.error;
    attempts.push_back(std::move(line));
  }
  Json line{{"id", outcome.id},
            {"status", name_of(outcome.status)},
            {"reason", name_of(outcome.reason)},
            {"model", outcome.model},
            {"served_on", outcome.served_on},
            {"class", outcome.data_class},
            {"classify_rule", outcome.classify_rule},
            {"mask_bits", outcome.mask.bits()},
            {"permit_rule", outcome.permit_rule},
            {"plan", name_of(outcome.plan)},
            {"prefer_rule", outcome.prefer_rule},
            {"confidence", outcome.confidence},
            {"bytes_sent", outcome.bytes_sent},
            {"queued_ms", round_us(outcome.queued)},
            {"latency_ms", round_us(outcome.latency)},
            {"deadline_ms", round_us(outcome.deadline)},
            {"deadline_met", outcome.deadline_met},
            {"model_sha256", outcome.model_sha256},
            {"policy_sha256", outcome.policy_sha256},
            {"attempts", std::move(attempts)}};
  if (!outcome.message.empty()) line["message"] = outcome.message;
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hearth::telemetry
