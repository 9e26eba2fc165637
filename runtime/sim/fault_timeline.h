/// \file FaultTimeline: what goes wrong with a cloud, and when; one file for the real stub and for a simulation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hearth/result.h>
#include <hearth/time.h>

namespace hearth::sim {

/// Where in the life of a connection or a request a fault strikes.
enum class FaultStage : std::uint8_t {
  kListen,   ///< Nobody listens while it is active.
  kConnect,  ///< One draw for each new connection.
  kLink,     ///< Bytes of every connection wait while it is active.
  kLoad,     ///< Adds to a request's time, or refuses it; several add up.
  kRequest,  ///< Takes the place of the server: what it would have said is never said. The first one that hits counts.
  kReply,    ///< Changes what the server said. The first one that hits counts.
  kClient,   ///< On the client's side of the network: only a simulation can serve it.
};

/// The names in files are these in snake_case; docs/faults.md has a line for each.
enum class FaultKind : std::uint8_t {
  kRefuse,
  kNeverRead,
  kResetOnAccept,
  kSlowAccept,
  kSlowRead,
  kTlsExpired,
  kTlsWrongName,
  kTlsUntrusted,
  kTlsStall,
  kTlsGarbage,
  kPartition,
  kLatency,
  kLoss,
  kQueue,
  kColdStart,
  kDegraded,
  kRateLimit,
  kBrownOut,
  kResetAfterRequest,
  kBlackhole,
  kHalfOpen,
  kCloseOnReuse,
  kStatus,
  kRedirect,
  kNoContinue,
  kClockSkew,
  kResetMidHead,
  kResetMidBody,
  kCutMidHead,
  kCutMidBody,
  kDrip,
  kSlowClose,
  kHalfClose,
  kCloseAfterReply,
  kDuplicateBytes,
  kGarbage,
  kSlowHead,
  kStallBody,
  kBadStatusLine,
  kBadHeader,
  kHugeHead,
  kLengthTooLong,
  kLengthTooShort,
  kLengthTwice,
  kBadChunk,
  kChunkCut,
  kChunkStall,
  kBadJson,
  kHtmlPage,
  kWrongContentType,
  kWrongShape,
  kWrongDatatype,
  kWrongName,
  kMissingOutput,
  kNan,
  kWrongId,
  kDuplicateReply,
  kInterimFlood,
  kHugeBody,
  kGzipBomb,
  kWrongAnswer,
  kModelVersion,
  kDnsFailure,
  kAddressChange,
};

enum class Spread : std::uint8_t { kConstant, kUniform, kNormal, kLognormal, kPareto, kTrace };
enum class Direction : std::uint8_t { kBoth, kUp, kDown };
enum class FaultRoute : std::uint8_t { kInfer, kAny };

inline constexpr Duration kForever = Duration::max();

/// One line of a timeline. Which of the parameters mean something depends on `kind`; a file may hold no others.
struct FaultSpec {
  FaultKind kind = FaultKind::kStatus;
  // When and whom.
  Duration at{};
  Duration length = kForever;
  Duration every{};         ///< The window comes back after this; 0: it does not.
  double probability = 1;   ///< Of each connection or request that could be hit.
  std::uint64_t after = 0;  ///< So many are let through first ("fail from the n-th").
  std::uint64_t times = 0;  ///< At most so many are hit ("first k, then OK"); 0: no limit.
  FaultRoute route = FaultRoute::kInfer;
  // Parameters.
  std::uint64_t bytes = 0;
  Duration delay{};
  Spread spread = Spread::kConstant;
  Duration jitter{};            ///< Uniform: half the width. Normal: the standard deviation.
  double sigma = 0.5;           ///< Lognormal: standard deviation of the logarithm; `delay` is the median.
  double alpha = 1.5;           ///< Pareto: the tail's exponent; `delay` is the smallest value.
  std::vector<Duration> trace;  ///< Taken in turn, again and again.
  Direction direction = Direction::kBoth;
  int status = 0;
  std::string retry_after;  ///< The header's value as it stands; `has_retry_after` false: no such header.
  bool has_retry_after = false;
  bool executed = false;          ///< The server ran the request; only its reply is lost.
  double factor = 1;              ///< The server's time is multiplied by this.
  std::uint64_t servers = 1;      ///< Of the queue.
  std::uint64_t queue_max = 100;  ///< Waiting requests beyond this get 503.
  double growth = 0;              ///< Each waiting request makes service slower by this share: goodput collapses.
  Duration idle{};                ///< A cold start comes after this long without a request; 0: only the first.
  double per_s = 1;               ///< Rate limit: tokens a second.
  std::uint64_t burst = 1;        ///< Rate limit: tokens that can be saved.
  double enter_bad = 0.01;        ///< Gilbert-Elliott, per packet: from the good state to the bad one.
  double leave_bad = 0.3;
  double loss_good = 0;  ///< Share of packets lost in the good state.
  double loss_bad = 1;
  std::uint64_t packets = 4;  ///< Of one request and its reply.
  Duration skew{};            ///< The server's clock is this much ahead; may be negative.
};

struct FaultTimeline {
  std::uint64_t seed = 1;
  std::vector<FaultSpec> faults;
};

/// What is known of a kind: its name in files, its row in docs/faults.md, where it strikes, what it takes.
struct FaultFacts {
  FaultKind kind;
  std::string_view name;
  std::string_view row;  ///< "C3"; several are split by a space.
  FaultStage stage;
  std::string_view parameters;  ///< Keys split by a space.
};

std::span<const FaultFacts> all_faults();
const FaultFacts& facts_of(FaultKind kind);

inline constexpr std::size_t kFaultsMax = 1000;
inline constexpr double kFaultMsMax = 86'400'000;

/// Reads a timeline (configs/schema/faults.schema.json). All problems come in one error, a line each.
Result<FaultTimeline> parse_timeline(std::string_view json, const std::string& origin);
Result<FaultTimeline> load_timeline(const std::string& file);
/// One fault, as a header may ask for it: a name alone, or an object as in the timeline's list.
Result<FaultSpec> parse_fault(std::string_view text, const std::string& origin);

}  // namespace hearth::sim
