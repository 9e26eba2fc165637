#include "runtime/sim/link.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hearth::sim {
namespace {

constexpr double kAlmostNothing = 1e-3;  ///< Bytes that rounding may leave over.
constexpr double kNsPerMs = 1e6;
constexpr double kFarNs = 1e18;    ///< Thirty years: as good as never.
constexpr int kLookAheadMax = 64;  ///< Interruptions that one look into the future goes over.
// Linux: net.ipv4.tcp_retries2 and TCP_RTO_MAX.
constexpr int kResendsMax = 15;
constexpr Duration kBackoffMax = std::chrono::seconds(120);

TimePoint later(TimePoint from, double ns) {
  return ns < kFarNs ? from + Duration(static_cast<Duration::rep>(std::ceil(ns))) : TimePoint::max();
}

Duration drawn_offset(const LinkModel& model, std::uint64_t seed) {
  const double spread = static_cast<double>(model.trace_spread.count());
  return model.trace_offset +
         Duration(static_cast<Duration::rep>(RandomStream(seed, "trace offset").uniform() * spread));
}

}  // namespace

// ---- how much passes ------------------------------------------------------------------------------------------------

Capacity::Capacity(double mbit_per_s, std::shared_ptr<const PacketTrace> packets,
                   std::shared_ptr<const RateTrace> rates, Duration offset)
    : bytes_per_ns_(mbit_per_s / 8e3), packets_(std::move(packets)), rates_(std::move(rates)), offset_(offset) {}

std::uint64_t Capacity::packets_by(TimePoint at) const {
  const auto& times = packets_->at_ms;
  const auto period = static_cast<std::uint64_t>(times.back());
  const auto ms = static_cast<std::uint64_t>((at.time_since_epoch() + offset_) / std::chrono::milliseconds(1));
  const auto rounds = ms / period, into = ms % period;
  const auto packets = std::upper_bound(times.begin(), times.end(), into) - times.begin();
  // The last line of one round is the moment 0 of the next: those packets have passed when it begins.
  return rounds * times.size() + static_cast<std::uint64_t>(packets);
}

double Capacity::rated_by(TimePoint at) const {
  const auto& pieces = rates_->pieces;
  const Duration period = pieces.back().end, since = at.time_since_epoch() + offset_;
  const auto piece = std::upper_bound(pieces.begin(), pieces.end(), since % period,
                                      [](Duration time, const RateTrace::Piece& one) { return time < one.end; });
  const RateTrace::Piece before = piece == pieces.begin() ? RateTrace::Piece{} : *(piece - 1);
  const double part = static_cast<double>((since % period - before.end).count()) /
                      static_cast<double>((piece->end - before.end).count());
  return static_cast<double>(since / period) * pieces.back().bytes_by + before.bytes_by +
         part * (piece->bytes_by - before.bytes_by);
}

double Capacity::bytes_between(TimePoint from, TimePoint to) const {
  if (packets_) return static_cast<double>(kPacketBytes * (packets_by(to) - packets_by(from)));
  if (rates_) return rated_by(to) - rated_by(from);
  return static_cast<double>((to - from).count()) * bytes_per_ns_;
}

TimePoint Capacity::time_for(TimePoint from, double bytes) const {
  if (packets_) {
    const auto& times = packets_->at_ms;
    const auto more = static_cast<std::uint64_t>(
        std::ceil(std::max(0.0, bytes - kAlmostNothing) / static_cast<double>(kPacketBytes)));
    if (more == 0) return from;
    const auto last = packets_by(from) + more - 1;
    const auto rounds = last / times.size(), index = last % times.size();
    if (static_cast<double>(rounds) * times.back() * kNsPerMs > kFarNs) return TimePoint::max();
    return TimePoint(std::chrono::milliseconds(rounds * times.back() + times[index]) - offset_);
  }
  if (rates_) {
    const auto& pieces = rates_->pieces;
    const double target = rated_by(from) + bytes, round = pieces.back().bytes_by;
    if (bytes <= 0) return from;
    const double rounds = std::ceil(target / round) - 1, into = target - rounds * round;  // above 0, up to a whole one
    if (rounds * static_cast<double>(pieces.back().end.count()) > kFarNs) return TimePoint::max();
    const auto piece = std::lower_bound(pieces.begin(), pieces.end() - 1, into,
                                        [](const RateTrace::Piece& one, double by) { return one.bytes_by < by; });
    const RateTrace::Piece before = piece == pieces.begin() ? RateTrace::Piece{} : *(piece - 1);
    const double part = std::clamp((into - before.bytes_by) / (piece->bytes_by - before.bytes_by), 0.0, 1.0);
    const auto ns =
        static_cast<Duration::rep>(std::ceil(part * static_cast<double>((piece->end - before.end).count())));
    return TimePoint(pieces.back().end * static_cast<Duration::rep>(rounds) + before.end + Duration(ns) - offset_);
  }
  return later(from, bytes / bytes_per_ns_);
}

