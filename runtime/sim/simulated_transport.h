/// \file SimulatedTransport: a device's way out as a virtual network: a link, connections, servers, and what goes
/// wrong.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <hearth/config.h>
#include <hearth/event_loop.h>
#include <hearth/random.h>
#include <hearth/transport.h>

#include "runtime/sim/cloud.h"
#include "runtime/sim/link.h"
#include "runtime/sim/oip_server.h"
#include "runtime/sim/parcel.h"
#include "runtime/sim/reply_faults.h"

namespace hearth::sim {

/// The world between a device and its clouds. Draws come from one stream for each part, so that a change of one key
/// moves no other.
struct Network {
  LinkModel link;
  ServerModel server;                                    ///< Of each endpoint.
  std::map<std::string, ServerModel> servers;            ///< Instead, by the endpoint's name.
  FaultTimeline faults;                                  ///< Of each endpoint, with draws of its own.
  std::map<std::string, FaultTimeline> faults_of;        ///< Instead, by the endpoint's name.
  std::map<std::string, std::shared_ptr<Cloud>> clouds;  ///< Instead of all these: what devices share.
  Duration look_up{};                                    ///< Of a name, with each new connection.
  std::size_t connections_per_endpoint_max = Limits{}.connections_per_endpoint_max;
  Duration connect_timeout = CloudTiming{}.connect_timeout;
  Duration idle_timeout = std::chrono::seconds(4);
  ReplyBounds bounds;
};

/// Does what runtime/net does and says what it says, on virtual time: one attempt when told, connections kept for
/// reuse, a connect timeout (which a request also has to be acknowledged in), nothing after the deadline. A new
/// connection costs a round trip, one more with TLS.
///
/// Serves every row of docs/faults.md that is marked `simulated` or `both` there; a timeline's time is the loop's. A
/// partition holds messages back when they arrive, and connections with them. A request that has left reaches its
/// server whether or not the attempt is withdrawn.
///
/// Must outlive the loop's last run. Threads: the loop's.
class SimulatedTransport final : public Transport {
 public:
  SimulatedTransport(EventLoop& loop, Network network, Responder responder, std::uint64_t seed);

  void send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) override;
  /// The same way for a message that is but a size: the same bytes on the links, the same connections and faults.
  void send(AttemptId attempt, const Endpoint& endpoint, const Parcel& parcel, TimePoint deadline,
            DeliveredCallback done);
  void cancel(AttemptId attempt) override;
  /// How long an exchange would take that begins now on an open connection, alone on the link, at its median delay.
  Duration foresee(std::uint64_t body_bytes, Duration at_server, std::uint64_t reply_bytes) const;

  /// Every message that was handed over, in order.
  const std::vector<HttpMessage>& seen() const { return seen_; }
  std::size_t in_flight() const { return flights_.size(); }
  std::uint64_t connections_opened() const { return connections_opened_; }
  /// Requests that a server ran, also those whose reply was lost.
  std::uint64_t executed() const { return executed_; }

 private:
  struct Connection {
    std::uint64_t address;  ///< That of its endpoint when it was opened.
    std::optional<FaultSpec> fault;
    unsigned exchanges = 0;
    bool dead = false;  ///< The other side is gone, and has not said so.
    TimePoint idle_since{};
  };
  struct Site {
    Endpoint endpoint;
    bool tls;
    std::shared_ptr<Cloud> cloud;
    std::vector<std::shared_ptr<Connection>> idle;  ///< Most recently used last.
    std::size_t busy = 0;                           ///< Of those that are kept.
  };
  struct Flight {
    AttemptId attempt;
    Site& site;
    TimePoint deadline;
    std::optional<HttpMessage> message;  ///< None: a parcel.
    Parcel parcel;                       ///< Its sizes are the message's where there is one.
    std::uint64_t head_bytes;
    DeliveredCallback done;
    std::shared_ptr<Connection> connection = {};
    bool kept = false;  ///< Whether the connection may be used again.
    bool over = false;
    bool acknowledged = false;  ///< The other side's kernel has the request.
    bool silent = false;
    bool spoilt = false;  ///< A parcel whose reply is there in full, to be read.
    bool wrong = false;
    std::uint64_t bytes_sent = 0;
    Cloud::Service served = {};
    TimePoint reached{};  ///< When the server had the whole request.
    TimerId timer = 0;
    std::optional<Pipe::TransferId> going_up = {};
    std::optional<Pipe::TransferId> coming_down = {};
  };
  using FlightPtr = std::shared_ptr<Flight>;

  Site& site_of(const Endpoint& endpoint);
  Duration at() const { return loop_.now().time_since_epoch(); }
  std::optional<Duration> held(const Site& site, Direction direction) const;
  /// `step` when a message of so many bytes that leaves now has arrived; never when it is held for ever.
  void travel(const FlightPtr& flight, Direction direction, std::uint64_t bytes, std::function<void()> step);
  /// `step` after `wait`; at once when that is nothing.
  void after(Duration wait, std::function<void()> step);

  void begin(const FlightPtr& flight);
  void connect(const FlightPtr& flight);
  void opened(const FlightPtr& flight);
  void write(const FlightPtr& flight);
  void arrived(const FlightPtr& flight);
  void decided(const FlightPtr& flight, const FaultDecision& decision);
  void serve(const FlightPtr& flight, const FaultDecision& decision);
  bool replace_server(const FlightPtr& flight, const FaultSpec& fault);
  void answer(const FlightPtr& flight, const FaultSpec* fault, HttpReply reply);
  void good_answer(const FlightPtr& flight, const FaultSpec* fault);
  void bring(const FlightPtr& flight, std::uint64_t head_bytes, Arrival arrival);
  /// The other side ended the connection without a reply.
  void hang_up(const FlightPtr& flight, const char* how);
  void end(const FlightPtr& flight, Result<HttpReply> reply, bool reusable);

  EventLoop& loop_;
  Network network_;
  Responder responder_;
  std::uint64_t seed_;
  Link link_;
  std::map<std::string, Site> sites_;  ///< By name.
  std::unordered_map<AttemptId, FlightPtr> flights_;
  std::vector<HttpMessage> seen_;
  std::uint64_t connections_opened_ = 0;
  std::uint64_t executed_ = 0;
};

}  // namespace hearth::sim
