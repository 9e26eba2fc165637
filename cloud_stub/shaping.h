/// \file Shaping: what the network and a failing server would do to a request, computed as times and never slept here.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/random.h>
#include <hearth/result.h>
#include <hearth/time.h>

namespace hearth::stub {

enum class LatencyKind : std::uint8_t { kConstant, kUniform, kLognormal };

/// The round trip without the time that bytes take. Half of each draw is spent on the way in, half on the way back.
struct Latency {
  LatencyKind kind = LatencyKind::kConstant;
  double ms = 0;         ///< kConstant.
  double min_ms = 0;     ///< kUniform.
  double max_ms = 0;     ///< kUniform.
  double median_ms = 0;  ///< kLognormal.
  double sigma = 0;      ///< kLognormal: standard deviation of the logarithm.
};

/// The default shapes nothing.
struct Shaping {
  Latency latency;
  double uplink_mbit_per_s = 0;    ///< Shared by all requests; 0: no limit. 1 Mbit = 10^6 bits.
  double downlink_mbit_per_s = 0;  ///< Shared by all replies; 0: no limit.
  double error_rate = 0;           ///< Share of infer requests answered with 500 or 503, half each.
  std::uint64_t seed = 1;

  /// Nothing to delay and nothing to fail.
  bool idle() const;
};

inline constexpr double kLatencyMsMax = 60'000;
inline constexpr double kSigmaMax = 4;
inline constexpr double kMbitPerSMin = 0.001;
inline constexpr double kMbitPerSMax = 1'000'000;

/// Reads shaping from JSON text (configs/schema/stub.schema.json). Keys left out keep their defaults. All problems come
/// in one error, a line each: `origin:line:column: path: message`.
Result<Shaping> parse_shaping(std::string_view json, const std::string& origin);
Result<Shaping> load_shaping(const std::string& file);

/// What is out of range in values that did not come from a file, a line each; empty when all is well.
std::vector<std::string> problems_of(const Shaping& shaping);

/// When each request reaches the model and each reply its client. A pure function of the seed and of the calls made, in
/// their order: it is told the time and never asks for it.
/// Threads: every method from any thread; each locks for the length of a few additions.
class Shaper {
 public:
  explicit Shaper(const Shaping& shaping);

  struct Arrival {
    Duration at{};         ///< When the server gets the whole request.
    Duration way_back{};   ///< To be added to the reply.
    int error_status = 0;  ///< 500 or 503: answer with this instead. 0: none.
  };
  /// A request of `bytes` that began to be sent at `now`. Requests take the uplink one after the other.
  Arrival arrive(Duration now, std::uint64_t bytes, bool may_fail);
  /// When a reply of `bytes`, ready at `now`, has reached the client. Replies take the downlink one after the other.
  Duration depart(Duration now, std::uint64_t bytes, Duration way_back);

  /// From now on as `shaping` says, its draws from their beginning. What is on the links stays there.
  void replace(const Shaping& shaping);

 private:
  Duration draw_latency();

  std::mutex mutex_;
  Shaping shaping_;
  RandomStream latency_stream_;
  RandomStream error_stream_;
  Duration uplink_free_{};
  Duration downlink_free_{};
};

}  // namespace hearth::stub