// ---- one direction --------------------------------------------------------------------------------------------------

double Pipe::passed(TimePoint from, TimePoint to) const {
  if (interruptions_ == nullptr || interruptions_->never()) return capacity_.bytes_between(from, to);
  double bytes = 0;
  while (from < to) {
    const auto window = interruptions_->next(from);
    if (window.begin > from) bytes += capacity_.bytes_between(from, std::min(window.begin, to));
    from = window.end;
  }
  return bytes;
}

TimePoint Pipe::time_for(TimePoint from, double bytes) const {
  if (interruptions_ == nullptr || interruptions_->never()) return capacity_.time_for(from, bytes);
  for (int windows = 0; windows < kLookAheadMax && from < TimePoint::max(); ++windows) {
    const auto window = interruptions_->next(from);
    if (window.begin > from) {
      const TimePoint at = capacity_.time_for(from, bytes);
      if (at <= window.begin) return at;
      bytes -= capacity_.bytes_between(from, window.begin);
    }
    from = window.end;
  }
  return from;  // to look again then
}

Pipe::TransferId Pipe::start(std::uint64_t bytes, std::function<void()> done) {
  drain();
  transfers_.push_back({each_got_ + static_cast<double>(std::max<std::uint64_t>(bytes, 1)), ++last_, std::move(done)});
  std::push_heap(transfers_.begin(), transfers_.end(), std::greater<>());
  arm();
  return last_;
}

void Pipe::abort(TransferId transfer) {
  const auto found =
      std::find_if(transfers_.begin(), transfers_.end(), [&](const Transfer& one) { return one.id == transfer; });
  if (found == transfers_.end()) return;
  drain();
  // drain() may have moved it, or ended it.
  if (std::erase_if(transfers_, [&](const Transfer& one) { return one.id == transfer; }) == 0) return;
  std::make_heap(transfers_.begin(), transfers_.end(), std::greater<>());
  arm();
}

Duration Pipe::alone(TimePoint at, std::uint64_t bytes) const { return time_for(at, static_cast<double>(bytes)) - at; }

/// Gives out what has passed since the last time, evenly; what the small ones leave goes to the others.
void Pipe::drain() {
  const TimePoint now = loop_.now();
  double amount = transfers_.empty() || now == drained_ ? 0 : passed(drained_, now);
  drained_ = now;
  while (!transfers_.empty() && amount > kAlmostNothing) {
    const auto count = static_cast<double>(transfers_.size());
    const double least = transfers_.front().ends_at - each_got_;
    if (amount < least * count - kAlmostNothing) {
      each_got_ += amount / count;
      break;
    }
    amount -= least * count;
    each_got_ = transfers_.front().ends_at;
    while (!transfers_.empty() && transfers_.front().ends_at <= each_got_ + kAlmostNothing) {
      std::pop_heap(transfers_.begin(), transfers_.end(), std::greater<>());
      loop_.post(std::move(transfers_.back().done));
      transfers_.pop_back();
    }
  }
  if (transfers_.empty()) each_got_ = 0;
}

