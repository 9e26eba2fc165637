/// \file Front: stands before the stub's HTTP server and does to connections, bytes and replies what a timeline says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <hearth/result.h>

#include "cloud_stub/faults.h"
#include "cloud_stub/http_head.h"

namespace hearth::stub {

/// Certificate chains with their keys, in PEM: the right one, and one for each way to be wrong.
struct TlsIdentities {
  struct Identity {
    std::string certificate_pem;
    std::string key_pem;
  };
  Identity good;
  Identity expired;           ///< From the same authority.
  Identity wrong_name;        ///< From the same authority.
  Identity untrusted;         ///< From an authority of its own.
  std::string authority_pem;  ///< What a client must trust.
};

/// Made on the spot for localhost, 127.0.0.1 and ::1; a few milliseconds.
TlsIdentities make_tls_identities();

struct FrontConfig {
  std::string host = "127.0.0.1";
  int port = 0;  ///< 0: any free one.
  int server_port = 0;
  std::uint64_t body_bytes_max = 16ull << 20;  ///< Requests with larger bodies pass without faults.
  bool allow_header = false;                   ///< Obey x-hearth-fault.
  std::optional<TlsIdentities> tls;            ///< https when set.
};

inline constexpr std::string_view kFaultHeader = "x-hearth-fault";
/// From the front to the server: how long a request has been held back, in microseconds.
inline constexpr std::string_view kWaitedHeader = "x-hearth-waited-us";

/// One thread; connections are independent and none blocks another. What it cannot read as plain HTTP/1.1 with a
/// Content-Length (chunked requests, broken heads) passes byte for byte and without faults.
/// Threads: start() and stop() from one thread; the rest from any. Ownership: `faults` outlives it.
class Front {
 public:
  /// Told what reached the front and never the server. On the front's thread.
  using Swallowed = std::function<void(const HttpHead& head, std::string_view body)>;

  Front(FrontConfig config, Faults& faults, Swallowed swallowed);
  ~Front();
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  /// Listens; returns the port. kUnavailable when the address cannot be bound.
  Result<int> start();
  /// Drops every connection. Idempotent.
  void stop();

  std::uint64_t connections() const;  ///< Ever accepted.

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace hearth::stub
