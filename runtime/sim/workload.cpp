#include "runtime/sim/workload.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/portable_math.h"

namespace hearth::sim {
namespace {

constexpr double kNsPerS = 1e9;

/// Mean 1. Marsaglia, Tsang: "A simple method for generating gamma variables", ACM TOMS 26(3), 2000.
double gamma(RandomStream& random, double shape) {
  const double grown = shape < 1 ? shape + 1 : shape;
  const double d = grown - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal();
    const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    const double u = 1 - random.uniform();
    if (v <= 0 || portable_log(u) >= 0.5 * x * x + d - d * v + d * portable_log(v)) continue;
    const double boost = shape < 1 ? portable_exp(portable_log(1 - random.uniform()) / shape) : 1;
    return d * v * boost / shape;
  }
}

/// Takes one draw, whatever comes out.
std::uint64_t draw_bytes(const Bytes& bytes, RandomStream& random) {
  if (bytes.sigma == 0) {
    random.next();
    return std::min(bytes.median, bytes.max);
  }
  const double drawn = random.lognormal(static_cast<double>(bytes.median), bytes.sigma);
  return drawn < static_cast<double>(bytes.max) ? static_cast<std::uint64_t>(drawn + 0.5) : bytes.max;
}

Duration rounded(double ns) { return Duration(static_cast<Duration::rep>(ns + 0.5)); }

TimePoint after(TimePoint at, double ns) {
  return ns < static_cast<double>((kArrivalsEnd - at).count()) ? at + rounded(ns) : kArrivalsEnd;
}

std::uint16_t pick_kind(const std::vector<RequestKind>& kinds, double draw) {
  std::size_t kind = 0;
  while (kind + 1 < kinds.size() && draw >= kinds[kind].share) draw -= kinds[kind++].share;
  return static_cast<std::uint16_t>(kind);
}

}  // namespace

Source::Source(const Stream& stream, std::uint16_t index, std::uint64_t device, std::uint64_t seed)
    : Source(stream, index,
             RandomStream(RandomStream(seed, "workload " + stream.name).next() + device, "source").next()) {}

Source::Source(const Stream& stream, std::uint16_t index, std::uint64_t key)
    : stream_(&stream), key_(key), gaps_(key, "gaps"), stays_(key, "stays"), index_(index) {
  if (const auto* modulated = std::get_if<ModulatedArrivals>(&stream.arrivals)) {
    const auto& states = modulated->states;
    double all = 0;
    for (const auto& state : states) all += static_cast<double>(state.stay_mean.count());
    double draw = stays_.uniform() * all;
    while (state_ + 1 < states.size() && draw >= static_cast<double>(states[state_].stay_mean.count()))
      draw -= static_cast<double>(states[state_++].stay_mean.count());
    stay_end_ = after({}, stays_.exponential(static_cast<double>(states[state_].stay_mean.count())));
  } else if (const auto* recorded = std::get_if<RecordedArrivals>(&stream.arrivals)) {
    if (!recorded->repeat || !recorded->spread) return;
    const Duration begin = rounded(gaps_.uniform() * static_cast<double>(recorded->period.count()));
    const auto& requests = *recorded->requests;
    state_ = static_cast<std::size_t>(
        std::partition_point(requests.begin(), requests.end(), [&](const auto& one) { return one.at < begin; }) -
        requests.begin());
    round_ = -begin;
  } else if (const auto* closed = std::get_if<ClosedLoopArrivals>(&stream.arrivals)) {
    sent_.resize(closed->users);
  }
}

std::optional<Arriving> Source::next() {
  if (!std::visit([this](const auto& process) { return step(process); }, stream_->arrivals)) return {};
  if (std::holds_alternative<ClosedLoopArrivals>(stream_->arrivals)) {
    const auto user = static_cast<std::uint32_t>(count_++);
    return arriving(at_, user, sent_[user]++);
  }
  Arriving one = arriving(at_, 0, count_++);
  if (const auto* recorded = std::get_if<RecordedArrivals>(&stream_->arrivals)) {
    const RecordedRequest& line = (*recorded->requests)[state_++];
    one.payload_bytes = line.payload_bytes.value_or(one.payload_bytes);
    one.reply_bytes = line.reply_bytes.value_or(one.reply_bytes);
    if (line.kind) {
      one.kind = static_cast<std::uint16_t>(*line.kind);
      if (!stream_->kinds[one.kind].in_session) one.session = 0;
    }
    if (line.deadline) one.deadline = line.deadline;
    one.sample = line.sample.value_or(one.sample);
  }
  return one;
}

