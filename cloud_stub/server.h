/// \file StubServer: a real HTTP server that stands in for the cloud.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <hearth/result.h>

#include "cloud_stub/front.h"
#include "cloud_stub/imitate.h"
#include "cloud_stub/models.h"
#include "cloud_stub/shaping.h"

namespace hearth::stub {

struct StubConfig {
  std::string host = "127.0.0.1";
  int port = 0;                                ///< 0: any free one.
  std::size_t threads = 64;                    ///< One per open connection; further connections wait for one to close.
  std::uint64_t body_bytes_max = 16ull << 20;  ///< Larger bodies get 413.
  unsigned keep_alive_s = 300;                 ///< Idle connections are closed after this.
  Shaping shaping;
  sim::FaultTimeline faults;             ///< Begins with start().
  bool allow_faults = false;             ///< Obey x-hearth-fault and POST /admin/faults.
  std::optional<TlsIdentities> tls;      ///< https when set.
  std::string bearer;                    ///< Requests without this token get 401; empty: none is asked for.
  Imitated imitate = Imitated::kNone;    ///< Whose manners it has in the Open Inference Protocol.
  std::vector<std::string> text_models;  ///< Names under which the OpenAI API's text model is served.
  Duration piece_delay{};                ///< Between two pieces of a streamed answer.
  bool judge = false;                    ///< Keep a verdict. With faults or TLS there always is one.
};

/// Counted since start. /admin is not counted.
struct StubStats {
  std::uint64_t requests = 0;
  std::uint64_t infer_requests = 0;
  std::uint64_t ok = 0;               ///< Infer requests answered with 200.
  std::uint64_t errors_injected = 0;  ///< 500 or 503 because the shaping said so, and faults of a timeline or header.
  std::uint64_t bytes_in = 0;         ///< Heads and bodies received.
  std::uint64_t bytes_out = 0;        ///< Heads (as near as known) and bodies sent.
  std::uint64_t connections = 0;      ///< Ever accepted.
  std::uint64_t sensitive_inputs_seen = 0;
  std::uint64_t canaries_seen = 0;
  std::uint64_t sensitive_requests = 0;  ///< With at least one of the two.
};

std::string stats_json(const StubStats& stats);

/// Threads: start() and stop() from one thread; the rest from any. Ownership: owns its threads; the destructor stops.
class StubServer {
 public:
  /// `on_quit` runs on a server thread when POST /admin/quit arrives; it must not call stop() itself.
  StubServer(StubConfig config, std::vector<std::shared_ptr<Model>> models, std::function<void()> on_quit = {});
  ~StubServer();
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  /// Listens and serves; returns the port. kUnavailable when the address cannot be bound.
  Result<int> start();
  /// Refuses new requests, ends those in flight without their remaining delay, closes every connection. Idempotent.
  void stop();

  StubStats stats() const;
  /// What GET /admin/verdict answers; its counts stay zero unless the configuration asks for them.
  std::string verdict_json() const;
  /// Where /admin answers whatever the faults do: the server's own port behind its front, or the only one.
  int server_port() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace hearth::stub
