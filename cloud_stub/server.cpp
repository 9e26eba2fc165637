#include "cloud_stub/server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <exception>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "cloud_stub/oip.h"
#include "cloud_stub/routes.h"
#include "cloud_stub/tripwire.h"
#include "runtime/base/json_reader.h"

namespace hearth::stub {
namespace {

using SteadyClock = std::chrono::steady_clock;
using nlohmann::json;

constexpr int kBacklog = 128;
constexpr auto kSleepSlice = std::chrono::milliseconds(50);   // How long a stop() waits for sleepers.
constexpr auto kStopPatience = std::chrono::seconds(2);       // For models still running at stop().
constexpr auto kLastReplies = std::chrono::milliseconds(10);  // For replies still being written at stop().
constexpr time_t kReadTimeoutS = 30;
constexpr std::size_t kReplyHeadBytes = 80;  // Status line, Content-Length, Connection, Keep-Alive.

/// httplib's server with what it keeps to itself: a backlog of its own choosing (its 5 drops bursts of connections).
class HttpServer : public httplib::Server {
 public:
  void raise_backlog() { ::listen(svr_sock_, kBacklog); }
};

/// httplib hands each accepted connection to its pool as one task.
class CountingPool : public httplib::TaskQueue {
 public:
  CountingPool(std::size_t threads, std::atomic<std::uint64_t>& connections)
      : pool_(threads), connections_(connections) {}
  void enqueue(std::function<void()> task) override {
    connections_.fetch_add(1, std::memory_order_relaxed);
    pool_.enqueue(std::move(task));
  }
  void shutdown() override { pool_.shutdown(); }

 private:
  httplib::ThreadPool pool_;
  std::atomic<std::uint64_t>& connections_;
};

/// One reply before it is handed to httplib.
struct Reply {
  int status = 200;
  std::string body;
  std::optional<std::size_t> header_length;  ///< Set for a body with binary tensors.
};

Reply refusal(int status, std::string_view message) { return {status, error_json(message), std::nullopt}; }

bool is_loopback(std::string_view address) {
  return address.substr(0, 4) == "127." || address == "::1" || address.substr(0, 11) == "::ffff:127.";
}

/// httplib adds these to what was received.
bool is_added(const std::string& header) {
  return header == "REMOTE_ADDR" || header == "REMOTE_PORT" || header == "LOCAL_ADDR" || header == "LOCAL_PORT";
}

std::uint64_t head_bytes(const httplib::Request& request) {
  std::uint64_t bytes = request.method.size() + request.target.size() + request.version.size() + 6;
  for (const auto& [name, value] : request.headers) {
    if (!is_added(name)) bytes += name.size() + value.size() + 4;
  }
  return bytes;
}

/// Everything in the head that can hold text, for the tripwire.
std::string head_text(const httplib::Request& request) {
  std::string text = request.target;
  for (const auto& [name, value] : request.headers) {
    if (!is_added(name)) text += '\n' + name + ": " + value;
  }
  return text;
}

class InFlight {
 public:
  explicit InFlight(std::atomic<int>& count) : count_(count) { ++count_; }
  ~InFlight() { --count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  std::atomic<int>& count_;
};

/// Idle keep-alive connections outlive httplib's stop() until their timeout: close every connection of ours.
void shut_down_connections(int port) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const std::string name = entry.path().filename().string();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (fd < 0 || ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0) continue;
    int bound = -1;
    if (local.ss_family == AF_INET) bound = ntohs(reinterpret_cast<const sockaddr_in&>(local).sin_port);
    if (local.ss_family == AF_INET6) bound = ntohs(reinterpret_cast<const sockaddr_in6&>(local).sin6_port);
    sockaddr_storage peer{};
    size = sizeof peer;
    if (bound == port && ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) ::shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace

class StubServer::Core {
 public:
  Core(StubConfig config, std::vector<std::shared_ptr<Model>> models, std::function<void()> on_quit)
      : config_(std::move(config)),
        models_(std::move(models)),
        on_quit_(std::move(on_quit)),
        shaper_(config_.shaping),
        shaped_(!config_.shaping.idle()) {}

