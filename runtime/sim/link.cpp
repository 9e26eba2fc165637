#include "runtime/sim/link.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hearth::sim {
namespace {

constexpr double kAlmostNothing = 1e-3;  ///< Bytes that rounding may leave over.
constexpr double kNsPerMs = 1e6;

}  // namespace

Capacity::Capacity(double mbit_per_s, std::shared_ptr<const PacketTrace> trace)
    : bytes_per_ns_(mbit_per_s / 8e3), trace_(std::move(trace)) {}

double Capacity::bytes_by(TimePoint at) const {
  const auto ns = static_cast<double>(at.time_since_epoch().count());
  if (!trace_) return ns * bytes_per_ns_;
  const auto& times = trace_->at_ms;
  const auto period = static_cast<std::uint64_t>(times.back());
  const auto ms = static_cast<std::uint64_t>(ns / kNsPerMs);
  const auto rounds = ms / period, into = ms % period;
  const auto packets = std::upper_bound(times.begin(), times.end(), into) - times.begin();
  // The last line of one round is the moment 0 of the next: those packets have passed when it begins.
  return static_cast<double>(kPacketBytes * (rounds * times.size() + static_cast<std::uint64_t>(packets)));
}

TimePoint Capacity::time_of(double bytes) const {
  if (!trace_) return TimePoint(Duration(static_cast<Duration::rep>(std::ceil(bytes / bytes_per_ns_))));
  const auto& times = trace_->at_ms;
  const auto packets =
      static_cast<std::uint64_t>(std::ceil((bytes - kAlmostNothing) / static_cast<double>(kPacketBytes)));
  if (packets == 0) return TimePoint{};
  const auto rounds = (packets - 1) / times.size(), index = (packets - 1) % times.size();
  return TimePoint(std::chrono::milliseconds(rounds * times.back() + times[index]));
}

Pipe::TransferId Pipe::start(std::uint64_t bytes, std::function<void()> done) {
  drain();
  transfers_.push_back({++last_, static_cast<double>(std::max<std::uint64_t>(bytes, 1)), std::move(done)});
  arm();
  return last_;
}

void Pipe::abort(TransferId transfer) {
  drain();
  std::erase_if(transfers_, [&](const Transfer& one) { return one.id == transfer; });
  arm();
}

Duration Pipe::alone(TimePoint at, std::uint64_t bytes) const {
  return std::max(Duration{}, capacity_.time_of(capacity_.bytes_by(at) + static_cast<double>(bytes)) - at);
}

/// Gives out what has passed since the last time, evenly; what the small ones leave goes to the others.
void Pipe::drain() {
  const double now = capacity_.bytes_by(loop_.now());
  double amount = now - passed_;
  passed_ = now;
  while (!transfers_.empty() && amount > kAlmostNothing) {
    const double count = static_cast<double>(transfers_.size());
    const auto least = std::min_element(transfers_.begin(), transfers_.end(),
                                        [](const Transfer& a, const Transfer& b) { return a.left < b.left; });
    const double share = std::min(amount / count, least->left);
    amount -= share * count;
    for (Transfer& one : transfers_) one.left -= share;
    for (auto one = transfers_.begin(); one != transfers_.end();) {
      if (one->left <= kAlmostNothing) {
        loop_.post(std::move(one->done));
        one = transfers_.erase(one);
      } else {
        ++one;
      }
    }
  }
}

void Pipe::arm() {
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  if (transfers_.empty()) return;
  const auto least = std::min_element(transfers_.begin(), transfers_.end(),
                                      [](const Transfer& a, const Transfer& b) { return a.left < b.left; });
  const TimePoint due = capacity_.time_of(passed_ + least->left * static_cast<double>(transfers_.size()));
  timer_ = loop_.schedule_at(std::max(due, loop_.now() + Duration(1)), [this] {
    timer_ = 0;
    drain();
    arm();
  });
}

Link::Link(EventLoop& loop, const LinkModel& model, std::uint64_t seed)
    : loop_(loop),
      model_(model),
      up_(loop, Capacity(model.up_mbit_per_s, model.up)),
      down_(loop, Capacity(model.down_mbit_per_s, model.down)),
      delays_(seed, "link delays"),
      losses_(seed, "link losses") {}

Duration Link::one_way(std::uint64_t bytes) {
  const std::uint64_t packets = (std::max<std::uint64_t>(bytes, 1) + kPacketBytes - 1) / kPacketBytes;
  Duration late{};
  if (model_.loss.enter_bad > 0 || model_.loss.loss_good > 0) late = model_.loss.delay(packets, bad_, losses_);
  if (!model_.round_trips) {
    const double median = static_cast<double>(model_.round_trip_median.count()) / 2;
    const double drawn = model_.round_trip_sigma > 0 ? delays_.lognormal(median, model_.round_trip_sigma) : median;
    return late + Duration(static_cast<Duration::rep>(drawn));
  }
  const auto& trips = model_.round_trips->round_trips;
  for (int tries = 0; tries < kBackoffsMax; ++tries) {
    const auto second = std::chrono::floor<std::chrono::seconds>(loop_.now().time_since_epoch() + late).count();
    const Duration trip = trips[static_cast<std::size_t>(second) % trips.size()];
    if (trip != PingTrace::kLost) return late + trip / 2;
    late += model_.loss.retransmit * (1 << tries);
  }
  return late;
}

Duration Link::foresee(std::uint64_t bytes_up, Duration between, std::uint64_t bytes_down) const {
  const auto one_way = [&](TimePoint at) {
    if (!model_.round_trips) return model_.round_trip_median / 2;
    const auto& trips = model_.round_trips->round_trips;
    const auto second = std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
    const Duration trip = trips[static_cast<std::size_t>(second) % trips.size()];
    return trip == PingTrace::kLost ? model_.loss.retransmit : trip / 2;
  };
  const TimePoint begin = loop_.now();
  TimePoint at = begin + up_.alone(begin, bytes_up);
  at += one_way(at) + between;
  at += down_.alone(at, bytes_down);
  return at + one_way(at) - begin;
}

}  // namespace hearth::sim