std::optional<Arriving> Source::next_of(std::uint32_t user, TimePoint ended) {
  const auto* closed = std::get_if<ClosedLoopArrivals>(&stream_->arrivals);
  if (closed == nullptr || user >= sent_.size()) return {};
  const std::uint64_t n = sent_[user]++;
  RandomStream thinks(key_ + (n << 32) + user, "think");
  const TimePoint at = after(ended, thinks.exponential(static_cast<double>(closed->think_mean.count())));
  if (at == kArrivalsEnd) return {};
  return arriving(at, user, n);
}

/// Each draw has its place, taken or not, so that what one key of the stream says moves nothing else.
Arriving Source::arriving(TimePoint at, std::uint32_t user, std::uint64_t n) const {
  RandomStream draws(key_ + (n << 32) + user, "request");
  Arriving one;
  one.at = at;
  one.stream = index_;
  one.user = user;
  one.deadline = stream_->deadline;
  one.sample = draws.next();
  one.kind = pick_kind(stream_->kinds, draws.uniform());
  const double session = draws.uniform();
  if (stream_->sessions > 0 && stream_->kinds[one.kind].in_session)
    one.session = 1 + static_cast<std::uint32_t>(session * static_cast<double>(stream_->sessions));
  one.payload_bytes = draw_bytes(stream_->payload, draws);
  one.reply_bytes = draw_bytes(stream_->reply, draws);
  return one;
}

// ---- when they come -------------------------------------------------------------------------------------------------

/// Moves on by so much time at the unshaped rate.
bool Source::pass(double work_ns) {
  at_ = stream_->shape.flat() ? after(at_, work_ns) : pass_time(stream_->shape, at_, work_ns, kArrivalsEnd).at;
  return at_ < kArrivalsEnd;
}

bool Source::step(const PoissonArrivals& process) { return pass(gaps_.exponential(kNsPerS / process.rate_per_s)); }

bool Source::step(const GammaArrivals& process) {
  const double mean_ns = kNsPerS / process.rate_per_s;
  const bool even = process.cv < 1e-6;
  const double shape = even ? 0 : 1 / (process.cv * process.cv);
  if (count_ > 0) return pass(mean_ns * (even ? 1 : gamma(gaps_, shape)));
  // What is left of the gap in which time begins: long gaps are met more often, by their length, which is a gamma of
  // one more; and any place in it is as likely.
  const double met = even ? 1 : gamma(gaps_, shape + 1) * (shape + 1) / shape;
  return pass(mean_ns * met * gaps_.uniform());
}

bool Source::step(const ModulatedArrivals& process) {
  double due = gaps_.exponential(1);  // arrivals that the rate still has to bring
  while (at_ < kArrivalsEnd) {
    const double rate_per_ns = process.states[state_].rate_per_s / kNsPerS;
    if (rate_per_ns > 0) {
      const auto [at, left_ns] = pass_time(stream_->shape, at_, due / rate_per_ns, std::min(stay_end_, kArrivalsEnd));
      at_ = at;
      if (left_ns == 0 && at < stay_end_) return at < kArrivalsEnd;
      due = left_ns * rate_per_ns;
    }
    at_ = stay_end_;
    state_ = (state_ + 1) % process.states.size();
    stay_end_ = after(at_, stays_.exponential(static_cast<double>(process.states[state_].stay_mean.count())));
  }
  return false;
}

bool Source::step(const RecordedArrivals& process) {
  const auto& requests = *process.requests;
  if (state_ == requests.size()) {
    if (!process.repeat || round_ > Duration::max() / 4) return false;
    state_ = 0;
    round_ += process.period;
  }
  const Duration own = round_ + requests[state_].at;
  if (stream_->shape.flat()) {  // without the rounding of one gap after the other
    at_ = process.speed == 1 ? std::min(TimePoint(own), kArrivalsEnd)
                             : after({}, static_cast<double>(own.count()) / process.speed);
    return at_ < kArrivalsEnd;
  }
  const double work_ns = static_cast<double>((own - played_).count()) / process.speed;
  played_ = own;
  return pass(work_ns);
}

/// The first thinking times of all, in order: the gap before the next of n that are left is exponential with an n-th of
/// the mean.
bool Source::step(const ClosedLoopArrivals& process) {
  if (count_ == process.users) return false;
  const auto left = static_cast<double>(process.users - count_);
  at_ = after(at_, gaps_.exponential(static_cast<double>(process.think_mean.count()) / left));
  return at_ < kArrivalsEnd;
}

}  // namespace hearth::sim
