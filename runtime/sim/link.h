/// \file Link: what lies between a device and its clouds: delay, two directions of bandwidth, loss, interruptions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/random.h>
#include <hearth/time.h>

#include "runtime/sim/interruptions.h"
#include "runtime/sim/packet_loss.h"
#include "runtime/sim/radio_trace.h"

namespace hearth::sim {

/// By formula, or where a trace is given by that.
struct LinkModel {
  Duration round_trip_median = std::chrono::milliseconds(60);
  double round_trip_sigma = 0.2;  ///< Of the logarithm; 0: constant. Each direction draws its half.
  std::shared_ptr<const PingTrace> round_trips;
  double up_mbit_per_s = 10;
  double down_mbit_per_s = 10;
  std::shared_ptr<const PacketTrace> up;
  std::shared_ptr<const PacketTrace> down;
  std::shared_ptr<const RateTrace> up_rate;  ///< Where there is no packet trace.
  std::shared_ptr<const RateTrace> down_rate;
  PacketLoss loss;
  Handovers handovers;
  std::vector<Outage> outages;  ///< As behind a captive portal.
  Duration trace_offset{};      ///< So far into all traces the device begins,
  Duration trace_spread{};      ///< and up to so much further, by its own draw: a fleet is not in lockstep.
};

/// How many bytes one direction lets through in a time: a rate, a trace's packets or its rates.
class Capacity {
 public:
  explicit Capacity(double mbit_per_s, std::shared_ptr<const PacketTrace> packets = {},
                    std::shared_ptr<const RateTrace> rates = {}, Duration offset = {});

  double bytes_between(TimePoint from, TimePoint to) const;
  /// The first moment by which so many can have passed since `from`; the end of time when that is far away.
  TimePoint time_for(TimePoint from, double bytes) const;

 private:
  std::uint64_t packets_by(TimePoint at) const;
  double rated_by(TimePoint at) const;

  double bytes_per_ns_;
  std::shared_ptr<const PacketTrace> packets_;
  std::shared_ptr<const RateTrace> rates_;
  Duration offset_;
};

/// One direction: transfers under way share it evenly; what nobody uses is lost. Must outlive the loop's last run.
/// A transfer that begins or ends costs the logarithm of those under way. Threads: the loop's.
class Pipe {
 public:
  using TransferId = std::uint64_t;

  /// `interruptions`, where given, must outlive it.
  Pipe(EventLoop& loop, Capacity capacity, const Interruptions* interruptions = nullptr)
      : loop_(loop), capacity_(std::move(capacity)), interruptions_(interruptions) {}

  /// `done` runs when the last byte has left, never inside this call.
  TransferId start(std::uint64_t bytes, std::function<void()> done);
  /// Unknown ids are ignored.
  void abort(TransferId transfer);
  std::size_t under_way() const { return transfers_.size(); }
  /// How long so many bytes would take from `at` on if nothing else went.
  Duration alone(TimePoint at, std::uint64_t bytes) const;

 private:
  /// All get the same share, so the order in which they end is known from their begin.
  struct Transfer {
    double ends_at;  ///< In the bytes that each one has got.
    TransferId id;
    std::function<void()> done;

    bool operator>(const Transfer& other) const {
      return ends_at != other.ends_at ? ends_at > other.ends_at : id > other.id;
    }
  };
  double passed(TimePoint from, TimePoint to) const;
  /// Or the moment to ask again.
  TimePoint time_for(TimePoint from, double bytes) const;
  void drain();
  void arm();

  EventLoop& loop_;
  Capacity capacity_;
  const Interruptions* interruptions_;
  std::vector<Transfer> transfers_;  ///< A heap, the one that ends first in front.
  TransferId last_ = 0;
  double each_got_ = 0;  ///< Bytes, since the pipe was last empty,
  TimePoint drained_{};  ///< up to this moment.
  TimerId timer_ = 0;
  TimePoint due_{};
};

/// Both directions, and what a message meets on its way besides the bytes before it.
class Link {
 public:
  /// `model` must outlive it.
  Link(EventLoop& loop, const LinkModel& model, std::uint64_t seed);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// From one end to the other, loss included, for a message of so many bytes that goes now. What finds the link
  /// interrupted is sent again as TCP does, later and later.
  Duration one_way(std::uint64_t bytes);
  /// There, some time, and back, alone on the link and at its median delay, from now on.
  Duration foresee(std::uint64_t bytes_up, Duration between, std::uint64_t bytes_down) const;
  Pipe& up() { return up_; }
  Pipe& down() { return down_; }

 private:
  bool gets_through(TimePoint at) const;
  Duration resent(TimePoint at) const;
  Duration round_trip(TimePoint at) const;
  std::size_t second_of_trace(TimePoint at) const;

  EventLoop& loop_;
  const LinkModel& model_;
  Interruptions interruptions_;
  Duration offset_;
  Pipe up_;
  Pipe down_;
  RandomStream delays_;
  RandomStream losses_;
  bool bad_ = false;
};

}  // namespace hearth::sim
