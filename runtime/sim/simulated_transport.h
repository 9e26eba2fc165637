/// \file SimulatedTransport: the way out of a simulated device: a link with delay, bandwidth and faults, and a server
/// behind it.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include <hearth/config.h>
#include <hearth/event_loop.h>
#include <hearth/random.h>
#include <hearth/transport.h>

namespace hearth::sim {

/// The world between the device and its cloud. Draws come from one stream each, so that a change of one key moves no
/// other.
struct Link {
  Duration round_trip_median = std::chrono::milliseconds(60);
  double round_trip_sigma = 0.2;  ///< Of the logarithm.
  double up_mbit_per_s = 10;
  double down_mbit_per_s = 10;
  double error_share = 0.01;               ///< Attempts answered with 503.
  double loss_share = 0;                   ///< Attempts that get no answer at all.
  TimePoint dead_from = TimePoint::max();  ///< From then on connections are refused.
};

/// What the server answers to a message that arrived whole.
using Responder = std::function<HttpReply(const HttpMessage&)>;

/// A server that speaks the Open Inference Protocol for one cloud binding; `answer` gets the decoded FP32 input
/// tensors' raw bytes in order and gives the output tensors in the order of the binding's outputs.
Responder oip_server(const CloudBinding& binding,
                     std::function<std::vector<Tensor>(const std::vector<std::string>&)> answer);

/// Must outlive the loop's last run. Threads: the loop's. Counts what reached the network, for tests that must see that
/// nothing did.
class SimulatedTransport final : public Transport {
 public:
  SimulatedTransport(EventLoop& loop, Link link, Responder responder, std::uint64_t seed);

  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override;
  void cancel(AttemptId attempt) override;

  /// Every message that began to leave, in order.
  const std::vector<HttpMessage>& seen() const { return seen_; }
  std::size_t in_flight() const { return flights_.size(); }

 private:
  struct Flight {
    SendCallback done;
    TimerId timer = 0;
    std::uint64_t bytes = 0;
  };
  void end(AttemptId attempt, Result<HttpReply> reply);

  EventLoop& loop_;
  Link link_;
  Responder responder_;
  RandomStream delays_;
  RandomStream faults_;
  TimePoint up_free_{};  ///< When the uplink has sent what was handed to it.
  TimePoint down_free_{};
  std::unordered_map<AttemptId, Flight> flights_;
  std::vector<HttpMessage> seen_;
};

}  // namespace hearth::sim