  Result<int> start();
  void stop();
  StubStats stats() const;

 private:
  void set_up();
  void serve(const httplib::Request& request, httplib::Response& response, const httplib::ContentReader* reader);
  Reply answer(const httplib::Request& request, const std::string& body, bool too_large, bool broken,
               std::uint64_t bytes_in, Duration& way_back, bool& shaped);
  Reply act(const Route& found, InferRequest& infer);
  Reply administer(const Route& found, const std::string& body);
  Reply add_to_tripwire(const std::string& body);
  Reply infer_with(Model& model, InferRequest& request);
  std::shared_ptr<Model> find(const Route& found) const;
  Duration now() const { return SteadyClock::now() - began_; }
  void sleep_until(Duration due) const;

  const StubConfig config_;
  const std::vector<std::shared_ptr<Model>> models_;
  const std::function<void()> on_quit_;
  const SteadyClock::time_point began_ = SteadyClock::now();
  Shaper shaper_;
  std::atomic<bool> shaped_;
  Tripwire tripwire_;
  std::atomic<bool> ready_{true};
  std::atomic<bool> stopping_{false};
  std::atomic<int> in_flight_{0};
  std::atomic<std::uint64_t> requests_{0}, infer_requests_{0}, ok_{0}, errors_injected_{0}, bytes_in_{0}, bytes_out_{0},
      connections_{0}, sensitive_inputs_{0}, canaries_{0}, sensitive_requests_{0};
  HttpServer http_;
  std::thread listener_;
  std::atomic<bool> listening_{false};
  int port_ = -1;
};

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
  set_up();
  const bool bound = config_.port == 0 ? (port_ = http_.bind_to_any_port(config_.host)) > 0
                                       : http_.bind_to_port(config_.host, config_.port);
  if (!bound) {
    return {ErrorCode::kUnavailable, "cannot listen on " + config_.host + ":" + std::to_string(config_.port) +
                                         ": the port is taken or the address is not here"};
  }
  if (config_.port != 0) port_ = config_.port;
  http_.raise_backlog();
  listening_ = true;
  listener_ = std::thread([this] {
    http_.listen_after_bind();
    listening_ = false;
  });
  return port_;
}

void StubServer::Core::stop() {
  if (!listener_.joinable()) return;
  stopping_ = true;
  while (listening_ && !http_.is_running()) std::this_thread::yield();  // Told earlier, httplib would not hear it.
  if (listening_) http_.stop();
  const Duration patience = now() + kStopPatience;
  while (in_flight_ > 0 && now() < patience) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(kLastReplies);
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

void StubServer::Core::serve(const httplib::Request& request, httplib::Response& response,
                             const httplib::ContentReader* reader) {
  const InFlight counted(in_flight_);
  std::string body;
  bool too_large = false;
  bool broken = false;
  std::uint64_t received = 0;
  if (reader != nullptr) {
    // A body over the limit is read to its end, or its rest would be taken for the next request.
    const auto take = [&](const char* data, std::size_t size) {
      received += size;
      const std::size_t room = config_.body_bytes_max - body.size();
      body.append(data, std::min(size, room));
      too_large = too_large || size > room;
      return true;
    };
    const auto take_part = [&](const httplib::MultipartFormData& part) {
      return take(part.name.data(), part.name.size()) && take(part.filename.data(), part.filename.size());
    };
    broken = !(request.is_multipart_form_data() ? (*reader)(take_part, take) : (*reader)(take));
  }
  const bool admin = is_admin(request.path) && is_loopback(request.remote_addr);
  Reply reply;
  Duration way_back{};
  bool shaped = false;
  if (admin) {
    reply = too_large || broken ? refusal(too_large ? 413 : 400, "the body is too large or cut short")
                                : administer(route(request.method, request.path), body);
  } else {
    const std::uint64_t bytes_in = head_bytes(request) + received;
    bytes_in_.fetch_add(bytes_in, std::memory_order_relaxed);
    reply = answer(request, body, too_large, broken, bytes_in, way_back, shaped);
    const std::uint64_t bytes_out = kReplyHeadBytes + reply.body.size();
    bytes_out_.fetch_add(bytes_out, std::memory_order_relaxed);
    if (shaped) sleep_until(shaper_.depart(now(), bytes_out, way_back));
  }
  response.status = reply.status;
  response.body = std::move(reply.body);
  if (reply.header_length) {
    response.set_header("Content-Type", "application/octet-stream");
    response.set_header("Inference-Header-Content-Length", std::to_string(*reply.header_length));
  } else {
    response.set_header("Content-Type", "application/json");
  }
}

Reply StubServer::Core::answer(const httplib::Request& request, const std::string& body, bool too_large, bool broken,
                               std::uint64_t bytes_in, Duration& way_back, bool& shaped) {
  static const std::string kHeaderLength = "Inference-Header-Content-Length";
  requests_.fetch_add(1, std::memory_order_relaxed);
  const Route found = route(request.method, request.path);
  const bool is_infer = found.call == Call::kInfer;
  if (is_infer) infer_requests_.fetch_add(1, std::memory_order_relaxed);

  InferRequest infer;
  const bool armed = tripwire_.armed();
  if (is_infer || (armed && !body.empty())) {
    std::optional<std::string> length;
    const std::size_t lengths = request.get_header_value_count(kHeaderLength);
    if (lengths > 0) length = request.get_header_value(kHeaderLength);
    infer = parse_infer(body, length);
    if (lengths > 1 && !infer.error) infer.error = OipError{400, kHeaderLength + " is given more than once"};
  }
  if (armed) {  // Before anything can refuse the request: what arrived has left the device.
    const auto hits = tripwire_.check(infer.inputs, body, head_text(request));
    sensitive_inputs_.fetch_add(hits.inputs, std::memory_order_relaxed);
    canaries_.fetch_add(hits.canaries, std::memory_order_relaxed);
    if (hits.any()) sensitive_requests_.fetch_add(1, std::memory_order_relaxed);
  }

  shaped = shaped_.load(std::memory_order_relaxed);
  if (shaped) {
    const auto arrival = shaper_.arrive(now(), bytes_in, is_infer);
    way_back = arrival.way_back;
    sleep_until(arrival.at);
    if (arrival.error_status != 0) {
      errors_injected_.fetch_add(1, std::memory_order_relaxed);
      return refusal(arrival.error_status, "injected failure");
    }
  }
  if (broken) return refusal(400, "the body is cut short or cannot be read");
  if (too_large) return refusal(413, "the body is larger than " + std::to_string(config_.body_bytes_max) + " bytes");
  if (is_admin(request.path)) return refusal(403, "/admin is for this machine only");
  try {
    Reply reply = act(found, infer);
    if (is_infer && reply.status == 200) ok_.fetch_add(1, std::memory_order_relaxed);
    return reply;
  } catch (const std::exception&) { return refusal(500, "internal error"); }
}

std::shared_ptr<Model> StubServer::Core::find(const Route& found) const {
  for (const auto& model : models_) {
    const ModelInfo& info = model->info();
    if (info.name == found.model && (found.version.empty() || info.version == found.version)) return model;
  }
  return nullptr;
}

Reply StubServer::Core::act(const Route& found, InferRequest& infer) {
  const bool ready = ready_ && !stopping_;
  switch (found.call) {
    case Call::kServerLive:
      return {200, R"({"live":true})", {}};
    case Call::kServerReady:
      return ready ? Reply{200, R"({"ready":true})", {}} : refusal(503, "the server is not ready");
    case Call::kServerMetadata:
      return {200, R"({"name":"hearth-cloud-stub","version":"0.1.0","extensions":["binary_tensor_data"]})", {}};
    case Call::kModelMetadata:
    case Call::kModelReady:
    case Call::kInfer:
      break;
    case Call::kWrongMethod:
      return refusal(405, "this path does not answer to that method");
    default:
      return refusal(404, "unknown path");
  }
  const auto model = find(found);
  if (!model) return refusal(404, "unknown model or version");
  if (found.call == Call::kModelMetadata) return {200, metadata_json(model->info()), {}};
  if (!ready) return refusal(503, "the model is not ready");
  if (found.call == Call::kModelReady) { return {200, json{{"name", model->info().name}, {"ready", true}}.dump(), {}}; }
  return infer_with(*model, infer);
}

Reply StubServer::Core::infer_with(Model& model, InferRequest& request) {
  if (request.error) return refusal(request.error->status, request.error->message);
  if (auto problem = fit_to_model(request, model.info())) return refusal(problem->status, problem->message);
  const auto outputs = model.run(request.inputs);
  if (!outputs) {
    // The engine's own words may quote values.
    return outputs.error().code == ErrorCode::kInvalidArgument ? refusal(400, "the model refused the inputs")
                                                               : refusal(500, "the model failed");
  }
  InferReply built;
  if (auto problem = build_reply(request, model.info(), outputs.value(), built)) {
    return refusal(problem->status, problem->message);
  }
  return {200, std::move(built.body), built.header_length};
}

Reply StubServer::Core::add_to_tripwire(const std::string& body) {
  auto document = JsonDocument::parse(body, "/admin/tripwire");
  if (!document) return refusal(400, document.error().message);
  Problems problems;
  JsonReader reader(*document.value(), document.value()->root(), "", problems);
  std::vector<std::string> hashes;
  std::vector<std::string> canaries;
  reader.read("input_sha256", hashes);
  reader.read("canaries", canaries);
  reader.finish();
  if (!problems.empty()) return refusal(400, problems.as_error().message);
  if (auto added = tripwire_.add(hashes, canaries); !added) return refusal(400, added.error().message);
  return {200, "{}", {}};
}

Reply StubServer::Core::administer(const Route& found, const std::string& body) {
  switch (found.call) {
    case Call::kStats:
      return {200, stats_json(stats()), {}};
    case Call::kTripwire:
      return add_to_tripwire(body);
    case Call::kShaping: {
      auto shaping = parse_shaping(body, "/admin/shaping");
      if (!shaping) return refusal(400, shaping.error().message);
      shaper_.replace(shaping.value());
      shaped_ = !shaping.value().idle();
      return {200, "{}", {}};
    }
    case Call::kReady: {
      const json wanted = json::parse(body, nullptr, false);
      if (!wanted.is_object() || wanted.size() != 1 || !wanted.contains("ready") || !wanted["ready"].is_boolean()) {
        return refusal(400, R"(expected {"ready": true or false})");
      }
      ready_ = wanted["ready"].get<bool>();
      return {200, "{}", {}};
    }
    case Call::kQuit:
      if (!on_quit_) return refusal(404, "this server is stopped by its owner");
      return {200, "{}", {}};  // The logger tells the owner.
    case Call::kWrongMethod:
      return refusal(405, "this path does not answer to that method");
    default:
      return refusal(404, "unknown path");
  }
}

StubStats StubServer::Core::stats() const {
  return {.requests = requests_,
          .infer_requests = infer_requests_,
          .ok = ok_,
          .errors_injected = errors_injected_,
          .bytes_in = bytes_in_,
          .bytes_out = bytes_out_,
          .connections = connections_,
          .sensitive_inputs_seen = sensitive_inputs_,
          .canaries_seen = canaries_,
          .sensitive_requests = sensitive_requests_};
}

std::string stats_json(const StubStats& stats) {
  return json{{"requests", stats.requests},
              {"infer_requests", stats.infer_requests},
              {"ok", stats.ok},
              {"errors_injected", stats.errors_injected},
              {"bytes_in", stats.bytes_in},
              {"bytes_out", stats.bytes_out},
              {"connections", stats.connections},
              {"sensitive_inputs_seen", stats.sensitive_inputs_seen},
              {"canaries_seen", stats.canaries_seen},
              {"sensitive_requests", stats.sensitive_requests}}
      .dump();
}

StubServer::StubServer(StubConfig config, std::vector<std::shared_ptr<Model>> models, std::function<void()> on_quit)
    : core_(std::make_unique<Core>(std::move(config), std::move(models), std::move(on_quit))) {}
StubServer::~StubServer() { stop(); }
Result<int> StubServer::start() { return core_->start(); }
void StubServer::stop() { core_->stop(); }
StubStats StubServer::stats() const { return core_->stats(); }

}  // namespace hearth::stub
