#include "cloud_stub/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include <httplib.h>

#include "cloud_stub/server_core.h"

namespace hearth::stub {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kSleepSlice = std::chrono::milliseconds(50);   // How long a stop() waits for sleepers.
constexpr auto kStopPatience = std::chrono::seconds(2);       // For models still running at stop().
constexpr auto kLastReplies = std::chrono::milliseconds(10);  // For replies still being written at stop().
constexpr time_t kReadTimeoutS = 30;
constexpr std::size_t kReplyHeadBytes = 80;  // Status line, Content-Length, Connection, Keep-Alive.

class InFlight {
 public:
  explicit InFlight(std::atomic<int>& count) : count_(count) { ++count_; }
  ~InFlight() { --count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  std::atomic<int>& count_;
};

}  // namespace

void StubServer::Core::set_up() {
  http_.new_task_queue = [this] { return new CountingPool(config_.threads, connections_); };
  http_.set_tcp_nodelay(true);
  http_.set_keep_alive_max_count(SIZE_MAX);
  http_.set_keep_alive_timeout(static_cast<time_t>(config_.keep_alive_s));
  http_.set_read_timeout(kReadTimeoutS);
  http_.set_write_timeout(kReadTimeoutS);
  // httplib would share the port with whoever holds it already (SO_REUSEPORT).
  http_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  // One pattern for all: httplib tries its patterns one by one, and the tripwire must see unknown paths too.
  const std::string any = "[\\s\\S]*";
  const auto bare = [this](const httplib::Request& request, httplib::Response& response) {
    serve(request, response, nullptr);
  };
  const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                const httplib::ContentReader& reader) { serve(request, response, &reader); };
  http_.Get(any, bare).Options(any, bare).Delete(any, bare);
  http_.Post(any, with_body).Put(any, with_body).Patch(any, with_body).Delete(any, with_body);
  http_.set_logger([this](const httplib::Request& request, const httplib::Response& response) {
    // Only now is the reply on its way: the owner may close connections at once.
    if (on_quit_ && request.path == "/admin/quit" && response.status == 200) on_quit_();
  });
  // What httplib refuses by itself: a head it cannot read.
  http_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (response.body.empty())
      response.set_content(error_json("not a request this server understands"), "application/json");
  });
  http_.set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
    response.status = 500;
    response.set_content(error_json("internal error"), "application/json");
  });
}

Result<int> StubServer::Core::start() {
  if (auto known = check_servable(config_.faults, config_.tls.has_value()); !known) return known.error();
  set_up();
  // Behind a front the server itself is nobody's but this machine's.
  const std::string host = fronted() ? "127.0.0.1" : config_.host;
  const int wanted = fronted() ? 0 : config_.port;
  const bool bound = wanted == 0 ? (port_ = http_.bind_to_any_port(host)) > 0 : http_.bind_to_port(host, wanted);
  if (!bound) {
    return {ErrorCode::kUnavailable, "cannot listen on " + host + ":" + std::to_string(wanted) +
                                         ": the port is taken or the address is not here"};
  }
  if (wanted != 0) port_ = wanted;
  http_.raise_backlog();
  listening_ = true;
  listener_ = std::thread([this] {
    http_.listen_after_bind();
    listening_ = false;
  });
  if (!fronted()) return port_;
  auto front = start_front();
  if (!front) stop();
  return front;
}

Result<int> StubServer::Core::start_front() {
  FrontConfig config;
  config.host = config_.host;
  config.port = config_.port;
  config.server_port = port_;
  config.body_bytes_max = config_.body_bytes_max;
  config.allow_header = config_.allow_faults;
  config.tls = config_.tls;
  faults_.replace(config_.faults);
  front_ = std::make_unique<Front>(std::move(config), faults_,
                                   [this](const HttpHead& head, std::string_view body) { swallowed(head, body); });
  return front_->start();
}

