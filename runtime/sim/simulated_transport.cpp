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

Duration scaled(Duration time, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(time.count()) * factor));
}

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
  if (const auto found = sites_.find(endpoint.name); found != sites_.end()) return found->second;
  const auto& name = endpoint.name;
  const auto own_faults = network_.faults_of.find(name);
  FaultTimeline faults = own_faults != network_.faults_of.end() ? own_faults->second : network_.faults;
  faults.seed = RandomStream(faults.seed ^ seed_, "faults of " + name).next();
  const auto own_server = network_.servers.find(name);
  Site site{endpoint,
            FaultSchedule(std::move(faults)),
            own_server != network_.servers.end() ? own_server->second : network_.server,
            {},
            RandomStream(seed_, "service times of " + name),
            {},
            0};
  return sites_.emplace(name, std::move(site)).first->second;
}

// ---- the way there and back -----------------------------------------------------------------------------------------

/// How long what has arrived now waits for a partition to end; nothing: for ever.
std::optional<Duration> SimulatedTransport::held(const Site& site, Direction direction) const {
  const auto until = site.faults.cut_until(at(), direction);
  if (!until) return Duration{};
  return *until == kForever ? std::nullopt : std::optional(*until - at());
}

void SimulatedTransport::travel(const FlightPtr& flight, Direction direction, std::uint64_t bytes,
                                std::function<void()> step) {
  loop_.schedule_at(loop_.now() + link_.one_way(bytes), [this, flight, direction, step = std::move(step)] {
    const auto wait = held(flight->site, direction);
    if (!wait) return;
    if (*wait == Duration{}) return step();
    loop_.schedule_at(loop_.now() + *wait, step);
  });
}

// ---- an attempt -----------------------------------------------------------------------------------------------------

void SimulatedTransport::send(AttemptId attempt, EgressPermit permit, TimePoint deadline, SendCallback done) {
  seen_.push_back(permit.message());
  Site& site = site_of(permit.endpoint());
  auto flight = std::make_shared<Flight>(Flight{attempt, site, permit.message(), deadline, std::move(done), {}});
  flights_.emplace(attempt, flight);
  if (deadline <= loop_.now()) {
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
    if (flight->site.faults.fails_look_up(at())) return fail("look-up failed");
    // The first packet of a connection, and the answer to it.
    travel(flight, Direction::kUp, 0, [this, flight, fail] {
      if (flight->over) return;
      const bool refused = flight->site.faults.refuses(at());
      std::optional<FaultSpec> fault;
      if (!refused) fault = flight->site.faults.on_connect(at());
      travel(flight, Direction::kDown, 0, [this, flight, fail, refused, fault] {
        if (flight->over) return;
        if (refused) return fail("cannot connect: refused");
        flight->connection = std::make_shared<Connection>(Connection{flight->site.faults.address(at()), fault});
        ++connections_opened_;
        const bool tls = flight->site.endpoint.url.starts_with("https");
        if (fault && fault->kind == kTlsStall) return;  // the connect timeout ends it
        const char* const broken = fault ? tls_failure(fault->kind) : nullptr;
        if (!tls && broken == nullptr) return opened(flight);
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
  const std::uint64_t bytes = head_bytes(flight->message.headers) + flight->message.body.size();
  flight->bytes_sent = flight->message.body.size();
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
  if (connection.dead || connection.address != flight->site.faults.address(at())) return;  // nobody is there
  ++connection.exchanges;
  travel(flight, Direction::kDown, 0, [flight] { flight->acknowledged = true; });
  Duration read_late{};
  if (const auto& fault = connection.fault) {
    if (fault->kind == kNeverRead) return;
    if (fault->kind == kResetOnAccept) return hang_up(flight, "connection reset");
    if (fault->kind == kSlowAccept && connection.exchanges == 1) read_late = fault->delay;
    if (fault->kind == kSlowRead)
      read_late = fault->delay * (1 + flight->message.body.size() / std::max<std::uint64_t>(fault->bytes, 1));
  }
  loop_.schedule_at(loop_.now() + read_late, [this, flight] {
    const FaultDecision decision = flight->site.faults.on_request(at(), flight->message.method == "POST");
    loop_.schedule_at(loop_.now() + decision.wait, [this, flight, decision] { decided(flight, decision); });
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
  if (flight->message.method != "POST") return answer(flight, nullptr, {200, {}, ""});  // it asks how the server is
  Site& site = flight->site;
  const ServerModel& model = site.server;
  const auto service = [&](std::size_t) {
    const auto median = static_cast<double>(model.service_median.count());
    const double drawn =
        median > 0 && model.service_sigma > 0 ? site.service.lognormal(median, model.service_sigma) : median;
    return scaled(Duration(static_cast<Duration::rep>(drawn)), decision.slow_factor);
  };
  const auto takes = site.queue.serve(at(), model.servers, model.queue_max, service);
  if (!takes)
    return answer(flight, nullptr, {503, {{"content-type", "application/json"}}, R"({"error":"too many requests"})"});
  ++executed_;
  loop_.schedule_at(loop_.now() + *takes, [this, flight, fault = decision.fault] {
    if (fault && facts_of(fault->kind).stage == FaultStage::kRequest && fault->executed) {
      replace_server(flight, *fault);
    } else {
      const bool changed = fault && facts_of(fault->kind).stage == FaultStage::kReply;
      if (!flight->over) answer(flight, changed ? &*fault : nullptr, responder_(flight->message));
    }
  });
}

// ---- back at the device ---------------------------------------------------------------------------------------------

void SimulatedTransport::answer(const FlightPtr& flight, const FaultSpec* fault, HttpReply reply) {
  if (flight->over) return;  // the connection is gone
  const std::uint64_t head = head_bytes(reply.headers);
  Arrival arrival = arrival_of(fault, std::move(reply), network_.bounds);
  const std::uint64_t bytes = head + arrival.bytes;
  flight->coming_down = link_.down().start(bytes, [this, flight, bytes, arrival = std::move(arrival)]() mutable {
    flight->coming_down.reset();
    travel(flight, Direction::kDown, bytes, [this, flight, arrival = std::move(arrival)]() mutable {
      if (arrival.never) return;
      loop_.schedule_at(loop_.now() + arrival.late, [this, flight, arrival = std::move(arrival)]() mutable {
        end(flight, std::move(arrival.reply), !arrival.closes);
      });
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
  flight->done({std::move(reply), flight->bytes_sent, flight->silent});
}

}  // namespace hearth::sim
