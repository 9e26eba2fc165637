#include "tools/hearth/mode_policy.h"

#include <nlohmann/json.hpp>

#include "policies/policy.h"
#include "runtime/base/json_reader.h"

namespace hearth::tool {
namespace {

constexpr std::uint64_t kPolicyBytesMax = 1 << 20;

}  // namespace

std::string edge_only_policy() {
  return R"({"version": 1, "name": "edge-only",
  "classes": [{"name": "public", "egress": "never"}, {"name": "personal", "egress": "never"},
              {"name": "sensitive", "egress": "never"}],
  "default_class": "sensitive",
  "prefer": [{"id": "local", "when": {}, "plan": "edge"}]})";
}

std::string cloud_only_policy() {
  return R"({"version": 1, "name": "cloud-only",
  "classes": [{"name": "public", "egress": "allow"}, {"name": "personal", "egress": "allow"},
              {"name": "sensitive", "egress": "allow"}],
  "default_class": "sensitive",
  "prefer": [{"id": "everything", "when": {}, "plan": "cloud"}]})";
}

Result<ModePolicy> load_mode_policy(const std::string& file, double threshold) {
  const auto text = read_whole_file(file, kPolicyBytesMax);
  if (!text) return text.error();
  if (const auto policy = policies::Policy::load(text.value(), file); !policy) return policy.error();
  auto root = nlohmann::ordered_json::parse(text.value(), nullptr, false);
  ModePolicy result{text.value(), root.value("name", ""), 0};
  bool changed = false, first = true;
  if (!root.contains("prefer")) return result;
  for (auto& rule : root["prefer"]) {
    if (rule.value("plan", "") != "cascade") continue;
    if (threshold >= 0) {
      rule["confidence_below"] = threshold;
      changed = true;
    }
    if (first) result.threshold = rule.value("confidence_below", 0.0);
    first = false;
  }
  if (changed) result.json = root.dump(2) + "\n";
  return result;
}

}  // namespace hearth::tool