void StubServer::Core::stop() {
  if (!listener_.joinable()) return;
  stopping_ = true;
  while (listening_ && !http_.is_running()) std::this_thread::yield();  // Told earlier, httplib would not hear it.
  if (listening_) http_.stop();
  const Duration patience = now() + kStopPatience;
  while (in_flight_ > 0 && now() < patience) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(kLastReplies);
  if (front_) front_->stop();
  while (listening_) {
    shut_down_connections(port_);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  listener_.join();
}

void StubServer::Core::sleep_until(Duration due) const {
  while (!stopping_.load(std::memory_order_relaxed)) {
    const Duration at = now();
    if (at >= due) return;
    std::this_thread::sleep_until(began_ + std::min<Duration>(due, at + kSleepSlice));
  }
}

StubServer::Core::Received StubServer::Core::receive(const httplib::Request& request,
                                                     const httplib::ContentReader* reader) const {
  Received received{.request = request, .body = {}, .bytes = head_bytes(request), .at = now()};
  if (reader == nullptr) return received;
  // A body over the limit is read to its end, or its rest would be taken for the next request.
  const auto take = [&](const char* data, std::size_t size) {
    received.bytes += size;
    const std::size_t room = config_.body_bytes_max - received.body.size();
    received.body.append(data, std::min(size, room));
    received.too_large = received.too_large || size > room;
    return true;
  };
  const auto take_part = [&](const httplib::MultipartFormData& part) {
    return take(part.name.data(), part.name.size()) && take(part.filename.data(), part.filename.size());
  };
  received.broken = !(request.is_multipart_form_data() ? (*reader)(take_part, take) : (*reader)(take));
  return received;
}

void StubServer::Core::serve(const httplib::Request& request, httplib::Response& response,
                             const httplib::ContentReader* reader) {
  const InFlight counted(in_flight_);
  const Received received = receive(request, reader);
  const bool admin = is_admin(request.path) && is_loopback(request.remote_addr);
  Reply reply;
  if (admin) {
    reply = received.too_large || received.broken
                ? refusal(received.too_large ? 413 : 400, "the body is too large or cut short")
                : administer(route(request.method, request.path), received.body);
  } else {
    Duration way_back{};
    bool shaped = false;
    bytes_in_.fetch_add(received.bytes, std::memory_order_relaxed);
    reply = answer(received, way_back, shaped);
    std::uint64_t bytes_out = kReplyHeadBytes + reply.body.size();
    for (const auto& event : reply.events) bytes_out += event.size();
    bytes_out_.fetch_add(bytes_out, std::memory_order_relaxed);
    if (shaped) sleep_until(shaper_.depart(now(), bytes_out, way_back));
  }
  response.status = reply.status;
  if (!reply.events.empty()) return stream(std::move(reply.events), response);
  response.body = std::move(reply.body);
  const bool lower = quirks_of(config_.imitate).lower_headers;
  const char* type = reply.header_length ? "application/octet-stream" : "application/json";
  response.set_header(lower ? "content-type" : "Content-Type", type);
  if (!reply.header_length) return;
  response.set_header(lower ? "inference-header-content-length" : kHeaderLength, std::to_string(*reply.header_length));
}

/// One event at a time, as it comes, with the configured pause between them.
void StubServer::Core::stream(std::vector<std::string> events, httplib::Response& response) const {
  const auto left = std::make_shared<std::deque<std::string>>(std::make_move_iterator(events.begin()),
                                                              std::make_move_iterator(events.end()));
  response.set_chunked_content_provider("text/event-stream", [this, left](std::size_t offset, httplib::DataSink& sink) {
    if (offset > 0) sleep_until(now() + config_.piece_delay);
    if (left->empty() || stopping_) {
      sink.done();
      return true;
    }
    const std::string event = std::move(left->front());
    left->pop_front();
    return sink.write(event.data(), event.size());
  });
}

StubServer::StubServer(StubConfig config, std::vector<std::shared_ptr<Model>> models, std::function<void()> on_quit)
    : core_(std::make_unique<Core>(std::move(config), std::move(models), std::move(on_quit))) {}
StubServer::~StubServer() { stop(); }
Result<int> StubServer::start() { return core_->start(); }
void StubServer::stop() { core_->stop(); }
StubStats StubServer::stats() const { return core_->stats(); }
std::string StubServer::verdict_json() const { return core_->verdict_json(); }
int StubServer::server_port() const { return core_->server_port(); }

}  // namespace hearth::stub
