/// \file Link: what lies between a device and its clouds: delay, two directions of bandwidth, loss.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <hearth/event_loop.h>
#include <hearth/random.h>
#include <hearth/time.h>

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
  PacketLoss loss;
};

/// How many bytes one direction can have let through by a moment: a rate, or a trace's packets.
class Capacity {
 public:
  Capacity(double mbit_per_s, std::shared_ptr<const PacketTrace> trace);

  double bytes_by(TimePoint at) const;
  /// The first moment by which so many can have passed.
  TimePoint time_of(double bytes) const;

 private:
  double bytes_per_ns_;
  std::shared_ptr<const PacketTrace> trace_;
};

/// One direction: transfers under way share it evenly; what nobody uses is lost. Must outlive the loop's last run.
/// Threads: the loop's.
class Pipe {
 public:
  using TransferId = std::uint64_t;

  Pipe(EventLoop& loop, Capacity capacity) : loop_(loop), capacity_(std::move(capacity)) {}

  /// `done` runs when the last byte has left, never inside this call.
  TransferId start(std::uint64_t bytes, std::function<void()> done);
  /// Unknown ids are ignored.
  void abort(TransferId transfer);
  std::size_t under_way() const { return transfers_.size(); }
  /// How long so many bytes would take from `at` on if nothing else went.
  Duration alone(TimePoint at, std::uint64_t bytes) const;

 private:
  struct Transfer {
    TransferId id;
    double left;  ///< Bytes.
    std::function<void()> done;
  };
  void drain();
  void arm();

  EventLoop& loop_;
  Capacity capacity_;
  std::vector<Transfer> transfers_;
  TransferId last_ = 0;
  double passed_ = 0;  ///< Of the capacity, up to which drain() has come.
  TimerId timer_ = 0;
};

/// Both directions, and what a message meets on its way besides the bytes before it.
class Link {
 public:
  Link(EventLoop& loop, const LinkModel& model, std::uint64_t seed);

  /// From one end to the other, loss included, for a message of so many bytes that goes now.
  Duration one_way(std::uint64_t bytes);
  /// There, some time, and back, alone on the link and at its median delay, from now on.
  Duration foresee(std::uint64_t bytes_up, Duration between, std::uint64_t bytes_down) const;
  Pipe& up() { return up_; }
  Pipe& down() { return down_; }

 private:
  EventLoop& loop_;
  LinkModel model_;
  Pipe up_;
  Pipe down_;
  RandomStream delays_;
  RandomStream losses_;
  bool bad_ = false;
};

}  // namespace hearth::sim
