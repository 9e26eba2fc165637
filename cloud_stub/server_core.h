/// \file StubServer::Core: the server's insides, for its own source files only.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cloud_stub/faults.h"
#include "cloud_stub/front.h"
#include "cloud_stub/http_server.h"
#include "cloud_stub/judge.h"
#include "cloud_stub/oip.h"
#include "cloud_stub/routes.h"
#include "cloud_stub/server.h"
#include "cloud_stub/tripwire.h"

namespace hearth::stub {

inline constexpr const char* kHeaderLength = "Inference-Header-Content-Length";

/// One reply before it is handed to httplib.
struct Reply {
  int status = 200;
  std::string body;
  std::optional<std::size_t> header_length;  ///< Set for a body with binary tensors.
  std::vector<std::string> events{};         ///< In place of a body: server-sent events, one after the other.
};

inline Reply refusal(int status, std::string_view message) { return {status, error_json(message), std::nullopt, {}}; }

class StubServer::Core {
 public:
  Core(StubConfig config, std::vector<std::shared_ptr<Model>> models, std::function<void()> on_quit)
      : config_(std::move(config)),
        models_(std::move(models)),
        on_quit_(std::move(on_quit)),
        shaper_(config_.shaping),
        shaped_(!config_.shaping.idle()),
        faults_(sim::FaultTimeline{}) {}

  Result<int> start();
  void stop();
  StubStats stats() const;
  std::string verdict_json() const;
  int server_port() const { return port_; }

 private:
  /// One request as it came.
  struct Received {
    const httplib::Request& request;
    std::string body;
    bool too_large = false;
    bool broken = false;
    std::uint64_t bytes = 0;
    Duration at{};
  };
  bool fronted() const { return config_.allow_faults || config_.tls || !config_.faults.faults.empty(); }
  bool judging() const { return config_.judge || fronted(); }
  Result<int> start_front();
  void swallowed(const HttpHead& head, std::string_view body);
  void look(const Route& found, const InferRequest& infer, std::string_view body, const std::string& head);
  void set_up();
  void serve(const httplib::Request& request, httplib::Response& response, const httplib::ContentReader* reader);
  Received receive(const httplib::Request& request, const httplib::ContentReader* reader) const;
  Reply answer(const Received& received, Duration& way_back, bool& shaped);
  std::optional<Reply> refused(const Received& received) const;
  Reply act(const Route& found, InferRequest& infer, const Received& received);
  Reply administer(const Route& found, const std::string& body);
  Reply set_faults(const std::string& body);
  Reply add_to_tripwire(const std::string& body);
  Reply infer_with(Model& model, InferRequest& request, const Received& received, bool versioned);
  Reply answer_text(Call call, const Received& received);
  Reply text_models() const;
  void judge(std::string_view model, const InferRequest& request, const Received& received);
  void stream(std::vector<std::string> events, httplib::Response& response) const;
  std::shared_ptr<Model> find(const Route& found) const;
  Duration now() const { return std::chrono::steady_clock::now() - began_; }
  void sleep_until(Duration due) const;

  const StubConfig config_;
  const std::vector<std::shared_ptr<Model>> models_;
  const std::function<void()> on_quit_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Shaper shaper_;
  std::atomic<bool> shaped_;
  Tripwire tripwire_;
  Judge judge_;
  Faults faults_;
  std::unique_ptr<Front> front_;
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

}  // namespace hearth::stub
