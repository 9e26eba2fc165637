// Witnesses as facts and as JSON.
#include <nlohmann/json.hpp>

#include "policies/compiled.h"
#include "policies/prove.h"

namespace hearth::policies {

Facts Witness::facts_of(const Policy& policy) const {
  Facts all = facts;
  all.label = label;
  all.model = model;
  all.text = text;
  for (const auto& [type, count] : detected) {
    for (std::size_t slot = 0; slot < kDetectedCount + policy.own_detectors().size(); ++slot) {
      if (type_of(policy.compiled(), slot) == type) all.detected[slot] = count;
    }
  }
  return all;
}

std::string Witness::as_json() const {
  nlohmann::ordered_json request = nlohmann::ordered_json::object();
  if (!label.empty()) request["label"] = label;
  if (!model.empty()) request["model"] = model;
  request["payload"] = facts.has_tensors ? "tensor" : text.empty() ? "none" : "text";
  if (!text.empty()) request["text"] = text;
  if (!facts.text_understood) request["text_understood"] = false;
  for (const auto& [type, count] : detected) request["detected." + type] = count;
  const auto put = [&](const char* key, const auto& value) {
    if (value) request[key] = *value;
  };
  put("payload_kib", facts.payload_kib);
  constexpr const char* kNetworks[] = {"unknown", "offline", "metered", "unmetered"};
  request["device.network"] = kNetworks[static_cast<int>(facts.device.network)];
  put("device.battery_percent", facts.device.battery_percent);
  put("device.charging", facts.device.charging);
  put("session.tainted", facts.session_tainted);
  constexpr const char* kConsents[] = {"absent", "given", "revoked"};
  request["consent"] = kConsents[static_cast<int>(facts.consent)];
  put("cloud_mib_today", facts.cloud_mib_today);
  put("cloud_usd_today", facts.cloud_usd_today);
  put("utc_hour", facts.utc_hour);
  nlohmann::ordered_json place = {{"name", endpoint.empty() ? "cloud" : endpoint}};
  if (!region.empty()) place["region"] = region;
  return nlohmann::ordered_json{{"request", request}, {"endpoints", {place}}}.dump();
}

}  // namespace hearth::policies
