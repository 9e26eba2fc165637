/// \file Profile: how long answers took, as a file, so that forecasts and simulations begin with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>
#include <hearth/time.h>

#include "runtime/signals/quantile_sketch.h"

namespace hearth::signals {

/// Where something was measured. For people: nothing is decided by it.
struct Machine {
  std::string cpu;
  std::uint64_t cores = 0;
};

/// Forward passes of `batch` inferences, of which `threads` ran at the same time, each on a thread of its own.
struct EdgeRow {
  std::uint64_t batch = 1;
  std::uint64_t threads = 1;
  QuantileSketch latency;  ///< Of a pass.
  std::optional<double> joules_per_inference;
};

/// One edge model's latencies.
struct ModelProfile {
  std::string model_sha256;
  std::vector<EdgeRow> rows;  ///< At least one; of each batch and threads one, in their order.

  /// The latency that a share `q` (0 to 1) of passes stays under: with a draw for `q`, a draw of the latency. Of the
  /// rows with the most threads up to `threads`. Between two of their batches it lies between both, in proportion;
  /// above the largest, it grows as the batch does.
  Duration latency(std::uint64_t batch, std::uint64_t threads, double q) const;
};

/// Answers to payloads of one size: up to `payload_bytes_max`, one of Forecasts::kSizeBytes.
struct CloudRow {
  std::uint64_t payload_bytes_max = 0;
  QuantileSketch latency;
};

/// What one endpoint took to answer one pair's requests.
struct CloudProfile {
  std::string endpoint;
  std::string model;  ///< The pair's name.
  std::vector<CloudRow> rows;
};

/// A profile file, configs/schema/profile.schema.json: `hearth profile` writes its edge half, Runtime::profile() both.
/// A histogram stands in it as the pairs [nanoseconds, samples], so that two files merge by adding.
/// Bounds: kRowsMax rows in a file; those of any JSON file here. Threads: a plain value.
struct Profile {
  static constexpr std::size_t kRowsMax = 4096;

  std::optional<Machine> machine;
  std::vector<ModelProfile> edge;
  std::vector<CloudProfile> cloud;

  /// Null when it is not there.
  const ModelProfile* of_model(std::string_view sha256) const;
};

/// Errors: all problems in one, a line each: `file:line:column: path: what, expected what`.
Result<Profile> read_profile(const std::string& file);
/// The same of a file's text; `origin` stands for the file's name.
Result<Profile> parse_profile(std::string_view text, const std::string& origin);
/// What read_profile() reads, the same text for the same profile. Samples are given to a thousandth.
std::string text_of(const Profile& profile);

}  // namespace hearth::signals
