/// \file `hearth run`: the main job, from flags to an exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hearth::tool {

/// Flags. What is empty or absent comes from the files that ship with hearth.
struct RunOptions {
  std::string models = "models";  ///< Made by `hearth prepare` when there is no pair.json in it.
  std::string workload;           ///< Workload file.
  std::string policy;             ///< Policy file; as it is, while the shipped one gets prepare's cascade threshold.
  std::string stub_config;        ///< Shaping of the cloud stub.
  std::string out = "out/run";    ///< Folder for summary.json, requests.jsonl, policy.json, report.html.
  std::string
      profile;  ///< Where hearth's own turn begins from and keeps what it learned; empty: it begins with nothing.
  std::string journal;  ///< Audit log of hearth's own turn; empty: none is kept.
  std::optional<std::uint64_t> requests;
  std::optional<double> rate_per_s;
  std::optional<double> deadline_ms;
  std::optional<std::uint64_t> seed;
  std::optional<double> kill_cloud_at;  ///< Share of the hearth phase, 0 to 1.
  bool plant_leak = false;
  bool json = false;  ///< The summary on standard output, and nothing else there.
};

/// Runs the job. Problems are printed to standard error, a line each.
int run(const RunOptions& options);

}  // namespace hearth::tool
