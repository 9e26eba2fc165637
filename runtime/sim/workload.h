/// \file Workload: what a simulated app asks for, and when.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <hearth/request.h>
#include <hearth/time.h>

namespace hearth::sim {

/// One kind of request in a stream's mixture.
struct RequestKind {
  double share = 1;   ///< Of the stream's requests. The shares of a stream add up to 1.
  std::string label;  ///< What the app says it is; empty: nothing.
  std::string text;   ///< An example, which the real detectors read. Empty: no text.
  bool has_tensors = true;
  bool in_session = false;  ///< Of the sessions of the stream, else of none.
};

/// Bytes: constant, or lognormal about a median.
struct Bytes {
  std::uint64_t median = 1024;
  double sigma = 0;  ///< Of the logarithm.
  std::uint64_t max = 16ull << 20;
};

// ---- when requests come -------------------------------------------------------------------------------------------

struct PoissonArrivals {
  double rate_per_s = 1;
};
/// Gaps from a gamma distribution: `cv` is their coefficient of variation; 1 is Poisson, more comes in bursts.
struct GammaArrivals {
  double rate_per_s = 1;
  double cv = 1;
};
/// A Markov-modulated Poisson process: it stays in each state for an exponential time, then goes to the next one.
struct ModulatedArrivals {
  struct State {
    double rate_per_s = 1;
    Duration stay_mean = std::chrono::seconds(10);
  };
  std::vector<State> states;
};
/// One line of a trace. What it does not say is drawn from the stream's mixture.
struct RecordedRequest {
  Duration at{};
  std::optional<std::uint64_t> payload_bytes;
  std::optional<std::uint64_t> reply_bytes;
  std::optional<std::uint32_t> kind;  ///< Index into the stream's kinds.
  std::optional<Duration> deadline;
  std::optional<std::uint64_t> sample;
};

/// Gaps or moments that somebody measured. Begins anew after its end when `repeat`.
struct RecordedArrivals {
  std::shared_ptr<const std::vector<RecordedRequest>> requests;
  bool repeat = false;
  double speed = 1;  ///< 2: twice as fast.
};
/// So many users, each with one request under way or thinking.
struct ClosedLoopArrivals {
  std::uint64_t users = 1;
  Duration think_mean = std::chrono::seconds(1);  ///< Exponential.
};
using ArrivalProcess =
    std::variant<PoissonArrivals, GammaArrivals, ModulatedArrivals, RecordedArrivals, ClosedLoopArrivals>;

/// Multiplies the rate of an open process: with the hour of the day, or for a while.
struct RateShape {
  double diurnal_amplitude = 0;  ///< 0 to 1: rate x (1 + a sin(2 pi (t - peak + day/4) / day)).
  Duration day = std::chrono::hours(24);
  Duration peak{};  ///< Time since the start at which the rate is highest.
  struct Spike {
    Duration at{};
    Duration length{};
    double factor = 1;
  };
  std::vector<Spike> spikes;
};

struct Stream {
  std::string name;
  std::uint16_t model = 0;  ///< Index of the scenario's pair.
  ArrivalProcess arrivals = PoissonArrivals{};
  RateShape shape;
  std::vector<RequestKind> kinds;  ///< Never empty.
  Bytes payload;
  Bytes reply;
  std::optional<Duration> deadline;  ///< None: the policy's.
  Priority priority = Priority::kNormal;
  bool idempotent = true;
  std::uint64_t sessions = 0;  ///< So many names that requests in sessions draw from.
};

// ---- what comes out
// --------------------------------------------------------------------------------------------------

/// One request as it reaches the app's hands. Everything in it is known when it comes.
struct Arriving {
  TimePoint at{};
  std::uint16_t stream = 0;
  std::uint16_t kind = 0;     ///< Index into the stream's kinds.
  std::uint32_t session = 0;  ///< 0: none, else 1 to the stream's `sessions`.
  std::uint32_t user = 0;     ///< Of a closed loop.
  std::uint64_t payload_bytes = 0;
  std::uint64_t reply_bytes = 0;
  std::optional<Duration> deadline;
  std::uint64_t sample = 0;  ///< Which of the model's recorded samples this is; taken modulo their number.
};

/// One stream as one device sends it. The n-th request is a function of seed, device, stream and n alone (and, in a
/// closed loop, of when the one before ended), so two policies meet the same requests. Threads: none of its own.
class Source {
 public:
  /// `stream` must outlive it. `index`: of the stream in its workload.
  Source(const Stream& stream, std::uint16_t index, std::uint64_t device, std::uint64_t seed);

  /// Open loop: the next arrival, never earlier than the one before; nothing when the trace is over. Closed loop: the
  /// first request of each user in turn, then nothing.
  std::optional<Arriving> next();
  /// Closed loop: what the user sends next, whose request ended at `ended`. Open loop: nothing.
  std::optional<Arriving> next_of(std::uint32_t user, TimePoint ended);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::sim
