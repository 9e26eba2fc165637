#include "runtime/sim/simulated_transport.h"

#include <algorithm>
#include <utility>

namespace hearth::sim {
namespace {

using enum FaultKind;

/// What stands around a body: start line and headers.
std::uint64_t head_bytes(const std::vector<std::pair<std::string, std::string>>& headers) {
  constexpr std::uint64_t kStartAndOwn = 128;  // the transport's own fields among them
  std::uint64_t bytes = kStartAndOwn;
  for (const auto& [name, value] : headers) bytes += name.size() + value.size() + 4;
  return bytes;
}

/// Of a parcel: what the codec and the transport put around the bytes of a request, and a server around a reply's.
constexpr std::uint64_t kParcelHead = 320;

const char* tls_failure(FaultKind kind) {
  switch (kind) {
    case kTlsExpired:
      return "TLS handshake failed: certificate has expired";
    case kTlsWrongName:
      return "TLS handshake failed: certificate is for another name";
    case kTlsUntrusted:
      return "TLS handshake failed: certificate is not trusted";
    case kTlsGarbage:
      return "TLS handshake failed: not TLS";
    default:
      return nullptr;
  }
}

}  // namespace

SimulatedTransport::SimulatedTransport(EventLoop& loop, Network network, Responder responder, std::uint64_t seed)
    : loop_(loop),
      network_(std::move(network)),
      responder_(std::move(responder)),
      seed_(seed),
      link_(loop, network_.link, seed) {}

SimulatedTransport::Site& SimulatedTransport::site_of(const Endpoint& endpoint) {
  const auto& name = endpoint.name;
  if (const auto found = sites_.find(name); found != sites_.end()) return found->second;
  std::shared_ptr<Cloud> cloud;
  if (const auto shared = network_.clouds.find(name); shared != network_.clouds.end()) {
    cloud = shared->second;
  } else {
    const auto own_faults = network_.faults_of.find(name);
    const auto own_server = network_.servers.find(name);
    CloudModel model;
    model.server = own_server != network_.servers.end() ? own_server->second : network_.server;
    model.faults = own_faults != network_.faults_of.end() ? own_faults->second : network_.faults;
    cloud = std::make_shared<Cloud>(name, std::move(model), seed_);
  }
  return sites_.emplace(name, Site{endpoint, endpoint.url.starts_with("https"), std::move(cloud), {}, 0}).first->second;
}

// ---- the way there and back -----------------------------------------------------------------------------------------

/// How long what has arrived now waits for a partition to end; nothing: for ever.
std::optional<Duration> SimulatedTransport::held(const Site& site, Direction direction) const {
  const auto until = site.cloud->faults.cut_until(at(), direction);
  if (!until) return Duration{};
  return *until == kForever ? std::nullopt : std::optional(*until - at());
}

void SimulatedTransport::travel(const FlightPtr& flight, Direction direction, std::uint64_t bytes,
                                std::function<void()> step) {
  loop_.schedule_at(loop_.now() + link_.one_way(bytes), [this, flight, direction, step = std::move(step)] {
    if (const auto wait = held(flight->site, direction)) after(*wait, step);
  });
}

void SimulatedTransport::after(Duration wait, std::function<void()> step) {
  if (wait == Duration{}) return step();
  loop_.schedule_at(loop_.now() + wait, std::move(step));
}

Duration SimulatedTransport::foresee(std::uint64_t body_bytes, Duration at_server, std::uint64_t reply_bytes) const {
  return link_.foresee(kParcelHead + body_bytes, at_server, kParcelHead + reply_bytes);
}

// ---- an attempt -----------------------------------------------------------------------------------------------------

void SimulatedTransport::send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) {
  const HttpMessage& message = permit.message();
  seen_.push_back(message);
  const Parcel parcel{message.body.size(), 0, 0, message.method != "POST"};
  begin(std::make_shared<Flight>(
      Flight{attempt, site_of(permit.endpoint()), deadline, message, parcel, head_bytes(message.headers),
             [done = std::move(done)](Delivered delivered) { done(std::move(delivered.result)); }}));
}

void SimulatedTransport::send(AttemptId attempt, const Endpoint& endpoint, const Parcel& parcel, TimePoint deadline,
                              DeliveredCallback done) {
  begin(
      std::make_shared<Flight>(Flight{attempt, site_of(endpoint), deadline, {}, parcel, kParcelHead, std::move(done)}));
}

void SimulatedTransport::begin(const FlightPtr& flight) {
  flights_.emplace(flight->attempt, flight);
  Site& site = flight->site;
  if (flight->deadline <= loop_.now()) {
    return loop_.post([this, flight] {
      end(flight, Error{ErrorCode::kDeadlineExceeded, "the deadline had passed before sending"}, false);
    });
  }
  const TimePoint too_old = loop_.now() - network_.idle_timeout;
  std::erase_if(site.idle, [&](const auto& connection) { return connection->idle_since <= too_old; });
  flight->kept = site.idle.size() + site.busy < network_.connections_per_endpoint_max || !site.idle.empty();
  if (flight->kept) ++site.busy;
  if (site.idle.empty()) return connect(flight);
  flight->connection = std::move(site.idle.back());
  site.idle.pop_back();
  opened(flight);
}

