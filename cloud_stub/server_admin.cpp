// What /admin answers, and what the server counted.
#include <nlohmann/json.hpp>

#include "cloud_stub/server_core.h"
#include "runtime/base/json_reader.h"

namespace hearth::stub {

using nlohmann::json;

Reply StubServer::Core::add_to_tripwire(const std::string& body) {
  auto document = JsonDocument::parse(body, "/admin/tripwire");
  if (!document) return refusal(400, document.error().message);
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  std::vector<std::string> hashes;
  std::vector<std::string> canaries;
  reader.read("input_sha256", hashes);
  reader.read("canaries", canaries);
  reader.finish();
  if (!problems.empty()) return refusal(400, problems.as_error().message);
  if (auto added = tripwire_.add(hashes, canaries); !added) return refusal(400, added.error().message);
  return {200, "{}", {}};
}

Reply StubServer::Core::set_faults(const std::string& body) {
  if (!fronted()) return refusal(403, "this stub was started without faults: start it with --allow-faults");
  auto timeline = sim::parse_timeline(body, "/admin/faults");
  if (!timeline) return refusal(400, timeline.error().message);
  if (auto known = check_servable(timeline.value(), config_.tls.has_value()); !known) {
    return refusal(400, known.error().message);
  }
  faults_.replace(std::move(timeline).value());
  return {200, "{}", {}};
}

Reply StubServer::Core::administer(const Route& found, const std::string& body) {
  switch (found.call) {
    case Call::kStats:
      return {200, stats_json(stats()), {}};
    case Call::kTripwire:
      return add_to_tripwire(body);
    case Call::kShaping: {
      auto shaping = parse_shaping(body, "/admin/shaping");
      if (!shaping) return refusal(400, shaping.error().message);
      shaper_.replace(shaping.value());
      shaped_ = !shaping.value().idle();
      return {200, "{}", {}};
    }
    case Call::kReady: {
      const json wanted = json::parse(body, nullptr, false);
      if (!wanted.is_object() || wanted.size() != 1 || !wanted.contains("ready") || !wanted["ready"].is_boolean()) {
        return refusal(400, R"(expected {"ready": true or false})");
      }
      ready_ = wanted["ready"].get<bool>();
      return {200, "{}", {}};
    }
    case Call::kFaults:
      return {200, faults_.json(), {}};
    case Call::kSetFaults:
      return set_faults(body);
    case Call::kClearFaults:
      return set_faults(R"({"faults":[]})");
    case Call::kVerdict:
      return {200, verdict_json(), {}};
    case Call::kQuit:
      if (!on_quit_) return refusal(404, "this server is stopped by its owner");
      return {200, "{}", {}};  // The logger tells the owner.
    case Call::kWrongMethod:
      return refusal(405, "this path does not answer to that method");
    default:
      return refusal(404, "unknown path");
  }
}

StubStats StubServer::Core::stats() const {
  return {.requests = requests_,
          .infer_requests = infer_requests_,
          .ok = ok_,
          .errors_injected = errors_injected_ + faults_.injected(),
          .bytes_in = bytes_in_,
          .bytes_out = bytes_out_,
          .connections = front_ ? front_->connections() : connections_.load(),
          .sensitive_inputs_seen = sensitive_inputs_,
          .canaries_seen = canaries_,
          .sensitive_requests = sensitive_requests_};
}

std::string stats_json(const StubStats& stats) {
  return json{{"requests", stats.requests},
              {"infer_requests", stats.infer_requests},
              {"ok", stats.ok},
              {"errors_injected", stats.errors_injected},
              {"bytes_in", stats.bytes_in},
              {"bytes_out", stats.bytes_out},
              {"connections", stats.connections},
              {"sensitive_inputs_seen", stats.sensitive_inputs_seen},
              {"canaries_seen", stats.canaries_seen},
              {"sensitive_requests", stats.sensitive_requests}}
      .dump();
}

std::string StubServer::Core::verdict_json() const {
  const Verdict verdict = judge_.verdict();
  const StubStats counts = stats();
  const bool clean = verdict.ids_executed_twice == 0 && verdict.redirects_followed == 0 &&
                     verdict.after_deadline == 0 && counts.sensitive_requests == 0;
  return json{{"clean", clean},
              {"judging", judging()},
              {"attempts", verdict.attempts},
              {"distinct_requests", verdict.distinct_requests},
              {"amplification", verdict.amplification()},
              {"executed", verdict.executed},
              {"ids_executed_twice", verdict.ids_executed_twice},
              {"inputs_executed_twice", verdict.inputs_executed_twice},
              {"after_deadline", verdict.after_deadline},
              {"redirects_followed", verdict.redirects_followed},
              {"canaries_seen", counts.canaries_seen},
              {"sensitive_inputs_seen", counts.sensitive_inputs_seen},
              {"faults_injected", faults_.injected()},
              {"counts_incomplete", verdict.forgot}}
      .dump();
}

}  // namespace hearth::stub
