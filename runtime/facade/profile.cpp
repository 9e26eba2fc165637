// What forecasts begin with, from files, and what they came to, as a file's text.
#include "runtime/signals/profile.h"

#include <algorithm>

#include "runtime/base/digest.h"
#include "runtime/facade/core.h"

namespace hearth {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

/// Learned state may be lost, but never keeps a runtime from starting. The first start has none.
signals::Profile Runtime::Core::learned_before() const {
  const bool from_file = config_.profile_json.empty();
  if (from_file && config_.profile_file.empty()) return {};
  auto learned = from_file ? signals::read_profile(config_.profile_file)
                           : signals::parse_profile(config_.profile_json, "profile_json");
  if (learned.ok()) return std::move(learned).value();
  if (!from_file || learned.error().code != ErrorCode::kNotFound)
    log(LogLevel::kWarning,
        "forecasts begin with nothing, the profile is broken: " + first_line(learned.error().message));
  return {};
}

/// What this runtime's earlier life saw comes before what was measured with nothing else going on. The pair's own file
/// is configuration: when it is broken, that is an error.
Status Runtime::Core::start_edge_from(const LoadedPair& pair, const signals::Profile& learned) {
  const std::string& sha256 = pair.model->sha256();
  const auto start_from = [&](const signals::ModelProfile& model) {
    scheduler_.start_edge_from(pair.index, model.rows.front().latency);  // the fewest threads, the smallest batch
  };
  const auto* known = learned.of_model(sha256);
  if (known != nullptr) start_from(*known);
  const std::string& file = pair.pair.edge.profile;
  if (file.empty()) return Done{};
  const auto measured = signals::read_profile(file);
  if (!measured.ok()) return {ErrorCode::kInvalidArgument, measured.error().message};
  if (const auto* model = measured->of_model(sha256); model == nullptr) {
    log(LogLevel::kWarning, file + ": is not about " + pair.pair.edge.file +
                                " as it is now, and is left aside; `hearth profile` measures it anew");
  } else if (known == nullptr) {
    start_from(*model);
  }
  return Done{};
}

void Runtime::Core::start_cloud_from(const signals::Profile& learned) {
  std::size_t strangers = 0;
  for (const auto& known : learned.cloud) {
    const auto pair = pairs_.find(known.model);
    const auto endpoint =
        std::ranges::find_if(config_.endpoints, [&](const Endpoint& one) { return one.name == known.endpoint; });
    if (pair == pairs_.end() || endpoint == config_.endpoints.end()) {
      ++strangers;
      continue;
    }
    const auto site = static_cast<SiteId>(endpoint - config_.endpoints.begin() + 1);
    for (const auto& row : known.rows)
      scheduler_.start_cloud_from(site, pair->second->index, row.payload_bytes_max, row.latency);
  }
  if (strangers > 0)
    log(LogLevel::kWarning, "the profile tells of " + std::to_string(strangers) +
                                " endpoints or models that are not configured; these are left aside");
}

std::string Runtime::Core::profile() {
  signals::Profile profile;
  {
    Lock lock(mutex_);
    for (const auto& [name, pair] : pairs_) {
      const auto& edge = scheduler_.edge_latencies(pair->index);
      const std::string& sha256 = pair->model->sha256();
      // Two pairs may have one edge model: the first one's figures will do.
      if (edge.weight() > 0 && is_sha256(sha256) && profile.of_model(sha256) == nullptr)
        profile.edge.push_back({sha256, {{1, 1, edge, {}}}});
      for (std::size_t i = 0; i < config_.endpoints.size(); ++i) {
        const auto& forecasts = scheduler_.cloud_latencies(static_cast<SiteId>(i + 1));
        signals::CloudProfile cloud{config_.endpoints[i].name, name, {}};
        for (std::size_t size = 0; size < signals::Forecasts::kSizes; ++size) {
          if (const auto* latency = forecasts.lasting(pair->index, size))
            cloud.rows.push_back({signals::Forecasts::kSizeBytes[size], *latency});
        }
        if (!cloud.rows.empty()) profile.cloud.push_back(std::move(cloud));
      }
    }
  }
  return text_of(profile);
}

}  // namespace hearth