void SimulatedTransport::connect(const FlightPtr& flight) {
  const TimePoint now = loop_.now();
  const bool limited = now + network_.connect_timeout < flight->deadline;
  flight->timer =
      loop_.schedule_at(limited ? now + network_.connect_timeout : flight->deadline, [this, flight, limited] {
        end(flight,
            limited ? Error{ErrorCode::kUnavailable, "no connection within the connect timeout"}
                    : Error{ErrorCode::kDeadlineExceeded, "no whole reply before the deadline"},
            false);
      });
  const auto fail = [this, flight](const char* what) { end(flight, Error{ErrorCode::kUnavailable, what}, false); };
  loop_.schedule_at(now + network_.look_up, [this, flight, fail] {
    if (flight->over) return;
    if (flight->site.cloud->faults.fails_look_up(at())) return fail("look-up failed");
    // The first packet of a connection, and the answer to it.
    travel(flight, Direction::kUp, 0, [this, flight, fail] {
      if (flight->over) return;
      const bool refused = flight->site.cloud->faults.refuses(at());
      std::optional<FaultSpec> fault;
      if (!refused) fault = flight->site.cloud->faults.on_connect(at());
      travel(flight, Direction::kDown, 0, [this, flight, fail, refused, fault] {
        if (flight->over) return;
        if (refused) return fail("cannot connect: refused");
        flight->connection = std::make_shared<Connection>(Connection{flight->site.cloud->faults.address(at()), fault});
        ++connections_opened_;
        if (fault && fault->kind == kTlsStall) return;  // the connect timeout ends it
        const char* const broken = fault ? tls_failure(fault->kind) : nullptr;
        if (!flight->site.tls && broken == nullptr) return opened(flight);
        travel(flight, Direction::kUp, 0, [this, flight, fail, broken] {
          travel(flight, Direction::kDown, 0, [this, flight, fail, broken] {
            if (flight->over) return;
            if (broken != nullptr) return fail(broken);
            opened(flight);
          });
        });
      });
    });
  });
}

void SimulatedTransport::opened(const FlightPtr& flight) {
  if (flight->timer != 0) loop_.cancel(flight->timer);
  flight->timer = loop_.schedule_at(flight->deadline, [this, flight] {
    end(flight, Error{ErrorCode::kDeadlineExceeded, "no whole reply before the deadline"}, false);
  });
  write(flight);
}

void SimulatedTransport::write(const FlightPtr& flight) {
  const std::uint64_t bytes = flight->head_bytes + flight->parcel.body_bytes;
  flight->bytes_sent = flight->parcel.body_bytes;
  flight->going_up = link_.up().start(bytes, [this, flight, bytes] {
    flight->going_up.reset();
    loop_.schedule_at(loop_.now() + network_.connect_timeout, [this, flight] {
      if (flight->over || flight->acknowledged) return;
      flight->silent = true;
      end(flight, Error{ErrorCode::kUnavailable, "the other side is silent"}, false);
    });
    travel(flight, Direction::kUp, bytes, [this, flight] { arrived(flight); });
  });
}

// ---- at the server --------------------------------------------------------------------------------------------------

void SimulatedTransport::arrived(const FlightPtr& flight) {
  Connection& connection = *flight->connection;
  if (connection.dead || connection.address != flight->site.cloud->faults.address(at())) return;  // nobody is there
  ++connection.exchanges;
  travel(flight, Direction::kDown, 0, [flight] { flight->acknowledged = true; });
  Duration read_late{};
  if (const auto& fault = connection.fault) {
    if (fault->kind == kNeverRead) return;
    if (fault->kind == kResetOnAccept) return hang_up(flight, "connection reset");
    if (fault->kind == kSlowAccept && connection.exchanges == 1) read_late = fault->delay;
    if (fault->kind == kSlowRead)
      read_late = fault->delay * (1 + flight->parcel.body_bytes / std::max<std::uint64_t>(fault->bytes, 1));
  }
  after(read_late, [this, flight] {
    FaultDecision decision = flight->site.cloud->faults.on_request(at(), !flight->parcel.probe);
    if (decision.wait == Duration{}) return decided(flight, decision);
    after(decision.wait, [this, flight, decision = std::move(decision)] { decided(flight, decision); });
  });
}

void SimulatedTransport::decided(const FlightPtr& flight, const FaultDecision& decision) {
  const auto& fault = decision.fault;
  const bool instead = fault && facts_of(fault->kind).stage == FaultStage::kRequest && !fault->executed;
  if (!instead || !replace_server(flight, *fault)) serve(flight, decision);
}