void Pipe::arm() {
  TimePoint due = TimePoint::max();
  if (!transfers_.empty()) {
    due = time_for(drained_, (transfers_.front().ends_at - each_got_) * static_cast<double>(transfers_.size()));
    due = std::max(due, loop_.now() + Duration(1));
  }
  if (timer_ != 0) {
    if (due == due_) return;
    loop_.cancel(std::exchange(timer_, 0));
  }
  if (due == TimePoint::max()) return;
  due_ = due;
  timer_ = loop_.schedule_at(due, [this] {
    timer_ = 0;
    drain();
    arm();
  });
}

// ---- a message ------------------------------------------------------------------------------------------------------

Link::Link(EventLoop& loop, const LinkModel& model, std::uint64_t seed)
    : loop_(loop),
      model_(model),
      interruptions_(model.handovers, model.outages, RandomStream(seed, "handovers").next()),
      offset_(drawn_offset(model, seed)),
      up_(loop, Capacity(model.up_mbit_per_s, model.up, model.up_rate, offset_), &interruptions_),
      down_(loop, Capacity(model.down_mbit_per_s, model.down, model.down_rate, offset_), &interruptions_),
      delays_(seed, "link delays"),
      losses_(seed, "link losses") {}

std::size_t Link::second_of_trace(TimePoint at) const {
  return static_cast<std::size_t>((at.time_since_epoch() + offset_) / std::chrono::seconds(1));
}

bool Link::gets_through(TimePoint at) const {
  if (!interruptions_.never() && interruptions_.next(at).begin <= at) return false;
  if (!model_.round_trips) return true;
  const auto& [round_trips, loss] = *model_.round_trips;
  const auto second = second_of_trace(at);
  return round_trips[second % round_trips.size()] != PingTrace::kLost &&
         (loss.empty() || loss[second % loss.size()] < 1);
}

Duration Link::resent(TimePoint at) const {
  Duration late{};
  if (interruptions_.never() && !model_.round_trips) return late;
  Duration backoff = model_.loss.retransmit;
  for (int resends = 0; resends < kResendsMax && !gets_through(at + late); ++resends) {
    late += backoff;
    backoff = std::min(backoff * 2, kBackoffMax);
  }
  return late;
}

Duration Link::round_trip(TimePoint at) const {
  const auto& trips = model_.round_trips->round_trips;
  return trips[second_of_trace(at) % trips.size()];
}

Duration Link::one_way(std::uint64_t bytes) {
  const std::uint64_t packets = (std::max<std::uint64_t>(bytes, 1) + kPacketBytes - 1) / kPacketBytes;
  Duration late{};
  if (model_.loss.enter_bad > 0 || model_.loss.loss_good > 0) late = model_.loss.delay(packets, bad_, losses_);
  late += resent(loop_.now() + late);
  if (!model_.round_trips) {
    const double median = static_cast<double>(model_.round_trip_median.count()) / 2;
    const double drawn = model_.round_trip_sigma > 0 ? delays_.lognormal(median, model_.round_trip_sigma) : median;
    return late + Duration(static_cast<Duration::rep>(drawn));
  }
  if (const auto& loss = model_.round_trips->loss; !loss.empty()) {
    const PacketLoss share{0, 1, loss[second_of_trace(loop_.now() + late) % loss.size()], 1, model_.loss.retransmit};
    bool bad = false;
    late += share.delay(packets, bad, losses_);
  }
  const Duration trip = round_trip(loop_.now() + late);
  return trip == PingTrace::kLost ? late : late + trip / 2;
}

Duration Link::foresee(std::uint64_t bytes_up, Duration between, std::uint64_t bytes_down) const {
  const auto one_way = [&](TimePoint at) {
    const Duration late = resent(at);
    const Duration trip = model_.round_trips ? round_trip(at + late) : model_.round_trip_median;
    return late + (trip == PingTrace::kLost ? Duration{} : trip / 2);
  };
  const TimePoint begin = loop_.now();
  TimePoint at = begin + up_.alone(begin, bytes_up);
  at += one_way(at) + between;
  at += down_.alone(at, bytes_down);
  return at + one_way(at) - begin;
}

}  // namespace hearth::sim
