/// \file Workload: what a simulated app asks for, and when.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <hearth/random.h>
#include <hearth/request.h>
#include <hearth/time.h>

#include "runtime/sim/rate_shape.h"

namespace hearth::sim {

/// No request comes later: a hundred years, so that times cannot overflow.
inline constexpr TimePoint kArrivalsEnd{std::chrono::hours(24 * 365 * 100)};

/// One kind of request in a stream's mixture.
struct RequestKind {
  double share = 1;   ///< Of the stream's requests. The shares of a stream add up to 1.
  std::string label;  ///< What the app says it is; empty: nothing.
  std::string text;   ///< An example, which the real detectors read. Empty: no text.
  bool has_tensors = true;
  bool in_session = false;  ///< Of one of the stream's sessions, else of none.
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
/// Gaps from a gamma distribution: `cv` is their coefficient of variation. 0 is even gaps, 1 is Poisson, more comes in
/// bursts. In equilibrium from the start, so that a fleet does not begin in step.
struct GammaArrivals {
  double rate_per_s = 1;
  double cv = 1;
};
/// A Markov-modulated Poisson process: it stays in each state for an exponential time, then goes to the next one, after
/// the last to the first. It begins in one that is drawn by how long they last.
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

/// Moments that somebody measured, in order.
struct RecordedArrivals {
  std::shared_ptr<const std::vector<RecordedRequest>> requests;  ///< Never empty.
  Duration period{};    ///< From one round's begin to the next one's: no shorter than the last moment, above 0.
  bool repeat = false;  ///< Begins anew after each period, else ends with the last one.
  bool spread = false;  ///< With `repeat`: each device begins at its own place in the trace.
  double speed = 1;     ///< 2: twice as fast.
};
/// So many users, each with one request under way or thinking.
struct ClosedLoopArrivals {
  std::uint64_t users = 1;
  Duration think_mean = std::chrono::seconds(1);  ///< Exponential.
};
using ArrivalProcess =
    std::variant<PoissonArrivals, GammaArrivals, ModulatedArrivals, RecordedArrivals, ClosedLoopArrivals>;

struct Stream {
  std::string name;
  std::uint16_t model = 0;  ///< Index of the scenario's pair.
  ArrivalProcess arrivals = PoissonArrivals{};
  RateShape shape;                 ///< Of an open process. A trace is played faster and slower by it.
  std::vector<RequestKind> kinds;  ///< Never empty.
  Bytes payload;
  Bytes reply;
  std::optional<Duration> deadline;  ///< None: the policy's.
  Priority priority = Priority::kNormal;
  bool idempotent = true;
  std::uint64_t sessions = 0;  ///< So many names that requests in sessions draw from.
};

// ---- what comes out -------------------------------------------------------------------------------------------------

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

/// One stream as one device sends it. The n-th request is a function of seed, device, the stream's name and n alone
/// (in a closed loop: of the user and how many they sent, and of when the one before ended), so two policies meet the
/// same requests, and a new stream moves no other. No call allocates. Threads: none of its own.
class Source {
 public:
  /// `stream` must outlive it. `index`: of the stream in its workload.
  Source(const Stream& stream, std::uint16_t index, std::uint64_t device, std::uint64_t seed);

  /// Open loop: the next arrival, never earlier than the one before; nothing when the trace or time (kArrivalsEnd) is
  /// over. Closed loop: the first request of each user in turn, in order of time, then nothing.
  std::optional<Arriving> next();
  /// Closed loop: what the user sends next, whose request ended at `ended`. Open loop: nothing.
  std::optional<Arriving> next_of(std::uint32_t user, TimePoint ended);

 private:
  Source(const Stream& stream, std::uint16_t index, std::uint64_t key);
  // Each moves at_ to the next arrival. False: there is none.
  bool step(const PoissonArrivals& process);
  bool step(const GammaArrivals& process);
  bool step(const ModulatedArrivals& process);
  bool step(const RecordedArrivals& process);
  bool step(const ClosedLoopArrivals& process);
  bool pass(double work_ns);
  Arriving arriving(TimePoint at, std::uint32_t user, std::uint64_t n) const;

  const Stream* stream_;
  std::uint64_t key_;  ///< Of its requests' draws.
  RandomStream gaps_;
  RandomStream stays_;
  TimePoint at_{};
  std::uint64_t count_ = 0;
  TimePoint stay_end_{};             ///< Of a modulated process in `state_`.
  std::size_t state_ = 0;            ///< Or the next one's place in the trace.
  Duration round_{};                 ///< Where in its own time the trace's present round begins.
  Duration played_{};                ///< How far it has been played, before the shape.
  std::vector<std::uint32_t> sent_;  ///< By user of a closed loop.
  std::uint16_t index_;
};

}  // namespace hearth::sim