/// False: the server is asked after all.
bool SimulatedTransport::replace_server(const FlightPtr& flight, const FaultSpec& fault) {
  switch (fault.kind) {
    case kNoContinue:  // hearth does not wait for one
      return false;
    case kCloseOnReuse:
      if (flight->connection->exchanges == 1) return false;
      hang_up(flight, "the server closed the connection without a reply");
      return true;
    case kResetAfterRequest:
      hang_up(flight, "connection reset");
      return true;
    case kBlackhole:
    case kHalfOpen:
      flight->connection->dead = true;
      return true;
    default:
      answer(flight, nullptr, canned_reply(fault, loop_.wall_now()));
      return true;
  }
}

void SimulatedTransport::serve(const FlightPtr& flight, const FaultDecision& decision) {
  if (flight->parcel.probe) return answer(flight, nullptr, {200, {}, ""});
  const auto served = flight->site.cloud->serve(at(), decision.slow_factor, flight->parcel.draw);
  if (!served)
    return answer(flight, nullptr, {503, {{"content-type", "application/json"}}, R"({"error":"too many requests"})"});
  ++executed_;
  flight->served = *served;
  flight->reached = loop_.now();
  const TimePoint done = loop_.now() + served->waits + served->takes;
  if (!decision.fault) {
    loop_.schedule_at(done, [this, flight] { good_answer(flight, nullptr); });
  } else {
    loop_.schedule_at(done, [this, flight, fault = *decision.fault] { good_answer(flight, &fault); });
  }
}

/// What the server said, and what becomes of it.
void SimulatedTransport::good_answer(const FlightPtr& flight, const FaultSpec* fault) {
  const auto stage = fault != nullptr ? facts_of(fault->kind).stage : FaultStage::kLoad;
  if (stage == FaultStage::kRequest && fault->executed) {
    replace_server(flight, *fault);
  } else if (!flight->over) {
    const bool changed = stage == FaultStage::kReply;
    if (flight->message) return answer(flight, changed ? fault : nullptr, responder_(*flight->message));
    flight->spoilt = changed;
    flight->wrong = changed && fault->kind == kWrongAnswer;
    if (changed) return answer(flight, fault, unpacked_reply(flight->parcel.reply_bytes));
    bring(flight, kParcelHead, {HttpReply{200, {}, {}}, flight->parcel.reply_bytes, {}, false, false});
  }
}

// ---- back at the device ---------------------------------------------------------------------------------------------

void SimulatedTransport::answer(const FlightPtr& flight, const FaultSpec* fault, HttpReply reply) {
  if (flight->over) return;  // the connection is gone
  const std::uint64_t head = head_bytes(reply.headers);
  bring(flight, head, arrival_of(fault, std::move(reply), network_.bounds));
}

void SimulatedTransport::bring(const FlightPtr& flight, std::uint64_t head_bytes, Arrival arrival) {
  const std::uint64_t bytes = head_bytes + arrival.bytes;
  const auto arrived = std::make_shared<Arrival>(std::move(arrival));
  flight->coming_down = link_.down().start(bytes, [this, flight, bytes, arrived] {
    flight->coming_down.reset();
    travel(flight, Direction::kDown, bytes, [this, flight, arrived] {
      if (arrived->never) return;
      after(arrived->late, [this, flight, arrived] { end(flight, std::move(arrived->reply), !arrived->closes); });
    });
  });
}

void SimulatedTransport::hang_up(const FlightPtr& flight, const char* how) {
  travel(flight, Direction::kDown, 0, [this, flight, how] { end(flight, Error{ErrorCode::kUnavailable, how}, false); });
}

void SimulatedTransport::cancel(AttemptId attempt) {
  const auto found = flights_.find(attempt);
  if (found == flights_.end()) return;
  loop_.post([this, flight = found->second] { end(flight, Error{ErrorCode::kCancelled, "cancelled"}, false); });
}

void SimulatedTransport::end(const FlightPtr& flight, Result<HttpReply> reply, bool reusable) {
  if (flight->over) return;
  flight->over = true;
  loop_.cancel(flight->timer);
  if (flight->going_up) link_.up().abort(*flight->going_up);
  if (flight->coming_down) link_.down().abort(*flight->coming_down);
  if (flight->kept) {
    --flight->site.busy;
    if (reusable && flight->connection) {
      flight->connection->idle_since = loop_.now();
      flight->site.idle.push_back(std::move(flight->connection));
    }
  }
  flights_.erase(flight->attempt);
  Status answer = Done{};
  if (!reply.ok()) {
    answer = reply.error();
  } else if (!flight->message && (flight->spoilt || reply->status != 200)) {
    answer = read_unpacked(reply.value(), flight->parcel.reply_bytes);
  }
  flight->done({{std::move(reply), flight->bytes_sent, flight->silent},
                std::move(answer),
                flight->wrong,
                flight->reached,
                flight->served.waits,
                flight->served.takes});
}

}  // namespace hearth::sim
